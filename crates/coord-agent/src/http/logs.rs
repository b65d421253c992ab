//! `GET /logs/{id}`: a log from some byte on, sent piece by piece.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use coord_protocol::{ErrorBody, LOG_STATUS_HEADER, LOG_TOTAL_HEADER};
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::Deserialize;

use super::reject::Rejection;
use super::{Ctx, find};
use crate::folder::Folder;
use crate::logfile;

/// How much is read and sent at once, in bytes.
const PIECE: u64 = 64 * 1024;

/// Where to begin.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Since {
    /// The byte to begin with.
    #[serde(default)]
    pub(crate) since: Option<u64>,
}

/// The log from the byte `since` on, in whole characters.
///
/// The header with the total tells the byte behind what was sent, so that a caller that goes on
/// from there misses nothing even when the log ends inside a character just now.
#[utoipa::path(get, path = "/logs/{id}", params(
    ("id" = String, Path),
    ("since" = Option<u64>, Query, description = "the byte to begin with"),
), responses(
    (status = 200, body = String, content_type = "text/plain", headers(
        ("x-coord-log-total" = u64, description = "length of the log in bytes"),
        ("x-coord-log-status" = String, description = "status of the assignment"),
    )),
    (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody),
))]
pub(crate) async fn logs(
    State(ctx): State<Ctx>,
    path: Path<String>,
    query: Result<Query<Since>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Rejection> {
    let Query(Since { since }) = query.map_err(|e| Rejection::bad(e.body_text()))?;
    let (id, found) = find(&ctx, &path)?;
    // Before the log is looked at: a log that is shown as ended has to be complete.
    let status = found.status();
    let log = Folder::of(&ctx.assignments, &id).log();
    let since = since.unwrap_or_default();
    let opened = tokio::task::spawn_blocking(move || open(&log, since)).await?;
    let part = opened.map_err(|e| Rejection::storage("read the log", &e))?;
    let (total, length) = part
        .as_ref()
        .map_or((0, 0), |(_, range)| (range.end, range.end - range.start));
    let body = part.map_or_else(Body::empty, |(file, range)| pieces(file, range));
    Response::builder()
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(CONTENT_LENGTH, length)
        .header(LOG_TOTAL_HEADER, total)
        .header(LOG_STATUS_HEADER, status.as_str())
        .body(body)
        .map_err(|e| Rejection::internal(&e))
}

fn open(path: &std::path::Path, since: u64) -> io::Result<Option<(File, Range<u64>)>> {
    let Some(file) = logfile::open(path)? else {
        return Ok(None);
    };
    let range = logfile::whole_characters(&file, since)?;
    Ok(Some((file, range)))
}

/// A log can be larger than memory.
fn pieces(file: File, range: Range<u64>) -> Body {
    let file = Arc::new(file);
    Body::from_stream(stream::try_unfold(range, move |rest| {
        let file = Arc::clone(&file);
        async move {
            if rest.is_empty() {
                return Ok::<_, io::Error>(None);
            }
            let end = rest.end.min(rest.start + PIECE);
            let piece = rest.start..end;
            let read = tokio::task::spawn_blocking(move || logfile::read_range(&file, piece));
            let bytes = read.await.map_err(io::Error::other)??;
            Ok(Some((Bytes::from(bytes), end..rest.end)))
        }
    }))
}
