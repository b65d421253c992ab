//! `/assign`, `/cancel`, `/status`, `/input`: starting, stopping, steering and showing workers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use coord_core::ids::AssignmentId;
use coord_protocol::{
    AssignBody, AssignmentRow, ErrorBody, InputBody, PROTOCOL_HEADER, StatusAnswer, StatusQuery,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::body::{self, JsonBytes, NoBody};
use super::reject::Rejection;
use super::{Ctx, find};
use crate::accept::{accept, finished_row};
use crate::active::{Active, Phase};
use crate::finished::RenderedRow;
use crate::folder::Folder;
use crate::registry::Found;

/// How long `/cancel` waits for the end, so that it can mostly answer with it.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// Takes an assignment on; answers before its worktree is prepared.
#[utoipa::path(post, path = "/assign", request_body = AssignBody, responses(
    (status = 202, body = AssignmentRow, description = "accepted, or the same request again"),
    (status = 400, body = ErrorBody),
    (status = 403, body = ErrorBody, description = "not a repository of this machine"),
    (status = 409, body = ErrorBody, description = "the id of another request"),
    (status = 429, body = ErrorBody, description = "no free slot; see Retry-After"),
))]
pub(crate) async fn assign(
    State(ctx): State<Ctx>,
    JsonBytes(bytes): JsonBytes,
) -> Result<(StatusCode, Json<AssignmentRow>), Rejection> {
    let body = body::parse_assign(&bytes)?;
    let row = tokio::spawn(accept(ctx, body)).await??;
    Ok((StatusCode::ACCEPTED, Json(row)))
}

/// Stops a worker, or prevents its start. Nothing is published.
#[utoipa::path(post, path = "/cancel/{id}", params(("id" = String, Path)), responses(
    (status = 200, body = AssignmentRow),
    (status = 404, body = ErrorBody),
))]
pub(crate) async fn cancel(
    State(ctx): State<Ctx>,
    path: Path<String>,
    _body: NoBody,
) -> Result<Json<AssignmentRow>, Rejection> {
    let (id, found) = find(&ctx, &path)?;
    let row = match found {
        Found::Active(active) => cancel_active(&active).await?,
        Found::Finished(_) => finished_row(&ctx, &id).await?,
    };
    Ok(Json(row))
}

async fn cancel_active(active: &Arc<Active>) -> Result<AssignmentRow, Rejection> {
    let folder = active.folder.clone();
    // On disk first: what was answered holds even if the agent dies now.
    let written = tokio::task::spawn_blocking(move || folder.request_cancel()).await?;
    written.map_err(|e| Rejection::storage("write down the cancellation", &e))?;
    active.cancel.send_replace(true);
    let mut live = active.live.subscribe();
    let ended = live.wait_for(|live| live.phase == Phase::Ended);
    let _ = tokio::time::timeout(CANCEL_WAIT, ended).await;
    Ok(active.row())
}

/// Tells a running worker something, once for each key.
#[utoipa::path(post, path = "/input/{id}", params(("id" = String, Path)),
    request_body = InputBody, responses(
    (status = 202, description = "handed to the worker"),
    (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "no worker runs"),
))]
pub(crate) async fn input(
    State(ctx): State<Ctx>,
    path: Path<String>,
    JsonBytes(bytes): JsonBytes,
) -> Result<(StatusCode, Json<serde_json::Value>), Rejection> {
    let InputBody { message, key } = body::parse(&bytes)?;
    check_key(key.as_deref())?;
    let (id, found) = find(&ctx, &path)?;
    let folder = Folder::of(&ctx.assignments, &id);
    // A caller that hangs up must not leave it half done.
    let told = tokio::spawn(async move { tell(found, folder, &id, &message, key).await });
    told.await?
}

/// A key becomes a part of a file's name.
fn check_key(key: Option<&str>) -> Result<(), Rejection> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let sound = |key: &str| (1..=64).contains(&key.len()) && key.chars().all(plain);
    match key.is_none_or(sound) {
        true => Ok(()),
        false => Err(Rejection::bad(
            "`key` is not 1 to 64 letters, digits and `:`",
        )),
    }
}

async fn tell(
    found: Found,
    folder: Folder,
    id: &AssignmentId,
    message: &str,
    key: Option<String>,
) -> Result<(StatusCode, Json<serde_json::Value>), Rejection> {
    let _turn = match &found {
        Found::Active(active) => Some(active.telling.lock().await),
        Found::Finished(_) => None,
    };
    let answer = (StatusCode::ACCEPTED, Json(json!({"id": id})));
    if let Some(key) = key.clone() {
        let folder = folder.clone();
        if tokio::task::spawn_blocking(move || folder.was_told(&key)).await? {
            return Ok(answer);
        }
    }
    let not_running = || Rejection::conflict(format!("no worker of `{id}` runs"));
    let Found::Active(active) = &found else {
        return Err(not_running());
    };
    let (phase, closing) = {
        let live = active.live.borrow();
        (live.phase, live.closing)
    };
    let over = match phase {
        // An agent that has just started may not have taken up its worker yet: see below.
        Phase::Preparing | Phase::Running => closing,
        Phase::Finishing | Phase::Ended => true,
    };
    if over {
        return Err(not_running());
    }
    if !active.body.steerable {
        return Err(
            Rejection::conflict(format!("the worker of `{id}` takes no messages"))
                .hint("ask for a worker that does with `steerable` of POST /assign"),
        );
    }
    if let Err(error) = crate::worker::input(&active.folder, message).await {
        let error = format!("cannot reach the worker: {error}");
        return Err(Rejection::conflict(error));
    }
    if let Some(key) = key {
        let marked = tokio::task::spawn_blocking(move || folder.mark_told(&key)).await?;
        if let Err(error) = marked {
            // It was told, which is what counts; only a repetition would not be noticed.
            tracing::warn!(%id, %error, "cannot write down what the worker was told");
        }
    }
    Ok(answer)
}

/// All active assignments, and those that have ended.
#[utoipa::path(get, path = "/status", params(
    ("completed" = Option<u64>, Query, description = "how many ended ones at most, the newest"),
    ("since" = Option<f64>, Query, description = "ended at or after, seconds since the epoch"),
), responses((status = 200, body = StatusAnswer)))]
pub(crate) async fn status(
    State(ctx): State<Ctx>,
    query: Result<Query<StatusQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let Query(query) = query.map_err(|e| Rejection::bad(e.body_text()))?;
    let announced = headers.contains_key(PROTOCOL_HEADER);
    let mut json = String::from("{\"active\":[");
    for (n, active) in ctx.registry.active().iter().enumerate() {
        let row = serde_json::to_string(&active.active_row(announced));
        push(&mut json, n, &row.map_err(|e| Rejection::internal(&e))?);
    }
    json.push_str("],\"completed\":[");
    for (n, (id, row)) in ctx.registry.finished(query).into_iter().enumerate() {
        let row = match row {
            Some(row) => row,
            None => match from_disk(&ctx, &id).await? {
                Some(row) => Arc::new(row),
                None => continue,
            },
        };
        push(&mut json, n, "");
        row.write(&mut json, announced);
    }
    json.push_str("]}");
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

fn push(json: &mut String, n: usize, row: &str) {
    if n > 0 {
        json.push(',');
    }
    json.push_str(row);
}

/// A row that is not in memory any more; `None` when its folder was cleared away meanwhile.
async fn from_disk(ctx: &Ctx, id: &AssignmentId) -> Result<Option<RenderedRow>, Rejection> {
    let folder = Folder::of(&ctx.assignments, id);
    let outcome = tokio::task::spawn_blocking(move || folder.outcome()).await?;
    match outcome {
        Ok(Some(outcome)) => match RenderedRow::new(outcome.row) {
            Ok(row) => Ok(Some(row)),
            Err(error) => Err(Rejection::internal(&error)),
        },
        Ok(None) => Ok(None),
        Err(error) => Err(Rejection::storage("read the assignment", &error)),
    }
}
