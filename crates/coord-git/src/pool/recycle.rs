//! Makes a worktree free of every trace of its last worker, and proves it.

use std::fs;
use std::path::Path;

use gix::ObjectId;
use gix::index::entry::{Flags, Mode};

use super::acquire::reset;
use super::record::{Slot, WorktreeState, replace};
use super::remove::open_up;
use super::{Released, remove_linked};
use crate::repo::{commit_id, open_gix, tip};
use crate::{GitError, Repo};

/// Recycles a worktree in which nothing would be lost; removes it where that fails.
pub(super) fn recycle_or_remove(
    repo: &Repo,
    folder: &Path,
    slot: &Slot,
    keep: &[String],
) -> Result<Released, GitError> {
    slot.set_state(&WorktreeState::Recycling)?;
    match recycle(repo, slot, keep) {
        Ok(()) => Ok(Released::Recycled),
        Err(error) => {
            tracing::warn!(path = %slot.path.display(), %error, "removing a worktree instead of recycling it");
            remove_linked(repo, folder, &slot.path)?;
            Ok(Released::Removed)
        }
    }
}

fn recycle(repo: &Repo, slot: &Slot, keep: &[String]) -> Result<(), GitError> {
    let target = resting_place(repo, slot)?;
    scrub_private_folder(slot)?;
    // Written as a file: HEAD may be damaged, and its branch must not move.
    replace(&slot.admin.join("HEAD"), &format!("{target}\n"))?;
    drop_unusual_index(slot)?;
    open_up(&slot.path)?;
    clean(repo, slot, keep)?;
    reset(repo, &slot.path)?;
    clean(repo, slot, keep)?;
    prove(repo, slot, keep)?;
    scrub_private_folder(slot)?;
    slot.set_state(&WorktreeState::Idle(commit_id(target)))?;
    slot.unlock()
}

/// Where the next worker will most probably start: the tip of the default branch.
fn resting_place(repo: &Repo, slot: &Slot) -> Result<ObjectId, GitError> {
    let gix = repo.gix()?;
    if let Ok(branch) = repo.default_branch(None)
        && let Some(tip) = tip(&gix, &branch)?
    {
        return Ok(tip);
    }
    let head = open_gix(&slot.path)?
        .head_id()
        .map_err(GitError::library("read HEAD"))?
        .detach();
    Ok(head)
}

/// Removes merges, rebases and bisects in progress, refs and configuration of the worktree alone,
/// sparse patterns, submodules, logs, and whatever else is not essential.
fn scrub_private_folder(slot: &Slot) -> Result<(), GitError> {
    let entries = fs::read_dir(&slot.admin).map_err(GitError::io("read", &slot.admin))?;
    for entry in entries {
        let entry = entry.map_err(GitError::io("read", &slot.admin))?;
        if Slot::is_essential(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        let is_dir = entry
            .file_type()
            .map_err(GitError::io("read", &path))?
            .is_dir();
        let removed = if is_dir {
            open_up(&path)?;
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(GitError::io("remove", path))?;
    }
    Ok(())
}

/// Removes the index where it would make git overlook changed files (`assume-unchanged`,
/// `skip-worktree`) or cannot be read; `reset` then writes a new one.
fn drop_unusual_index(slot: &Slot) -> Result<(), GitError> {
    let index = slot.admin.join("index");
    if !index.exists() {
        return Ok(());
    }
    let gix = open_gix(&slot.path)?;
    let usual = gix.open_index().is_ok_and(|index| {
        index.entries().iter().all(|entry| {
            !entry
                .flags
                .intersects(Flags::ASSUME_VALID | Flags::SKIP_WORKTREE)
        })
    });
    if usual {
        return Ok(());
    }
    fs::remove_file(&index).map_err(GitError::io("remove", index))
}

fn clean(repo: &Repo, slot: &Slot, keep: &[String]) -> Result<(), GitError> {
    cleaner(repo, slot, keep).arg("--quiet").bytes().map(drop)
}

/// `git clean` for everything that is not tracked: ignored files and repositories too.
fn cleaner<'repo>(repo: &'repo Repo, slot: &Slot, keep: &[String]) -> crate::cli::Run<'repo> {
    repo.git()
        .run_in(&slot.path, "clean")
        .config("clean.requireForce=false")
        .args(["-f", "-f", "-d", "-x"])
        .args(keep.iter().map(|pattern| format!("--exclude={pattern}")))
}

/// Looks again: nothing changed, nothing left over, no submodule filled.
fn prove(repo: &Repo, slot: &Slot, keep: &[String]) -> Result<(), GitError> {
    let left = cleaner(repo, slot, keep).arg("--dry-run").text()?;
    let mut traces: Vec<String> = left.lines().map(str::to_owned).collect();
    let changed = repo
        .git()
        .run_in(&slot.path, "status")
        .args([
            "--porcelain",
            "--untracked-files=no",
            "--ignore-submodules=none",
        ])
        .text()?;
    traces.extend(changed.lines().map(str::to_owned));
    traces.extend(filled_submodules(slot)?);
    if traces.is_empty() {
        Ok(())
    } else {
        Err(GitError::Traces {
            path: slot.path.clone(),
            traces,
        })
    }
}

fn filled_submodules(slot: &Slot) -> Result<Vec<String>, GitError> {
    let gix = open_gix(&slot.path)?;
    let index = gix
        .open_index()
        .map_err(GitError::library("read the index"))?;
    let paths = index
        .entries()
        .iter()
        .filter(|entry| entry.mode == Mode::COMMIT)
        .map(|entry| entry.path(&index).to_string());
    Ok(paths
        .filter(|path| {
            fs::read_dir(slot.path.join(path)).is_ok_and(|mut entries| entries.next().is_some())
        })
        .collect())
}
