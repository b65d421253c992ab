//! The agent's wire protocol: what travels between a coordinator and the agent of a machine.
//!
//! The types are those of the wire, not of the domain: times are seconds since the epoch as
//! floats, keys that a newer peer adds are ignored, keys that an older peer (the Python
//! coordinator 0.1.0) does not send are optional. [`AgentClient`] is the typed client.
//!
//! What a caller may see beyond 0.1.0 is negotiated: `GET /health` always tells `protocol` and
//! `features`; other answers carry new keys only towards a caller that sends the header
//! [`PROTOCOL_HEADER`], and the client sends new keys of `POST /assign` only to an agent whose
//! `features` name [`Feature::IdempotentAssign`].

mod assign;
mod client;
mod end;
mod event;
mod health;
mod lease;
mod refusal;
mod repos;
mod status;

pub use assign::{AssignBody, AssignmentType, WorktreeBody};
pub use client::{
    AgentClient, AgentEvents, ClientError, LogChunk, LogEvent, LogEvents, LogText, Timeouts,
};
pub use end::{EndReport, EndResult, FailureKind};
pub use event::{AgentEvent, AgentEventKind};
pub use health::{Feature, Health, Slots};
pub use lease::{LeaseAnswer, LeaseDenial, LeaseHolder, LeaseMode, LeaseTaken, WipAnswer};
pub use refusal::ErrorBody;
pub use repos::{RepoState, Repos};
pub use status::{
    ActiveRow, AssignmentRow, AssignmentStatus, CompletedRow, InputBody, Progress, StatusAnswer,
    StatusQuery,
};

/// The version of the protocol; it changes when an old peer would misunderstand a new one.
pub const PROTOCOL: u32 = 1;

/// The port that an agent listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 7433;

/// The request header with which a caller announces the version that it speaks.
pub const PROTOCOL_HEADER: &str = "x-coord-protocol";

/// The response header with the length of a log in bytes.
pub const LOG_TOTAL_HEADER: &str = "x-coord-log-total";

/// The response header with the status of the assignment whose log was asked for.
pub const LOG_STATUS_HEADER: &str = "x-coord-log-status";

/// The largest request body that an agent reads, in bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
