//! What a base is together with branches that are not merged yet: commits in the object database
//! that no ref leads to, to be tested before anything is published.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;

use crate::merge::{BuildResult, How, build};
use crate::repo::{commit, commit_id, merged_as};
use crate::{GitError, Repo};

/// A base with branches on top. A clone goes its own way from there.
#[derive(Debug, Clone)]
pub struct Combination {
    repo: Repo,
    tip: CommitId,
    tree: String,
}

/// What came of one more branch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Added {
    /// It is in.
    Built {
        /// The commit to test; the one before when the work was in already.
        commit: CommitId,
        /// Its tree, as an object id.
        tree: String,
    },
    /// It conflicts with what is there, which stays as it was.
    Conflict {
        /// The paths in conflict, sorted.
        paths: Vec<String>,
    },
    /// It has no commit in common with what is there, which stays as it was.
    Unrelated,
}

impl Combination {
    /// The base alone.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`]: see [`Repo::ensure_commits`].
    pub fn begin(repo: &Repo, base: &CommitId) -> Result<Self, GitError> {
        Ok(Self {
            repo: repo.clone(),
            tip: base.clone(),
            tree: repo.tree_of(base)?,
        })
    }

    /// Adds a branch in the way in which it is going to be merged. The tree is the one that
    /// [`merge_branch`](crate::merge_branch) publishes after the same merges.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read or written.
    pub fn add(&mut self, head: &CommitId, method: MergeMethod) -> Result<Added, GitError> {
        let gix = self.repo.gix()?;
        let (tip, id) = (commit(&gix, &self.tip)?.id, commit(&gix, head)?.id);
        if merged_as(&self.repo, &gix, id, tip)?.is_some() {
            return Ok(self.built());
        }
        let how = How {
            method,
            message: &format!("{head} on {}, to be tested\n", self.tip),
        };
        Ok(match build(&self.repo, &gix, &how, tip, id)? {
            BuildResult::Commit(new) => {
                let tip = commit_id(new);
                self.tree = self.repo.tree_of(&tip)?;
                self.tip = tip;
                self.built()
            }
            BuildResult::Conflict(paths) => Added::Conflict { paths },
            BuildResult::Unrelated => Added::Unrelated,
        })
    }

    /// The commit that holds all of it. A worktree can be checked out at it.
    #[must_use]
    pub const fn commit(&self) -> &CommitId {
        &self.tip
    }

    /// The tree of that commit, as an object id.
    #[must_use]
    pub fn tree(&self) -> &str {
        &self.tree
    }

    fn built(&self) -> Added {
        Added::Built {
            commit: self.tip.clone(),
            tree: self.tree.clone(),
        }
    }
}
