//! `GET /wip/{id}`: what a worker has in its worktree, as a git bundle, for a coordinator elsewhere.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use coord_core::ids::{AssignmentId, CommitId};
use coord_git::Repo;
use coord_protocol::ErrorBody;
use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};

use super::reject::Rejection;
use super::worktrees::plan;
use super::{Ctx, find};
use crate::background::in_background;
use crate::folder::Folder;

/// What is saved of a worker's files: a bundle on top of the commit that it began with and of the one that
/// the caller knows.
#[utoipa::path(get, path = "/wip/{id}", params(
    ("id" = String, Path),
    ("if-none-match" = Option<String>, Header, description = "the commit that the caller has"),
), responses(
    (status = 200, body = String, content_type = "application/x-git-bundle",
        description = "`ETag` is the commit; empty where the caller has all of it"),
    (status = 304, description = "it is still that commit"),
    (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "nothing is saved"),
))]
pub(crate) async fn wip(
    State(ctx): State<Ctx>,
    path: Path<String>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let (id, _) = find(&ctx, &path)?;
    let folder = Folder::of(&ctx.assignments, &id);
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    let known = known.map(|tag| CommitId::new(tag.trim_matches('"').to_owned()));
    let found = in_background(move || bundle(&folder, &id, known)).await;
    found.map_err(|error| Rejection::internal(&error))?
}

fn bundle(
    folder: &Folder,
    id: &AssignmentId,
    known: Option<CommitId>,
) -> Result<Response, Rejection> {
    let plan = plan(folder)?;
    let repo = Repo::open(&plan.repo)?;
    let nothing = || Rejection::conflict("nothing is saved");
    let commit = repo.wip(id)?.ok_or_else(nothing)?;
    if known.as_ref() == Some(&commit) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag(&commit))]).into_response());
    }
    let have: Vec<CommitId> = known.into_iter().chain([plan.base]).collect();
    let bundle = repo.wip_bundle(id, &have)?.ok_or_else(nothing)?;
    let headers = [
        (ETAG, tag(&bundle.commit)),
        (CONTENT_TYPE, "application/x-git-bundle".to_owned()),
    ];
    Ok((headers, bundle.bytes).into_response())
}

fn tag(commit: &CommitId) -> String {
    format!("\"{commit}\"")
}
