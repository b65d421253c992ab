//! `GET /health`: who answers, what it can do, how much room it has.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer of `GET /health`. Everything from `version` on is absent in 0.1.0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The name of the machine.
    pub machine: String,
    /// What the machine can do, e.g. `docker`.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The names of its repositories.
    #[serde(default)]
    pub repos: Vec<String>,
    /// How many assignments are pending or running.
    #[serde(default)]
    pub active: u64,
    /// How many have ended.
    #[serde(default)]
    pub completed: u64,
    /// The version of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version of the protocol, see [`crate::PROTOCOL`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// Names of [`Feature`]s; unknown ones are to be ignored.
    #[serde(default)]
    pub features: Vec<String>,
    /// Room for workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<Slots>,
    /// Free space where the agent keeps worktrees and logs, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
}

impl Health {
    /// Whether the agent says that it can do `feature`.
    #[must_use]
    pub fn can(&self, feature: Feature) -> bool {
        self.features.iter().any(|name| name == feature.as_str())
    }
}

/// How many workers an agent takes at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slots {
    /// All of them.
    pub max: u32,
    /// Those without a worker.
    pub free: u32,
}

/// What an agent can do beyond 0.1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `POST /assign` takes the coordinator's `id` as idempotency key, and the other new keys.
    IdempotentAssign,
    /// `GET /events`.
    Events,
    /// `POST /input/{id}`.
    Input,
    /// `GET /diff/{id}`.
    Diff,
    /// `DELETE /worktree/{id}`.
    DeleteWorktree,
    /// `completed` and `since` of `GET /status`.
    StatusQuery,
    /// The type `pr`, `smoke_command`, reviewers that can only read, `answer` in ends.
    ServingKinds,
    /// `leases` of `POST /assign`, `POST /lease/{id}`, `leases` of `GET /events`, `GET /wip/{id}`.
    Leases,
}

impl Feature {
    /// All of them, as this version's agent announces them.
    pub const ALL: [Self; 8] = [
        Self::IdempotentAssign,
        Self::Events,
        Self::Input,
        Self::Diff,
        Self::DeleteWorktree,
        Self::StatusQuery,
        Self::ServingKinds,
        Self::Leases,
    ];

    /// The name in `features`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdempotentAssign => "idempotent-assign",
            Self::Events => "events",
            Self::Input => "input",
            Self::Diff => "diff",
            Self::DeleteWorktree => "delete-worktree",
            Self::StatusQuery => "status-query",
            Self::ServingKinds => "serving-kinds",
            Self::Leases => "leases",
        }
    }
}
