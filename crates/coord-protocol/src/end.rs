//! How a worker ended: the wire form of [`WorkerEnd`].

use coord_core::assignment::{WorkerEnd, WorkerResult};
use coord_core::failure::FailureClass;
use coord_core::ids::{CommitId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The three ways in which a worker can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndResult {
    /// Exit 0, and its last result is not an error.
    Done,
    /// Anything else.
    Failed,
    /// Somebody stopped it; nothing was published.
    Cancelled,
}

/// The class of a failure, without the instant that may go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Wait, then go on.
    Environmental,
    /// Never retried as it is.
    Configuration,
    /// The work itself.
    Work,
}

/// How a worker ended, with everything that a coordinator records about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndReport {
    /// Done, failed or cancelled.
    pub result: EndResult,
    /// The class, when it failed.
    #[serde(default)]
    pub class: Option<FailureKind>,
    /// When it is worth trying again, in seconds since the epoch, where somebody said so.
    #[serde(default)]
    pub retry_at: Option<f64>,
    /// `None` when a signal ended it or it never started.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Why it failed, in one line; untrusted text.
    #[serde(default)]
    pub error: Option<String>,
    /// The branch that holds its commits; `None` when it made none.
    #[serde(default)]
    pub branch: Option<String>,
    /// The tip of that branch; where nothing is kept of what was changed, the commit that was
    /// looked at.
    #[serde(default)]
    pub head: Option<String>,
    /// The commit that `commits` and `files` are measured against: the one that it started from, or
    /// a newer one of the base branch where it has brought its branch up to that. Where its branch
    /// does not hold the commit of the request, the last one that both have.
    #[serde(default)]
    pub base: Option<String>,
    /// How many commits it made.
    #[serde(default)]
    pub commits: u32,
    /// Whether the branch reached the remote, or the repository has none.
    #[serde(default)]
    pub pushed: bool,
    /// Why the branch did not reach the remote.
    #[serde(default)]
    pub push_error: Option<String>,
    /// Where uncommitted files were saved, e.g. `refs/coord/wip/<id>`.
    #[serde(default)]
    pub wip_ref: Option<String>,
    /// Paths that the commits changed, relative to the root of the repository.
    #[serde(default)]
    pub files: Vec<String>,
    /// US dollars of the whole session: one that was resumed counts its earlier runs too. An
    /// estimate where the worker was ended before it told a total.
    #[serde(default)]
    pub cost_usd: f64,
    /// Model turns.
    #[serde(default)]
    pub turns: u32,
    /// The question that it is stuck on.
    #[serde(default)]
    pub stuck: Option<String>,
    /// The worker's session, for continuing it.
    #[serde(default)]
    pub session: Option<String>,
    /// The answer in the schema of `output_schema`, as the worker gave it; untrusted. There is one
    /// whenever a worker that was given a schema is `done`. At most 256 KiB of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub answer: Option<serde_json::Value>,
    /// The end of what a smoke command has printed on both streams, at most 4096 bytes; untrusted.
    /// In a [`WorkerEnd`] it is the answer: who asked for a command has asked for no schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What an assignment that may only read changed all the same, relative to the root of the
    /// repository; it was thrown away, and the assignment is never `done`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tampered: Vec<String>,
}

impl EndReport {
    /// A worker that never started, because of `error`.
    #[must_use]
    pub fn never_started(result: EndResult, class: Option<FailureKind>, error: String) -> Self {
        Self {
            result,
            class,
            retry_at: None,
            exit_code: None,
            error: Some(error),
            branch: None,
            head: None,
            base: None,
            commits: 0,
            pushed: false,
            push_error: None,
            wip_ref: None,
            files: Vec::new(),
            cost_usd: 0.0,
            turns: 0,
            stuck: None,
            session: None,
            answer: None,
            output: None,
            tampered: Vec::new(),
        }
    }

    /// The failure class of the domain; a failure without one counts as the work's.
    #[must_use]
    pub fn failure_class(&self) -> FailureClass {
        match self.class {
            Some(FailureKind::Environmental) => FailureClass::Environmental {
                retry_at: self.retry_at.map(Timestamp::from_secs_f64),
            },
            Some(FailureKind::Configuration) => FailureClass::Configuration,
            Some(FailureKind::Work) | None => FailureClass::Work,
        }
    }
}

impl From<EndReport> for WorkerEnd {
    fn from(report: EndReport) -> Self {
        let result = match report.result {
            EndResult::Done => WorkerResult::Done,
            EndResult::Failed => WorkerResult::Failed(report.failure_class()),
            EndResult::Cancelled => WorkerResult::Cancelled,
        };
        let answer = report.answer.map(|answer| answer.to_string());
        Self {
            result,
            exit_code: report.exit_code,
            error: report.error,
            branch: report.branch,
            head: report.head.map(CommitId::from),
            base: report.base.map(CommitId::from),
            commits: report.commits,
            pushed: report.pushed,
            wip_ref: report.wip_ref,
            files: report.files,
            cost_usd: report.cost_usd,
            turns: report.turns,
            stuck: report.stuck,
            session: report.session,
            answer: answer.or(report.output),
        }
    }
}

impl From<FailureClass> for FailureKind {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Environmental { .. } => Self::Environmental,
            FailureClass::Configuration => Self::Configuration,
            FailureClass::Work => Self::Work,
        }
    }
}
