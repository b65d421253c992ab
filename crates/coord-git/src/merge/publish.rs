//! Makes a commit the new tip of a branch, provided that the tip still is the one it was built on.

use std::path::{Path, PathBuf};

use gix::ObjectId;

use crate::forward::{forward, has_changes};
use crate::registry::Registry;
use crate::repo::{
    PushOutcome, branch_ref, checkouts_of, has_origin, push_with_lease, read, set_ref,
};
use crate::{GitError, Repo};

pub(super) enum Published {
    Done,
    /// The tip is another one by now.
    Moved,
    Refused(String),
}

/// The tip that a merge has to build on: the remote's where there is a remote.
pub(crate) fn base_tip(gix: &gix::Repository, branch: &str) -> Result<ObjectId, GitError> {
    let folder = if has_origin(gix) {
        "refs/remotes/origin"
    } else {
        "refs/heads"
    };
    read(gix, &format!("{folder}/{branch}"))?.ok_or_else(|| GitError::NoSuchBranch {
        name: branch.to_owned(),
    })
}

pub(super) fn publish(
    repo: &Repo,
    gix: &gix::Repository,
    branch: &str,
    new: ObjectId,
    old: ObjectId,
) -> Result<Published, GitError> {
    if has_origin(gix) {
        return Ok(match push_with_lease(repo, branch, new, old)? {
            PushOutcome::Done => Published::Done,
            PushOutcome::Moved => Published::Moved,
            PushOutcome::Refused(reason) => Published::Refused(reason),
        });
    }
    let checkouts = checkouts_of(repo, &Registry::open(repo)?, branch)?;
    match checkouts.as_slice() {
        [] => move_branch(gix, branch, new, old),
        [checkout] => fast_forward(repo, gix, checkout, branch, new, old),
        [..] => Ok(Published::Refused(format!(
            "`{branch}` is checked out more than once: {}",
            list(&checkouts)
        ))),
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

fn move_branch(
    gix: &gix::Repository,
    branch: &str,
    new: ObjectId,
    old: ObjectId,
) -> Result<Published, GitError> {
    match set_ref(gix, &branch_ref(branch)?, new, Some(old), "merge") {
        Ok(()) => Ok(Published::Done),
        Err(_) if base_tip(gix, branch)? != old => Ok(Published::Moved),
        Err(error) => Err(error),
    }
}

/// Moves the branch together with the checkout that a person has of it.
fn fast_forward(
    repo: &Repo,
    gix: &gix::Repository,
    checkout: &Path,
    branch: &str,
    new: ObjectId,
    old: ObjectId,
) -> Result<Published, GitError> {
    if has_changes(repo.git(), checkout)? {
        return Ok(Published::Refused(format!(
            "`{}` has `{branch}` checked out with uncommitted changes: commit or stash them first",
            checkout.display()
        )));
    }
    let output = forward(repo.git(), checkout, new)?;
    let tip = base_tip(gix, branch)?;
    if tip == new {
        Ok(Published::Done)
    } else if tip != old {
        Ok(Published::Moved)
    } else {
        Ok(Published::Refused(format!(
            "`{}` cannot be fast-forwarded: {}",
            checkout.display(),
            output.last_words()
        )))
    }
}
