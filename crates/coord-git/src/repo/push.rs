//! Pushing to `origin`, without running hooks of the repository. Forced only where the remote's
//! branch is the commit that is to be replaced.

use coord_core::ids::CommitId;
use gix::ObjectId;

use super::{Repo, branch_ref, object_id, refs};
use crate::GitError;
use crate::cli::{Output, REMOTE_LIMIT};

/// What the remote made of a push.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PushOutcome {
    /// The remote's branch is the commit now.
    Done,
    /// The remote's branch is not what we thought.
    Moved,
    /// The remote does not want it.
    Refused(String),
}

impl Repo {
    /// Makes the branch of `origin` the commit `head`, if that is a fast-forward. Without a remote
    /// there is nothing to do. Pushing what is there already succeeds.
    ///
    /// # Errors
    /// [`GitError::NonFastForward`], [`GitError::PushRefused`] and [`GitError::Remote`].
    pub fn push_branch(&self, branch: &str, head: &CommitId) -> Result<(), GitError> {
        branch_ref(branch)?;
        let head = object_id(head)?;
        if !self.has_remote()? {
            return Ok(());
        }
        pushed(branch, push(self, branch, head, None)?)
    }

    /// Makes the branch of `origin` the commit `head`, which need not be a descendant of what is
    /// there, provided that `old` is what is there, or `head` already. Without a remote there is
    /// nothing to do.
    ///
    /// # Errors
    /// [`GitError::NonFastForward`] when something else is there or the branch is gone,
    /// [`GitError::PushRefused`], also for the default branch, and [`GitError::Remote`].
    pub fn push_branch_over(
        &self,
        branch: &str,
        head: &CommitId,
        old: &CommitId,
    ) -> Result<(), GitError> {
        branch_ref(branch)?;
        let (head, old) = (object_id(head)?, object_id(old)?);
        if !self.has_remote()? {
            return Ok(());
        }
        if self.default_branch(None)? == branch {
            return Err(GitError::PushRefused {
                branch: branch.to_owned(),
                reason: "the default branch is never replaced".to_owned(),
            });
        }
        pushed(branch, push_with_lease(self, branch, head, old)?)
    }
}

fn pushed(branch: &str, outcome: PushOutcome) -> Result<(), GitError> {
    let branch = branch.to_owned();
    match outcome {
        PushOutcome::Done => Ok(()),
        PushOutcome::Moved => Err(GitError::NonFastForward { branch }),
        PushOutcome::Refused(reason) => Err(GitError::PushRefused { branch, reason }),
    }
}

/// Publishes `new` as `branch`, provided that the remote's branch still is `old`. The lease allows
/// git to force what is no descendant of `old`.
pub(crate) fn push_with_lease(
    repo: &Repo,
    branch: &str,
    new: ObjectId,
    old: ObjectId,
) -> Result<PushOutcome, GitError> {
    push(repo, branch, new, Some(old))
}

fn push(
    repo: &Repo,
    branch: &str,
    new: ObjectId,
    lease: Option<ObjectId>,
) -> Result<PushOutcome, GitError> {
    let mut run = repo
        .run("push")
        .config("http.lowSpeedLimit=1000")
        .config("http.lowSpeedTime=60")
        .args(["--porcelain", "--no-follow-tags", "--recurse-submodules=no"])
        .limit(REMOTE_LIMIT);
    if let Some(old) = lease {
        run = run.arg(format!("--force-with-lease=refs/heads/{branch}:{old}"));
    }
    if refs::ssh_may_ask(&repo.gix()?) {
        run = run.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    let _lock = repo.remote_lock()?;
    let output = run
        .args(["--", "origin", &format!("{new}:refs/heads/{branch}")])
        .output()?;
    if output.code == Some(0) {
        return Ok(PushOutcome::Done);
    }
    verdict(&output).ok_or_else(|| output.remote_failure("push"))
}

/// Reads the line `!<tab>from:to<tab>[rejected] (reason)` of `git push --porcelain`.
fn verdict(output: &Output) -> Option<PushOutcome> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with('!'))?;
    let summary = line.splitn(3, '\t').nth(2)?;
    let moved = [
        // Not `[remote rejected] (non-fast-forward)`: that remote lets nobody replace a branch.
        "[rejected] (non-fast-forward)",
        "(fetch first)",
        "(stale info)",
        "(remote ref updated since checkout)",
        // Another push got between the remote's own look and its update.
        "failed to update ref",
        "cannot lock ref",
        "incorrect old value",
    ];
    if moved.iter().any(|phrase| summary.contains(phrase)) {
        return Some(PushOutcome::Moved);
    }
    let reason = match remote_words(output) {
        words if words.is_empty() => summary.to_owned(),
        words => format!("{summary}: {words}"),
    };
    summary
        .contains("rejected]")
        .then_some(PushOutcome::Refused(reason))
}

/// What the remote itself said, e.g. in its hook.
fn remote_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let words: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("remote:"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(6)
        .collect();
    words.join(" ")
}
