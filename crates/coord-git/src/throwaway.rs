//! Worktrees that are thrown away when the value is dropped: for running tests, never for work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use coord_core::ids::CommitId;
use gix::worktree::add::Head;

use crate::lock::FileLock;
use crate::pool::{Slot, remove_linked};
use crate::repo::commit;
use crate::{GitError, Repo};

/// The owner in git's lock of such a worktree.
const OWNER: &str = "throwaway";

/// A worktree at one commit, detached; gone when dropped, with everything in it.
#[derive(Debug)]
pub struct ThrowawayWorktree {
    repo: Repo,
    root: PathBuf,
    path: PathBuf,
    _busy: FileLock,
}

impl ThrowawayWorktree {
    /// Checks `commit` out in a new folder below `root`, after removing those that a crash left
    /// there.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when files cannot be written.
    pub fn create(repo: &Repo, root: &Path, commit_id: &CommitId) -> Result<Self, GitError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        std::fs::create_dir_all(root).map_err(GitError::io("create", root))?;
        let root = root.canonicalize().map_err(GitError::io("open", root))?;
        let gix = repo.gix()?;
        let id = commit(&gix, commit_id)?.id;
        let _lock = FileLock::acquire(&root.join("lock"))?;
        sweep(repo, &root)?;
        let name = format!(
            "test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = root.join(name);
        let prepared = gix
            .prepare_add_worktree(&path, Head::Detached(id), &AtomicBool::new(false))
            .map_err(GitError::library("add a worktree"))?;
        let slot = Slot {
            path: path.clone(),
            admin: prepared.repo().git_dir().to_owned(),
        };
        let busy = slot.busy()?;
        prepared
            .checkout(gix::progress::Discard, &AtomicBool::new(false))
            .map_err(GitError::library("check out the files of a worktree"))?;
        slot.lock_for(OWNER)?;
        Ok(Self {
            repo: repo.clone(),
            root,
            path,
            _busy: busy,
        })
    }

    /// Its root.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ThrowawayWorktree {
    fn drop(&mut self) {
        if let Err(error) = remove_linked(&self.repo, &self.root, &self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a throwaway worktree stays behind");
        }
    }
}

/// Removes throwaway worktrees whose owner died: nobody holds their lock any more.
fn sweep(repo: &Repo, root: &Path) -> Result<(), GitError> {
    for slot in Slot::all(repo, root)? {
        if slot.is_locked_for(OWNER)
            && let Some(_busy) = slot.try_busy()?
        {
            remove_linked(repo, root, &slot.path)?;
        }
    }
    Ok(())
}
