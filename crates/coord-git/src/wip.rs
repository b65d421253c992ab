//! `refs/coord/wip/<assignment>`: what an assignment's worktree holds beyond its branch.

use coord_core::ids::{AssignmentId, CommitId};
use gix::ObjectId;

use crate::repo::{commit_id, parents_of, read, tree_of};
use crate::{GitError, Repo};

/// The ref for the uncommitted work of an assignment.
pub(crate) fn reference(id: &AssignmentId) -> String {
    format!("refs/coord/wip/{id}")
}

impl Repo {
    /// The commit under `refs/coord/wip/<id>`.
    ///
    /// # Errors
    /// When the ref cannot be read.
    pub fn wip(&self, id: &AssignmentId) -> Result<Option<CommitId>, GitError> {
        Ok(read(&self.gix()?, &reference(id))?.map(commit_id))
    }
}

/// The commit that holds the tree; the one that is there already if it does.
pub(crate) fn wip_commit(
    gix: &gix::Repository,
    id: &AssignmentId,
    head: ObjectId,
    tree: ObjectId,
) -> Result<ObjectId, GitError> {
    if let Some(saved) = saved_as(gix, id, head, tree)? {
        return Ok(saved);
    }
    let message = format!("coord: uncommitted work of {id}\n");
    let commit = gix
        .new_commit(message, tree, [head])
        .map_err(GitError::library("write a commit"))?;
    Ok(commit.id)
}

/// The commit under the assignment's ref, if it is this tree on top of this commit.
pub(crate) fn saved_as(
    gix: &gix::Repository,
    id: &AssignmentId,
    head: ObjectId,
    tree: ObjectId,
) -> Result<Option<ObjectId>, GitError> {
    let Some(saved) = read(gix, &reference(id))? else {
        return Ok(None);
    };
    let holds = tree_of(gix, saved)? == tree && parents_of(gix, saved)? == [head];
    Ok(holds.then_some(saved))
}
