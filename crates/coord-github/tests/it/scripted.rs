//! A server that answers what it is told, byte by byte, and remembers what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, once [`Scripted::open`] was called.
    Gated(Vec<u8>),
    /// The connection is reset.
    Reset,
    /// Nothing, while the server lives.
    Silence,
}

/// A running server. The last reply is for every request that has none of its own.
pub(crate) struct Scripted {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    arrived: watch::Receiver<usize>,
    gate: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "content-type: application/json\r\n", body)
    }

    /// `headers` are whole lines.
    pub(crate) fn with(status: u16, headers: &str, body: &str) -> Self {
        Self::Bytes(raw(status, headers, body))
    }
}

pub(crate) fn raw(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

impl Scripted {
    pub(crate) async fn start(replies: impl Fn(&str) -> Vec<Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new(VecDeque::from(replies(&url))));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (arrive, arrived) = watch::channel(0);
        let (gate, opened) = watch::channel(false);
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (replies, log) = (Arc::clone(&replies), Arc::clone(&log));
                let (arrive, opened) = (arrive.clone(), opened.clone());
                tokio::spawn(async move {
                    let stream = &mut { stream };
                    let request = read_request(stream).await;
                    let reply = next(&replies);
                    log.lock().unwrap().push(request);
                    arrive.send_modify(|count| *count += 1);
                    answer(stream, reply, opened).await;
                });
            }
        });
        Self {
            url,
            seen,
            arrived,
            gate,
            task,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far: head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn arrived(&self, count: usize) {
        let mut arrived = self.arrived.clone();
        arrived.wait_for(|it| *it >= count).await.unwrap();
    }

    /// Lets gated answers go.
    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn next(replies: &Mutex<VecDeque<Reply>>) -> Reply {
    let mut replies = replies.lock().unwrap();
    match replies.len() {
        0 => Reply::Reset,
        1 => replies[0].clone(),
        _ => replies.pop_front().unwrap(),
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return text;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

fn content_length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths
        .next()
        .map_or(0, |(_, value)| value.trim().parse().unwrap())
}

async fn answer(stream: &mut TcpStream, reply: Reply, mut opened: watch::Receiver<bool>) {
    match reply {
        // The client may have gone, as it should from an answer that is too large.
        Reply::Bytes(bytes) => drop(stream.write_all(&bytes).await),
        Reply::Gated(bytes) => {
            if opened.wait_for(|open| *open).await.is_ok() {
                drop(stream.write_all(&bytes).await);
            }
        }
        Reply::Reset => stream.set_zero_linger().unwrap(),
        Reply::Silence => tokio::time::sleep(Duration::from_secs(600)).await,
    }
}
