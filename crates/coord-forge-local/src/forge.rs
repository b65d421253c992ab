//! The local forge of one repository.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use coord_core::ids::{CommitId, RepoName, Timestamp};
use coord_core::issue::{Issue, IssueState};
use coord_forge::{
    BranchRef, COORDINATOR, ChangedFile, Check, Comment, Comparison, Forge, ForgeError,
    MergeOutcome, NewIssue, NewPull, NewReview, OpenList, Pull, PullMerge, RequiredChecks, Review,
    SubIssueLink, with_section,
};
use coord_store::{
    CommentRow, ForgeRows, NewCommentRow, NewIssueRow, NewPullRow, Store, SubIssueRow,
};

use crate::checkout::Checkout;
use crate::{failure, limits};

/// The local forge of one repository: rows in the store, branches and merges in git.
#[derive(Debug, Clone)]
pub struct LocalForge {
    pub(crate) rows: ForgeRows,
    pub(crate) checkout: Checkout,
    author: String,
}

impl LocalForge {
    /// The forge of `repo`, whose git repository is at `path` if this machine has it. Without it
    /// issues and comments work, and whatever needs git is an error.
    #[must_use]
    pub fn new(store: Store, repo: RepoName, path: Option<PathBuf>) -> Self {
        Self {
            rows: ForgeRows::new(store, repo.clone()),
            checkout: Checkout { repo, path },
            author: COORDINATOR.to_owned(),
        }
    }

    /// The same forge, used by a person: issues are opened, and notes on closing them written, in
    /// their name. Comments of the coordinator stay the coordinator's.
    #[must_use]
    pub fn used_by(mut self, author: impl Into<String>) -> Self {
        self.author = author.into();
        self
    }

    /// Every issue, by number; `state` narrows them down.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn issues(&self, state: Option<IssueState>) -> Result<Vec<Issue>, ForgeError> {
        self.rows.issues(state).await.map_err(failure::of_store)
    }

    pub(crate) const fn repo(&self) -> &RepoName {
        &self.checkout.repo
    }
}

#[async_trait]
impl Forge for LocalForge {
    async fn open_list(&self) -> Result<OpenList, ForgeError> {
        let parents = self.rows.parents_of_open().await;
        Ok(OpenList {
            issues: self.issues(Some(IssueState::Open)).await?,
            parents: parents.map_err(failure::of_store)?,
        })
    }

    async fn issue(&self, number: u64) -> Result<Option<Issue>, ForgeError> {
        self.rows.issue(number).await.map_err(failure::of_store)
    }

    async fn create_issue(&self, new: NewIssue) -> Result<Issue, ForgeError> {
        limits::check_issue(&new)?;
        let row = NewIssueRow {
            title: new.title,
            body: new.body,
            labels: new.labels,
            author: self.author.clone(),
            key: new.key.map(|key| key.to_string()),
        };
        self.rows
            .create_issue(row, now())
            .await
            .map_err(failure::of_store)
    }

    async fn sub_issues(&self, parent: u64) -> Result<Option<Vec<u64>>, ForgeError> {
        let found = self.rows.sub_issues(parent).await;
        match found.map_err(failure::of_store)? {
            Some(children) => Ok(Some(children)),
            None => Err(failure::not_found("issue", self.repo(), parent)),
        }
    }

    async fn add_sub_issue(&self, parent: u64, child: u64) -> Result<SubIssueLink, ForgeError> {
        let added = self.rows.add_sub_issue(parent, child).await;
        match added.map_err(failure::of_store)? {
            SubIssueRow::Linked => Ok(SubIssueLink::Linked),
            SubIssueRow::Of(_) => Ok(SubIssueLink::OtherParent),
            SubIssueRow::Circle => Err(failure::refused(format!(
                "issue {}#{parent} is issue {child} itself, or below it",
                self.repo()
            ))),
            SubIssueRow::Missing(number) => Err(failure::not_found("issue", self.repo(), number)),
        }
    }

    async fn write_section(
        &self,
        number: u64,
        section: &str,
        text: &str,
    ) -> Result<(), ForgeError> {
        loop {
            let issue = self.issue(number).await?;
            let issue = issue.ok_or_else(|| failure::not_found("issue", self.repo(), number))?;
            let body = with_section(&issue.body, section, text);
            limits::check_body(&body)?;
            // Whoever changed the body in between is not overwritten: look again.
            let set = self.rows.set_body(number, issue.body, body).await;
            if set.map_err(failure::of_store)? {
                return Ok(());
            }
        }
    }

    async fn close_issue(&self, number: u64, note: Option<&str>) -> Result<(), ForgeError> {
        note.map_or(Ok(()), limits::check_body)?;
        let note = note.map(|body| NewCommentRow {
            author: self.author.clone(),
            body: body.to_owned(),
        });
        let found = self.rows.close_issue(number, note, now()).await;
        if found.map_err(failure::of_store)? {
            Ok(())
        } else {
            Err(failure::not_found("issue", self.repo(), number))
        }
    }

    async fn label_issue(
        &self,
        number: u64,
        add: &[String],
        remove: &[String],
    ) -> Result<(), ForgeError> {
        add.iter()
            .try_for_each(|label| limits::check_label(label))?;
        let found = self.rows.set_labels(number, add.to_vec(), remove.to_vec());
        if found.await.map_err(failure::of_store)? {
            Ok(())
        } else {
            Err(failure::not_found("issue", self.repo(), number))
        }
    }

    async fn comments(
        &self,
        number: u64,
        since: Option<Timestamp>,
    ) -> Result<Vec<Comment>, ForgeError> {
        let rows = self.rows.comments(number, since).await;
        match rows.map_err(failure::of_store)? {
            Some(rows) => Ok(rows.into_iter().map(comment).collect()),
            None => Err(failure::not_found("issue", self.repo(), number)),
        }
    }

    async fn recent_comments(
        &self,
        since: Option<Timestamp>,
        limit: usize,
    ) -> Result<Vec<(u64, Comment)>, ForgeError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let rows = self.rows.recent_comments(since, limit).await;
        let rows = rows.map_err(failure::of_store)?.into_iter();
        Ok(rows.map(|(number, row)| (number, comment(row))).collect())
    }

    async fn create_comment(&self, number: u64, body: &str) -> Result<Comment, ForgeError> {
        limits::check_body(body)?;
        let row = NewCommentRow {
            author: COORDINATOR.to_owned(),
            body: body.to_owned(),
        };
        let row = self.rows.create_comment(number, row, now()).await;
        row.map_err(failure::of_store)?
            .map(comment)
            .ok_or_else(|| failure::not_found("issue", self.repo(), number))
    }

    async fn edit_comment(&self, id: u64, body: &str) -> Result<(), ForgeError> {
        limits::check_body(body)?;
        let missing = || failure::not_found("comment", self.repo(), id);
        let row = self.rows.comment(id).await.map_err(failure::of_store)?;
        let row = row.ok_or_else(missing)?;
        if row.author != COORDINATOR {
            return Err(failure::refused(format!(
                "comment {id} is by `{}`, not by the coordinator",
                row.author
            )));
        }
        let edited = self.rows.edit_comment(id, body.to_owned(), now()).await;
        if edited.map_err(failure::of_store)? {
            Ok(())
        } else {
            Err(missing())
        }
    }

    async fn default_branch(&self) -> Result<String, ForgeError> {
        self.checkout.default_branch().await
    }

    async fn branch_head(&self, branch: &str) -> Result<Option<CommitId>, ForgeError> {
        self.checkout.fetched_tip(branch).await
    }

    async fn branches(&self, prefix: &str) -> Result<Vec<BranchRef>, ForgeError> {
        self.checkout.branches(prefix).await
    }

    async fn compare(&self, base: &str, head: &str) -> Result<Comparison, ForgeError> {
        self.checkout.compare(base, head).await
    }

    async fn pull_for_branch(&self, branch: &str) -> Result<Option<Pull>, ForgeError> {
        let row = self.rows.pull_for_branch(branch).await;
        match row.map_err(failure::of_store)? {
            Some(row) => Ok(Some(self.complete(row).await?)),
            None => Ok(None),
        }
    }

    async fn open_pull(&self, new: NewPull) -> Result<Pull, ForgeError> {
        limits::check_title(&new.title)?;
        limits::check_body(&new.body)?;
        self.need_branch(&new.branch).await?;
        self.need_branch(&new.base).await?;
        let row = NewPullRow {
            title: new.title,
            body: new.body,
            branch: new.branch,
            base: new.base,
        };
        let row = self.rows.open_pull(row, now()).await;
        self.complete(row.map_err(failure::of_store)?).await
    }

    async fn pull(&self, number: u64) -> Result<Option<Pull>, ForgeError> {
        match self.rows.pull(number).await.map_err(failure::of_store)? {
            Some(row) => Ok(Some(self.complete_with_mergeable(row).await?)),
            None => Ok(None),
        }
    }

    async fn pull_files(&self, number: u64) -> Result<Vec<ChangedFile>, ForgeError> {
        let span = self.span(&self.pull_row(number).await?).await?;
        self.checkout.files(span).await
    }

    async fn pull_diff(&self, number: u64) -> Result<String, ForgeError> {
        let span = self.span(&self.pull_row(number).await?).await?;
        self.checkout.diff(span).await
    }

    async fn merge_pull(&self, number: u64, merge: &PullMerge) -> Result<MergeOutcome, ForgeError> {
        self.merge(self.pull_row(number).await?, merge).await
    }

    async fn request_reviewers(&self, _: u64, _: &[String]) -> Result<(), ForgeError> {
        Err(failure::refused(
            "the local forge has no reviewers".to_owned(),
        ))
    }

    async fn create_review(&self, number: u64, review: &NewReview) -> Result<Review, ForgeError> {
        self.review(number, review).await
    }

    async fn reviews(&self, number: u64) -> Result<Vec<Review>, ForgeError> {
        self.reviews_of(number).await
    }

    async fn checks(&self, _: &CommitId) -> Result<Vec<Check>, ForgeError> {
        Ok(Vec::new())
    }

    async fn required_checks(&self, _: &str) -> Result<RequiredChecks, ForgeError> {
        Ok(RequiredChecks::Known(Vec::new()))
    }
}

fn comment(row: CommentRow) -> Comment {
    Comment {
        trusted: row.author == COORDINATOR,
        id: row.id,
        author: row.author,
        body: row.body,
        at: row.at,
    }
}

pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
