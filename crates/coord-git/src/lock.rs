//! A lock between processes: an empty file, locked for as long as the value lives.
//!
//! The system drops the lock when its process dies, however it dies. The file stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::GitError;

#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Waits until the lock is free.
    pub(crate) fn acquire(path: &Path) -> Result<Self, GitError> {
        let file = open(path)?;
        file.lock().map_err(GitError::io("lock", path))?;
        Ok(Self { _file: file })
    }

    /// `None` when somebody holds it.
    pub(crate) fn try_acquire(path: &Path) -> Result<Option<Self>, GitError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(GitError::io("lock", path)(error)),
        }
    }
}

fn open(path: &Path) -> Result<File, GitError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(GitError::io("open", path))
}
