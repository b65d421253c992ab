//! Server-sent events from an agent: bytes to events, with a limit on silence and on size.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{Event, Eventsource as _};
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::error::{BoxError, ClientError};

/// The largest event that is taken, in bytes: a log line of a worker can be many megabytes.
const MAX_EVENT_BYTES: usize = 64 * 1024 * 1024;

/// The events of one connection.
pub(crate) type Events = Pin<Box<dyn Stream<Item = Result<Event, ClientError>> + Send>>;

/// Reads `body` as server-sent events; ends with an error after `idle` without a byte.
pub(crate) fn events(url: &str, body: Incoming, idle: Duration) -> Events {
    let url = url.to_owned();
    let bytes = guarded(
        body.into_data_stream().map(|r| r.map_err(BoxError::from)),
        idle,
    );
    Box::pin(bytes.eventsource().map(move |item| {
        item.map_err(|error| ClientError::Unreachable {
            url: url.clone(),
            sent: true,
            source: error.to_string().into(),
        })
    }))
}

/// Ends `chunks` with an error when nothing comes for `idle`, or when an event grows too large.
fn guarded<S>(chunks: S, idle: Duration) -> impl Stream<Item = Result<Bytes, BoxError>> + Send
where
    S: Stream<Item = Result<Bytes, BoxError>> + Send + Unpin,
{
    stream::unfold(
        Some((chunks, EventSize::default())),
        move |state| async move {
            let (mut chunks, mut size) = state?;
            let next = match tokio::time::timeout(idle, chunks.next()).await {
                Ok(next) => next?,
                Err(_) => Err(format!("silent for {} s", idle.as_secs()).into()),
            };
            match next {
                Ok(chunk) if size.grow(&chunk) > MAX_EVENT_BYTES => {
                    Some((Err("an event is larger than 64 MiB".into()), None))
                }
                Ok(chunk) => Some((Ok(chunk), Some((chunks, size)))),
                Err(error) => Some((Err(error), None)),
            }
        },
    )
}

/// The bytes since the last blank line.
#[derive(Debug, Default)]
struct EventSize {
    bytes: usize,
    newline: bool,
}

impl EventSize {
    fn grow(&mut self, chunk: &[u8]) -> usize {
        for &byte in chunk {
            match byte {
                b'\n' if self.newline => self.bytes = 0,
                b'\n' => self.newline = true,
                b'\r' => {}
                _ => self.newline = false,
            }
            self.bytes += 1;
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::EventSize;

    #[test]
    fn an_event_ends_at_a_blank_line_also_between_chunks() {
        let mut size = EventSize::default();
        assert_eq!(size.grow(b"data: abc\n"), 10);
        assert_eq!(size.grow(b"\nda"), 3);
        assert_eq!(size.grow(b"ta\r\n\r\n"), 1);
    }
}
