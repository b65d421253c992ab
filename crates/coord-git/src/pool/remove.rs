//! The one function that removes a worktree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::record::Slot;
use crate::registry::Registry;
use crate::{GitError, Repo};

/// Removes the linked worktree `path`, files and registration, whatever is in it: callers have
/// made sure that nothing would be lost.
///
/// # Errors
/// [`GitError::NotPooled`] unless it lies directly in `folder`, is registered with the
/// repository, and its `.git` is a file that leads to that registration. The main checkout has a
/// folder for `.git` and no registration, so it can never be meant.
pub(crate) fn remove_linked(repo: &Repo, folder: &Path, path: &Path) -> Result<(), GitError> {
    let slot = if is_bare(path)? {
        registered(repo, folder, path)?
    } else {
        Slot::at(repo, folder, path)?
    };
    discard(repo, &slot)
}

/// Removes the files and the registration of a worktree that is known to be expendable.
pub(crate) fn discard(repo: &Repo, slot: &Slot) -> Result<(), GitError> {
    // Files first: an interrupted removal leaves a registration, which can be found again.
    if slot.path.exists() {
        open_up(&slot.path)?;
        // Without its `.git` it is no worktree any more, so that goes last.
        for entry in read_dir(&slot.path)? {
            if entry.file_name() != ".git" {
                remove_entry(&entry)?;
            }
        }
        fs::remove_dir_all(&slot.path).map_err(GitError::io("remove", &slot.path))?;
    }
    Registry::open(repo)?.remove(&slot.admin)
}

/// Whether nothing is there, not even a `.git`.
fn is_bare(path: &Path) -> Result<bool, GitError> {
    Ok(!path.exists() || (path.is_dir() && read_dir(path)?.is_empty()))
}

/// Whether there are no files that anybody could have worked on.
pub(super) fn is_vacant(path: &Path) -> Result<bool, GitError> {
    let entries = read_dir(path)?;
    Ok(entries.iter().all(|entry| entry.file_name() == ".git"))
}

/// A registration whose files are gone.
fn registered(repo: &Repo, folder: &Path, path: &Path) -> Result<Slot, GitError> {
    Slot::all(repo, folder)?
        .into_iter()
        .find(|slot| slot.path == path)
        .ok_or_else(|| GitError::NotPooled {
            path: path.to_owned(),
            why: "it is not registered",
        })
}

fn read_dir(folder: &Path) -> Result<Vec<fs::DirEntry>, GitError> {
    fs::read_dir(folder)
        .and_then(Iterator::collect)
        .map_err(GitError::io("read", folder))
}

fn remove_entry(entry: &fs::DirEntry) -> Result<(), GitError> {
    let path = entry.path();
    let kind = entry.file_type().map_err(GitError::io("read", &path))?;
    let removed = if kind.is_dir() {
        fs::remove_dir_all(&path)
    } else {
        fs::remove_file(&path)
    };
    removed.map_err(GitError::io("remove", path))
}

/// Makes every folder below `root` writable: what is in a read-only one cannot be removed.
pub(super) fn open_up(root: &Path) -> Result<(), GitError> {
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        let meta = folder
            .symlink_metadata()
            .map_err(GitError::io("read", &folder))?;
        let mode = meta.permissions().mode();
        if mode & 0o700 != 0o700 {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode | 0o700))
                .map_err(GitError::io("make writable", &folder))?;
        }
        for entry in read_dir(&folder)? {
            let path = entry.path();
            // The kind of the entry itself: links to folders are not followed.
            if entry
                .file_type()
                .map_err(GitError::io("read", &path))?
                .is_dir()
            {
                todo.push(path);
            }
        }
    }
    Ok(())
}
