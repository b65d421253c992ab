//! A repository, a store and the forge on both.

use std::path::{Path, PathBuf};

use coord_core::assignment::MergeMethod;
use coord_core::ids::{AssignmentId, CommitId};
use coord_forge::{Forge, NewIssue, NewPull, Pull, PullMerge};
use coord_forge_local::LocalForge;
use coord_store::Store;
use coord_test_support::git_fixture::{RepoFixture, git};
use tempfile::TempDir;

pub(crate) struct World {
    folder: TempDir,
    pub(crate) store: Store,
    pub(crate) forge: LocalForge,
    pub(crate) clone: PathBuf,
    remote: Option<PathBuf>,
}

impl World {
    /// With a bare remote.
    pub(crate) async fn new() -> Self {
        Self::make(true).await
    }

    /// With a repository that stands alone.
    pub(crate) async fn alone() -> Self {
        Self::make(false).await
    }

    async fn make(remote: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = RepoFixture::create(folder.path()).unwrap();
        let clone = fixture.clone_path();
        if !remote {
            git(&clone, &["remote", "remove", "origin"]).unwrap();
        }
        let store = Store::open(folder.path().join("coord.db")).await.unwrap();
        Self {
            forge: LocalForge::new(store.clone(), "api".into(), Some(clone.clone())),
            store,
            clone,
            remote: remote.then(|| fixture.remote_path()),
            folder,
        }
    }

    /// The repository whose branches count.
    pub(crate) fn published(&self) -> &Path {
        self.remote.as_deref().unwrap_or(&self.clone)
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.clone, args).unwrap()
    }

    /// A branch from `main` with one commit, pushed by somebody with a clone of their own where
    /// there is a remote.
    pub(crate) fn branch(&self, name: &str, file: &str, text: &str) -> CommitId {
        let worktree = match &self.remote {
            Some(remote) => {
                let other = self.folder.path().join("other").join(name);
                let (from, to) = (remote.to_str().unwrap(), other.to_str().unwrap());
                self.git(&["clone", "--quiet", from, to]);
                other
            }
            None => {
                let other = self.folder.path().join("worktree").join(name);
                let to = other.to_str().unwrap();
                self.git(&["worktree", "add", "--quiet", "--detach", to, "main"]);
                other
            }
        };
        git(&worktree, &["checkout", "--quiet", "-b", name]).unwrap();
        let head = commit(&worktree, file, text);
        if self.remote.is_some() {
            git(&worktree, &["push", "--quiet", "origin", name]).unwrap();
        }
        head
    }

    /// What `main` holds in `file`, where it counts.
    pub(crate) fn main_has(&self, file: &str) -> Option<String> {
        git(self.published(), &["show", &format!("main:{file}")]).ok()
    }

    /// How many commits `main` has, where it counts.
    pub(crate) fn main_length(&self) -> usize {
        let count = git(self.published(), &["rev-list", "--count", "main"]).unwrap();
        count.parse().unwrap()
    }

    pub(crate) async fn pull(&self, branch: &str) -> Pull {
        self.forge.open_pull(new_pull(branch)).await.unwrap()
    }
}

/// Writes a file in the worktree and commits it.
pub(crate) fn commit(worktree: &Path, file: &str, text: &str) -> CommitId {
    std::fs::write(worktree.join(file), text).unwrap();
    git(worktree, &["add", "--all"]).unwrap();
    git(worktree, &["commit", "--quiet", "--message", "work"]).unwrap();
    git(worktree, &["rev-parse", "HEAD"]).unwrap().into()
}

pub(crate) fn new_pull(branch: &str) -> NewPull {
    NewPull {
        title: format!("merge {branch}"),
        body: String::new(),
        branch: branch.to_owned(),
        base: "main".to_owned(),
    }
}

pub(crate) fn new_issue(title: &str, body: &str) -> NewIssue {
    NewIssue {
        title: title.to_owned(),
        body: body.to_owned(),
        labels: Vec::new(),
        key: None,
    }
}

pub(crate) fn squash(head: &CommitId) -> PullMerge {
    PullMerge {
        head: head.clone(),
        onto: None,
        method: MergeMethod::Squash,
        message: "the work (#1)".to_owned(),
        assignment: AssignmentId::from_bits(1),
    }
}
