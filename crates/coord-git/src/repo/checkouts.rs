//! Where a branch is checked out: a branch must not be moved under somebody's feet.

use std::path::{Path, PathBuf};

use super::{Repo, branch_ref};
use crate::GitError;
use crate::registry::Registry;

/// The roots of all checkouts that have the branch, or are rebasing it. The open register is what
/// makes the list whole.
pub(crate) fn checkouts_of(
    repo: &Repo,
    _registry: &Registry,
    branch: &str,
) -> Result<Vec<PathBuf>, GitError> {
    let name = branch_ref(branch)?.as_bstr().to_string();
    let gix = repo.gix()?;
    let main = gix
        .main_repo()
        .map_err(GitError::library("open the main checkout"))?;
    let mut found = Vec::new();
    if let Some(root) = main.workdir()
        && occupies(main.git_dir(), &name)
    {
        found.push(root.to_owned());
    }
    let linked = gix
        .worktrees()
        .map_err(GitError::library("list the worktrees"))?;
    for worktree in linked {
        if occupies(worktree.git_dir(), &name)
            && let Ok(root) = worktree.base()
            && root.exists()
        {
            found.push(root);
        }
    }
    Ok(found)
}

/// Whether the worktree of this git folder is on the branch with that full name.
fn occupies(git_dir: &Path, name: &str) -> bool {
    let says = |file: &str, text: &str| {
        std::fs::read_to_string(git_dir.join(file)).is_ok_and(|read| read.trim() == text)
    };
    says("HEAD", &format!("ref: {name}"))
        || says("rebase-merge/head-name", name)
        || says("rebase-apply/head-name", name)
}
