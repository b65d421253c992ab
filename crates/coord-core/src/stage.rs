//! How far an issue has come: derived from its assignments, never stored.

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, AssignmentState, Goal, MergeState};
use crate::board::Board;
use crate::gates;
use crate::ids::IssueRef;
use crate::policy::{Gate, Policy};

/// How far an issue has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nobody works on it, or whoever did left nothing to go on with.
    New,
    /// An assignment claims it and has no worker yet.
    Claimed,
    /// A worker runs.
    Working,
    /// Its branch has no good test verdict yet.
    Testing,
    /// Its branch waits for a review.
    Reviewing,
    /// Its branch is on the way into the base branch.
    Merging,
    /// Its work is in the base branch.
    Merged,
}

impl Stage {
    /// The word for it in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Claimed => "claimed",
            Self::Working => "working",
            Self::Testing => "testing",
            Self::Reviewing => "reviewing",
            Self::Merging => "merging",
            Self::Merged => "merged",
        }
    }
}

/// The stage of an issue as far as the board goes: what has left the board is in the history.
#[must_use]
pub fn stage(board: &Board, policy: &Policy, issue: &IssueRef) -> Stage {
    board
        .leading(issue)
        .map_or(Stage::New, |it| stage_of(board, policy, it))
}

/// The stage that one assignment has brought its issue to.
#[must_use]
pub fn stage_of(board: &Board, policy: &Policy, assignment: &Assignment) -> Stage {
    match assignment.state {
        AssignmentState::Waiting | AssignmentState::Requested => Stage::Claimed,
        AssignmentState::Running => Stage::Working,
        AssignmentState::Done if assignment.deliverable().is_some() => {
            after_work(board, policy, assignment)
        }
        AssignmentState::Done
        | AssignmentState::Failed
        | AssignmentState::Cancelled
        | AssignmentState::Lost => Stage::New,
    }
}

fn after_work(board: &Board, policy: &Policy, assignment: &Assignment) -> Stage {
    match assignment.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Merged { .. }) => Stage::Merged,
        Some(
            MergeState::Merging
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. },
        ) => Stage::Merging,
        Some(MergeState::Queued) | None => before_merge(board, policy, assignment),
    }
}

fn before_merge(board: &Board, policy: &Policy, assignment: &Assignment) -> Stage {
    let tested = assignment
        .verdict_for_head()
        .is_some_and(|verdict| verdict.result.is_good());
    let closed = |gate| {
        gates::gates(board, policy, assignment)
            .iter()
            .any(|status| status.gate == gate && !status.holds)
    };
    if closed(Gate::Test) || (!tested && assignment.is_automated(Goal::Tested)) {
        Stage::Testing
    } else if closed(Gate::Review) {
        Stage::Reviewing
    } else {
        Stage::Merging
    }
}
