//! `GET /events`: what changes on an agent, as it changes.

use coord_core::command::AgentReport;
use coord_core::ids::{AssignmentId, CommitId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::end::EndReport;
use crate::lease::LeaseDenial;

/// One transition on an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentEvent {
    /// From 1 in each run of the agent, without gaps.
    pub seq: u64,
    /// Seconds since the epoch.
    pub at: f64,
    /// The assignment; `None` for `resync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub id: Option<AssignmentId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: AgentEventKind,
    /// Where to go on after this event: the value for `Last-Event-ID`. Not part of the body.
    #[serde(skip)]
    pub cursor: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AgentEventKind {
    /// The worker runs.
    Started {
        /// Since when, in seconds since the epoch.
        started_at: f64,
        /// The commit that it started from.
        base: Option<String>,
        /// The branch that it works on.
        branch: Option<String>,
    },
    /// The worker went on; many steps may be one event.
    Progress {
        /// Model turns so far.
        turns: u32,
        /// US dollars so far, see [`AgentEventKind::Spent`].
        cost_usd: f64,
        /// The tool that it used last.
        last_tool: Option<String>,
        /// Its last `STATUS:` line.
        status: Option<String>,
        /// The model that answers.
        model: Option<String>,
    },
    /// The worker has used a cent or more since this was told last; at most once a second.
    Spent {
        /// US dollars so far, estimated from the tokens until the worker tells a total. It never
        /// falls, and a session that was resumed counts its earlier runs too.
        cost_usd: f64,
    },
    /// The worker changed files that it had not changed before.
    Files {
        /// Relative to the root of the repository.
        paths: Vec<String>,
    },
    /// The worker wants to change a path that it has not declared: `POST /lease/{id}` answers.
    LeaseAsked {
        /// The number of the question, which no other question of this assignment has.
        ask: u64,
        /// Relative to the root of the repository.
        path: String,
    },
    /// The worker was kept from changing a path.
    EditDenied {
        /// Relative to the root of the repository; absolute for one outside of the worktree.
        path: String,
        /// The tool that it wanted to use.
        tool: String,
        /// What it was told.
        reason: String,
        /// Why.
        #[serde(flatten)]
        denial: LeaseDenial,
    },
    /// The worker changed a path although nobody could be asked, or did so past the check although
    /// somebody else holds it.
    EditUnchecked {
        /// Relative to the root of the repository.
        path: String,
    },
    /// The worker changed files that no worker may change; they were put back in its worktree.
    FilesRestored {
        /// Relative to the root of the repository.
        paths: Vec<String>,
    },
    /// The worker says that it is stuck.
    Stuck {
        /// Its question; untrusted text.
        question: String,
    },
    /// The worker has hit a usage limit.
    RateLimited {
        /// When the limit ends, in seconds since the epoch.
        resets_at: Option<f64>,
    },
    /// The worker has ended; everything that it left is saved and published.
    Finished {
        /// When, in seconds since the epoch.
        finished_at: f64,
        /// How.
        end: Box<EndReport>,
    },
    /// Events were missed, or the agent has restarted: ask `/status`, then go on from here.
    Resync,
    /// An event of a newer agent.
    #[serde(other)]
    Unknown,
}

impl AgentEventKind {
    /// The word on the wire, which is also the `event:` field of the stream.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Progress { .. } => "progress",
            Self::Spent { .. } => "spent",
            Self::Files { .. } => "files",
            Self::LeaseAsked { .. } => "lease_asked",
            Self::EditDenied { .. } => "edit_denied",
            Self::EditUnchecked { .. } => "edit_unchecked",
            Self::FilesRestored { .. } => "files_restored",
            Self::Stuck { .. } => "stuck",
            Self::RateLimited { .. } => "rate_limited",
            Self::Finished { .. } => "finished",
            Self::Resync => "resync",
            Self::Unknown => "unknown",
        }
    }
}

impl AgentEventKind {
    /// What the coordinator's board is told; `None` for what does not concern it.
    #[must_use]
    pub fn report(&self) -> Option<AgentReport> {
        Some(match self {
            Self::Started {
                started_at, base, ..
            } => AgentReport::Started {
                at: Timestamp::from_secs_f64(*started_at),
                base: base.clone().map(CommitId::from),
            },
            Self::Spent { cost_usd } => AgentReport::Spent {
                cost_usd: *cost_usd,
            },
            Self::Files { paths } => AgentReport::Files {
                paths: paths.clone(),
            },
            Self::LeaseAsked { ask, path } => AgentReport::LeaseAsked {
                ask: *ask,
                path: path.clone(),
            },
            Self::EditDenied {
                path, tool, denial, ..
            } => AgentReport::EditDenied {
                path: path.clone(),
                tool: tool.clone(),
                why: denial.known()?,
            },
            Self::EditUnchecked { path } => AgentReport::EditUnchecked { path: path.clone() },
            Self::FilesRestored { paths } => AgentReport::FilesRestored {
                paths: paths.clone(),
            },
            Self::Stuck { question } => AgentReport::Stuck {
                question: question.clone(),
            },
            Self::RateLimited { resets_at } => AgentReport::RateLimited {
                resets_at: Timestamp::from_secs_f64((*resets_at)?),
            },
            Self::Finished { finished_at, end } => AgentReport::Finished {
                at: Timestamp::from_secs_f64(*finished_at),
                end: Box::new((**end).clone().into()),
            },
            Self::Progress { .. } | Self::Resync | Self::Unknown => {
                return None;
            }
        })
    }
}

impl AgentEvent {
    /// What the coordinator's board is told, and of which assignment; `None` for what does not
    /// concern it.
    #[must_use]
    pub fn report(&self) -> Option<(AssignmentId, AgentReport)> {
        Some((self.id.clone()?, self.kind.report()?))
    }
}
