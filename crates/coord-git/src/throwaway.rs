//! Worktrees that are thrown away when the value is dropped: for running tests, never for work.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use coord_core::ids::CommitId;

use crate::lock::FileLock;
use crate::pool::{Slot, discard, prepare_detached, remove_linked};
use crate::repo::commit;
use crate::{GitError, Repo};

/// Start of the names of their folders.
const NAME: &str = "test-";

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
            "{NAME}{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = root.join(name);
        let prepared = prepare_detached(repo, &gix, &path, id)?;
        let slot = Slot {
            path: path.clone(),
            admin: prepared.repo().git_dir().to_owned(),
        };
        let busy = slot.busy()?;
        prepared
            .checkout(gix::progress::Discard, &AtomicBool::new(false))
            .map_err(GitError::library("check out the files of a worktree"))?;
        slot.lock_for("throwaway")?;
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

/// Removes throwaway worktrees whose owner died: nobody holds their lock any more. Called under the
/// lock of the folder, so that none is just being made.
fn sweep(repo: &Repo, root: &Path) -> Result<(), GitError> {
    for slot in Slot::all(repo, root)? {
        let name = slot.path.file_name().unwrap_or_default();
        if name.to_string_lossy().starts_with(NAME)
            && let Some(_busy) = slot.try_busy()?
        {
            // Killed while it was made or removed, it may have no `.git` that leads anywhere. The
            // name and the folder are ours alone, and nothing in it was ever anybody's work.
            remove_linked(repo, root, &slot.path).or_else(|_| discard(repo, &slot))?;
        }
    }
    Ok(())
}
