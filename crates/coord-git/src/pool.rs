//! Worktrees for workers: handed out, taken back, cleaned and kept for the next worker.
//!
//! The state of a worktree is a file in its private git folder (`record`), its owner is the
//! reason of git's own worktree lock. There is no other register, so nothing can fall out of
//! step, and whatever a crash interrupts, [`WorktreePool::recover`] can tell how far it came:
//!
//! ```text
//! preparing ──▶ held ──▶ recycling ──▶ idle ──▶ preparing …
//! ```
//!
//! Only in `held` can there be work; `recycling` is entered once everything is saved. A lock file
//! per repository covers choosing a worktree; the slow part (writing files) happens outside it,
//! under a lock of the worktree alone.

mod acquire;
mod record;
mod recover;
mod recycle;
mod register;
mod remove;
mod save;

use std::path::{Path, PathBuf};

use coord_core::ids::{AssignmentId, CommitId};

use crate::{GitError, Repo};

pub use record::WorktreeState;
pub use recover::Recovered;
pub(crate) use register::prepare_detached;
pub(crate) use remove::{discard, remove_linked};
pub use save::WipSaved;

pub(crate) use record::Slot;

use crate::lock::FileLock;
use crate::repo::{branch_ref, delete_ref};

/// Worktrees for workers, below one folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WorktreePool {
    root: PathBuf,
    warm: usize,
}

/// What a worker needs.
#[derive(Debug, Clone, Copy)]
pub struct AcquireSpec<'a> {
    /// Whom the worktree is for.
    pub assignment: &'a AssignmentId,
    /// The branch that it works on. It is made at `base`, or at the tip of `start`. Where it exists
    /// with commits that would be left behind, its old tip is kept as
    /// `refs/coord/replaced/<branch>/<commit>`.
    pub branch: &'a str,
    /// The commit that the work is measured against and, without `start`, starts from.
    pub base: &'a CommitId,
    /// An existing branch (mostly `branch` itself) whose tip the work continues from.
    pub start: Option<&'a str>,
}

/// A worktree that belongs to an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Its root.
    pub path: PathBuf,
    /// The repository that it belongs to.
    pub repo_path: PathBuf,
    /// The branch that is checked out.
    pub branch: String,
    /// The commit that the work is measured against.
    pub base: CommitId,
}

/// What became of a worktree that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Released {
    /// Clean, and kept for the next worker.
    Recycled,
    /// It could not be cleaned, so it is gone.
    Removed,
}

/// One worktree of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PooledWorktree {
    /// Its root.
    pub path: PathBuf,
    /// The assignment that it is locked for.
    pub locked_by: Option<AssignmentId>,
    /// Where it stands.
    pub state: WorktreeState,
}

impl WorktreePool {
    /// A pool below `root` (made when needed) that [`WorktreePool::warm`] fills up to `warm` idle
    /// worktrees per repository.
    #[must_use]
    pub fn new(root: PathBuf, warm: usize) -> Self {
        Self { root, warm }
    }

    /// The worktrees of the repository, in the order of their numbers.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn list(&self, repo: &Repo) -> Result<Vec<PooledWorktree>, GitError> {
        let folder = self.folder(repo)?;
        let slots = Slot::all(repo, &folder)?;
        Ok(slots
            .iter()
            .map(|slot| PooledWorktree {
                path: slot.path.clone(),
                locked_by: slot.locked_by(),
                state: slot.state(),
            })
            .collect())
    }

    /// Removes a worktree of the pool instead of recycling it.
    ///
    /// # Errors
    /// [`GitError::WouldLose`] as for [`WorktreePool::release`], [`GitError::NotPooled`].
    pub fn remove(&self, repo: &Repo, worktree: &Path) -> Result<(), GitError> {
        let folder = self.folder(repo)?;
        let slot = Slot::at(repo, &folder, worktree)?;
        let _busy = slot.busy()?;
        save::refuse_to_lose(repo, &slot)?;
        remove_linked(repo, &folder, &slot.path)
    }

    /// Takes a worktree back and makes it as good as new. Files that match one of `keep`
    /// (patterns of gitignore(5), e.g. `target/`) stay if they are ignored or untracked.
    ///
    /// # Errors
    /// [`GitError::WouldLose`] when something is neither committed on a ref nor saved by
    /// [`WorktreePool::save_wip`]; [`GitError::NotPooled`].
    pub fn release(
        &self,
        repo: &Repo,
        worktree: &Worktree,
        keep: &[String],
    ) -> Result<Released, GitError> {
        let folder = self.folder(repo)?;
        let slot = Slot::at(repo, &folder, &worktree.path)?;
        let _busy = slot.busy()?;
        save::refuse_to_lose(repo, &slot)?;
        recycle::recycle_or_remove(repo, &folder, &slot, keep)
    }

    /// Takes the worktree of `assignment` back without saving anything of it, and deletes its branch
    /// with the commits on it: for an assignment that was only to look at a commit.
    ///
    /// # Errors
    /// [`GitError::NotPooled`], also where the worktree belongs to somebody else by now.
    pub fn discard(
        &self,
        repo: &Repo,
        worktree: &Worktree,
        assignment: &AssignmentId,
        keep: &[String],
    ) -> Result<Released, GitError> {
        let folder = self.folder(repo)?;
        let slot = Slot::at(repo, &folder, &worktree.path)?;
        let _busy = slot.busy()?;
        if slot.locked_by().as_ref() != Some(assignment) {
            return Err(GitError::NotPooled {
                path: worktree.path.clone(),
                why: "it belongs to another assignment",
            });
        }
        let released = recycle::recycle_or_remove(repo, &folder, &slot, keep)?;
        delete_ref(&repo.gix()?, &branch_ref(&worktree.branch)?)?;
        Ok(released)
    }

    /// The folder of the repository's worktrees: `<root>/<name>-<hash of its path>`.
    fn folder(&self, repo: &Repo) -> Result<PathBuf, GitError> {
        let folder = self.root.join(folder_name(repo.common_dir())?);
        std::fs::create_dir_all(&folder).map_err(GitError::io("create", &folder))?;
        folder.canonicalize().map_err(GitError::io("open", &folder))
    }

    /// Held while a worktree is chosen; never while files are written.
    fn lock(folder: &Path) -> Result<FileLock, GitError> {
        FileLock::acquire(&folder.join("lock"))
    }
}

fn folder_name(common_dir: &Path) -> Result<String, GitError> {
    use std::os::unix::ffi::OsStrExt;
    let path = common_dir.as_os_str().as_bytes();
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, path)
        .map_err(GitError::library("hash a path"))?;
    let checkout = match common_dir.file_name() {
        Some(name) if name == ".git" => common_dir.parent().and_then(Path::file_name),
        name => name,
    };
    let name: String = checkout
        .unwrap_or_default()
        .to_string_lossy()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .take(40)
        .collect();
    Ok(format!(
        "{}-{}",
        name.trim_start_matches('.'),
        id.to_hex_with_len(10)
    ))
}
