//! How a hook reaches the agent: where it is, what to present, and one HTTP request.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// The first line of the file; another number is another format.
const MAGIC: &str = "coord-hook 1";
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest answer, in bytes.
const LONGEST_ANSWER: u64 = 1024 * 1024;

/// The file [`crate::files::HOOK`]: where the hooks of one assignment find their agent. It holds a token, so
/// only its owner may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Where the agent listens.
    pub address: SocketAddr,
    /// The path of the assignment's hook, e.g. `/hook/3f9a…`.
    pub path: String,
    /// The token of this assignment; good for nothing but that path.
    pub token: String,
}

impl Door {
    /// The text of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self {
            address,
            path,
            token,
        } = self;
        format!("{MAGIC}\n{address}\n{path}\n{token}\n")
    }

    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(file)?;
        Self::decode(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    fn decode(text: &str) -> Option<Self> {
        let mut lines = text.strip_prefix(MAGIC)?.strip_prefix('\n')?.lines();
        Some(Self {
            address: lines.next()?.parse().ok()?,
            path: lines.next()?.to_owned(),
            token: lines.next()?.to_owned(),
        })
    }
}

/// Posts the JSON `call`; the body of an answer that is a whole success.
pub(crate) fn knock(door: &Door, call: &[u8], until: Instant) -> io::Result<Vec<u8>> {
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::Error::from(io::ErrorKind::TimedOut)),
            false => Ok(left),
        }
    };
    let mut stream = TcpStream::connect_timeout(&door.address, CONNECT.min(left()?))?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(head(door, call.len()).as_bytes())?;
    stream.write_all(call)?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
        if answer.len() as u64 > LONGEST_ANSWER {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    body(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// In version 1.0 the answer is never chunked and ends with the connection.
fn head(door: &Door, length: usize) -> String {
    let Door {
        address,
        path,
        token,
    } = door;
    format!(
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// An agent that is killed may have sent half an answer.
fn body(answer: &[u8]) -> Option<Vec<u8>> {
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n")?;
    let (head, body) = (answer.get(..end)?, answer.get(end + 4..)?);
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let length = name.eq_ignore_ascii_case("content-length");
        length.then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = status == "200" && length == Some(body.len());
    whole.then(|| body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door() -> Door {
        Door {
            address: "127.0.0.1:7433".parse().unwrap(),
            path: "/hook/3f9a".to_owned(),
            token: "secret".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Door::decode(&door().encode()), Some(door()));
        for text in [
            "",
            "coord-hook 2\n1.1.1.1:1\n/\nt\n",
            "coord-hook 1\nnowhere\n/\nt\n",
        ] {
            assert_eq!(Door::decode(text), None, "{text}");
        }
        for cut in 0..door().encode().len() - 1 {
            let text = door().encode();
            assert_ne!(
                Door::decode(text.get(..cut).unwrap()),
                Some(door()),
                "{cut}"
            );
        }
    }

    #[test]
    fn only_a_whole_success_is_an_answer() {
        let whole = b"HTTP/1.0 200 OK\r\ncontent-type: x\r\nContent-Length: 3\r\n\r\na\r\n";
        assert_eq!(body(whole).unwrap(), b"a\r\n");
        for cut in 0..whole.len() {
            assert_eq!(body(whole.get(..cut).unwrap()), None, "cut at {cut}");
        }
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nabc"), None);
        assert_eq!(body(b"HTTP/1.0 401 No\r\ncontent-length: 0\r\n\r\n"), None);
    }
}
