//! How two commits stand to each other, without touching a branch or a checkout.

use coord_core::ids::CommitId;

use super::history::{commits_in, merge_base};
use super::{Repo, commit, commit_id};
use crate::GitError;
use crate::merge::{Built, merge_commits};

/// How one commit stands to another of the same history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Commits of the head that the base does not have.
    pub ahead: u64,
    /// Commits of the base that the head does not have.
    pub behind: u64,
    /// Where the two parted.
    pub merge_base: CommitId,
}

impl Repo {
    /// The tip of the branch of that name, as [`Repo::tip`] gives it, else the commit of that full
    /// id, else `None`.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub fn resolve(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        match self.tip(name) {
            Ok(Some(tip)) => return Ok(Some(tip)),
            Ok(None) | Err(GitError::InvalidName { .. }) => {}
            Err(error) => return Err(error),
        }
        match commit(&self.gix()?, &name.into()) {
            Ok(found) => Ok(Some(commit_id(found.id))),
            Err(_) => Ok(None),
        }
    }

    /// How `head` stands to `base`; `None` when they have no commit in common.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn compare(
        &self,
        base: &CommitId,
        head: &CommitId,
    ) -> Result<Option<Divergence>, GitError> {
        let repo = self.gix()?;
        let (base, head) = (commit(&repo, base)?.id, commit(&repo, head)?.id);
        let Some(parted) = merge_base(&repo, base, head)? else {
            return Ok(None);
        };
        let count = |from, to| commits_in(&repo, from, to).map(|commits| commits.len() as u64);
        Ok(Some(Divergence {
            ahead: count(base, head)?,
            behind: count(head, base)?,
            merge_base: commit_id(parted),
        }))
    }

    /// Whether `head` merges into `base` without a conflict. Nothing is written.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn merges_cleanly(&self, base: &CommitId, head: &CommitId) -> Result<bool, GitError> {
        let repo = self.gix()?.with_object_memory();
        let (base, head) = (commit(&repo, base)?.id, commit(&repo, head)?.id);
        if merge_base(&repo, base, head)?.is_none() {
            return Ok(false);
        }
        Ok(match merge_commits(&repo, base, head)? {
            Built::Tree(_) => true,
            Built::Conflict(_) => false,
        })
    }
}
