//! Who holds a lease, and whether that process still lives.
//!
//! Every engine locks a file of its own for as long as it runs. The lock goes with the process,
//! however it ends, so a lease whose owner's file can be locked by somebody else is void at once:
//! a coordinator that was killed delays nothing.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// This process as a holder of leases.
#[derive(Debug)]
pub(crate) struct Owner {
    name: String,
    folder: PathBuf,
    /// Held for the life of the value; the lock ends with it.
    _lock: File,
}

impl Owner {
    /// Locks a fresh file in `folder`, which is made if need be.
    pub(crate) fn enter(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let name = uuid::Uuid::new_v4().simple().to_string();
        // Locked under a name that nobody looks for, so that it is never seen unlocked.
        let fresh = folder.join(format!("{name}.new"));
        let file = File::create(&fresh)?;
        file.lock()?;
        fs::rename(&fresh, path_of(folder, &name))?;
        Ok(Self {
            name,
            folder: folder.to_owned(),
            _lock: file,
        })
    }

    /// The name under which leases are taken.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The holders in this folder whose processes are gone.
    ///
    /// A holder without a file is not among them: it is on another machine, or was forgotten,
    /// and only time can tell.
    pub(crate) fn gone(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                Some(
                    entry
                        .file_name()
                        .to_str()?
                        .strip_suffix(".lock")?
                        .to_owned(),
                )
            })
            .filter(|name| *name != self.name && self.is_gone(name))
            .collect()
    }

    fn is_gone(&self, name: &str) -> bool {
        File::open(path_of(&self.folder, name)).is_ok_and(|file| file.try_lock().is_ok())
    }

    /// Forgets a holder that is gone and has no lease any more.
    pub(crate) fn forget(&self, name: &str) {
        // A file that stays costs nothing but a look.
        let _ = fs::remove_file(path_of(&self.folder, name));
    }
}

fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_owner_whose_lock_is_free_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let me = Owner::enter(dir.path()).unwrap();
        let other = Owner::enter(dir.path()).unwrap();
        let name = other.name().to_owned();
        assert!(me.gone().is_empty());
        drop(other);
        assert_eq!(me.gone(), std::slice::from_ref(&name));
        me.forget(&name);
        assert!(me.gone().is_empty());
    }
}
