//! Whether work is in a branch already, by proof only.
//!
//! `--is-ancestor` alone is wrong after a rebase or squash. A trailer in a message proves nothing
//! either, since workers write messages: it names a candidate, and the candidate's content has to
//! be what merging the work into the candidate's parent gives.

use coord_core::ids::CommitId;
use gix::ObjectId;

use super::history::{commits_in, merge_base};
use super::{Repo, branch_ref, commit};
use crate::GitError;
use crate::merge::{Built, TRAILER, base_tip, merge_commits};

impl Repo {
    /// Whether the commits of `head` are in `into`: as they are, again as other commits (rebase),
    /// or as one commit (squash).
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read. Never "no" for "unknown".
    pub fn is_merged(&self, head: &CommitId, into: &CommitId) -> Result<bool, GitError> {
        let repo = self.gix()?;
        let (head, into) = (commit(&repo, head)?.id, commit(&repo, into)?.id);
        Ok(merged_as(self, &repo, head, into)?.is_some())
    }

    /// Whether the branch holds the commit itself, as the remote has it now; without a remote the
    /// local branch counts. What no fetch brings here is in no branch.
    ///
    /// # Errors
    /// [`GitError::NoSuchBranch`], those of [`Repo::fetch`], and when objects cannot be read. Never
    /// "no" for "unknown".
    pub fn contains(&self, branch: &str, id: &CommitId) -> Result<bool, GitError> {
        branch_ref(branch)?;
        self.fetch()?;
        let gix = self.gix()?;
        let tip = base_tip(&gix, branch)?;
        match commit(&gix, id) {
            Ok(found) => Ok(merge_base(&gix, found.id, tip)? == Some(found.id)),
            Err(GitError::NoSuchCommit { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The commit of `into` that holds the work of `head`; `into` itself when no single one does.
pub(crate) fn merged_as(
    repo: &Repo,
    gix: &gix::Repository,
    head: ObjectId,
    into: ObjectId,
) -> Result<Option<ObjectId>, GitError> {
    let Some(fork) = merge_base(gix, head, into)? else {
        return Ok(None);
    };
    let firsts = first_parents(gix, into, fork)?;
    if fork == head {
        return Ok(Some(merge_of(gix, &firsts, head)?.unwrap_or(head)));
    }
    if let Some(squashed) = squash_of(gix, &firsts, head)? {
        return Ok(Some(squashed));
    }
    let adds_nothing = || match merge_commits(gix, into, head)? {
        Built::Tree(tree) => Ok::<_, GitError>(tree == tree_of(gix, into)?),
        Built::Conflict(_) => Ok(false),
    };
    let merged = adds_nothing()? || equivalent(repo, gix, head, into)?;
    Ok(merged.then_some(into))
}

/// The first-parent history of `into` down to `fork`, newest first.
fn first_parents(
    repo: &gix::Repository,
    into: ObjectId,
    fork: ObjectId,
) -> Result<Vec<ObjectId>, GitError> {
    let walk = repo
        .rev_walk([into])
        .first_parent_only()
        .with_hidden([fork])
        .all()
        .map_err(GitError::library("walk the history"))?;
    walk.map(|info| {
        info.map(|info| info.id)
            .map_err(GitError::library("walk the history"))
    })
    .collect()
}

/// The merge commit among `firsts` that has `head` as a parent.
fn merge_of(
    repo: &gix::Repository,
    firsts: &[ObjectId],
    head: ObjectId,
) -> Result<Option<ObjectId>, GitError> {
    for &id in firsts {
        if parents_of(repo, id)?.iter().skip(1).any(|id| *id == head) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The commit among `firsts` that says it is an assignment's work and is what squashing `head` gives.
fn squash_of(
    repo: &gix::Repository,
    firsts: &[ObjectId],
    head: ObjectId,
) -> Result<Option<ObjectId>, GitError> {
    for &id in firsts {
        let parents = parents_of(repo, id)?;
        if let [parent] = parents[..]
            && has_trailer(repo, id)?
            && let Built::Tree(tree) = merge_commits(repo, parent, head)?
            && tree == tree_of(repo, id)?
        {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Whether every commit of `into..head` has an equal patch in `into`. Merge commits have no patch
/// to compare, so a history with merges never counts.
fn equivalent(
    repo: &Repo,
    gix: &gix::Repository,
    head: ObjectId,
    into: ObjectId,
) -> Result<bool, GitError> {
    for id in commits_in(gix, into, head)? {
        if parents_of(gix, id)?.len() > 1 {
            return Ok(false);
        }
    }
    let said = repo
        .run("cherry")
        .args([into.to_string(), head.to_string()])
        .text()?;
    Ok(!said.is_empty() && said.lines().all(|line| line.starts_with('-')))
}

fn has_trailer(repo: &gix::Repository, id: ObjectId) -> Result<bool, GitError> {
    let commit = repo
        .find_commit(id)
        .map_err(GitError::library("read a commit"))?;
    let message = commit.message_raw_sloppy().to_string();
    Ok(message.lines().any(|line| line.starts_with(TRAILER)))
}

pub(crate) fn parents_of(repo: &gix::Repository, id: ObjectId) -> Result<Vec<ObjectId>, GitError> {
    let commit = repo
        .find_commit(id)
        .map_err(GitError::library("read a commit"))?;
    Ok(commit.parent_ids().map(|id| id.detach()).collect())
}

pub(crate) fn tree_of(repo: &gix::Repository, id: ObjectId) -> Result<ObjectId, GitError> {
    let commit = repo
        .find_commit(id)
        .map_err(GitError::library("read a commit"))?;
    let tree = commit
        .tree_id()
        .map_err(GitError::library("read a commit"))?;
    Ok(tree.detach())
}
