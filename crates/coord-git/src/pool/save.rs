//! Saving uncommitted work under `refs/coord/wip/<assignment>`, and telling what is not saved.

use coord_core::ids::{AssignmentId, CommitId};
use gix::ObjectId;
use gix::refs::FullName;

use super::record::{Slot, WorktreeState};
use super::{Worktree, WorktreePool};
use crate::repo::{commit_id, delete_ref, merge_base, open_gix, read, save_ref};
use crate::snapshot::{self, Changes};
use crate::wip::{reference, saved_as, wip_commit};
use crate::{Git, GitError, Repo};

/// Uncommitted work that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipSaved {
    /// `refs/coord/wip/<id>`.
    pub reference: String,
    /// The commit that holds it; its parent is the commit that was checked out.
    pub commit: CommitId,
    /// The paths that were changed, added or deleted, sorted; empty when only commits were
    /// saved that no branch leads to.
    pub files: Vec<String>,
}

impl WorktreePool {
    /// Saves changed and untracked files (not ignored ones) as a commit under
    /// `refs/coord/wip/<id>`, and commits that no ref leads to. `None` when there is neither.
    /// Worktree, index and branch stay as they are; no hook runs. Of repositories inside the
    /// worktree the files are saved, not their history.
    ///
    /// # Errors
    /// When files cannot be read or objects cannot be written.
    pub fn save_wip(
        &self,
        worktree: &Worktree,
        id: &AssignmentId,
    ) -> Result<Option<WipSaved>, GitError> {
        save(&Git::locate()?, &worktree.path, id)
    }
}

pub(super) fn save(
    git: &Git,
    worktree: &std::path::Path,
    id: &AssignmentId,
) -> Result<Option<WipSaved>, GitError> {
    let gix = open_gix(worktree)?;
    let head = head_of(&gix)?;
    let mut changes = snapshot::changes(git, worktree)?;
    let has_files = !changes.files.is_empty() || !changes.nested.is_empty();
    if !has_files && is_reachable(git, &gix, head)? {
        drop_look(&gix, id, head)?;
        return Ok(None);
    }
    let commit = if has_files {
        let tree = snapshot::tree(git, &gix, worktree, &mut changes)?;
        wip_commit(&gix, id, head, tree)?
    } else {
        head
    };
    save_ref(&gix, &reference(id), commit, "uncommitted work")?;
    Ok(Some(WipSaved {
        reference: reference(id),
        commit: commit_id(commit),
        files: if has_files {
            changes.paths()
        } else {
            Vec::new()
        },
    }))
}

/// Looks leave the ref at a commit of the branch where there is nothing else to save. What holds
/// more than the branch stays.
fn drop_look(gix: &gix::Repository, id: &AssignmentId, head: ObjectId) -> Result<(), GitError> {
    let reference = reference(id);
    if let Some(saved) = read(gix, &reference)?
        && merge_base(gix, saved, head)? == Some(saved)
    {
        let name = FullName::try_from(reference).map_err(GitError::library("name a ref"))?;
        delete_ref(gix, &name)?;
    }
    Ok(())
}

fn head_of(gix: &gix::Repository) -> Result<ObjectId, GitError> {
    let head = gix.head_id().map_err(GitError::library("read HEAD"))?;
    Ok(head.detach())
}

/// Whether some ref leads to the commit. HEAD itself does not count: it is about to move.
fn is_reachable(git: &Git, gix: &gix::Repository, commit: ObjectId) -> Result<bool, GitError> {
    let attached = gix.head_name().map_err(GitError::library("read HEAD"))?;
    if attached.is_some() {
        return Ok(true);
    }
    let found = git
        .run_in(gix.common_dir(), "for-each-ref")
        .args(["--count=1", "--format=%(refname)"])
        .arg(format!("--contains={commit}"))
        .text()?;
    Ok(!found.trim().is_empty())
}

/// [`GitError::WouldLose`] unless everything in the worktree stands somewhere else too.
pub(super) fn refuse_to_lose(repo: &Repo, slot: &Slot) -> Result<(), GitError> {
    match slot.state() {
        // Nobody has worked in it, or everything was saved before.
        WorktreeState::Idle(_) | WorktreeState::Preparing | WorktreeState::Recycling => Ok(()),
        WorktreeState::Held | WorktreeState::Unknown => match unsaved(repo, slot)? {
            what if what.is_empty() => Ok(()),
            what => Err(GitError::WouldLose {
                path: slot.path.clone(),
                what,
            }),
        },
    }
}

fn unsaved(repo: &Repo, slot: &Slot) -> Result<Vec<String>, GitError> {
    let gix = open_gix(&slot.path)?;
    let head = head_of(&gix)?;
    let mut changes = snapshot::changes(repo.git(), &slot.path)?;
    let submodules = Changes {
        submodules: std::mem::take(&mut changes.submodules),
        ..Changes::default()
    };
    let mut lost = submodules.paths();
    if !changes.is_empty() {
        let named = changes.paths();
        let tree = snapshot::tree(repo.git(), &gix, &slot.path, &mut changes)?;
        let saved = match slot.locked_by() {
            Some(id) => saved_as(&gix, &id, head, tree)?,
            None => None,
        };
        if saved.is_none() {
            lost.extend(named);
        }
    }
    if !is_reachable(repo.git(), &gix, head)? {
        lost.push(format!("commit {}", head.to_hex_with_len(10)));
    }
    Ok(lost)
}
