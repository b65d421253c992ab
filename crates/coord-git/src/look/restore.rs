//! Undoing what was done to paths of a worktree that were not to be touched.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use gix::bstr::ByteSlice;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{INDEX, LOCK, tree_named};
use crate::lock::FileLock;
use crate::repo::open_gix;
use crate::{Git, GitError, snapshot};

/// What became of paths that were to be restored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// They are what they were.
    pub paths: Vec<PathBuf>,
    /// Not touched: a folder stands in the way, whose files may stand nowhere else, or it is no path
    /// of a worktree.
    pub left: Vec<PathBuf>,
}

/// Puts `paths` back to what they are in `tree`, the id of a tree or of a commit: content, mode,
/// links. Those that it does not have are deleted. Nothing but the worktree changes; a link to a
/// folder on the way to a path is replaced and never followed.
///
/// The paths should have been seen by [`look`](super::look) before: what they hold stands nowhere else.
///
/// # Errors
/// [`GitError::NoSuchCommit`] for an unknown `tree`, and when files cannot be written.
pub fn restore(worktree: &Path, tree: &str, paths: &[PathBuf]) -> Result<Restored, GitError> {
    let gix = open_gix(worktree)?;
    let _lock = FileLock::acquire(&gix.git_dir().join(LOCK))?;
    let tree_id = tree_named(&gix, tree)?;
    let tree = gix
        .find_tree(tree_id)
        .map_err(GitError::library("read a tree"))?;
    let (mut restored, mut back) = (Restored::default(), Vec::new());
    // What is to go makes room for what is to come back.
    for path in paths {
        if !is_inside(path) {
            restored.left.push(path.clone());
            continue;
        }
        let was = tree
            .lookup_entry_by_path(path)
            .map_err(GitError::library("read a tree"))?;
        match was.map(|entry| entry.mode()) {
            Some(mode) if mode.is_blob_or_symlink() => back.push(path.clone()),
            // A folder or a submodule by now has files of its own.
            Some(_) => restored.left.push(path.clone()),
            None if remove(worktree, path)? => restored.paths.push(path.clone()),
            None => restored.left.push(path.clone()),
        }
    }
    let (blocked, back): (Vec<_>, Vec<_>) = back
        .into_iter()
        .partition(|path| is_real_folder(worktree, path));
    restored.left.extend(blocked);
    write_back(worktree, gix.git_dir(), &tree_id.to_string(), &back)?;
    restored.paths.extend(back);
    Ok(restored)
}

/// Whether git would have it in a tree.
fn is_inside(path: &Path) -> bool {
    path.components().next().is_some()
        && path.components().all(|part| match part {
            Component::Normal(name) => gix::validate::path::component(
                name.as_bytes().as_bstr(),
                None,
                // Names that only other systems do not allow are names here.
                gix::validate::path::component::Options {
                    protect_windows: false,
                    ..Default::default()
                },
            )
            .is_ok(),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => false,
        })
}

/// Deletes what is not a folder, if it is there; `false` when a folder is.
fn remove(worktree: &Path, path: &Path) -> Result<bool, GitError> {
    let failed = |error: Errno| GitError::io("delete", worktree.join(path))(error.into());
    let Some((folder, name)) = real_parent(worktree, path).map_err(failed)? else {
        return Ok(true);
    };
    match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(Errno::ISDIR | Errno::PERM) if is_real_folder(worktree, path) => return Ok(false),
        Err(error) => return Err(failed(error)),
    }
    remove_empty_above(worktree, path);
    Ok(true)
}

/// Folders that came with the file, and that git would not keep.
fn remove_empty_above(worktree: &Path, path: &Path) {
    let mut above = path.parent();
    while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
        let removed = match real_parent(worktree, folder) {
            Ok(Some((parent, name))) => rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR),
            Ok(None) | Err(_) => return,
        };
        if removed.is_err() {
            return;
        }
        above = folder.parent();
    }
}

/// The folder that the path is in, opened, and its name there; `None` where one of the folders on
/// the way is missing, a file or a link: then the path is not there either.
fn real_parent<'path>(
    worktree: &Path,
    path: &'path Path,
) -> Result<Option<(OwnedFd, &'path OsStr)>, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(worktree, flags, Mode::empty())?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    for part in parent {
        folder = match rustix::fs::openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(inner) => inner,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(Some((folder, name)))
}

/// Whether a folder is there, by a way without links.
fn is_real_folder(worktree: &Path, path: &Path) -> bool {
    let Ok(Some((folder, name))) = real_parent(worktree, path) else {
        return false;
    };
    let found = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|meta| FileType::from_raw_mode(meta.st_mode).is_dir())
}

/// Git knows how files are written (ends of lines, filters, modes), and replaces links and files on
/// the way to a path by folders.
fn write_back(
    worktree: &Path,
    git_dir: &Path,
    tree: &str,
    paths: &[PathBuf],
) -> Result<(), GitError> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut list = Vec::new();
    for path in paths {
        list.extend_from_slice(path.as_os_str().as_bytes());
        list.push(0);
    }
    snapshot::run(&Git::locate()?, worktree, "restore")
        // The worker's may be locked by a git of its own at any time.
        .env("GIT_INDEX_FILE", git_dir.join(INDEX))
        .env("GIT_LITERAL_PATHSPECS", "1")
        .args(["--worktree", "--quiet", "--no-progress"])
        .arg(format!("--source={tree}"))
        .args(["--pathspec-from-file=-", "--pathspec-file-nul"])
        .input(list)
        .bytes()
        .map(drop)
}
