//! `GET /diff/{id}` and `DELETE /worktree/{id}`: what a worker has left on disk.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use coord_core::ids::{AssignmentId, CommitId};
use coord_git::{GitError, Repo};
use coord_protocol::ErrorBody;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::reject::Rejection;
use super::{Ctx, find};
use crate::folder::{Folder, Plan};
use crate::registry::Found;
use crate::shared::Shared;

/// What the worker has changed so far, untracked files included; afterwards what it committed.
#[utoipa::path(get, path = "/diff/{id}", params(("id" = String, Path)), responses(
    (status = 200, body = String, content_type = "text/x-diff"),
    (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "there is no worktree yet"),
))]
pub(crate) async fn diff(
    State(ctx): State<Ctx>,
    path: Path<String>,
) -> Result<Response, Rejection> {
    let (id, _) = find(&ctx, &path)?;
    let folder = Folder::of(&ctx.assignments, &id);
    let diff = tokio::task::spawn_blocking(move || read_diff(&folder)).await??;
    Ok(([(CONTENT_TYPE, "text/x-diff; charset=utf-8")], diff).into_response())
}

fn read_diff(folder: &Folder) -> Result<String, Rejection> {
    let plan = plan(folder)?;
    let repo = Repo::open(&plan.repo)?;
    match &plan.worktree {
        Some(worktree) if !folder.released() => Ok(repo.worktree_diff(worktree, &plan.base)?),
        Some(_) | None => match committed(folder)? {
            Some(head) => Ok(repo.diff(&plan.base, &head)?),
            None => Ok(String::new()),
        },
    }
}

/// What the worktree is made of.
pub(super) fn plan(folder: &Folder) -> Result<Plan, Rejection> {
    let plan = folder.plan();
    let plan = plan.map_err(|e| Rejection::storage("read the assignment", &e))?;
    plan.ok_or_else(|| Rejection::conflict("there is no worktree yet"))
}

fn committed(folder: &Folder) -> Result<Option<CommitId>, Rejection> {
    let outcome = folder.outcome();
    let outcome = outcome.map_err(|e| Rejection::storage("read the assignment", &e))?;
    let head = outcome.and_then(|outcome| outcome.row.end?.head);
    Ok(head.map(CommitId::from))
}

/// Removes the worktree of an assignment that has ended, unless something would be lost.
#[utoipa::path(delete, path = "/worktree/{id}", params(("id" = String, Path)), responses(
    (status = 204, description = "it is gone"),
    (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "what would be lost, or that it is in use"),
))]
pub(crate) async fn remove(
    State(ctx): State<Ctx>,
    path: Path<String>,
) -> Result<StatusCode, Rejection> {
    let (id, found) = find(&ctx, &path)?;
    if let Found::Active(_) = found {
        return Err(Rejection::conflict(format!("`{id}` has not ended")));
    }
    let shared = Arc::clone(&ctx);
    tokio::task::spawn_blocking(move || remove_worktree(&shared, &id)).await??;
    Ok(StatusCode::NO_CONTENT)
}

fn remove_worktree(shared: &Shared, id: &AssignmentId) -> Result<(), Rejection> {
    let folder = Folder::of(&shared.assignments, id);
    let plan = folder.plan();
    let plan = plan.map_err(|e| Rejection::storage("read the assignment", &e))?;
    let Some((repo, worktree)) = plan.and_then(|plan| Some((plan.repo, plan.worktree?))) else {
        return Ok(());
    };
    if folder.released() {
        return Ok(());
    }
    match remove_own(shared, id, &repo, &worktree) {
        Ok(()) => folder
            .mark_released()
            .map_err(|e| Rejection::storage("write to the assignment", &e)),
        Err(error @ GitError::WouldLose { .. }) => Err(Rejection::conflict(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Worktrees are recycled: by now this one may belong to another assignment.
fn remove_own(
    shared: &Shared,
    id: &AssignmentId,
    repo: &PathBuf,
    worktree: &FilePath,
) -> Result<(), GitError> {
    let repo = Repo::open(repo)?;
    let pooled = shared.pool.list(&repo)?;
    let own =
        |w: &&coord_git::PooledWorktree| w.path == worktree && w.locked_by.as_ref() == Some(id);
    match pooled.iter().find(own) {
        Some(own) => shared.pool.remove(&repo, &own.path),
        None => Ok(()),
    }
}
