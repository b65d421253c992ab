//! Sorts out what a crash left behind, without losing a file.

use std::path::{Path, PathBuf};

use coord_core::ids::AssignmentId;

use super::record::{Slot, WorktreeState};
use super::{Released, WipSaved, WorktreePool, recycle, remove, remove_linked, save};
use crate::{GitError, Repo};

/// What [`WorktreePool::recover`] did.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Work that was found uncommitted and saved.
    pub saved: Vec<WipSaved>,
    /// Worktrees that are idle again.
    pub recycled: Vec<PathBuf>,
    /// Worktrees that are gone.
    pub removed: Vec<PathBuf>,
    /// Worktrees that were left as they are, and why.
    pub left: Vec<(PathBuf, GitError)>,
}

impl WorktreePool {
    /// Goes through the repository's worktrees: those of `live` assignments stay as they are;
    /// of all others the work is saved, and then they are recycled or removed. Worktrees that
    /// another process is at work in, and such that the pool did not make, are left alone.
    /// `live` has to name every assignment that has acquired a worktree and not released it.
    ///
    /// # Errors
    /// When the pool cannot be read at all. What is wrong with one worktree is in `left`.
    pub fn recover(
        &self,
        repo: &Repo,
        live: &[AssignmentId],
        keep: &[String],
    ) -> Result<Recovered, GitError> {
        let folder = self.folder(repo)?;
        let slots = {
            let _lock = Self::lock(&folder)?;
            Slot::all(repo, &folder)?
        };
        let mut recovered = Recovered::default();
        for slot in slots {
            if slot.locked_by().is_some_and(|id| live.contains(&id)) {
                continue;
            }
            if let Err(error) = sort_out(repo, &folder, &slot, keep, &mut recovered) {
                recovered.left.push((slot.path.clone(), error));
            }
        }
        Ok(recovered)
    }
}

fn sort_out(
    repo: &Repo,
    folder: &Path,
    slot: &Slot,
    keep: &[String],
    recovered: &mut Recovered,
) -> Result<(), GitError> {
    let Some(_busy) = slot.try_busy()? else {
        return Ok(());
    };
    if !slot.path.exists() {
        return forget(repo, folder, slot, recovered);
    }
    match slot.state() {
        WorktreeState::Idle(_) => slot.unlock(),
        WorktreeState::Preparing => forget(repo, folder, slot, recovered),
        WorktreeState::Recycling => recycle_again(repo, folder, slot, keep, recovered),
        WorktreeState::Held => {
            if let Some(id) = slot.locked_by() {
                recovered
                    .saved
                    .extend(save::save(repo.git(), &slot.path, &id)?);
            }
            save::refuse_to_lose(repo, slot)?;
            recycle_again(repo, folder, slot, keep, recovered)
        }
        // Registered, and then the process died before it could say so. The lock makes sure that
        // nobody is about to.
        WorktreeState::Unknown if slot.number().is_some() && remove::is_vacant(&slot.path)? => {
            let _lock = WorktreePool::lock(folder)?;
            match slot.state() {
                WorktreeState::Unknown => forget(repo, folder, slot, recovered),
                WorktreeState::Idle(_)
                | WorktreeState::Preparing
                | WorktreeState::Held
                | WorktreeState::Recycling => Ok(()),
            }
        }
        WorktreeState::Unknown => Err(GitError::NotPooled {
            path: slot.path.clone(),
            why: "the pool did not make it",
        }),
    }
}

fn forget(
    repo: &Repo,
    folder: &Path,
    slot: &Slot,
    recovered: &mut Recovered,
) -> Result<(), GitError> {
    remove_linked(repo, folder, &slot.path)?;
    recovered.removed.push(slot.path.clone());
    Ok(())
}

fn recycle_again(
    repo: &Repo,
    folder: &Path,
    slot: &Slot,
    keep: &[String],
    recovered: &mut Recovered,
) -> Result<(), GitError> {
    let list = match recycle::recycle_or_remove(repo, folder, slot, keep)? {
        Released::Recycled => &mut recovered.recycled,
        Released::Removed => &mut recovered.removed,
    };
    list.push(slot.path.clone());
    Ok(())
}
