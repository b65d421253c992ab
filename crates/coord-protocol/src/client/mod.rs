//! The typed client of one agent.

mod error;
mod log;
mod sse;
mod transport;
mod wip;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use coord_core::ids::AssignmentId;
use futures_util::{Stream, StreamExt as _};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use error::ClientError;
pub use log::{LogChunk, LogEvent, LogEvents, LogText};
pub use transport::Timeouts;

use crate::health::Feature;
use crate::{
    AgentEvent, AssignBody, AssignmentRow, ErrorBody, Health, InputBody, LeaseAnswer, LeaseTaken,
    PROTOCOL, PROTOCOL_HEADER, Repos, StatusAnswer, StatusQuery,
};
use error::BoxError;
use transport::{Repeatable, Transport};

/// The largest body of an answer that is read into memory.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// The events of an agent over one connection. It ends when the connection does; go on with
/// [`AgentClient::events`] and the `cursor` of the last event that was seen.
pub type AgentEvents = Pin<Box<dyn Stream<Item = Result<AgentEvent, ClientError>> + Send>>;

/// The client of one agent. Clones are cheap and share connections.
///
/// It is a [`tower::Service`] of HTTP requests to that agent, which adds address, token,
/// time-outs, safe retries and a bound on the answer; the typed methods stand on it.
#[derive(Debug, Clone)]
pub struct AgentClient {
    target: Arc<Target>,
    transport: Transport,
}

/// What all clones share.
struct Target {
    url: String,
    authority: http::uri::Authority,
    token: Option<HeaderValue>,
    timeouts: Timeouts,
    /// Whether the agent takes our ids; unknown until its first `/health`.
    idempotent: Mutex<Option<bool>>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the token.
        f.debug_struct("Target")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl AgentClient {
    /// A client for the agent at `base_url`, e.g. `http://127.0.0.1:7433`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::BadAddress`] when `base_url` is not `http://HOST[:PORT]` or `token` cannot
    /// stand in a header.
    pub fn new(
        base_url: &str,
        token: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self, ClientError> {
        let bad = |reason: String| ClientError::BadAddress {
            url: base_url.to_owned(),
            reason,
        };
        let uri: Uri = base_url
            .parse()
            .map_err(|e: http::uri::InvalidUri| bad(e.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad("it does not start with http://".to_owned()));
        }
        let authority = uri
            .authority()
            .cloned()
            .ok_or_else(|| bad("no host".to_owned()))?;
        let token = token
            .map(bearer)
            .transpose()
            .map_err(|e| bad(e.to_string()))?;
        Ok(Self {
            target: Arc::new(Target {
                url: base_url.trim_end_matches('/').to_owned(),
                authority,
                token,
                timeouts,
                idempotent: Mutex::new(None),
            }),
            transport: Transport::new(timeouts),
        })
    }

    /// The address of the agent, as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.target.url
    }

    /// `GET /health`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        let health: Health = self.get("/health").await?;
        self.remember(health.can(Feature::IdempotentAssign));
        Ok(health)
    }

    /// `GET /status`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status(&self, query: StatusQuery) -> Result<StatusAnswer, ClientError> {
        let mut parts = Vec::new();
        if let Some(completed) = query.completed {
            parts.push(format!("completed={completed}"));
        }
        if let Some(since) = query.since {
            parts.push(format!("since={since}"));
        }
        let path = match parts.is_empty() {
            true => "/status".to_owned(),
            false => format!("/status?{}", parts.join("&")),
        };
        self.get(&path).await
    }

    /// `GET /repos`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn repos(&self) -> Result<Repos, ClientError> {
        self.get("/repos").await
    }

    /// `POST /assign`. Repeated by itself only towards an agent that takes `body.id` as
    /// idempotency key; an agent of 0.1.0 gets only the keys that it knows, and chooses the id.
    ///
    /// # Errors
    /// See [`ClientError`]; ask [`ClientError::outcome_unknown`] before concluding anything.
    pub async fn assign(&self, body: &AssignBody) -> Result<AssignmentRow, ClientError> {
        if self.idempotent().await? {
            let repeatable = body.id.is_some();
            return self.post("/assign", body, repeatable).await;
        }
        self.post("/assign", &body.for_old_peer(), false).await
    }

    /// `POST /cancel/{id}`. Cancelling twice is cancelling once.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 404 for an unknown id.
    pub async fn cancel(&self, id: &AssignmentId) -> Result<AssignmentRow, ClientError> {
        self.post(&format!("/cancel/{id}"), &serde_json::json!({}), true)
            .await
    }

    /// `POST /input/{id}`: steers a running worker. With the same `key` again nothing is told twice.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 404 for an unknown id, and with 409 when no
    /// worker runs that takes messages.
    pub async fn input(
        &self,
        id: &AssignmentId,
        message: &str,
        key: Option<&str>,
    ) -> Result<(), ClientError> {
        let body = InputBody {
            message: message.to_owned(),
            key: key.map(str::to_owned),
        };
        let (path, repeatable) = (format!("/input/{id}"), key.is_some());
        let _: serde_json::Value = self.post(&path, &body, repeatable).await?;
        Ok(())
    }

    /// `GET /diff/{id}`: the unified diff of the worktree against its base.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn diff(&self, id: &AssignmentId) -> Result<String, ClientError> {
        let answer = self.fetch(Method::GET, &format!("/diff/{id}")).await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// `DELETE /worktree/{id}`.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 409 when something would be lost.
    pub async fn delete_worktree(&self, id: &AssignmentId) -> Result<(), ClientError> {
        self.fetch(Method::DELETE, &format!("/worktree/{id}"))
            .await?;
        Ok(())
    }

    /// `GET /logs/{id}?since=BYTES`.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 404 for an unknown id.
    pub async fn logs(&self, id: &AssignmentId, since: u64) -> Result<LogText, ClientError> {
        let answer = self
            .fetch(Method::GET, &format!("/logs/{id}?since={since}"))
            .await?;
        LogText::from_answer(&answer).map_err(|reason| self.invalid(reason))
    }

    /// `GET /stream/{id}` from the byte `since` on. A broken connection is resumed where it
    /// broke, as long as the agent comes back within about a minute.
    #[must_use]
    pub fn stream(&self, id: &AssignmentId, since: u64) -> LogEvents {
        log::follow(self.clone(), id.clone(), since)
    }

    /// `GET /events` after the event with the cursor `last`. Reconnecting is the caller's.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 404 from an agent of 0.1.0.
    pub async fn events(&self, last: Option<&str>) -> Result<AgentEvents, ClientError> {
        self.events_at("/events", last).await
    }

    /// The same for a follower that answers every [`crate::AgentEventKind::LeaseAsked`] at once, with
    /// [`AgentClient::answer_lease`]: the agent asks only while there is such a follower.
    ///
    /// # Errors
    /// As for [`AgentClient::events`].
    pub async fn events_answering_leases(
        &self,
        last: Option<&str>,
    ) -> Result<AgentEvents, ClientError> {
        self.events_at("/events?leases=true", last).await
    }

    /// `POST /lease/{id}`: whether a worker may change the path that it asked for; `false` if nobody
    /// waits for the answer any more.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] with 404 for an unknown id.
    pub async fn answer_lease(
        &self,
        id: &AssignmentId,
        answer: &LeaseAnswer,
    ) -> Result<bool, ClientError> {
        let path = format!("/lease/{id}");
        let answered: LeaseTaken = self.post(&path, answer, false).await?;
        Ok(answered.taken)
    }

    async fn events_at(&self, path: &str, last: Option<&str>) -> Result<AgentEvents, ClientError> {
        let body = self.open_stream(path, last).await?;
        let client = self.clone();
        let events = sse::events(self.url(), body, self.target.timeouts.idle);
        Ok(Box::pin(
            events.map(move |event| client.agent_event(event?)),
        ))
    }

    fn agent_event(&self, event: eventsource_stream::Event) -> Result<AgentEvent, ClientError> {
        let mut parsed: AgentEvent =
            serde_json::from_str(&event.data).map_err(|e| self.invalid(e.to_string()))?;
        parsed.cursor = event.id;
        Ok(parsed)
    }

    async fn idempotent(&self) -> Result<bool, ClientError> {
        let known = *self
            .target
            .idempotent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) => Ok(known),
            None => Ok(self.health().await?.can(Feature::IdempotentAssign)),
        }
    }

    fn remember(&self, idempotent: bool) {
        let mut known = self
            .target
            .idempotent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(idempotent);
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.fetch(Method::GET, path).await?;
        self.decode(answer.body())
    }

    async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        repeatable: bool,
    ) -> Result<T, ClientError> {
        let json = serde_json::to_vec(body).map_err(|e| self.invalid(e.to_string()))?;
        let mut request = self.request(Method::POST, path, Bytes::from(json))?;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if repeatable {
            request.extensions_mut().insert(Repeatable);
        }
        let answer = self.exchange(request).await?;
        self.decode(answer.body())
    }

    async fn fetch(&self, method: Method, path: &str) -> Result<Response<Bytes>, ClientError> {
        let request = self.request(method, path, Bytes::new())?;
        self.exchange(request).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, ClientError> {
        Request::builder()
            .method(method)
            .uri(path)
            .body(body)
            .map_err(|e| self.invalid(e.to_string()))
    }

    /// Sends one request and reads the whole answer; anything but a success is an error.
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        let answer = self.head(request).await?;
        let (parts, body) = answer.into_parts();
        let bytes = self.body(body).await?;
        match parts.status.is_success() {
            true => Ok(Response::from_parts(parts, bytes)),
            false => Err(refusal(parts.status.as_u16(), &parts.headers, &bytes)),
        }
    }

    async fn open_stream(&self, path: &str, last: Option<&str>) -> Result<Incoming, ClientError> {
        let mut request = self.request(Method::GET, path, Bytes::new())?;
        if let Some(last) = last {
            let value = HeaderValue::from_str(last).map_err(|e| self.invalid(e.to_string()))?;
            request.headers_mut().insert("last-event-id", value);
        }
        let (parts, body) = self.head(request).await?.into_parts();
        if parts.status.is_success() {
            return Ok(body);
        }
        let bytes = self.body(body).await?;
        Err(refusal(parts.status.as_u16(), &parts.headers, &bytes))
    }

    /// Sends one request and waits for the head of its answer.
    async fn head(&self, request: Request<Bytes>) -> Result<Response<Incoming>, ClientError> {
        let request = self.addressed(request)?;
        self.transport
            .send(request)
            .await
            .map_err(|e| self.unreachable(&e))
    }

    fn addressed(&self, request: Request<Bytes>) -> Result<Request<Full<Bytes>>, ClientError> {
        let (mut parts, body) = request.into_parts();
        let mut uri = parts.uri.into_parts();
        uri.scheme = Some(http::uri::Scheme::HTTP);
        uri.authority = Some(self.target.authority.clone());
        parts.uri = Uri::from_parts(uri).map_err(|e| self.invalid(e.to_string()))?;
        parts
            .headers
            .insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
        if let Some(token) = &self.target.token {
            parts.headers.insert(AUTHORIZATION, token.clone());
        }
        Ok(Request::from_parts(parts, Full::new(body)))
    }

    async fn body(&self, body: Incoming) -> Result<Bytes, ClientError> {
        let limit = self.target.timeouts.request;
        let limited = Limited::new(body, MAX_ANSWER_BYTES).collect();
        match tokio::time::timeout(limit, limited).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                Err(self.invalid("it is too large".to_owned()))
            }
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn decode<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|e| self.invalid(e.to_string()))
    }

    fn unreachable(&self, error: &BoxError) -> ClientError {
        if error.is::<tower::timeout::error::Elapsed>() {
            return self.timed_out();
        }
        let connecting = error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect);
        ClientError::Unreachable {
            url: self.target.url.clone(),
            sent: !connecting,
            source: innermost(&**error).to_string().into(),
        }
    }

    fn timed_out(&self) -> ClientError {
        ClientError::TimedOut {
            url: self.target.url.clone(),
            after: self.target.timeouts.request,
        }
    }

    fn invalid(&self, reason: String) -> ClientError {
        ClientError::Invalid {
            url: self.target.url.clone(),
            reason,
        }
    }
}

impl tower::Service<Request<Bytes>> for AgentClient {
    type Response = Response<Bytes>;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, ClientError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        // hyper's client opens connections as it needs them: it is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.exchange(request).await })
    }
}

/// What the network said: the layers around it name only themselves.
fn innermost<'e>(mut error: &'e (dyn std::error::Error + 'static)) -> &'e dyn std::error::Error {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

fn bearer(token: &str) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn refusal(status: u16, headers: &HeaderMap, body: &[u8]) -> ClientError {
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let (error, hint) = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => (body.error, body.hint),
        Err(_) => (first_line(body), None),
    };
    ClientError::Refused {
        status,
        error,
        hint,
        retry_after,
    }
}

/// What to show of an answer that has no `error`.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(200).collect()
}
