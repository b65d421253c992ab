//! Merging a pull request, with the commit pinned that was tested.
//!
//! GitHub pins the head (`sha`) and nothing else: the base is looked at just before, and once more
//! when GitHub says that a branch was modified.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;
use coord_forge::{ForgeError, MergeOutcome, PullMerge, PullState};
use http::Method;
use serde::Serialize;

use super::found::unknown;
use super::message::title_and_text;
use super::{GithubForge, pulls, refs};
use crate::error::CallError;
use crate::wire::{MergedWire, PullWire};

/// How long GitHub is given to find out whether a pull request merges.
const MERGEABLE_SECS: u64 = 2;

pub(super) async fn merge(
    forge: &GithubForge,
    number: u64,
    merge: &PullMerge,
) -> Result<MergeOutcome, ForgeError> {
    let pull = pulls::need(forge, number).await?;
    match look(forge, &pull, merge).await? {
        Stands::Decided(outcome) => return Ok(outcome),
        Stands::Conflicts => return conflict(forge, &pull).await,
        Stands::Unknown => return Err(not_found_out(forge, number)),
        Stands::Ready => {}
    }
    match put(forge, number, merge).await {
        Ok(MergedWire { sha }) => Ok(MergeOutcome::Merged {
            commit: CommitId::new(sha),
        }),
        Err(error) => after(forge, number, merge, error).await,
    }
}

/// Where a pull request stands to a merge that is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Stands {
    /// There is nothing left to do, or nothing to be done.
    Decided(MergeOutcome),
    /// It does not merge with its base.
    Conflicts,
    /// GitHub has not found out whether it merges.
    Unknown,
    /// It merges, as far as is known.
    Ready,
}

/// Where it stands, the base included.
async fn look(
    forge: &GithubForge,
    pull: &PullWire,
    merge: &PullMerge,
) -> Result<Stands, ForgeError> {
    let found = stands(pull, merge);
    match (&found, &merge.onto) {
        (Stands::Decided(_), _) | (_, None) => Ok(found),
        (Stands::Conflicts | Stands::Unknown | Stands::Ready, Some(onto)) => {
            let base = base_of(forge, pull).await?;
            Ok(if base == *onto {
                found
            } else {
                Stands::Decided(MergeOutcome::BaseMoved { base })
            })
        }
    }
}

/// What is known of the pull request alone.
fn stands(pull: &PullWire, merge: &PullMerge) -> Stands {
    let number = pull.number;
    let head = CommitId::from(pull.head.sha.as_str());
    let refused = |reason| Stands::Decided(MergeOutcome::Refused { reason });
    match pulls::state(pull) {
        PullState::Merged { commit } if head == merge.head => {
            Stands::Decided(MergeOutcome::Merged { commit })
        }
        PullState::Merged { .. } => refused(format!(
            "pull request {number} was merged with {}, which is not {}",
            head.short(),
            merge.head.short()
        )),
        PullState::Closed => refused(format!("pull request {number} is closed")),
        PullState::Open if head != merge.head => Stands::Decided(MergeOutcome::HeadMoved { head }),
        PullState::Open => match pull.mergeable {
            Some(true) => Stands::Ready,
            Some(false) => Stands::Conflicts,
            None => Stands::Unknown,
        },
    }
}

async fn put(forge: &GithubForge, number: u64, merge: &PullMerge) -> Result<MergedWire, CallError> {
    let (title, text) = title_and_text(&merge.message, &merge.assignment);
    let makes_a_commit = merge.method != MergeMethod::Rebase;
    let request = MergeRequest {
        sha: merge.head.as_str(),
        merge_method: method(merge.method),
        commit_title: makes_a_commit.then_some(title.as_str()),
        commit_message: makes_a_commit.then_some(text.as_str()),
    };
    let route = forge.pull_route(number, "/merge");
    forge.connection().send(Method::PUT, &route, &request).await
}

/// What came of a merge that was not answered with success: the pull request itself says more
/// than the error.
async fn after(
    forge: &GithubForge,
    number: u64,
    merge: &PullMerge,
    error: CallError,
) -> Result<MergeOutcome, ForgeError> {
    let name = forge.pull_name(number);
    let reason = match &error {
        CallError::Refused {
            status: 405 | 409 | 422,
            message,
            errors,
            ..
        } => Some(words(message, errors)),
        error if unknown(error) => None,
        CallError::Refused { .. }
        | CallError::Transient { .. }
        | CallError::Auth { .. }
        | CallError::Unusable { .. } => return Err(error.into_forge(&name)),
    };
    let pull = pulls::need(forge, number).await?;
    match look(forge, &pull, merge).await? {
        Stands::Decided(outcome) => Ok(outcome),
        Stands::Conflicts => conflict(forge, &pull).await,
        // Whatever it said may be about how things stood before.
        Stands::Unknown => Err(not_found_out(forge, number)),
        Stands::Ready => match reason {
            Some(reason) if passes(&reason) => Err(not_found_out(forge, number)),
            Some(reason) if is_conflict(&reason) => conflict(forge, &pull).await,
            Some(reason) => Ok(MergeOutcome::Refused { reason }),
            None => Err(error.into_forge(&name)),
        },
    }
}

async fn conflict(forge: &GithubForge, pull: &PullWire) -> Result<MergeOutcome, ForgeError> {
    Ok(MergeOutcome::Conflict {
        base: base_of(forge, pull).await?,
        paths: Vec::new(),
    })
}

/// The tip of the base as it is now: the pull request itself tells an older one.
async fn base_of(forge: &GithubForge, pull: &PullWire) -> Result<CommitId, ForgeError> {
    let base = refs::head(forge, &pull.base.branch).await?;
    Ok(base.unwrap_or_else(|| CommitId::from(pull.base.sha.as_str())))
}

/// Whether GitHub refuses only because of what happens at the same moment: another merge into the
/// base, a push that has not arrived everywhere, or this very merge, asked for by an earlier call.
fn passes(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.contains("branch was modified") || reason.contains("already in progress")
}

/// A rebase may conflict where a merge would not, and `mergeable` is about merges.
fn is_conflict(reason: &str) -> bool {
    reason.to_lowercase().contains("can't be rebased")
}

fn not_found_out(forge: &GithubForge, number: u64) -> ForgeError {
    ForgeError::Transient {
        what: format!(
            "GitHub is still finding out whether {} merges",
            forge.pull_name(number)
        ),
        retry_at: Some(forge.connection().now().plus_secs(MERGEABLE_SECS)),
        source: None,
    }
}

/// GitHub's words as our own messages are written: lower case, no final period.
fn words(message: &str, errors: &[String]) -> String {
    let mut words = vec![message];
    words.extend(errors.iter().map(String::as_str));
    let text = words.join(": ");
    let text = text.trim().trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "GitHub does not say why".to_owned(),
    }
}

const fn method(method: MergeMethod) -> &'static str {
    match method {
        MergeMethod::Rebase => "rebase",
        MergeMethod::Squash => "squash",
        MergeMethod::Merge => "merge",
    }
}

#[derive(Serialize)]
struct MergeRequest<'a> {
    sha: &'a str,
    merge_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_message: Option<&'a str>,
}
