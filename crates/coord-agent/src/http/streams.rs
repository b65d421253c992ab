//! `GET /stream/{id}` and `GET /events`: a log and the agent's transitions as they happen.
//!
//! A stream ends when the agent does, without `end`: its reader comes back and goes on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use coord_core::ids::AssignmentId;
use coord_protocol::{AgentEvent, ErrorBody};
use futures_util::{Stream, stream};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Deserialize;
use tokio::sync::watch;

use super::logs::Since;
use super::reject::Rejection;
use super::{Ctx, find, sse};
use crate::active::{Live, Phase};
use crate::folder::Folder;
use crate::hub::Next;
use crate::leases::Follower;
use crate::logfile::{self, Lines};
use crate::registry::Found;

/// When nothing has been said for so long, a comment shows that the connection stands.
const IDLE: Duration = Duration::from_secs(15);

/// One step of a stream.
enum Step {
    /// To be sent.
    Send(String),
    /// To be sent, and nothing after it.
    Last(String),
    /// Nothing comes any more.
    Close,
}

/// The log of an assignment as it grows, until its end.
#[utoipa::path(get, path = "/stream/{id}", params(
    ("id" = String, Path),
    ("since" = Option<u64>, Query, description = "the byte to begin with"),
    ("last-event-id" = Option<u64>, Header, description = "the byte to go on from"),
), responses(
    (status = 200, body = String, content_type = "text/event-stream"),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody),
))]
pub(crate) async fn stream(
    State(ctx): State<Ctx>,
    path: Path<String>,
    query: Result<Query<Since>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let Query(Since { since }) = query.map_err(|e| Rejection::bad(e.body_text()))?;
    let (id, found) = find(&ctx, &path)?;
    let resumed = match last_event_id(&headers) {
        Some(text) => Some(text.parse().map_err(|_| {
            Rejection::bad(format!("the header Last-Event-ID: `{text}` is no offset"))
        })?),
        None => None,
    };
    let reader = LogReader {
        offset: resumed.or(since).unwrap_or_default(),
        live: match found {
            Found::Active(active) => Some(active.live.subscribe()),
            Found::Finished(_) => None,
        },
        stopping: ctx.stopping.subscribe(),
        ctx,
        id,
    };
    respond(stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.step().await {
            Step::Send(text) => Some((Ok::<_, Infallible>(text), Some(reader))),
            Step::Last(text) => Some((Ok(text), None)),
            Step::Close => None,
        }
    }))
}

/// One reader of one log.
struct LogReader {
    ctx: Ctx,
    id: AssignmentId,
    offset: u64,
    /// `None` for an assignment that has ended.
    live: Option<watch::Receiver<Live>>,
    stopping: watch::Receiver<bool>,
}

impl LogReader {
    async fn step(&mut self) -> Step {
        loop {
            // In this order: an end that is seen before the log is read is really its end.
            let ended = self.has_ended();
            match self.read(ended).await {
                Ok(Some(lines)) => {
                    self.offset = lines.next;
                    let id = self.offset.to_string();
                    return Step::Send(sse::message(&id, "log", &lines.text));
                }
                Ok(None) if ended => return Step::Last(sse::message("", "end", "{}")),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(id = %self.id, %error, "cannot read a log");
                    return Step::Close;
                }
            }
            match self.wait().await {
                Woken::Changed => {}
                Woken::Idle => return Step::Send(sse::COMMENT.to_owned()),
                Woken::Stopping => return Step::Close,
            }
        }
    }

    fn has_ended(&mut self) -> bool {
        match &mut self.live {
            Some(live) => live.borrow_and_update().phase == Phase::Ended,
            None => true,
        }
    }

    async fn read(&self, ended: bool) -> std::io::Result<Option<Lines>> {
        let log = Folder::of(&self.ctx.assignments, &self.id).log();
        let offset = self.offset;
        let lines = tokio::task::spawn_blocking(move || logfile::lines(&log, offset, ended));
        lines.await.map_err(std::io::Error::other)?
    }

    async fn wait(&mut self) -> Woken {
        match &mut self.live {
            Some(live) => woken(live, &mut self.stopping).await,
            None => Woken::Changed,
        }
    }
}

/// Why a stream goes on.
enum Woken {
    /// Something may have come.
    Changed,
    /// Nothing came.
    Idle,
    /// The agent is about to end.
    Stopping,
}

async fn woken<T>(news: &mut watch::Receiver<T>, stopping: &mut watch::Receiver<bool>) -> Woken {
    tokio::select! {
        biased;
        _ = stopping.wait_for(|stopping| *stopping) => Woken::Stopping,
        changed = news.changed() => match changed {
            Ok(()) => Woken::Changed,
            Err(_) => Woken::Stopping,
        },
        () = tokio::time::sleep(IDLE) => Woken::Idle,
    }
}

/// What a follower promises.
#[derive(Debug, Deserialize)]
pub(crate) struct Promise {
    /// It answers questions about leases.
    #[serde(default)]
    leases: bool,
}

/// What changes on this agent, from now or from the event after `Last-Event-ID` on.
#[utoipa::path(get, path = "/events", params(
    ("leases" = Option<bool>, Query, description = "whether the caller answers `lease_asked`"),
    ("last-event-id" = Option<String>, Header, description = "the event to go on after"),
), responses((status = 200, body = AgentEvent, content_type = "text/event-stream")))]
pub(crate) async fn events(
    State(ctx): State<Ctx>,
    query: Result<Query<Promise>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Rejection> {
    let Query(Promise { leases }) = query.map_err(|e| Rejection::bad(e.body_text()))?;
    let reader = EventReader {
        position: ctx.hub.position(last_event_id(&headers)),
        news: ctx.hub.watch(),
        stopping: ctx.stopping.subscribe(),
        // After its position is fixed: what is asked from now on reaches it.
        _follower: leases.then(|| Follower::new(Arc::clone(&ctx))),
        ctx,
    };
    respond(stream::unfold(reader, |mut reader| async move {
        match reader.step().await {
            Step::Send(text) | Step::Last(text) => Some((Ok::<_, Infallible>(text), reader)),
            Step::Close => None,
        }
    }))
}

/// One follower of the hub.
struct EventReader {
    /// If it has promised to answer.
    _follower: Option<Follower>,
    ctx: Ctx,
    position: Option<u64>,
    news: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl EventReader {
    async fn step(&mut self) -> Step {
        loop {
            self.news.mark_unchanged();
            match self.ctx.hub.after(self.position) {
                Next::Events(events, last) => {
                    self.position = Some(last);
                    return Step::Send(events.concat());
                }
                Next::Missed(message, from) => {
                    self.position = Some(from);
                    return Step::Send(message.to_string());
                }
                Next::Nothing => {}
            }
            match woken(&mut self.news, &mut self.stopping).await {
                Woken::Changed => {}
                Woken::Idle => return Step::Send(sse::COMMENT.to_owned()),
                Woken::Stopping => return Step::Close,
            }
        }
    }
}

fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("last-event-id")?.to_str().ok()?;
    (!value.is_empty()).then_some(value)
}

fn respond<S>(messages: S) -> Result<Response, Rejection>
where
    S: Stream<Item = Result<String, Infallible>> + Send + 'static,
{
    let first = stream::iter([Ok(sse::RETRY.to_owned())]);
    let all = futures_util::StreamExt::chain(first, messages);
    Response::builder()
        .header(CONTENT_TYPE, "text/event-stream")
        .header(CACHE_CONTROL, "no-cache")
        .body(Body::from_stream(all))
        .map_err(|e| Rejection::internal(&e))
}
