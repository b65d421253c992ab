//! Pushing to `origin`: never forced, and without running hooks of the repository.

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
        match push(self, branch, head, None)? {
            PushOutcome::Done => Ok(()),
            PushOutcome::Moved => Err(GitError::NonFastForward {
                branch: branch.to_owned(),
            }),
            PushOutcome::Refused(reason) => Err(GitError::PushRefused {
                branch: branch.to_owned(),
                reason,
            }),
        }
    }
}

/// Publishes `new` as `branch`, provided that the remote's branch still is `old`. `new` has to be
/// a descendant of `old`: the lease allows git to force what is none.
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
        "(non-fast-forward)",
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
