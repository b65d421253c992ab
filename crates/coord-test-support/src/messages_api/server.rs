//! The HTTP side: routes, attempts, delays, broken connections.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};

use super::answer::{self, Ids};
use super::conversation::{Attempts, MessagesRequest, Place};
use super::script::{Failure, Turn};
use super::{Request, RequestLog};

struct Server {
    log: RequestLog,
    /// How often each failing turn was asked for.
    failed: Mutex<HashMap<String, u32>>,
    attempts: Attempts,
    answers: AtomicU64,
    /// Tells the ids of this server from those of another that goes on with its conversations.
    instance: u128,
}

/// A request's head.
struct Head {
    method: Method,
    uri: Uri,
    heard: String,
}

impl Head {
    /// Of a request in which the model is told nothing.
    fn silent(method: Method, uri: Uri) -> Self {
        let heard = String::new();
        Self { method, uri, heard }
    }
}

pub(super) fn router(log: RequestLog) -> Router {
    let instance = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let server = Server {
        log,
        failed: Mutex::default(),
        attempts: Attempts::default(),
        answers: AtomicU64::new(0),
        instance,
    };
    Router::new()
        .route("/", get(alive))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .fallback(unknown)
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(server))
}

/// Serves until its future is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
        // An error would mean that the listener is gone: then every request fails, and with it the test.
        let _ = axum::serve(listener, router).await;
    }
}

async fn alive(State(server): State<Arc<Server>>, method: Method, uri: Uri) -> Response {
    server.answer(
        &Head::silent(method, uri),
        None,
        false,
        StatusCode::OK,
        Body::from("{}"),
    )
}

async fn unknown(State(server): State<Arc<Server>>, method: Method, uri: Uri) -> Response {
    let body = answer::error(404, "not part of this double");
    server.answer(
        &Head::silent(method, uri),
        None,
        false,
        StatusCode::NOT_FOUND,
        Body::from(body),
    )
}

async fn count_tokens(State(server): State<Arc<Server>>, method: Method, uri: Uri) -> Response {
    let body = Body::from(r#"{"input_tokens":100}"#);
    server.answer(
        &Head::silent(method, uri),
        None,
        false,
        StatusCode::OK,
        body,
    )
}

async fn messages(
    State(server): State<Arc<Server>>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let request =
        serde_json::from_slice::<MessagesRequest>(&body).map_err(|error| error.to_string());
    let heard = request
        .as_ref()
        .map(MessagesRequest::heard)
        .unwrap_or_default();
    let head = Head { method, uri, heard };
    let placed = request.and_then(|request| Ok((request.place(&server.attempts)?, request)));
    let (place, request) = match placed {
        Ok(placed) => placed,
        Err(message) => {
            let body = Body::from(answer::error(400, &message));
            return server.answer(&head, None, false, StatusCode::BAD_REQUEST, body);
        }
    };
    tokio::time::sleep(Duration::from_millis(place.turn.delay_ms)).await;
    for path in &place.turn.waits_for {
        wait_for(path).await;
    }
    match server.failure(&place) {
        Some(failure) => server.fail(&head, &place, &request, failure),
        None => server.succeed(&head, &place, &request),
    }
}

/// Whoever never makes the file gets the answer all the same, and a test that says why.
async fn wait_for(path: &Path) {
    for _ in 0..6000_u32 {
        if path.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Server {
    /// The failure that this attempt at the turn meets, if it meets one.
    fn failure<'a>(&self, place: &'a Place) -> Option<&'a Failure> {
        if place.turn.failures.is_empty() {
            return None;
        }
        let mut attempts = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(place.key.clone()).or_default();
        let mut before = 0_u32;
        let failure = place.turn.failures.iter().find(|failure| {
            before = before.saturating_add(failure.error.times);
            *attempt < before
        });
        *attempt = attempt.saturating_add(1);
        failure
    }

    fn fail(
        &self,
        head: &Head,
        place: &Place,
        request: &MessagesRequest,
        failure: &Failure,
    ) -> Response {
        let status =
            StatusCode::from_u16(failure.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Body::from(answer::error(failure.error.status, &failure.error.message));
        let mut response = self.answer(head, place.number, request.stream, status, body);
        for (name, value) in answer::failure_headers(failure) {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn succeed(&self, head: &Head, place: &Place, request: &MessagesRequest) -> Response {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        let ids = Ids {
            suffix: format!("{:x}-{number}", self.instance),
        };
        let body = if place.turn.cut {
            cut(&place.turn, &ids, &request.model)
        } else if request.stream {
            Body::from(answer::events(&place.turn, &ids, &request.model).concat())
        } else {
            Body::from(answer::whole(&place.turn, &ids, &request.model))
        };
        let mut response = self.answer(head, place.number, request.stream, StatusCode::OK, body);
        if request.stream {
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static("text/event-stream"),
            );
        }
        response
    }

    /// Answers, and writes it down.
    fn answer(
        &self,
        head: &Head,
        turn: Option<usize>,
        stream: bool,
        status: StatusCode,
        body: Body,
    ) -> Response {
        self.log.push(Request {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            status: status.as_u16(),
            turn,
            stream,
            heard: head.heard.clone(),
        });
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// The first half of the answer, and then a broken connection.
fn cut(turn: &Turn, ids: &Ids, model: &str) -> Body {
    let events = answer::events(turn, ids, model);
    let half = events[..events.len() / 2].concat();
    let broken = stream::once(async {
        // Waiting once makes the server send what it has before it learns of the break.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::iter([Ok(half)]).chain(broken))
}
