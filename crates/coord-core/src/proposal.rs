//! What a planner proposes: assignments for free slots, and splits of issues that are too large.
//!
//! A planner is not trusted. [`Examiner`] holds every rule that a proposal has to follow; what has
//! not passed it never gets onto the board.

mod examine;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use examine::{Examined, Examiner, examine};

use crate::command::Refusal;
use crate::ids::{EffectKey, IssueRef, MachineName, ProposalId, SplitId, Timestamp};
use crate::issue::Issue;

/// How much work a planner sees in an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// A few lines in a file or two.
    Small,
    /// A feature or a fix with tests.
    Medium,
    /// Several parts of the repository, or something that has to be found out first.
    Large,
}

impl Size {
    /// The word in the configuration and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

/// An open issue that a planner may choose, by its repository and number.
pub type Candidates = BTreeMap<IssueRef, Candidate>;

/// An issue as a planner knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// As the forge had it when it was last looked at.
    pub issue: Issue,
    /// The open issues that have to be solved before it.
    pub blocked_by: Vec<IssueRef>,
}

/// An assignment as a planner proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalDraft {
    /// Where to run it.
    pub machine: MachineName,
    /// What to work on.
    pub issue: IssueRef,
    /// Why this one, and why there: a few sentences for people.
    pub rationale: String,
    /// What it is going to change: globs relative to the root of the repository; empty where
    /// nobody can say.
    #[serde(default)]
    pub files: Vec<String>,
    /// What the worker should know beyond the issue. It may repeat what a stranger wrote there.
    #[serde(default)]
    pub notes: Option<String>,
    /// The model; `None` as configured.
    #[serde(default)]
    pub model: Option<String>,
    /// How much work it is.
    #[serde(default)]
    pub size: Option<Size>,
}

/// A split as a planner proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitDraft {
    /// The issue that is too large.
    pub issue: IssueRef,
    /// Why: a few sentences for people.
    pub rationale: String,
    /// The parts, in the order in which they can be worked on.
    pub chunks: Vec<Chunk>,
}

/// A part of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// One line.
    pub title: String,
    /// What belongs to it: Markdown.
    pub scope: String,
    /// What it is going to change: globs.
    #[serde(default)]
    pub files: Vec<String>,
    /// The places of the earlier parts that have to be done first, from 0.
    #[serde(default)]
    pub after: Vec<usize>,
}

/// A proposal that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// The title of the issue when it was proposed.
    pub title: String,
    /// What is proposed.
    pub draft: ProposalDraft,
    /// When.
    pub proposed_at: Timestamp,
}

/// A proposed split that waits for a person, or is being carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Its id.
    pub id: SplitId,
    /// The title of the issue when it was proposed.
    pub title: String,
    /// What is proposed.
    pub draft: SplitDraft,
    /// When.
    pub proposed_at: Timestamp,
    /// The effect that creates its sub-issues, while it is open.
    pub under_way: Option<EffectKey>,
    /// Why they could not be created the last time.
    #[serde(default)]
    pub failed: Option<String>,
}

/// Who made a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "planner")]
pub enum Planner {
    /// Rules: no model was asked.
    Rules {
        /// Why not the model that was wanted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<String>,
    },
    /// A model.
    Brain {
        /// Its name, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
    },
}

impl fmt::Display for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules { .. } => f.write_str("rules"),
            Self::Brain { model: None } => f.write_str("brain"),
            Self::Brain { model: Some(model) } => write!(f, "brain ({model})"),
        }
    }
}

/// A plan as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Who made it.
    pub planner: Planner,
    /// US dollars that it has cost.
    pub cost_usd: f64,
    /// What passed, with ids.
    pub proposals: Vec<Proposal>,
    /// What passed, with ids.
    pub splits: Vec<Split>,
    /// What did not, in the last round.
    pub refused: Vec<Refusal>,
}
