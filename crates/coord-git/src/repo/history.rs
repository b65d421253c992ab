//! What lies between two commits: files, text, number.
//!
//! `base` is where the work forked off: where `head` has taken in newer commits of the base
//! branch since, the merge base counts (`base...head`), so that others' work is not shown.

use std::path::Path;

use coord_core::ids::CommitId;
use gix::ObjectId;

use super::content::shortened;
use super::files::PLAIN;
use super::{Repo, commit, commit_id, object_id};
use crate::GitError;
use crate::cli::Run;
use crate::snapshot;

impl Repo {
    /// The paths that differ, sorted; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn changed_files(&self, base: &CommitId, head: &CommitId) -> Result<Vec<String>, GitError> {
        let repo = self.gix()?;
        let fork = fork_point(&repo, base, head)?;
        changed_paths(&repo, fork, object_id(head)?)
    }

    /// The paths that differ between the files of two commits, wherever these stand in the history;
    /// otherwise as [`Repo::changed_files`].
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn differing_files(
        &self,
        one: &CommitId,
        other: &CommitId,
    ) -> Result<Vec<String>, GitError> {
        let repo = self.gix()?;
        changed_paths(&repo, commit(&repo, one)?.id, commit(&repo, other)?.id)
    }

    /// The unified diff, with renames.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when git fails.
    pub fn diff(&self, base: &CommitId, head: &CommitId) -> Result<String, GitError> {
        let fork = fork_point(&self.gix()?, base, head)?;
        self.patch(fork, head).text()
    }

    /// The same, no longer than about `limit` bytes: at the cut a line says how much is missing.
    ///
    /// # Errors
    /// Those of [`Repo::diff`].
    pub fn diff_within(
        &self,
        base: &CommitId,
        head: &CommitId,
        limit: usize,
    ) -> Result<String, GitError> {
        let fork = fork_point(&self.gix()?, base, head)?;
        let printed = self.patch(fork, head).keep(limit).success()?;
        Ok(shortened(printed.stdout, printed.left_out))
    }

    fn patch(&self, fork: ObjectId, head: &CommitId) -> Run<'_> {
        self.run("diff-tree").args(PLAIN).arg("--patch").args([
            fork.to_string().as_str(),
            head.as_str(),
            "--",
        ])
    }

    /// The unified diff of a worktree as it is on disk against `base`, untracked files included.
    /// Changes nothing in the worktree.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when git fails.
    pub fn worktree_diff(&self, worktree: &Path, base: &CommitId) -> Result<String, GitError> {
        let repo = super::open_gix(worktree)?;
        let head = repo.head_id().map_err(GitError::library("read HEAD"))?;
        let fork = fork_point(&repo, base, &commit_id(head))?;
        snapshot::diff(&self.git, worktree, fork)
    }

    /// What differs in a worktree from the commit that it is at: changed, added, deleted and
    /// untracked paths, but not ignored ones; sorted. Changes nothing in the worktree.
    ///
    /// # Errors
    /// When git fails.
    pub fn worktree_changes(&self, worktree: &Path) -> Result<Vec<String>, GitError> {
        Ok(snapshot::changes(&self.git, worktree)?.paths())
    }

    /// The best common ancestor; `None` for unrelated histories.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn merge_base(&self, one: &CommitId, two: &CommitId) -> Result<Option<CommitId>, GitError> {
        let repo = self.gix()?;
        let (one, two) = (commit(&repo, one)?.id, commit(&repo, two)?.id);
        Ok(merge_base(&repo, one, two)?.map(commit_id))
    }

    /// How many commits `head` has that `base` has not.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn commits_between(&self, base: &CommitId, head: &CommitId) -> Result<u32, GitError> {
        let repo = self.gix()?;
        let (base, head) = (commit(&repo, base)?.id, commit(&repo, head)?.id);
        let commits = commits_in(&repo, base, head)?;
        Ok(u32::try_from(commits.len()).unwrap_or(u32::MAX))
    }
}

/// The commits of `base..head`, newest first.
pub(crate) fn commits_in(
    repo: &gix::Repository,
    base: ObjectId,
    head: ObjectId,
) -> Result<Vec<ObjectId>, GitError> {
    let walk = repo
        .rev_walk([head])
        .with_hidden([base])
        .all()
        .map_err(GitError::library("walk the history"))?;
    walk.map(|info| {
        info.map(|info| info.id)
            .map_err(GitError::library("walk the history"))
    })
    .collect()
}

/// The best common ancestor; `None` for unrelated histories.
pub(crate) fn merge_base(
    repo: &gix::Repository,
    one: ObjectId,
    two: ObjectId,
) -> Result<Option<ObjectId>, GitError> {
    let bases = repo
        .merge_bases_many(one, &[two])
        .map_err(GitError::library("find the merge base"))?;
    Ok(bases.first().map(|base| base.detach()))
}

pub(super) fn fork_point(
    repo: &gix::Repository,
    base: &CommitId,
    head: &CommitId,
) -> Result<ObjectId, GitError> {
    let (base, head) = (commit(repo, base)?.id, commit(repo, head)?.id);
    Ok(merge_base(repo, base, head)?.unwrap_or(base))
}

/// The paths of files that differ between two commits.
pub(crate) fn changed_paths(
    repo: &gix::Repository,
    old: ObjectId,
    new: ObjectId,
) -> Result<Vec<String>, GitError> {
    let tree = |id| {
        repo.find_commit(id)
            .and_then(|commit| commit.tree())
            .map_err(GitError::library("read a tree"))
    };
    let changes = repo
        .diff_tree_to_tree(
            Some(&tree(old)?),
            Some(&tree(new)?),
            gix::diff::Options::default(),
        )
        .map_err(GitError::library("compare two trees"))?;
    let mut paths: Vec<String> = changes
        .iter()
        .filter(|change| !change.entry_mode().is_tree())
        .map(|change| change.location().to_string())
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}
