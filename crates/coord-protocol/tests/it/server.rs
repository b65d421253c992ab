//! A server that gives one scripted answer per connection and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use coord_protocol::{AgentClient, Timeouts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What to do with one connection.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status line, headers and body.
    Http(String),
    /// Hang up when the request is there.
    HangUp,
    /// Never answer.
    Silence,
}

/// A JSON answer.
pub(crate) fn json(status: u16, body: &str) -> Answer {
    Answer::Http(format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    ))
}

/// A stream of events that breaks off after `text`.
pub(crate) fn events(text: &str) -> Answer {
    Answer::Http(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{text}"
    ))
}

/// The `/health` of an agent that takes our ids.
pub(crate) const NEW_PEER: &str = r#"{"machine":"m","features":["idempotent-assign"]}"#;

/// What `/assign` answers.
pub(crate) const ROW: &str = r#"{"id":"000000000007","status":"pending","spec":{"repo_name":"r",
    "repo_path":"/r","issue_number":1,"issue_title":"t","briefing":"b"}}"#;

/// The scripted server.
pub(crate) struct Server {
    pub(crate) client: AgentClient,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, script, Arc::clone(&asked)));
        Self {
            client: client(&url),
            asked,
        }
    }

    /// The requests so far: head and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

pub(crate) fn client(url: &str) -> AgentClient {
    let timeouts = Timeouts {
        connect: Duration::from_secs(5),
        request: Duration::from_millis(300),
        idle: Duration::from_millis(300),
    };
    AgentClient::new(url, Some("s3cret"), timeouts).unwrap()
}

async fn serve(listener: TcpListener, script: Vec<Answer>, asked: Arc<Mutex<Vec<String>>>) {
    let mut open = Vec::new();
    for answer in script {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read(&mut stream).await;
        asked.lock().unwrap().push(request);
        match answer {
            Answer::Http(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Answer::HangUp => {}
            Answer::Silence => open.push(stream),
        }
    }
    // Whoever asks more than the script expects is refused a connection.
    drop(listener);
    std::future::pending::<()>().await;
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.unwrap();
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length: "));
        if read == 0 || body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
            return text;
        }
    }
}
