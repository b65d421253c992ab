//! Assignments as an agent shows them: the answers of `/assign`, `/cancel` and `/status`.

use std::fmt;
use std::str::FromStr;

use coord_core::assignment::WorkerEnd;
use coord_core::command::AgentReport;
use coord_core::ids::{AssignmentId, CommitId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assign::{AssignBody, null_as_default};
use crate::end::{EndReport, EndResult};
use crate::event::AgentEventKind;

/// Where an assignment stands on its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentStatus {
    /// Accepted; its worktree is being prepared.
    Pending,
    /// Its worker runs, or what it left is being saved and published.
    Running,
    /// Its worker ended well.
    Done,
    /// Its worker ended otherwise, or could not be started.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl AssignmentStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it takes a slot.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::Pending | Self::Running => true,
            Self::Done | Self::Failed | Self::Cancelled => false,
        }
    }
}

impl From<EndResult> for AssignmentStatus {
    fn from(result: EndResult) -> Self {
        match result {
            EndResult::Done => Self::Done,
            EndResult::Failed => Self::Failed,
            EndResult::Cancelled => Self::Cancelled,
        }
    }
}

impl fmt::Display for AssignmentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not a status of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a status of an assignment")]
pub struct UnknownStatus(pub String);

impl FromStr for AssignmentStatus {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [
            Self::Pending,
            Self::Running,
            Self::Done,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or_else(|| UnknownStatus(word.to_owned()))
    }
}

/// An assignment, as `/assign` and `/cancel` answer it and as every row of `/status` begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssignmentRow {
    /// 12 hexadecimal digits.
    #[schema(value_type = String)]
    pub id: AssignmentId,
    /// What was asked for.
    pub spec: AssignBody,
    /// Where it stands.
    pub status: AssignmentStatus,
    /// The worker's process.
    #[serde(default)]
    pub pid: Option<u32>,
    /// When the worker started, in seconds since the epoch.
    #[serde(default)]
    pub started_at: Option<f64>,
    /// When it ended, in seconds since the epoch.
    #[serde(default)]
    pub finished_at: Option<f64>,
    /// `None` while it runs, when a signal ended it, or when it never started.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The log on the agent's machine.
    #[serde(default)]
    pub log_path: Option<String>,
    /// Why it failed; untrusted text.
    #[serde(default)]
    pub error: Option<String>,
    /// While it is active the branch that it works on; afterwards the branch that holds its
    /// commits, `None` when it made none.
    #[serde(default)]
    pub branch: Option<String>,
    /// The worktree on the agent's machine.
    #[serde(default)]
    pub worktree_path: Option<String>,
}

/// What a worker has said about its progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Its `STATUS:` lines, oldest first, the newest few.
    #[serde(default)]
    pub updates: Vec<String>,
    /// The question that it is stuck on.
    #[serde(default)]
    pub stuck: Option<String>,
    /// What looks wrong, for people.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How sure it said it was.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub latest_confidence: Option<serde_json::Value>,
}

/// A row of `active`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActiveRow {
    /// The assignment.
    #[serde(flatten)]
    pub assignment: AssignmentRow,
    /// What the worker said.
    #[serde(default, deserialize_with = "null_as_default")]
    pub progress: Progress,
    /// The model that answers.
    #[serde(default)]
    pub model_used: Option<String>,
    /// Model turns so far.
    #[serde(default, deserialize_with = "null_as_default")]
    pub turns: u32,
    /// US dollars so far: an estimate, see [`crate::AgentEventKind::Spent`].
    #[serde(default, deserialize_with = "null_as_default")]
    pub cost_so_far: f64,
    /// The tool that it used last.
    #[serde(default)]
    pub last_tool: Option<String>,
    /// Whether the worker has hit a usage limit.
    #[serde(default, deserialize_with = "null_as_default")]
    pub rate_limited: bool,
    /// Paths that it was seen to change, relative to the root of the repository; only towards
    /// callers that announce the protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The events about edits that were denied, let through unasked or undone, each once and the
    /// oldest first; only towards callers that announce the protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<AgentEventKind>,
}

/// A row of `completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CompletedRow {
    /// The assignment.
    #[serde(flatten)]
    pub assignment: AssignmentRow,
    /// The model that answered.
    #[serde(default)]
    pub model_used: Option<String>,
    /// US dollars.
    #[serde(default)]
    pub total_cost_usd: Option<f64>,
    /// Model turns.
    #[serde(default)]
    pub num_turns: Option<u32>,
    /// Why the worker stopped, in the words of its last result or of its supervisor.
    #[serde(default)]
    pub stop_reason: Option<String>,
    /// Everything about the end; only towards callers that announce the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndReport>,
    /// As in [`ActiveRow`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<AgentEventKind>,
}

impl CompletedRow {
    /// How the worker ended; an agent of 0.1.0 leaves out much of it.
    #[must_use]
    pub fn worker_end(&self) -> WorkerEnd {
        self.end.clone().unwrap_or_else(|| self.sparse_end()).into()
    }

    fn sparse_end(&self) -> EndReport {
        let row = &self.assignment;
        let result = match row.status {
            AssignmentStatus::Done => EndResult::Done,
            AssignmentStatus::Cancelled => EndResult::Cancelled,
            AssignmentStatus::Failed | AssignmentStatus::Pending | AssignmentStatus::Running => {
                EndResult::Failed
            }
        };
        EndReport {
            exit_code: row.exit_code,
            error: row.error.clone(),
            branch: row.branch.clone(),
            // A branch is named only when something was committed; 0.1.0 tells no number.
            commits: u32::from(row.branch.is_some()),
            pushed: row.branch.is_some() && row.status != AssignmentStatus::Cancelled,
            cost_usd: self.total_cost_usd.unwrap_or_default(),
            turns: self.num_turns.unwrap_or_default(),
            ..EndReport::never_started(result, None, String::new())
        }
    }

    /// What the coordinator's board is told: its edits that were checked, then its end.
    #[must_use]
    pub fn report(&self) -> Vec<AgentReport> {
        let finished = AgentReport::Finished {
            at: Timestamp::from_secs_f64(self.assignment.finished_at.unwrap_or_default()),
            end: Box::new(self.worker_end()),
        };
        let edits = self.edits.iter().filter_map(AgentEventKind::report);
        edits.chain([finished]).collect()
    }
}

impl ActiveRow {
    /// What the coordinator's board is told of its start, files, cost and edits; nothing while the
    /// worktree is being prepared.
    #[must_use]
    pub fn report(&self) -> Vec<AgentReport> {
        let Some(at) = self.assignment.started_at else {
            return Vec::new();
        };
        let started = AgentReport::Started {
            at: Timestamp::from_secs_f64(at),
            base: self.assignment.spec.base_sha.clone().map(CommitId::from),
        };
        let files = (!self.files.is_empty()).then(|| AgentReport::Files {
            paths: self.files.clone(),
        });
        let spent = (self.cost_so_far > 0.0).then_some(AgentReport::Spent {
            cost_usd: self.cost_so_far,
        });
        let edits = self.edits.iter().filter_map(AgentEventKind::report);
        [started]
            .into_iter()
            .chain(files)
            .chain(spent)
            .chain(edits)
            .collect()
    }
}

/// The answer of `GET /status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusAnswer {
    /// Pending and running assignments, oldest first.
    pub active: Vec<ActiveRow>,
    /// Ended assignments, oldest first.
    pub completed: Vec<CompletedRow>,
}

/// The query of `GET /status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StatusQuery {
    /// How many ended assignments at most, the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<usize>,
    /// Only those that ended at or after this instant, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
}

/// The body of `POST /input/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InputBody {
    /// What the worker is told.
    pub message: String,
    /// The caller's key: with the same one again nothing is told twice. At most 64 ASCII letters,
    /// digits and `:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
