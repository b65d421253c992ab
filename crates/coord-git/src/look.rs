//! A look at a worktree after each thing that a worker does: what changed since the last one.
//!
//! An index of our own stands beside the worker's and remembers what was seen, so that a look
//! costs no more than `git status`. It starts again from the worker's whenever that has changed:
//! what a worker adds by force is work too.

mod restore;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use coord_core::ids::{AssignmentId, CommitId};
use gix::ObjectId;

use crate::changes::Changes;
use crate::lock::FileLock;
use crate::repo::{commit_id, open_gix, read, save_ref, tree_of};
use crate::wip::{reference, wip_commit};
use crate::{Git, GitError, snapshot};

pub use restore::{Restored, restore};

/// In the private git folder of the worktree.
const INDEX: &str = "coord-look-index";
const SEEN: &str = "coord-look-seen";
const LOCK: &str = "coord-look.lock";

/// What a look has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What is under `refs/coord/wip/<id>` now: a commit with everything in the worktree on top of
    /// the one that is checked out, or that one where nothing is uncommitted.
    pub wip: CommitId,
    /// Its tree, as an object id: give it to the next look.
    pub tree: String,
    /// The paths that differ from the last look, sorted.
    pub changed: Vec<PathChange>,
}

/// A path that changed between two looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathChange {
    /// Relative to the worktree; any bytes.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: PathChangeKind,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its contents, mode or type changed.
    Modified,
}

/// Saves what is in the worktree, untracked files too and ignored ones not, under
/// `refs/coord/wip/<id>`, and compares it with `since`, the tree or commit of the last look; `None`
/// stands for the commit that is checked out. Where nothing changed nothing is written.
///
/// Worktree, index and branch stay as they are. Looks at the same worktree wait for each other.
///
/// # Errors
/// [`GitError::NoSuchCommit`] for an unknown `since`, and when files cannot be read or objects not be
/// written.
pub fn look(worktree: &Path, id: &AssignmentId, since: Option<&str>) -> Result<Look, GitError> {
    let gix = open_gix(worktree)?;
    let _lock = FileLock::acquire(&gix.git_dir().join(LOCK))?;
    let tree = seen_now(&Git::locate()?, &gix, worktree)?;
    let head = gix
        .head_id()
        .map_err(GitError::library("read HEAD"))?
        .detach();
    let at_head = tree_of(&gix, head)?;
    let wip = if tree == at_head {
        head
    } else {
        wip_commit(&gix, id, head, tree)?
    };
    let reference = reference(id);
    if read(&gix, &reference)? != Some(wip) {
        save_ref(&gix, &reference, wip, "uncommitted work")?;
    }
    let before = match since {
        Some(since) => tree_named(&gix, since)?,
        None => at_head,
    };
    Ok(Look {
        wip: commit_id(wip),
        tree: tree.to_string(),
        changed: changed(&gix, before, tree)?,
    })
}

/// The tree of everything in the worktree.
fn seen_now(git: &Git, gix: &gix::Repository, worktree: &Path) -> Result<ObjectId, GitError> {
    let (index, seen) = (gix.git_dir().join(INDEX), gix.git_dir().join(SEEN));
    let stamp = Stamp::of(&gix.index_path());
    let last = std::fs::read_to_string(&seen).ok();
    let last = last
        .and_then(|line| stamp.matches(&line))
        .filter(|_| index.is_file());
    if last.is_none() {
        std::fs::remove_file(&index).ok();
        snapshot::copy_index(&gix.index_path(), &index)?;
    }
    let changes = snapshot::changes_since(git, worktree, &index)?;
    if let (Some(last), true) = (last, changes.is_empty()) {
        return Ok(last);
    }
    // From here on the index is not what the file says, until all is done.
    std::fs::remove_file(&seen).ok();
    snapshot::take_in(git, gix, worktree, &index, &changes)?;
    let tree = snapshot::write_tree(git, worktree, &index)?;
    std::fs::write(&seen, stamp.with(tree)).map_err(GitError::io("write", &seen))?;
    Ok(tree)
}

/// By what one sees that the worker's index is another one.
struct Stamp(String);

impl Stamp {
    fn of(index: &Path) -> Self {
        Self(match index.metadata() {
            Ok(meta) => format!(
                "{} {} {}.{}",
                meta.ino(),
                meta.size(),
                meta.mtime(),
                meta.mtime_nsec()
            ),
            Err(_) => "none".to_owned(),
        })
    }

    fn with(&self, tree: ObjectId) -> String {
        format!("{} {tree}\n", self.0)
    }

    /// The tree of a line that was written for the same index.
    fn matches(&self, line: &str) -> Option<ObjectId> {
        let tree = line.trim_end().strip_prefix(&self.0)?.strip_prefix(' ')?;
        ObjectId::from_hex(tree.as_bytes()).ok()
    }
}

/// The tree of that id, or of the commit of that id.
fn tree_named(gix: &gix::Repository, name: &str) -> Result<ObjectId, GitError> {
    let unknown = || GitError::NoSuchCommit {
        id: name.to_owned(),
    };
    let id = ObjectId::from_hex(name.as_bytes()).map_err(|_| unknown())?;
    let object = gix.find_object(id).map_err(|_| unknown())?;
    let tree = object.peel_to_tree().map_err(|_| unknown())?;
    Ok(tree.id)
}

fn changed(
    gix: &gix::Repository,
    old: ObjectId,
    new: ObjectId,
) -> Result<Vec<PathChange>, GitError> {
    let mut paths: Vec<PathChange> = Changes::between(gix, old, new)?
        .files
        .into_iter()
        .map(|(path, change)| PathChange {
            path: snapshot::to_path(&path),
            kind: match (change.old, change.new) {
                (None, _) => PathChangeKind::Added,
                (_, None) => PathChangeKind::Removed,
                (Some(_), Some(_)) => PathChangeKind::Modified,
            },
        })
        .collect();
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(paths)
}
