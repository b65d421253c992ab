//! From a request to an assignment that survives the next power cut.

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coord_core::ids::AssignmentId;
use coord_protocol::{AssignBody, AssignmentRow};
use http::StatusCode;

use crate::active::Active;
use crate::clock;
use crate::folder::{Folder, Spec};
use crate::http::Ctx;
use crate::http::reject::Rejection;
use crate::leases;
use crate::registry::Found;

/// When a caller that found no slot may ask again, in seconds.
const RETRY_SECONDS: u64 = 15;

/// Accepts `body`, or answers for the assignment that it has become before.
///
/// Runs in a task of its own: a caller that hangs up must not leave it half done.
pub(crate) async fn accept(ctx: Ctx, body: AssignBody) -> Result<AssignmentRow, Rejection> {
    let _turn = ctx.accepting.lock().await;
    let id = body.id.clone().unwrap_or_else(fresh_id);
    if let Some(found) = ctx.registry.find(&id) {
        return repeated(&ctx, found, &id, &body).await;
    }
    let repo = check_path(&ctx, &body).await?;
    if *ctx.stopping.borrow() {
        let error = "the agent is about to end";
        return Err(Rejection::new(StatusCode::SERVICE_UNAVAILABLE, error));
    }
    let max = ctx.config.max_workers;
    if ctx.registry.counts().active >= max as usize {
        return Err(Rejection::full(max, RETRY_SECONDS));
    }
    let spec = Spec::new(id.clone(), clock::now(), body);
    let folder = Folder::of(&ctx.assignments, &id);
    let written = {
        let (folder, spec) = (folder.clone(), spec.clone());
        tokio::task::spawn_blocking(move || folder.create(&spec)).await?
    };
    written.map_err(|e| Rejection::storage("write down the assignment", &e))?;
    let active = Arc::new(Active::new(spec, folder));
    leases::hold(&ctx, &active, repo);
    let row = active.row();
    ctx.drive(active);
    Ok(row)
}

/// The same id: the same assignment for the same request, a conflict for any other.
async fn repeated(
    ctx: &Ctx,
    found: Found,
    id: &AssignmentId,
    body: &AssignBody,
) -> Result<AssignmentRow, Rejection> {
    let row = match found {
        Found::Active(active) => active.row(),
        Found::Finished(_) => finished_row(ctx, id).await?,
    };
    match row.spec.is_same_work(body) {
        true => Ok(row),
        false => Err(Rejection::conflict(format!(
            "`{id}` is the id of another request: issue {} of {}",
            row.spec.issue_number, row.spec.repo_name
        ))),
    }
}

/// The row of an assignment that has ended, from its folder.
pub(crate) async fn finished_row(ctx: &Ctx, id: &AssignmentId) -> Result<AssignmentRow, Rejection> {
    let folder = Folder::of(&ctx.assignments, id);
    let outcome = tokio::task::spawn_blocking(move || folder.outcome()).await?;
    let outcome = outcome.map_err(|e| Rejection::storage("read the assignment", &e))?;
    match outcome {
        Some(outcome) => Ok(outcome.row.assignment),
        None => Err(Rejection::unknown(id.as_str())),
    }
}

/// The checkout, without links.
async fn check_path(ctx: &Ctx, body: &AssignBody) -> Result<PathBuf, Rejection> {
    let (shared, path) = (Arc::clone(ctx), body.repo_path.clone());
    let permitted = tokio::task::spawn_blocking(move || shared.permitted(Path::new(&path))).await?;
    match permitted {
        Some(repo) => Ok(repo),
        None => Err(Rejection::new(
            StatusCode::FORBIDDEN,
            format!(
                "`repo_path`: `{}` is no repository of this machine",
                body.repo_path
            ),
        )
        .hint("name it in `machines[].repo_paths`, or start the agent with --allow-path")),
    }
}

/// An id for a caller that brings none.
fn fresh_id() -> AssignmentId {
    // Every `RandomState` has keys of its own: enough randomness for a name.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(clock::now().to_bits());
    AssignmentId::from_bits(hasher.finish())
}
