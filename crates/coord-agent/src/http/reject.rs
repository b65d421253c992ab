//! Every answer that is not a success: one value with its status, as JSON.

use std::io;

use axum::Json;
use axum::response::{IntoResponse, Response};
use coord_git::GitError;
use coord_protocol::ErrorBody;
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

/// A refusal.
#[derive(Debug)]
pub(crate) struct Rejection {
    status: StatusCode,
    body: ErrorBody,
    extra: Option<Extra>,
}

/// A header that goes with a refusal.
#[derive(Debug, Clone, Copy)]
enum Extra {
    /// When to ask again, in seconds.
    RetryAfter(u64),
    /// How to say who one is.
    Challenge,
}

impl Rejection {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody {
                error: error.into(),
                hint: None,
            },
            extra: None,
        }
    }

    /// The request makes no sense.
    pub(crate) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// There is no such assignment.
    pub(crate) fn unknown(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no assignment `{id}`"),
        )
    }

    /// It stands against what is.
    pub(crate) fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    /// No or wrong token.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a valid token is needed").with(Extra::Challenge)
    }

    /// All slots are taken.
    pub(crate) fn full(max: u32, retry_seconds: u64) -> Self {
        let error = format!("all {max} slots of this machine are taken");
        Self::new(StatusCode::TOO_MANY_REQUESTS, error)
            .with(Extra::RetryAfter(retry_seconds))
            .hint("wait for a worker to end, or raise `max_workers` of the machine")
    }

    /// The state folder cannot be read or written.
    pub(crate) fn storage(doing: &str, error: &io::Error) -> Self {
        let status = match error.kind() {
            io::ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, format!("cannot {doing}: {error}"))
    }

    /// A part of the agent failed.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.body.hint = Some(hint.into());
        self
    }

    fn with(mut self, extra: Extra) -> Self {
        self.extra = Some(extra);
        self
    }
}

impl From<GitError> for Rejection {
    fn from(error: GitError) -> Self {
        let rejection = Self::internal(&error);
        match error.hint() {
            Some(hint) => rejection.hint(hint),
            None => rejection,
        }
    }
}

impl From<tokio::task::JoinError> for Rejection {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut answer = (self.status, Json(self.body)).into_response();
        let header = match self.extra {
            Some(Extra::RetryAfter(seconds)) => (RETRY_AFTER, HeaderValue::from(seconds)),
            Some(Extra::Challenge) => (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            None => return answer,
        };
        answer.headers_mut().insert(header.0, header.1);
        answer
    }
}
