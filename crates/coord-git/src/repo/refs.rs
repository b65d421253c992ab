//! Names of branches, and reading and writing refs in process.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;

use gix::ObjectId;
use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit};
use gix::refs::{FullName, FullNameRef, Target};

use super::stale::despite_stale_locks;
use crate::GitError;

/// Start of the names of branches that exist for a moment while a worktree is registered.
pub(crate) const STAND_IN: &str = "coord-stand-in-";

const LOCAL: &str = "refs/heads/";
const REMOTE: &str = "refs/remotes/origin/";

/// The full name of a local branch. Names come from outside, so they are checked.
pub(crate) fn branch_ref(name: &str) -> Result<FullName, GitError> {
    let invalid = || GitError::InvalidName {
        name: name.to_owned(),
    };
    if name.starts_with('-') || name == "HEAD" || name.starts_with("refs/") {
        return Err(invalid());
    }
    FullName::try_from(format!("{LOCAL}{name}")).map_err(|_| invalid())
}

/// The name of a branch without `refs/heads/`.
pub(crate) fn short_branch(name: &FullNameRef) -> String {
    let name = name.as_bstr().to_string();
    name.strip_prefix(LOCAL).unwrap_or(&name).to_owned()
}

pub(crate) fn has_origin(repo: &gix::Repository) -> bool {
    repo.remote_names().iter().any(|name| *name == "origin")
}

/// Whether nobody chose how ssh is run, so that it might ask on the terminal.
pub(crate) fn ssh_may_ask(repo: &gix::Repository) -> bool {
    std::env::var_os("GIT_SSH_COMMAND").is_none()
        && std::env::var_os("GIT_SSH").is_none()
        && repo.config_snapshot().string("core.sshCommand").is_none()
}

/// What `refs/remotes/origin/HEAD` points to.
pub(crate) fn remote_head(repo: &gix::Repository) -> Result<Option<String>, GitError> {
    let head = repo
        .try_find_reference("refs/remotes/origin/HEAD")
        .map_err(GitError::library("read the remote's HEAD"))?;
    Ok(head.and_then(|head| match head.target() {
        gix::refs::TargetRef::Symbolic(name) => {
            let name = name.as_bstr().to_string();
            name.strip_prefix(REMOTE).map(str::to_owned)
        }
        gix::refs::TargetRef::Object(_) => None,
    }))
}

/// The commit that a full ref name leads to.
pub(crate) fn read(repo: &gix::Repository, name: &str) -> Result<Option<ObjectId>, GitError> {
    let found = repo
        .try_find_reference(name)
        .map_err(GitError::library("read a ref"))?;
    let Some(mut found) = found else {
        return Ok(None);
    };
    let id = found
        .peel_to_id()
        .map_err(GitError::library("read a ref"))?;
    Ok(Some(id.detach()))
}

/// The tip of the local branch.
pub(crate) fn local_tip(
    repo: &gix::Repository,
    branch: &str,
) -> Result<Option<ObjectId>, GitError> {
    read(repo, &format!("{LOCAL}{branch}"))
}

/// The remote's tip where it has the branch, else the local one.
pub(crate) fn tip(repo: &gix::Repository, branch: &str) -> Result<Option<ObjectId>, GitError> {
    branch_ref(branch)?;
    if has_origin(repo)
        && let Some(tip) = read(repo, &format!("{REMOTE}{branch}"))?
    {
        return Ok(Some(tip));
    }
    local_tip(repo, branch)
}

/// All branches with the tip that [`tip`] gives.
pub(crate) fn branches(repo: &gix::Repository) -> Result<BTreeMap<String, ObjectId>, GitError> {
    let mut branches = BTreeMap::new();
    collect(repo, LOCAL, &mut branches)?;
    branches.retain(|name, _| !name.starts_with(STAND_IN));
    if has_origin(repo) {
        collect(repo, REMOTE, &mut branches)?;
        branches.remove("HEAD");
    }
    Ok(branches)
}

/// The stand-in branches that there are.
pub(crate) fn stand_ins(repo: &gix::Repository) -> Result<Vec<String>, GitError> {
    let mut branches = BTreeMap::new();
    collect(repo, LOCAL, &mut branches)?;
    let names = branches.into_keys();
    Ok(names.filter(|name| name.starts_with(STAND_IN)).collect())
}

/// Adds the refs below `folder`, which ends with a slash, by the rest of their names.
pub(crate) fn collect(
    repo: &gix::Repository,
    folder: &str,
    into: &mut BTreeMap<String, ObjectId>,
) -> Result<(), GitError> {
    let platform = repo
        .references()
        .map_err(GitError::library("list the refs"))?;
    let refs = platform
        .prefixed(folder)
        .map_err(GitError::library("list the refs"))?;
    for found in refs {
        let mut found = match found {
            Ok(found) => found,
            // Others delete branches while these are listed.
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(GitError::library("list the refs")(error)),
        };
        let name = found.name().as_bstr().to_string();
        // A ref that leads nowhere (a deleted target, a broken file) is no branch.
        if let (Some(name), Ok(id)) = (name.strip_prefix(folder), found.peel_to_id()) {
            into.insert(name.to_owned(), id.detach());
        }
    }
    Ok(())
}

/// Whether a file was not there any more when it was to be read.
fn is_gone(error: &(dyn Error + 'static)) -> bool {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    error.downcast_ref().is_some_and(missing) || error.source().is_some_and(is_gone)
}

/// Sets a ref, provided that it still is `old` (`None`: that it does not exist).
pub(crate) fn set_ref(
    repo: &gix::Repository,
    name: &FullName,
    new: ObjectId,
    old: Option<ObjectId>,
    why: &str,
) -> Result<(), GitError> {
    let expected = match old {
        Some(old) => PreviousValue::MustExistAndMatch(Target::Object(old)),
        None => PreviousValue::MustNotExist,
    };
    edit(repo, name, Target::Object(new), expected, why)
}

/// Sets a ref of ours, whatever it was.
pub(crate) fn save_ref(
    repo: &gix::Repository,
    name: &str,
    new: ObjectId,
    why: &str,
) -> Result<(), GitError> {
    let name = FullName::try_from(name).map_err(|_| GitError::InvalidName {
        name: name.to_owned(),
    })?;
    edit(repo, &name, Target::Object(new), PreviousValue::Any, why)
}

/// Points HEAD of the worktree that `repo` was opened from somewhere else, files untouched.
pub(crate) fn set_head(repo: &gix::Repository, target: Target, why: &str) -> Result<(), GitError> {
    let head = FullName::try_from("HEAD").map_err(GitError::library("set HEAD"))?;
    edit(repo, &head, target, PreviousValue::Any, why)
}

/// Deletes a ref, whatever it is.
pub(crate) fn delete_ref(repo: &gix::Repository, name: &FullName) -> Result<(), GitError> {
    let delete = || repo.edit_reference(RefEdit::delete(name.clone(), PreviousValue::Any));
    // gix also removes a `packed-refs` that has become empty, and fails when another process has
    // just done that: the second try finds nothing left to remove.
    despite_stale_locks(repo, name, || delete().or_else(|_| delete()))
        .map(drop)
        .map_err(GitError::library("delete a ref"))
}

fn edit(
    repo: &gix::Repository,
    name: &FullName,
    new: Target,
    expected: PreviousValue,
    why: &str,
) -> Result<(), GitError> {
    let edit = RefEdit::new(
        name.clone(),
        Change::Update {
            log: LogChange {
                message: format!("coord: {why}").into(),
                ..LogChange::default()
            },
            expected,
            new,
        },
    );
    despite_stale_locks(repo, name, || repo.edit_reference(edit.clone()))
        .map(drop)
        .map_err(GitError::library("write a ref"))
}
