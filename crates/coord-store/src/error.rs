//! What can go wrong with the store, and what a person can do about it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// A failure of the store. Nothing of the call that returned it was kept.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder of the database cannot be created or used.
    #[error("cannot use the state folder `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The database, or its folder, may not be written.
    #[error("the database `{path}` cannot be written")]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: Arc<rusqlite::Error>,
    },
    /// The file is not a database, or it is the database of another program.
    #[error("`{path}` is not a database of coord: {reason}")]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// SQLite found the file to be malformed.
    #[error("the database `{path}` is damaged")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: Arc<rusqlite::Error>,
    },
    /// The database, or an event in it, was written by a newer version of coord.
    #[error("{what} has version {found}; this build knows versions up to {known}")]
    Newer {
        /// `the database` or `event 17`.
        what: String,
        /// The version that was found.
        found: u32,
        /// The newest version that this build knows.
        known: u32,
    },
    /// Something that was stored makes no sense.
    #[error("{what} cannot be read: {reason}")]
    Corrupt {
        /// E.g. `event 17`.
        what: String,
        /// Why.
        reason: String,
    },
    /// Something would not read back as it was to be written, e.g. because a number is infinite.
    #[error("{what} cannot be stored: {reason}")]
    Unstorable {
        /// The kind of thing.
        what: String,
        /// Why.
        reason: String,
    },
    /// There is no room left on the disk.
    #[error("the disk that holds `{path}` is full")]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// Other processes kept the database locked for longer than the time limit.
    #[error("the database `{path}` is locked by another process")]
    Busy {
        /// The database.
        path: PathBuf,
    },
    /// Anything else that SQLite reports.
    #[error("cannot use the database `{path}`")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        source: Arc<rusqlite::Error>,
    },
    /// The system gives us no more threads.
    #[error("cannot start a thread for the store")]
    Thread {
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The thread that owns the connection has ended.
    #[error("the store has stopped")]
    Stopped,
}

impl StoreError {
    /// What a person can do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Folder { path, .. } => format!(
                "make `{}` a folder that you may write, or set COORD_HOME to one",
                path.display()
            ),
            Self::ReadOnly { path, .. } => format!(
                "make `{}` and its folder writable, or set COORD_HOME to a folder that is",
                path.display()
            ),
            Self::NotOurs { path, .. } => format!(
                "move `{}` away, or set COORD_HOME to another folder; nothing was changed",
                path.display()
            ),
            Self::Damaged { path, .. } => format!(
                "restore `{0}` from a backup, or rescue what is left with `sqlite3 '{0}' .recover`; nothing was changed",
                path.display()
            ),
            Self::Newer { .. } => {
                "use the version of coord that wrote it, or a later one; nothing was changed"
                    .to_owned()
            }
            Self::Corrupt { .. } => {
                "restore the database from a backup; nothing was changed".to_owned()
            }
            Self::Full { .. } => "free some space and run the command again".to_owned(),
            Self::Busy { .. } => {
                "find the process that holds it (another coord, or a backup), then run the command again"
                    .to_owned()
            }
            Self::Unstorable { .. } | Self::Sqlite { .. } | Self::Thread { .. } | Self::Stopped => {
                return None;
            },
        })
    }

    /// Whether the same call can succeed later without anybody changing anything in coord.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. } | Self::Busy { .. } => true,
            Self::Folder { .. }
            | Self::ReadOnly { .. }
            | Self::NotOurs { .. }
            | Self::Damaged { .. }
            | Self::Newer { .. }
            | Self::Corrupt { .. }
            | Self::Unstorable { .. }
            | Self::Sqlite { .. }
            | Self::Thread { .. }
            | Self::Stopped => false,
        }
    }

    /// Sorts what SQLite reports about the database at `path`.
    pub(crate) fn from_sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let code = error.sqlite_error_code();
        let source = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, source }
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            Some(ErrorCode::NotADatabase) => Self::NotOurs {
                path,
                reason: "it does not start like a SQLite database".to_owned(),
            },
            _ => Self::Sqlite { path, source },
        }
    }
}

/// A failure inside the store, before the path of the database is added to it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// The store itself said so.
    Known(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Known(error)
    }
}

impl Fault {
    /// The failure as callers see it.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(error) => StoreError::from_sqlite(path, error),
            Self::Known(error) => error,
        }
    }
}
