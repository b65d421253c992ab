//! The network: one request out, one whole answer in, within a time limit.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use super::{Answer, Call, Fault, Next};
use crate::address::ApiUrl;
use crate::error::CallError;

/// A thousand of GitHub's largest issues fit.
const LARGEST_ANSWER: usize = 32 << 20;
/// Shorter than servers wait: a write on a connection that they close has an unknown outcome.
const IDLE: Duration = Duration::from_secs(20);

type Body = Limited<Incoming>;
type Wire = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, legacy::Error>;

pub(super) fn transport(api: &ApiUrl, timeout: Duration) -> Result<impl Next, CallError> {
    let wire = wire(api)?;
    let api = api.clone();
    Ok(service_fn(move |call: Call| {
        let (wire, address) = (wire.clone(), api.join(super::route(&call)));
        async move {
            let sent = exchange(wire, address, call);
            match tokio::time::timeout(timeout, sent).await {
                Ok(result) => result,
                Err(_) => Err(Fault::TimedOut(timeout)),
            }
        }
    }))
}

fn wire(api: &ApiUrl) -> Result<Wire, CallError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    if !api.tls() {
        return Ok(client(connector));
    }
    connector.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| CallError::Unusable {
            what: "the certificates of this system cannot be read".to_owned(),
            hint: Some("install the package ca-certificates, or set SSL_CERT_FILE".to_owned()),
            source: Some(Arc::new(error)),
        })?;
    Ok(client(
        builder
            .https_only()
            .enable_http1()
            .wrap_connector(connector),
    ))
}

fn client<C: Connect + Clone + Send + Sync + 'static>(connector: C) -> Wire {
    let client: Client<C, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector);
    BoxCloneSyncService::new(client)
}

async fn exchange(wire: Wire, address: String, call: Call) -> Result<Answer, Fault> {
    let (mut parts, body) = call.into_parts();
    parts.uri = address
        .parse::<Uri>()
        .map_err(|error| Fault::Unreachable(Arc::new(error)))?;
    let request = Request::from_parts(parts, Full::new(body));
    let answer = wire.oneshot(request).await.map_err(of_client)?;
    let (parts, body) = answer.into_parts();
    let body: Body = Limited::new(body, LARGEST_ANSWER);
    let body = body.collect().await.map_err(of_body)?;
    Ok(Answer::from_parts(parts, body.to_bytes()))
}

fn of_client(error: legacy::Error) -> Fault {
    if error.is_connect() {
        Fault::Unreachable(Arc::new(error))
    } else {
        Fault::Broken(Arc::new(error))
    }
}

fn of_body(error: Box<dyn Error + Send + Sync>) -> Fault {
    if error.is::<LengthLimitError>() {
        Fault::TooLarge(LARGEST_ANSWER)
    } else {
        Fault::Broken(Arc::from(error))
    }
}
