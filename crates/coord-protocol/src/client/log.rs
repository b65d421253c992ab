//! The log of a worker: a piece of it, or all of it as it grows.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use coord_core::ids::AssignmentId;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Response};

use super::sse::{self, Events};
use super::{AgentClient, ClientError};
use crate::{AssignmentStatus, LOG_STATUS_HEADER, LOG_TOTAL_HEADER};

/// How long a broken stream is resumed before its error is passed on.
const PATIENCE: u32 = 8;

/// Before the first resumption; doubled up to [`MAX_DELAY`].
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// The longest wait between two resumptions.
const MAX_DELAY: Duration = Duration::from_secs(15);

/// The answer of `GET /logs/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogText {
    /// The log from the byte that was asked for; ends with a whole character.
    pub text: String,
    /// The length of the log in bytes.
    pub total: u64,
    /// Where the assignment stands.
    pub status: AssignmentStatus,
}

impl LogText {
    pub(super) fn from_answer(answer: &Response<Bytes>) -> Result<Self, String> {
        Ok(Self {
            text: String::from_utf8_lossy(answer.body()).into_owned(),
            total: header(answer.headers(), LOG_TOTAL_HEADER)?,
            status: header(answer.headers(), LOG_STATUS_HEADER)?,
        })
    }
}

fn header<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Result<T, String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .ok_or_else(|| format!("the header {name} is missing or wrong"))
}

/// Whole lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// The lines, without the newline of the last one.
    pub text: String,
    /// The byte after them: where to go on.
    pub offset: u64,
}

/// An event of `GET /stream/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// The log has grown.
    Chunk(LogChunk),
    /// The assignment has ended; nothing follows.
    End,
}

/// The events of a log. It ends after [`LogEvent::End`] or the first error.
pub type LogEvents = Pin<Box<dyn Stream<Item = Result<LogEvent, ClientError>> + Send>>;

/// One reader of one log.
struct Follower {
    client: AgentClient,
    id: AssignmentId,
    offset: u64,
    connection: Option<Events>,
    failures: u32,
}

pub(super) fn follow(client: AgentClient, id: AssignmentId, since: u64) -> LogEvents {
    let follower = Follower {
        client,
        id,
        offset: since,
        connection: None,
        failures: 0,
    };
    Box::pin(stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        let next = follower.next().await;
        let going_on = matches!(next, Ok(LogEvent::Chunk(_))).then_some(follower);
        Some((next, going_on))
    }))
}

impl Follower {
    async fn next(&mut self) -> Result<LogEvent, ClientError> {
        loop {
            match self.step().await {
                Ok(Some(event)) => return Ok(event),
                // An event of a newer agent, or the connection closed without `end`.
                Ok(None) => {}
                Err(error) if self.worth_resuming(&error) => {
                    self.connection = None;
                    tokio::time::sleep(self.delay()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn step(&mut self) -> Result<Option<LogEvent>, ClientError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.client, &self.id, self.offset).await?),
        };
        let Some(event) = connection.next().await else {
            return Err(closed(&self.client));
        };
        let event = event?;
        self.failures = 0;
        match event.event.as_str() {
            "end" => Ok(Some(LogEvent::End)),
            "log" => {
                self.offset = event
                    .id
                    .parse()
                    .map_err(|_| self.client.invalid(format!("`{}` is no offset", event.id)))?;
                Ok(Some(LogEvent::Chunk(LogChunk {
                    text: event.data,
                    offset: self.offset,
                })))
            }
            _ => Ok(None),
        }
    }

    fn worth_resuming(&mut self, error: &ClientError) -> bool {
        self.failures += 1;
        let transient = match error {
            ClientError::Unreachable { .. } | ClientError::TimedOut { .. } => true,
            ClientError::Refused { status, .. } => matches!(status, 429 | 500..=599),
            ClientError::BadAddress { .. } | ClientError::Invalid { .. } => false,
        };
        transient && self.failures <= PATIENCE
    }

    fn delay(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(16);
        FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY)
    }
}

async fn connect(
    client: &AgentClient,
    id: &AssignmentId,
    offset: u64,
) -> Result<Events, ClientError> {
    let path = format!("/stream/{id}?since={offset}");
    let body = client.open_stream(&path, Some(&offset.to_string())).await?;
    Ok(sse::events(client.url(), body, client.target.timeouts.idle))
}

fn closed(client: &AgentClient) -> ClientError {
    ClientError::Unreachable {
        url: client.url().to_owned(),
        sent: true,
        source: "the connection was closed in the middle of the log".into(),
    }
}
