//! The folder of one question: gone with everything in it, and with every process that belongs to it,
//! when the value is dropped.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::{AskError, end};

/// How folders are called that are just being made: nobody may take them for left behind.
const NEW: &str = "new-";
/// Locked for as long as somebody waits for the answer.
const OWNER: &str = "owner";
/// Where there is nothing to read.
const EMPTY: &str = "empty";

/// The folder of one question.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    _owner: File,
}

impl Place {
    pub(super) fn make(home: &Path) -> Result<Self, AskError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| AskError::Folder { path, source }
        };
        let name = Uuid::new_v4().simple().to_string();
        let fresh = home.join(format!("{NEW}{name}"));
        let dir = home.join(name);
        let make = || -> io::Result<File> {
            // The question may be confidential.
            let mut private = DirBuilder::new();
            private.recursive(true).mode(0o700);
            private.create(fresh.join(EMPTY))?;
            let owner = File::create(fresh.join(OWNER))?;
            flock(&owner, FlockOperation::NonBlockingLockExclusive)?;
            fs::rename(&fresh, &dir)?;
            Ok(owner)
        };
        let owner = make().map_err(failed(&fresh))?;
        let dir = dir.canonicalize().map_err(failed(&dir))?;
        Ok(Self { dir, _owner: owner })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A folder without anything in it.
    pub(super) fn empty(&self) -> PathBuf {
        self.dir.join(EMPTY)
    }

    /// Takes over a folder whose owner is gone; `None` where somebody still waits.
    pub(super) fn abandoned(dir: &Path) -> Option<Self> {
        let name = dir.file_name()?.to_str()?;
        if name.starts_with(NEW) {
            return None;
        }
        let owner = File::open(dir.join(OWNER)).ok()?;
        flock(&owner, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(Self {
            dir: dir.to_owned(),
            _owner: owner,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        end::end_now(&self.dir);
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(path = %self.dir.display(), %error, "the folder of a question stays behind");
        }
    }
}
