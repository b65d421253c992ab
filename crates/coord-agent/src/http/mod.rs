//! The HTTP side of an agent: who may call, and one handler per call of the protocol.

pub(crate) mod assignments;
mod body;
pub(crate) mod guard;
mod leases;
mod logs;
mod machine;
mod openapi;
pub(crate) mod reject;
pub(crate) mod sse;
mod streams;
mod wip;
mod worktrees;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use coord_core::ids::AssignmentId;
use coord_protocol::MAX_BODY_BYTES;
use http::StatusCode;

use crate::registry::Found;
use crate::shared::Shared;
use reject::Rejection;

/// What every handler gets.
pub(crate) type Ctx = Arc<Shared>;

/// How long a handler may take until the head of its answer.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// All calls of the protocol.
pub(crate) fn router(ctx: Ctx) -> Router {
    Router::new()
        .route("/health", get(machine::health))
        .route("/repos", get(machine::repos))
        .route("/status", get(assignments::status))
        .route("/assign", post(assignments::assign))
        .route("/cancel/{id}", post(assignments::cancel))
        .route("/input/{id}", post(assignments::input))
        .route("/logs/{id}", get(logs::logs))
        .route("/stream/{id}", get(streams::stream))
        .route("/events", get(streams::events))
        .route("/hook/{id}", post(leases::hook))
        .route("/lease/{id}", post(leases::answer))
        .route("/wip/{id}", get(wip::wip))
        .route("/diff/{id}", get(worktrees::diff))
        .route("/worktree/{id}", delete(worktrees::remove))
        .route("/openapi.json", get(openapi))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(time_limit))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&ctx),
            guard::guard,
        ))
        .with_state(ctx)
}

async fn time_limit(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Rejection::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!("not done within {} s", TIME_LIMIT.as_secs()),
        )
        .into_response(),
    }
}

async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(openapi::document())
}

async fn nowhere(request: Request) -> Rejection {
    let error = format!("there is no `{}`", request.uri().path());
    Rejection::new(StatusCode::NOT_FOUND, error).hint("the calls are listed at /openapi.json")
}

async fn wrong_method(request: Request) -> Rejection {
    let error = format!(
        "`{}` does not take {}",
        request.uri().path(),
        request.method()
    );
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, error)
}

/// The assignment that a path names.
fn find(ctx: &Ctx, Path(id): &Path<String>) -> Result<(AssignmentId, Found), Rejection> {
    let unknown = || Rejection::unknown(id);
    let id: AssignmentId = id.parse().map_err(|_| unknown())?;
    let found = ctx.registry.find(&id).ok_or_else(unknown)?;
    Ok((id, found))
}
