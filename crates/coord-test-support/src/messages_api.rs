//! A scripted Anthropic Messages API on loopback, as far as Claude Code 2.1.330 uses it.
//!
//! What the model "says" stands in the prompt itself, in a fenced block:
//!
//! ````text
//! ```messages-script
//! [{"text": "I begin."}, {"bash": "make test"}, {"write": {"path": "/w/a.txt", "content": "x"}},
//!  {"error": {"status": 529, "times": 2}}, {"delay_ms": 500}, {"text": "STATUS: DONE"}]
//! ```
//! ````
//!
//! so that a test chooses it where it writes the issue. [`script`] says what a script may hold. Which
//! of its turns comes next follows from the conversation alone: the server keeps no sessions, and a
//! worker that is resumed goes on where it was.
//!
//! A prompt may hold several: one that begins with "```messages-script when PHRASE" is followed where
//! PHRASE stands in the rest of the prompt, the last such one before any other. So one issue says
//! what its worker does, its reviewer, and whoever puts right what that one finds. Where prompts are
//! cut, or one script is too long for an issue, its steps may stand in a file (`{"from": "/path"}`).

mod answer;
mod conversation;
pub mod script;
mod server;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::oneshot;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct MessagesApi {
    address: SocketAddr,
    requests: RequestLog,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One request as the server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// E.g. `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// The status that was answered.
    pub status: u16,
    /// Which turn of which script was asked for, from 0; `None` where no script was followed.
    pub turn: Option<usize>,
    /// Whether the answer was asked for as a stream.
    pub stream: bool,
    /// What the model is told in it that it has not been told before: a prompt, what its tools
    /// answered, what hooks added.
    pub heard: String,
}

#[derive(Debug, Clone, Default)]
struct RequestLog(Arc<Mutex<Vec<Request>>>);

impl RequestLog {
    fn push(&self, request: Request) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
    }

    fn all(&self) -> Vec<Request> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl MessagesApi {
    /// Starts a server on a free port, in a thread of its own.
    ///
    /// # Errors
    /// When the port or the thread cannot be had.
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot bind to loopback")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let requests = RequestLog::default();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let router = server::router(requests.clone());
        let thread = std::thread::Builder::new()
            .name("messages-api".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = server::serve(listener, router) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            requests,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// For `ANTHROPIC_BASE_URL`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order of the answers.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.all()
    }
}

impl Drop for MessagesApi {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Whoever listened is gone when the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
