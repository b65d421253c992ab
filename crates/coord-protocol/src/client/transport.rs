//! The tower stack below the typed calls: time-outs, and retries where a repeat is safe.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::retry::{Policy, Retry};
use tower::timeout::Timeout;
use tower::{Service, ServiceBuilder};

use super::error::BoxError;

/// How long to wait for an agent.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the connection.
    pub connect: Duration,
    /// For the head of an answer, and again for its body.
    pub request: Duration,
    /// For the next sign of life on a stream; agents send one every 15 s.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            request: Duration::from_secs(15),
            idle: Duration::from_secs(45),
        }
    }
}

/// Marks a request that changes nothing more when it arrives twice, although its method says
/// otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeatable;

/// Repeats after a broken connection or a gateway's complaint. Not after a time-out, and not where
/// nobody listens: whoever asks shall hear that at once.
#[derive(Debug, Clone)]
pub(crate) struct RepeatWhereSafe {
    left: u32,
    delay: Duration,
}

/// Tries after the first.
const RETRIES: u32 = 2;

/// Before the first repeat; doubled before the next.
const FIRST_DELAY: Duration = Duration::from_millis(100);

type HttpRequest = Request<Full<Bytes>>;

impl RepeatWhereSafe {
    fn new() -> Self {
        Self {
            left: RETRIES,
            delay: FIRST_DELAY,
        }
    }

    fn worth_it(result: &Result<Response<Incoming>, BoxError>) -> bool {
        match result {
            Ok(answer) => matches!(
                answer.status(),
                StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT
            ),
            Err(error) => {
                let http = error.downcast_ref::<hyper_util::client::legacy::Error>();
                http.is_some_and(|error| !error.is_connect())
            }
        }
    }
}

impl Policy<HttpRequest, Response<Incoming>, BoxError> for RepeatWhereSafe {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        _request: &mut HttpRequest,
        result: &mut Result<Response<Incoming>, BoxError>,
    ) -> Option<Self::Future> {
        if self.left == 0 || !Self::worth_it(result) {
            return None;
        }
        let delay = self.delay;
        self.left -= 1;
        self.delay *= 2;
        Some(tokio::time::sleep(delay))
    }

    fn clone_request(&mut self, request: &HttpRequest) -> Option<HttpRequest> {
        let safe = request.method() == Method::GET
            || request.method() == Method::DELETE
            || request.extensions().get::<Repeatable>().is_some();
        safe.then(|| request.clone())
    }
}

/// The stack of one agent. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    stack: Retry<RepeatWhereSafe, Timeout<Client<HttpConnector, Full<Bytes>>>>,
}

impl Transport {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeouts.connect));
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        let stack = ServiceBuilder::new()
            .retry(RepeatWhereSafe::new())
            .timeout(timeouts.request)
            .service(http);
        Self { stack }
    }

    /// Sends `request` and waits for the head of the answer.
    pub(crate) fn send(
        &self,
        request: HttpRequest,
    ) -> impl Future<Output = Result<Response<Incoming>, BoxError>> + Send + use<> {
        let mut stack = self.stack.clone();
        async move {
            std::future::poll_fn(|context| stack.poll_ready(context)).await?;
            stack.call(request).await
        }
    }
}
