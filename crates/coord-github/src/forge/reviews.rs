//! Reviews of pull requests.

use coord_core::ids::CommitId;
use coord_forge::{ForgeError, NewReview, Review, ReviewVerdict};
use http::Method;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::limits::check_body;
use super::trust::{author, judge};
use super::{GithubForge, pulls};
use crate::error::CallError;
use crate::wire::{ReviewWire, Signed};

/// Asks for reviews, though not from the author: GitHub would refuse the whole request.
pub(super) async fn request(
    forge: &GithubForge,
    number: u64,
    accounts: &[String],
) -> Result<(), ForgeError> {
    let author = pulls::need(forge, number).await?.user;
    let wrote_it = |account: &str| {
        let author = author.as_ref();
        author.is_some_and(|author| author.login.eq_ignore_ascii_case(account))
    };
    let reviewers: Vec<&str> = accounts
        .iter()
        .map(String::as_str)
        .filter(|account| !wrote_it(account))
        .collect();
    if reviewers.is_empty() {
        return Ok(());
    }
    let route = forge.pull_route(number, "/requested_reviewers");
    let request = ReviewersRequest { reviewers };
    forge
        .connection()
        .send::<_, IgnoredAny>(Method::POST, &route, &request)
        .await
        .map_err(|error| error.into_forge(&forge.pull_name(number)))?;
    Ok(())
}

pub(super) async fn create(
    forge: &GithubForge,
    number: u64,
    review: &NewReview,
) -> Result<Review, ForgeError> {
    check_body("the review", &review.body)?;
    for comment in &review.comments {
        check_body("a comment of the review", &comment.body)?;
    }
    let request = ReviewRequest {
        commit_id: review.head.as_str(),
        event: event(review.verdict)?,
        body: &review.body,
        comments: review.comments.iter().map(line).collect(),
    };
    let route = forge.pull_route(number, "/reviews");
    let posted: ReviewWire = forge
        .connection()
        .send(Method::POST, &route, &request)
        .await
        .map_err(|error| refusal(forge, number, error))?;
    let unreadable = || ForgeError::Unusable {
        what: format!("GitHub calls the new review `{}`", posted.state),
        hint: None,
        source: None,
    };
    let verdict = verdict(&posted.state).ok_or_else(unreadable)?;
    Ok(read(posted, verdict, true))
}

pub(super) async fn of_pull(forge: &GithubForge, number: u64) -> Result<Vec<Review>, ForgeError> {
    let listed: Vec<ReviewWire> = forge
        .connection()
        .get_all(
            &forge.pull_route(number, "/reviews"),
            &[("per_page", "100")],
        )
        .await
        .map_err(|error| error.into_forge(&forge.pull_name(number)))?;
    let judge = judge(forge, &listed).await?;
    let mut reviews: Vec<Review> = listed
        .into_iter()
        .filter_map(|it| Some((verdict(&it.state)?, it)))
        .map(|(verdict, it)| {
            let trusted = judge.trusts(it.signature());
            read(it, verdict, trusted)
        })
        .collect();
    reviews.sort_by_key(|review| (review.at, review.id));
    Ok(reviews)
}

fn read(wire: ReviewWire, verdict: ReviewVerdict, trusted: bool) -> Review {
    Review {
        id: wire.id,
        author: author(wire.signature()),
        trusted,
        verdict,
        at: wire.submitted_at.unwrap_or_default(),
        head: wire.commit_id.map(CommitId::new),
        body: wire.body.unwrap_or_default(),
    }
}

/// `None` for drafts, which only their author sees.
fn verdict(state: &str) -> Option<ReviewVerdict> {
    match state {
        "APPROVED" => Some(ReviewVerdict::Approve),
        "CHANGES_REQUESTED" => Some(ReviewVerdict::RequestChanges),
        "COMMENTED" => Some(ReviewVerdict::Comment),
        "DISMISSED" => Some(ReviewVerdict::Dismissed),
        _ => None,
    }
}

fn event(verdict: ReviewVerdict) -> Result<&'static str, ForgeError> {
    match verdict {
        ReviewVerdict::Approve => Ok("APPROVE"),
        ReviewVerdict::RequestChanges => Ok("REQUEST_CHANGES"),
        ReviewVerdict::Comment => Ok("COMMENT"),
        ReviewVerdict::Dismissed => Err(ForgeError::Refused {
            reason: "a review cannot be posted as dismissed".to_owned(),
            hint: None,
        }),
    }
}

fn refusal(forge: &GithubForge, number: u64, error: CallError) -> ForgeError {
    let error = error.into_forge(&forge.pull_name(number));
    match error {
        ForgeError::Refused { reason, .. } if reason.contains("your own pull request") => {
            ForgeError::Refused {
                reason,
                hint: Some(
                    "GitHub lets nobody approve or reject their own pull request: review it with \
                     another account, or post a comment"
                        .to_owned(),
                ),
            }
        }
        ForgeError::Refused { .. }
        | ForgeError::Transient { .. }
        | ForgeError::NotFound { .. }
        | ForgeError::Auth { .. }
        | ForgeError::Unusable { .. } => error,
    }
}

fn line(comment: &coord_forge::LineComment) -> LineRequest<'_> {
    LineRequest {
        path: &comment.path,
        line: comment.line,
        side: "RIGHT",
        body: &comment.body,
    }
}

#[derive(Serialize)]
struct ReviewersRequest<'a> {
    reviewers: Vec<&'a str>,
}

#[derive(Serialize)]
struct ReviewRequest<'a> {
    commit_id: &'a str,
    event: &'static str,
    body: &'a str,
    comments: Vec<LineRequest<'a>>,
}

#[derive(Serialize)]
struct LineRequest<'a> {
    path: &'a str,
    line: u32,
    side: &'static str,
    body: &'a str,
}
