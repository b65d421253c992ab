//! Merging a branch: built in memory, published with compare-and-swap.
//!
//! No checkout is needed to merge. Where there is a remote, its branch is what moves; without
//! one the local branch moves, and a clean checkout of it follows.

mod build;
mod publish;

use coord_core::assignment::MergeMethod;
use coord_core::ids::{AssignmentId, CommitId};
use gix::ObjectId;

use crate::repo::{branch_ref, commit, commit_id, merged_as};
use crate::{GitError, Repo};

use build::with_trailer;
pub(crate) use build::{Built, How, Result as BuildResult, build, merge_commits};
use publish::Published;
pub(crate) use publish::base_tip;

/// The trailer that names the assignment in squash and merge commits.
pub(crate) const TRAILER: &str = "Coord-Assignment: ";

/// How often the base may move between our look and our push.
const ATTEMPTS: usize = 8;

/// What is to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeSpec {
    /// The branch.
    pub branch: String,
    /// The commit that the gates hold for; nothing else is merged.
    pub head: CommitId,
    /// The branch that it is merged into.
    pub base_branch: String,
    /// How.
    pub method: MergeMethod,
    /// The message of a squash or merge commit; a rebase keeps the messages.
    pub message: String,
    /// Named in the trailer `Coord-Assignment` of a squash or merge commit.
    pub assignment: AssignmentId,
    /// The tip of the base that the result was tested on; `None`: any.
    pub onto: Option<CommitId>,
}

/// What came of a merge. Failures that may pass are errors, not one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum MergeReport {
    /// Published just now.
    Merged {
        /// The commit on the base branch.
        commit: CommitId,
        /// The tip of the base branch just before.
        onto: CommitId,
    },
    /// The base branch held the work already, e.g. from before a crash.
    AlreadyMerged {
        /// The commit on the base branch that holds it, or its tip.
        commit: CommitId,
    },
    /// It does not merge with the base as it is.
    Conflict {
        /// The tip of the base.
        base: CommitId,
        /// The paths in conflict, sorted.
        paths: Vec<String>,
    },
    /// The branch is not at the commit that was to be merged.
    HeadMoved {
        /// Where it is.
        actual: CommitId,
    },
    /// The base is not at the commit that it was to be merged onto.
    BaseMoved {
        /// Where it is.
        base: CommitId,
    },
    /// A person has to look at it.
    Refused {
        /// Why, in one or a few lines.
        reason: String,
    },
}

/// Merges `spec.head` into `spec.base_branch` and publishes the result. Repeating it is safe.
///
/// Work that is in the base counts as merged, wherever branch and base are by now; a branch that
/// moved is reported before a base that did.
///
/// # Errors
/// [`GitError::Remote`], [`GitError::Contended`] and others that say nothing about the branch;
/// [`GitError::NoSuchBranch`] when the base is missing.
pub fn merge_branch(repo: &Repo, spec: &MergeSpec) -> Result<MergeReport, GitError> {
    branch_ref(&spec.branch)?;
    branch_ref(&spec.base_branch)?;
    for _ in 0..ATTEMPTS {
        repo.fetch()?;
        if let Some(report) = attempt(repo, spec)? {
            return Ok(report);
        }
    }
    Err(GitError::Contended {
        branch: spec.base_branch.clone(),
    })
}

/// One look at the base and one try to publish; `None` when the base moved in between.
fn attempt(repo: &Repo, spec: &MergeSpec) -> Result<Option<MergeReport>, GitError> {
    let gix = repo.gix()?;
    let base = publish::base_tip(&gix, &spec.base_branch)?;
    let head = commit(&gix, &spec.head)?.id;
    if let Some(commit) = merged_as(repo, &gix, head, base)? {
        return Ok(Some(MergeReport::AlreadyMerged {
            commit: commit_id(commit),
        }));
    }
    if let Some(report) = moved(repo, spec)? {
        return Ok(Some(report));
    }
    let tip = commit_id(base);
    if spec.onto.as_ref().is_some_and(|onto| *onto != tip) {
        return Ok(Some(MergeReport::BaseMoved { base: tip }));
    }
    let how = How {
        method: spec.method,
        message: &with_trailer(&spec.message, spec.assignment.as_str()),
    };
    let new = match build(repo, &gix, &how, base, head)? {
        BuildResult::Commit(new) => new,
        BuildResult::Conflict(paths) => {
            return Ok(Some(MergeReport::Conflict { base: tip, paths }));
        }
        BuildResult::Unrelated => return Ok(Some(unrelated(spec))),
    };
    if new == base {
        return Ok(Some(MergeReport::AlreadyMerged { commit: tip }));
    }
    finish(repo, &gix, spec, new, base)
}

/// A report when the branch is not where it was tested.
fn moved(repo: &Repo, spec: &MergeSpec) -> Result<Option<MergeReport>, GitError> {
    Ok(match repo.tip(&spec.branch)? {
        Some(actual) if actual == spec.head => None,
        Some(actual) => Some(MergeReport::HeadMoved { actual }),
        None => Some(MergeReport::Refused {
            reason: format!("the branch `{}` is gone", spec.branch),
        }),
    })
}

fn unrelated(spec: &MergeSpec) -> MergeReport {
    MergeReport::Refused {
        reason: format!(
            "`{}` and `{}` have no commit in common",
            spec.branch, spec.base_branch
        ),
    }
}

fn finish(
    repo: &Repo,
    gix: &gix::Repository,
    spec: &MergeSpec,
    new: ObjectId,
    base: ObjectId,
) -> Result<Option<MergeReport>, GitError> {
    Ok(
        match publish::publish(repo, gix, &spec.base_branch, new, base)? {
            Published::Done => Some(MergeReport::Merged {
                commit: commit_id(new),
                onto: commit_id(base),
            }),
            Published::Moved => None,
            Published::Refused(reason) => Some(MergeReport::Refused { reason }),
        },
    )
}
