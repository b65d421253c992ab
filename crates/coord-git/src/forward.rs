//! Bringing a person's checkout up to date: only forwards, and only when nothing of theirs is in it.

use std::path::Path;

use coord_core::ids::CommitId;
use gix::ObjectId;

use crate::cli::Output;
use crate::lock::FileLock;
use crate::repo::{commit_id, local_tip, merge_base, open_gix, read, short_branch};
use crate::{Git, GitError, Repo};

/// What came of bringing a checkout up to date. Wherever it is not [`FastForward::Moved`], the
/// checkout is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FastForward {
    /// Branch and files have moved on.
    Moved {
        /// The commit that was checked out.
        from: CommitId,
        /// The one that is now.
        to: CommitId,
    },
    /// It has everything that the remote has.
    Current,
    /// Tracked files have changes that are not committed, or a merge or rebase is under way.
    Dirty,
    /// Files that git does not track stand where the remote has some.
    InTheWay {
        /// In git's words.
        why: String,
    },
    /// The default branch is not the one that is checked out.
    OtherBranch {
        /// What is; `None` for a detached HEAD.
        name: Option<String>,
    },
    /// It has commits that the remote does not have, and the other way round.
    Diverged,
    /// There is no remote, or it does not have the branch.
    NoRemote,
    /// The repository is bare.
    NoCheckout,
}

/// Fetches, and moves a clean checkout that is on its default branch to what the remote has there.
/// `configured` is the default branch by the configuration, see [`Repo::default_branch`].
///
/// # Errors
/// When the remote cannot be talked to, or the repository cannot be read or written.
pub fn fast_forward(repo: &Repo, configured: Option<&str>) -> Result<FastForward, GitError> {
    repo.fetch()?;
    // Two workers that start at once may bring the same checkout up to date.
    let _lock = FileLock::acquire(&repo.common_dir().join("coord-forward.lock"))?;
    let branch = repo.default_branch(configured)?;
    let gix = repo.gix()?;
    if gix.workdir().is_none() {
        return Ok(FastForward::NoCheckout);
    }
    let Some(there) = read(&gix, &format!("refs/remotes/origin/{branch}"))? else {
        return Ok(FastForward::NoRemote);
    };
    let head = gix
        .head_name()
        .map_err(GitError::library("read HEAD"))?
        .map(|name| short_branch(name.as_ref()));
    if head.as_deref() != Some(branch.as_str()) {
        return Ok(FastForward::OtherBranch { name: head });
    }
    let Some(here) = local_tip(&gix, &branch)? else {
        return Err(GitError::NoCommits {
            path: repo.path().to_owned(),
        });
    };
    match merge_base(&gix, here, there)? {
        Some(base) if base == there => Ok(FastForward::Current),
        Some(base) if base == here => move_on(repo, &branch, here, there),
        Some(_) | None => Ok(FastForward::Diverged),
    }
}

fn move_on(
    repo: &Repo,
    branch: &str,
    here: ObjectId,
    there: ObjectId,
) -> Result<FastForward, GitError> {
    if has_changes(repo.git(), repo.path())? {
        return Ok(FastForward::Dirty);
    }
    let output = forward(repo.git(), repo.path(), there)?;
    let tip = local_tip(&repo.gix()?, branch)?;
    if tip == Some(there) {
        return Ok(FastForward::Moved {
            from: commit_id(here),
            to: commit_id(there),
        });
    }
    // What was changed since the look is found out by git itself.
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("untracked working tree files would be overwritten") {
        Ok(FastForward::InTheWay {
            why: output.last_words(),
        })
    } else if said.contains("would be overwritten") {
        Ok(FastForward::Dirty)
    } else {
        Err(output.failure("merge"))
    }
}

/// Whether tracked files of a checkout differ from its commit, or something is half done in it.
pub(crate) fn has_changes(git: &Git, checkout: &Path) -> Result<bool, GitError> {
    let changes = git
        .run_in(checkout, "status")
        .args(["--porcelain", "-z", "--untracked-files=no"])
        .bytes()?;
    Ok(!changes.is_empty() || open_gix(checkout)?.state().is_some())
}

/// Fast-forwards what is checked out. Untracked files stay, ignored ones too: git refuses by itself
/// where one of them is in the way.
pub(crate) fn forward(git: &Git, checkout: &Path, to: ObjectId) -> Result<Output, GitError> {
    git.run_in(checkout, "merge")
        .config("merge.autoStash=false")
        .config("submodule.recurse=false")
        .args(["--ff-only", "--no-overwrite-ignore", "--quiet"])
        .arg(to.to_string())
        .output()
}
