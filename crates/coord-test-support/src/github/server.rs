//! The sockets: connections of HTTP/1.1, and what a fault does to them.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::contract::contract;
use super::exchange::Answer;
use super::fault::{Ending, Fault};
use super::gate::Incoming;
use super::world::{Seen, World};

/// The state behind its lock.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// A test that panics while it holds the lock has failed already.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until it is dropped, and every connection with it.
pub(crate) async fn serve(listener: TcpListener, shared: Shared) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        // Small answers would wait for the client's acknowledgement.
        stream.set_nodelay(true)?;
        connections.spawn(connection(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shared: Shared) {
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request: Request<Body>| {
        let (shared, cut) = (shared.clone(), Arc::clone(&cut));
        Box::pin(async move { respond(request, &shared, &cut).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let is_cut = tokio::select! {
        // Clients go whenever they like.
        _ = &mut connection => false,
        () = cut.notified() => true,
    };
    if is_cut {
        let stream = connection.into_parts().io.into_inner();
        // Where the option cannot be had the client sees the connection end, which is as good.
        let _ = stream.set_zero_linger();
    }
}

async fn respond(
    request: Request<Body>,
    shared: &Shared,
    cut: &Notify,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // The client went away in the middle: GitHub does nothing with half a request either.
        return Ok(Response::new(Full::default()));
    };
    let incoming = Incoming {
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        method: head.method,
        headers: head.headers,
        body: body.to_bytes(),
    };
    let ending = shared.lock().meet(&incoming);
    match ending {
        Ending::Answer(answer) => Ok(response(&answer)),
        Ending::Silence => std::future::pending().await,
        Ending::Reset => {
            cut.notify_one();
            std::future::pending().await
        }
    }
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let (media, body) = answer.bytes();
    let mut builder = Response::builder().status(answer.status);
    if let Some(media) = media {
        builder = builder.header("content-type", media);
    }
    for (name, value) in &answer.headers {
        builder = builder.header(*name, value);
    }
    builder.body(Full::from(body)).unwrap_or_else(|_| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

impl World {
    /// How a request ends for the client, after what it did here.
    fn meet(&mut self, incoming: &Incoming) -> Ending {
        let path = self.below(&incoming.path).unwrap_or(&incoming.path);
        let (method, path) = (incoming.method.as_str().to_owned(), path.to_owned());
        let fault = self.faults.take(&method, &path);
        let account = self.account(incoming);
        let operation = contract().find(&method, &path);
        let operation = operation.map(|(operation, _)| (operation.method, operation.path));
        let ending = match fault {
            None => Ending::Answer(self.answer(incoming)),
            Some(fault) => self.fail(incoming, fault),
        };
        let status = match &ending {
            Ending::Answer(answer) => answer.status,
            Ending::Silence | Ending::Reset => 0,
        };
        self.seen.push(Seen {
            method,
            path,
            operation,
            query: incoming.query.clone(),
            status,
            account,
            conditional: incoming.headers.contains_key("if-none-match"),
            faulty: fault.is_some(),
        });
        ending
    }

    fn fail(&mut self, incoming: &Incoming, fault: Fault) -> Ending {
        if fault.has_effect() {
            // The client never gets to know it.
            let _ = self.answer(incoming);
        }
        match fault.ending() {
            Ending::Answer(answer) => Ending::Answer(self.finish(answer)),
            ending @ (Ending::Silence | Ending::Reset) => ending,
        }
    }
}
