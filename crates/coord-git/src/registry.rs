//! git's register of linked worktrees, `.git/worktrees/`: changed by one process at a time.
//!
//! Neither gix nor git can read the register while an entry in it is half made or half removed,
//! and a process that is killed in the middle leaves one like that for good.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lock::FileLock;
use crate::{GitError, Repo};

/// What lies between two looks at an entry that is not whole: a person's own git needs far less
/// to complete one.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// The register, while nobody else of ours changes it.
pub(crate) struct Registry {
    folder: PathBuf,
    _lock: FileLock,
}

impl Registry {
    /// Waits for the register and clears away what a crash has left half made.
    pub(crate) fn open(repo: &Repo) -> Result<Self, GitError> {
        let common = repo.common_dir();
        let lock = FileLock::acquire(&common.join("coord-worktrees.lock"))?;
        let registry = Self {
            folder: common.join("worktrees"),
            _lock: lock,
        };
        registry.mend()?;
        Ok(registry)
    }

    /// Takes the entry `admin` out, whole: it is never seen in parts.
    pub(crate) fn remove(&self, admin: &Path) -> Result<(), GitError> {
        let name = admin.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.folder.with_file_name(format!("coord-removed-{name}"));
        remove_all(&aside)?;
        fs::rename(admin, &aside).map_err(GitError::io("remove", admin))?;
        remove_all(&aside)
    }

    fn mend(&self) -> Result<(), GitError> {
        let broken = self.broken()?;
        if broken.is_empty() {
            return Ok(());
        }
        std::thread::sleep(SECOND_LOOK);
        let still = self.broken()?;
        for entry in broken.iter().filter(|entry| still.contains(entry)) {
            tracing::warn!(entry = %entry.display(), "a half made registration of a worktree is removed");
            self.remove(entry)?;
        }
        Ok(())
    }

    /// Entries without the files that every reader needs, or with an empty one.
    fn broken(&self) -> Result<Vec<PathBuf>, GitError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io("read", &self.folder)(error)),
        };
        let paths = entries.flatten().map(|entry| entry.path());
        Ok(paths.filter(|path| !is_whole(path)).collect())
    }
}

fn is_whole(entry: &Path) -> bool {
    ["gitdir", "commondir", "HEAD"].iter().all(|file| {
        let file = fs::metadata(entry.join(file));
        file.is_ok_and(|file| file.len() > 0)
    })
}

fn remove_all(path: &Path) -> Result<(), GitError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
