//! Leases on files as they travel: how they are enforced, why an edit was denied, who may have a path.

use coord_core::ids::{AssignmentId, CommitId};
use coord_core::lease::{self, Denial};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How leases on files are enforced at a worker's tool calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseMode {
    /// Nothing outside of `files_allowed`, and nothing that nobody could be asked about.
    Strict,
    /// Beyond `files_allowed` where that is free; where nobody can be asked, it is told afterwards.
    Warn,
    /// Nothing is checked.
    Off,
}

impl From<lease::LeaseMode> for LeaseMode {
    fn from(mode: lease::LeaseMode) -> Self {
        match mode {
            lease::LeaseMode::Strict => Self::Strict,
            lease::LeaseMode::Warn => Self::Warn,
            lease::LeaseMode::Off => Self::Off,
        }
    }
}

/// Why a worker was kept from changing a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "denial", rename_all = "snake_case")]
pub enum LeaseDenial {
    /// Another assignment holds it.
    Leased {
        /// Which one.
        #[schema(value_type = String)]
        by: AssignmentId,
    },
    /// No worker may change it.
    Forbidden {
        /// The glob that covers it.
        glob: String,
    },
    /// It is outside of `files_allowed`, or of the worktree.
    Outside,
    /// Nobody could be asked.
    Unreachable,
    /// The assignment is over, or was taken over by another one.
    Over,
    /// What a newer agent knows.
    #[serde(other)]
    Unknown,
}

impl LeaseDenial {
    /// For the board; `None` for what only a newer agent knows.
    pub(crate) fn known(&self) -> Option<Denial> {
        Some(match self {
            Self::Leased { by } => Denial::Leased { by: by.clone() },
            Self::Forbidden { glob } => Denial::Forbidden { glob: glob.clone() },
            Self::Outside => Denial::Outside,
            Self::Unreachable => Denial::Unreachable,
            Self::Over => Denial::Over,
            Self::Unknown => return None,
        })
    }
}

impl From<Denial> for LeaseDenial {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Leased { by } => Self::Leased { by },
            Denial::Forbidden { glob } => Self::Forbidden { glob },
            Denial::Outside => Self::Outside,
            Denial::Unreachable => Self::Unreachable,
            Denial::Over => Self::Over,
        }
    }
}

/// The body of `POST /lease/{id}`: the answer to a `lease_asked` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseAnswer {
    /// The number of the question.
    pub ask: u64,
    /// Whether the worker may change the path; it is then its own until it ends.
    pub granted: bool,
    /// What the worker is told beside that it may not; trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who holds the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<LeaseHolder>,
    /// Why not, where nobody holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<LeaseDenial>,
}

/// Who holds a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseHolder {
    /// The assignment.
    #[schema(value_type = String)]
    pub assignment: AssignmentId,
    /// Its issue, e.g. `shop#12`.
    pub issue: String,
    /// The title of that; untrusted text.
    pub title: String,
    /// Where its worker runs.
    pub machine: String,
}

/// The answer of `POST /lease/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseTaken {
    /// Whether somebody still waited for it.
    pub taken: bool,
}

/// The answer of `GET /wip/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WipAnswer {
    /// Nothing has changed since the commit that was named.
    Same,
    /// A git bundle with what the receiver does not have of `commit`; untrusted bytes.
    Bundle {
        /// What the worker's files are saved as.
        commit: CommitId,
        /// Empty where the receiver has all of it.
        bytes: bytes::Bytes,
    },
}
