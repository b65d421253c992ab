//! Registering a detached worktree whose HEAD names a commit from the first moment.
//!
//! Git and gix write a HEAD of zeros first and the commit a moment later. A fetch in between
//! fails (`bad object worktrees/1/HEAD`), and after a crash in between every fetch does. So the
//! worktree starts on a stand-in branch, which is deleted once HEAD is detached.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gix::ObjectId;
use gix::refs::Target;
use gix::worktree::add::{Head, PrepareCheckout};

use crate::registry::Registry;
use crate::repo::{STAND_IN, branch_ref, checkouts_of, delete_ref, save_ref, set_head, stand_ins};
use crate::{GitError, Repo};

/// Registers `path` as a worktree at `target`; files and persisting are up to the caller.
pub(crate) fn prepare_detached(
    repo: &Repo,
    gix: &gix::Repository,
    path: &Path,
    target: ObjectId,
) -> Result<PrepareCheckout, GitError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let registry = Registry::open(repo)?;
    sweep(repo, &registry, gix)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = branch_ref(&format!("{STAND_IN}{}-{number}", std::process::id()))?;
    save_ref(gix, &name.as_bstr().to_string(), target, "add a worktree")?;
    let prepared = gix
        .prepare_add_worktree(path, Head::Attached(name.clone()), &AtomicBool::new(false))
        .map_err(GitError::library("add a worktree"))
        .and_then(|prepared| {
            set_head(prepared.repo(), Target::Object(target), "add a worktree")?;
            Ok(prepared)
        });
    delete_ref(gix, &name)?;
    prepared
}

/// Deletes stand-ins that a crash left; while a worktree is still on one, it has to stay.
fn sweep(repo: &Repo, registry: &Registry, gix: &gix::Repository) -> Result<(), GitError> {
    for name in stand_ins(gix)? {
        if checkouts_of(repo, registry, &name)?.is_empty() {
            delete_ref(gix, &branch_ref(&name)?)?;
        }
    }
    Ok(())
}
