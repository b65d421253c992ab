//! Reviews of pull requests: what may be posted, and the rows that hold it.

use coord_forge::{
    COORDINATOR, ChangedFile, ForgeError, LineComment, NewReview, Review, ReviewVerdict,
    lines_in_diff,
};
use coord_store::{LineCommentRow, NewReviewRow, ReviewRow, VerdictRow};

use crate::forge::{LocalForge, now};
use crate::{failure, limits};

impl LocalForge {
    pub(crate) async fn reviews_of(&self, pull: u64) -> Result<Vec<Review>, ForgeError> {
        self.pull_row(pull).await?;
        let rows = self.rows.reviews(pull).await;
        let rows = rows.map_err(failure::of_store)?;
        Ok(rows.into_iter().map(review).collect())
    }

    pub(crate) async fn review(&self, pull: u64, new: &NewReview) -> Result<Review, ForgeError> {
        let verdict = verdict_row(new.verdict)?;
        limits::check_body(&new.body)?;
        let span = self.span(&self.pull_row(pull).await?).await?;
        if span.head != new.head {
            return Err(failure::refused(format!(
                "pull request {pull} is at {}, not at {}",
                span.head.short(),
                new.head.short()
            )));
        }
        if !new.comments.is_empty() {
            check_lines(&self.checkout.files(span).await?, &new.comments)?;
        }
        let row = NewReviewRow {
            author: COORDINATOR.to_owned(),
            verdict,
            head: new.head.clone(),
            body: new.body.clone(),
            comments: new.comments.iter().map(line_row).collect(),
        };
        let row = self.rows.create_review(pull, row, now()).await;
        row.map(review).map_err(failure::of_store)
    }
}

fn check_lines(files: &[ChangedFile], comments: &[LineComment]) -> Result<(), ForgeError> {
    for comment in comments {
        limits::check_body(&comment.body)?;
        let patch = files
            .iter()
            .find(|file| file.path == comment.path)
            .and_then(|file| file.patch.as_deref());
        if !patch.is_some_and(|patch| lines_in_diff(patch).contains(&comment.line)) {
            return Err(failure::refused(format!(
                "line {} of `{}` is not in the diff",
                comment.line, comment.path
            )));
        }
    }
    Ok(())
}

fn verdict_row(verdict: ReviewVerdict) -> Result<VerdictRow, ForgeError> {
    match verdict {
        ReviewVerdict::Approve => Ok(VerdictRow::Approve),
        ReviewVerdict::RequestChanges => Ok(VerdictRow::RequestChanges),
        ReviewVerdict::Comment => Ok(VerdictRow::Comment),
        ReviewVerdict::Dismissed => Err(failure::refused(
            "a review cannot be posted as dismissed".to_owned(),
        )),
    }
}

fn line_row(comment: &LineComment) -> LineCommentRow {
    LineCommentRow {
        path: comment.path.clone(),
        line: comment.line,
        body: comment.body.clone(),
    }
}

fn review(row: ReviewRow) -> Review {
    let ReviewRow { id, at, review } = row;
    Review {
        id,
        trusted: review.author == COORDINATOR,
        author: review.author,
        verdict: match review.verdict {
            VerdictRow::Approve => ReviewVerdict::Approve,
            VerdictRow::RequestChanges => ReviewVerdict::RequestChanges,
            VerdictRow::Comment => ReviewVerdict::Comment,
        },
        head: Some(review.head),
        body: review.body,
        at,
    }
}
