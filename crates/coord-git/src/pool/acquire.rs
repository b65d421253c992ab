//! Handing out worktrees, and making some ready in advance.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::refs::Target;
use gix::worktree::add::Head;

use super::record::{Slot, WorktreeState};
use super::{AcquireSpec, Worktree, WorktreePool, prepare_detached, remove_linked};
use crate::lock::FileLock;
use crate::registry::Registry;
use crate::repo::{
    branch_ref, checkouts_of, commit, commit_id, local_tip, merge_base, open_gix, save_ref,
    set_head, set_ref, tip,
};
use crate::{GitError, Repo};

/// The owner of worktrees that are made in advance.
const NOBODY: &str = "pool";

/// A worktree that has been chosen and still has to be filled.
struct Claimed {
    slot: Slot,
    busy: FileLock,
    /// What is in it now; `None`: nothing yet.
    filled: Option<ObjectId>,
}

impl WorktreePool {
    /// Hands out a worktree on `spec.branch`, locked for the assignment. Asking again for the same
    /// assignment gives the same worktree with whatever is in it.
    ///
    /// # Errors
    /// [`GitError::BranchInUse`], [`GitError::NoSuchCommit`], [`GitError::NoSuchBranch`] (of
    /// `start`), [`GitError::InvalidName`], and when files cannot be written.
    pub fn acquire(&self, repo: &Repo, spec: AcquireSpec<'_>) -> Result<Worktree, GitError> {
        let gix = repo.gix()?;
        let target = start_of(&gix, spec)?;
        let folder = self.folder(repo)?;
        let handed = |slot: &Slot| Worktree {
            path: slot.path.clone(),
            repo_path: repo.path().to_owned(),
            branch: spec.branch.to_owned(),
            base: spec.base.clone(),
        };
        let claimed = {
            let _lock = Self::lock(&folder)?;
            if let Some(slot) = held_by(repo, &folder, spec)? {
                return Ok(handed(&slot));
            }
            refuse_occupied(repo, &folder, spec)?;
            set_branch(&gix, spec.branch, target)?;
            claim(repo, &gix, &folder, spec, target)?
        };
        fill(repo, &folder, &claimed, target)?;
        claimed.slot.set_state(&WorktreeState::Held)?;
        drop(claimed.busy);
        Ok(handed(&claimed.slot))
    }

    /// Fills the pool up to its number of idle worktrees and brings idle ones to the tip of the
    /// default branch. Gives how many were made or moved.
    ///
    /// # Errors
    /// [`GitError::NoDefaultBranch`], [`GitError::NoSuchBranch`], and when files cannot be written.
    pub fn warm(&self, repo: &Repo, default_branch: Option<&str>) -> Result<usize, GitError> {
        let branch = repo.default_branch(default_branch)?;
        let gix = repo.gix()?;
        let target = tip(&gix, &branch)?.ok_or(GitError::NoSuchBranch { name: branch })?;
        let folder = self.folder(repo)?;
        let mut done = 0;
        while let Some(claimed) = self.claim_cold(repo, &gix, &folder, target)? {
            fill(repo, &folder, &claimed, target)?;
            claimed
                .slot
                .set_state(&WorktreeState::Idle(commit_id(target)))?;
            claimed.slot.unlock()?;
            done += 1;
        }
        Ok(done)
    }

    /// An idle worktree that is not at `target`, or a new one while there are too few.
    fn claim_cold(
        &self,
        repo: &Repo,
        gix: &gix::Repository,
        folder: &Path,
        target: ObjectId,
    ) -> Result<Option<Claimed>, GitError> {
        let _lock = Self::lock(folder)?;
        let mut spare = 0;
        for slot in Slot::all(repo, folder)? {
            match slot.state() {
                WorktreeState::Idle(at) if at == commit_id(target) => spare += 1,
                WorktreeState::Idle(_) => {
                    if let Some(claimed) = take(slot, NOBODY)? {
                        point(&claimed, Target::Object(target))?;
                        return Ok(Some(claimed));
                    }
                    spare += 1;
                }
                WorktreeState::Preparing if slot.locked_by().is_none() => spare += 1,
                WorktreeState::Preparing
                | WorktreeState::Held
                | WorktreeState::Recycling
                | WorktreeState::Unknown => {}
            }
        }
        if spare >= self.warm {
            return Ok(None);
        }
        register(repo, gix, folder, Head::Detached(target), NOBODY).map(Some)
    }
}

/// The commit that the work starts from.
fn start_of(gix: &gix::Repository, spec: AcquireSpec<'_>) -> Result<ObjectId, GitError> {
    branch_ref(spec.branch)?;
    let base = commit(gix, spec.base)?.id;
    let Some(start) = spec.start else {
        return Ok(base);
    };
    tip(gix, start)?.ok_or_else(|| GitError::NoSuchBranch {
        name: start.to_owned(),
    })
}

/// The worktree that the assignment has already, if it was ever handed out.
fn held_by(repo: &Repo, folder: &Path, spec: AcquireSpec<'_>) -> Result<Option<Slot>, GitError> {
    let slots = Slot::all(repo, folder)?;
    Ok(slots.into_iter().find(|slot| {
        slot.locked_by().as_ref() == Some(spec.assignment)
            && slot.state() == WorktreeState::Held
            && slot.path.is_dir()
    }))
}

/// Another worktree on the branch would see it move. One that was being prepared for this
/// assignment (or for nobody yet) when its process died is none: nobody has worked in it.
fn refuse_occupied(repo: &Repo, folder: &Path, spec: AcquireSpec<'_>) -> Result<(), GitError> {
    for slot in Slot::all(repo, folder)? {
        let ours = slot.locked_by().is_none_or(|id| id == *spec.assignment);
        if ours
            && slot.state() == WorktreeState::Preparing
            && let Some(_busy) = slot.try_busy()?
        {
            remove_linked(repo, folder, &slot.path)?;
        }
    }
    let checkouts = checkouts_of(repo, &Registry::open(repo)?, spec.branch)?;
    match checkouts.into_iter().next() {
        Some(path) => Err(GitError::BranchInUse {
            branch: spec.branch.to_owned(),
            path,
        }),
        None => Ok(()),
    }
}

/// Makes the local branch `target`. Commits that it alone leads to are kept under another ref.
fn set_branch(gix: &gix::Repository, branch: &str, target: ObjectId) -> Result<(), GitError> {
    let old = local_tip(gix, branch)?;
    if old == Some(target) {
        return Ok(());
    }
    if let Some(old) = old
        && merge_base(gix, old, target)? != Some(old)
    {
        let kept = format!("refs/coord/replaced/{branch}/{}", old.to_hex_with_len(10));
        save_ref(gix, &kept, old, "keep the commits of an earlier attempt")?;
    }
    set_ref(gix, &branch_ref(branch)?, target, old, "start of the work")
}

/// An idle worktree, best one that is at `target` already, or a new one.
fn claim(
    repo: &Repo,
    gix: &gix::Repository,
    folder: &Path,
    spec: AcquireSpec<'_>,
    target: ObjectId,
) -> Result<Claimed, GitError> {
    let owner = spec.assignment.as_str();
    let head = branch_ref(spec.branch)?;
    let at_target = WorktreeState::Idle(commit_id(target));
    let mut idle: Vec<Slot> = Slot::all(repo, folder)?
        .into_iter()
        .filter(|slot| matches!(slot.state(), WorktreeState::Idle(_)) && slot.path.is_dir())
        .collect();
    idle.sort_by_key(|slot| slot.state() != at_target);
    for slot in idle {
        if let Some(claimed) = take(slot, owner)? {
            point(&claimed, Target::Symbolic(head))?;
            return Ok(claimed);
        }
    }
    register(repo, gix, folder, Head::Attached(head), owner)
}

/// Takes an idle worktree; `None` when somebody is at work in it.
fn take(slot: Slot, owner: &str) -> Result<Option<Claimed>, GitError> {
    let Some(busy) = slot.try_busy()? else {
        return Ok(None);
    };
    let filled = match slot.state() {
        WorktreeState::Idle(at) => crate::repo::object_id(&at)?,
        WorktreeState::Preparing
        | WorktreeState::Held
        | WorktreeState::Recycling
        | WorktreeState::Unknown => return Ok(None),
    };
    slot.lock_for(owner)?;
    slot.set_state(&WorktreeState::Preparing)?;
    Ok(Some(Claimed {
        slot,
        busy,
        filled: Some(filled),
    }))
}

fn point(claimed: &Claimed, head: Target) -> Result<(), GitError> {
    let gix = open_gix(&claimed.slot.path)?;
    set_head(&gix, head, "worktree taken from the pool")
}

/// Registers a new worktree, locked and without files. Its state is in place before git sees it,
/// so that no crash leaves one that nobody knows the state of; git's lock cannot be, since gix
/// uses that while it registers.
fn register(
    repo: &Repo,
    gix: &gix::Repository,
    folder: &Path,
    head: Head,
    owner: &str,
) -> Result<Claimed, GitError> {
    let path = free_path(repo, folder)?;
    let doing = "add a worktree";
    let prepared = match head {
        Head::Attached(_) => {
            let _registry = Registry::open(repo)?;
            gix.prepare_add_worktree(&path, head, &AtomicBool::new(false))
                .map_err(GitError::library(doing))?
        }
        Head::Detached(target) => prepare_detached(repo, gix, &path, target)?,
    };
    let admin = prepared
        .repo()
        .git_dir()
        .canonicalize()
        .map_err(GitError::io("open", prepared.repo().git_dir()))?;
    let slot = Slot { path, admin };
    slot.set_state(&WorktreeState::Preparing)?;
    let busy = slot.busy()?;
    prepared.persist().map_err(GitError::library(doing))?;
    slot.lock_for(owner)?;
    Ok(Claimed {
        slot,
        busy,
        filled: None,
    })
}

/// `<folder>/<n>` with the lowest number that is free.
fn free_path(repo: &Repo, folder: &Path) -> Result<PathBuf, GitError> {
    let taken: Vec<Option<u32>> = Slot::all(repo, folder)?.iter().map(Slot::number).collect();
    let mut number: u32 = 1;
    while taken.contains(&Some(number)) || folder.join(number.to_string()).exists() {
        number += 1;
    }
    Ok(folder.join(number.to_string()))
}

/// Makes the files those of `target`. A worktree that cannot be filled is removed again.
fn fill(repo: &Repo, folder: &Path, claimed: &Claimed, target: ObjectId) -> Result<(), GitError> {
    let filled = match claimed.filled {
        Some(at) if at == target => return Ok(()),
        Some(_) => reset(repo, &claimed.slot.path),
        None => check_out(&claimed.slot.path).or_else(|_| reset(repo, &claimed.slot.path)),
    };
    if filled.is_err() {
        remove_linked(repo, folder, &claimed.slot.path)?;
    }
    filled
}

/// First checkout in process; several times faster than a `git` process on many files.
fn check_out(path: &Path) -> Result<(), GitError> {
    let doing = "check out the files of a worktree";
    let gix = open_gix(path)?;
    let worktree = gix
        .worktree()
        .ok_or("no worktree")
        .map_err(GitError::library(doing))?;
    let outcome = worktree
        .checkout(gix::progress::Discard, &AtomicBool::new(false))
        .map_err(GitError::library(doing))?;
    if outcome.errors.is_empty() && outcome.collisions.is_empty() {
        Ok(())
    } else {
        Err("not every file could be written").map_err(GitError::library(doing))
    }
}

/// Makes index and files those of HEAD, overwriting what is there.
pub(super) fn reset(repo: &Repo, path: &Path) -> Result<(), GitError> {
    repo.git()
        .run_in(path, "reset")
        .config("checkout.workers=0")
        .config("submodule.recurse=false")
        .args(["--hard", "--quiet", "HEAD", "--"])
        .bytes()
        .map(drop)
}
