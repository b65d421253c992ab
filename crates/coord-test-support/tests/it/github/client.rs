//! A client that shows everything: one connection for each request.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use coord_test_support::github::FakeGithub;
use serde_json::Value;

/// Asks as one account.
#[derive(Clone)]
pub(super) struct Client {
    authority: String,
    prefix: String,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) text: String,
}

impl Answer {
    /// The body; a text that is no JSON is null.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body, when the status is this.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }
}

impl Client {
    pub(super) fn new(github: &FakeGithub, token: &str) -> Self {
        let bearer = format!("Bearer {token}");
        Self::anonymous(github).with("authorization", &bearer)
    }

    pub(super) fn anonymous(github: &FakeGithub) -> Self {
        let url = github.url();
        let address = url.strip_prefix("http://").unwrap();
        let (authority, prefix) = address.split_once('/').unwrap_or((address, ""));
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("/{prefix}")
        };
        let client = Self {
            authority: authority.to_owned(),
            prefix,
            headers: Vec::new(),
        };
        client.with("user-agent", "coord-tests")
    }

    /// With a header, in place of one of this name; an empty one takes it away.
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(known, _)| known != name);
        if !value.is_empty() {
            client.headers.push((name.to_owned(), value.to_owned()));
        }
        client
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").unwrap()
    }

    pub(super) fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &body.to_string()).unwrap()
    }

    /// A connection that is reset, or on which nothing comes, is an error.
    pub(super) fn send(&self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.authority)?;
        // Long enough for a busy machine: every answer comes within it, or never.
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        self.write(&mut stream, method, path, body)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    pub(super) fn write(
        &self,
        stream: &mut TcpStream,
        method: &str,
        path: &str,
        body: &str,
    ) -> io::Result<()> {
        let (prefix, authority) = (&self.prefix, &self.authority);
        let mut request = format!("{method} {prefix}{path} HTTP/1.1\r\nhost: {authority}\r\n");
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        request.push_str(&format!(
            "connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ));
        stream.write_all(request.as_bytes())
    }

    pub(super) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.authority).unwrap()
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_lowercase(), value.to_owned()))
    };
    Some(Answer {
        status,
        headers: lines.filter_map(header).collect(),
        text: body.to_owned(),
    })
}
