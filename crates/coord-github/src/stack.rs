//! What stands between octocrab and the network, from the outside in: single flight, cache,
//! retries, budget, transport. Each layer is a tower service.

mod budget;
mod cache;
mod flight;
mod limits;
mod retry;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coord_core::ids::Timestamp;
use coord_store::ForgeCache;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use octocrab::OctoBody;
use tower::{Service, ServiceExt, service_fn};

use crate::address::ApiUrl;
use crate::client::JSON;
use crate::error::{CallError, Cause};
use crate::github::Clock;

pub(crate) use limits::retry_after;

/// A request to a route of the API, with its body in memory.
type Call = Request<Bytes>;
/// A whole answer.
pub(crate) type Answer = Response<Bytes>;

/// A service that a layer can stand on.
trait Next:
    Service<Call, Response = Answer, Error = Fault, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Next for S where
    S: Service<Call, Response = Answer, Error = Fault, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    /// There was no connection: nothing was sent.
    #[error("cannot be reached")]
    Unreachable(#[source] Cause),
    /// The connection ended before the whole answer was there.
    #[error("the connection broke")]
    Broken(#[source] Cause),
    /// It took longer than allowed.
    #[error("timed out")]
    TimedOut(Duration),
    /// The answer has more bytes than this.
    #[error("the answer is too large")]
    TooLarge(usize),
    /// GitHub asks for patience, now or earlier.
    #[error("the {resource} rate limit is used up")]
    Limited {
        /// Which of GitHub's limits.
        resource: String,
        /// When it is worth trying again.
        until: Timestamp,
    },
}

/// What the layers need to know.
pub(crate) struct Foundation<'a> {
    pub(crate) api: &'a ApiUrl,
    pub(crate) cache: ForgeCache,
    pub(crate) clock: Clock,
    pub(crate) timeout: Duration,
}

/// The whole stack, as octocrab takes it.
pub(crate) fn stack(
    foundation: &Foundation<'_>,
) -> Result<
    impl Service<Request<OctoBody>, Response = Response<Full<Bytes>>, Error = Fault, Future: Send>
    + Send
    + 'static,
    CallError,
> {
    let Foundation { cache, clock, .. } = foundation;
    let inner = transport::transport(foundation.api, foundation.timeout)?;
    let inner = budget::layer(cache.clone(), Arc::clone(clock), inner);
    let inner = retry::layer(inner);
    let inner = cache::layer(cache.clone(), Arc::clone(clock), inner);
    let inner = flight::layer(inner);
    Ok(service_fn(move |request| enter(inner.clone(), request)))
}

async fn enter(
    inner: impl Next,
    request: Request<OctoBody>,
) -> Result<Response<Full<Bytes>>, Fault> {
    let (mut parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Fault::Broken(Arc::new(error)))?;
    let fixed = [
        (USER_AGENT, concat!("coord/", env!("CARGO_PKG_VERSION"))),
        (ACCEPT, JSON),
        (
            HeaderName::from_static("x-github-api-version"),
            "2022-11-28",
        ),
    ];
    for (name, value) in fixed {
        let entry = parts.headers.entry(name);
        entry.or_insert(HeaderValue::from_static(value));
    }
    let call = Call::from_parts(parts, body.to_bytes());
    let answer = inner.oneshot(call).await?;
    Ok(answer.map(Full::new))
}

/// Path and query of a call: its name in the cache.
fn route(call: &Call) -> &str {
    call.uri()
        .path_and_query()
        .map_or("/", |route| route.as_str())
}

/// Whether a call changes nothing.
fn is_read(call: &Call) -> bool {
    call.method() == Method::GET
}

/// Whether a path is one that an app asks as itself. What it asks there counts for another budget
/// than what its installation asks.
pub(crate) fn is_of_the_app(path: &str) -> bool {
    path == "/app" || path.starts_with("/app/")
}
