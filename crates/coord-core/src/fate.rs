//! What became of the work of an ended assignment, and so of the money that it cost.

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, AssignmentKind, AssignmentState};

/// What became of the work of an ended assignment. Only `under_way` may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is in the base branch.
    Merged,
    /// The worker ended well; its commits are not merged yet.
    UnderWay,
    /// The worker ended well, and nothing came of it: it committed nothing, or its issue was solved
    /// by another assignment.
    Unused,
    /// The worker ended well, and a later assignment goes on with its work.
    Continued,
    /// It has judged, described or tried out the work of another one.
    Served,
    /// The worker failed, or could not be started.
    Failed,
    /// It was stopped.
    Cancelled,
    /// Its agent no longer knows it.
    Lost,
}

impl Fate {
    /// What became of `assignment`, which is on the board; `None` while it is active.
    #[must_use]
    pub fn of(assignment: &Assignment) -> Option<Self> {
        let unmerged = match assignment.state {
            AssignmentState::Waiting | AssignmentState::Requested | AssignmentState::Running => {
                return None;
            }
            AssignmentState::Done => match assignment.kind {
                AssignmentKind::Work
                | AssignmentKind::Continue
                | AssignmentKind::Fix
                | AssignmentKind::Rebase => of_commits(assignment),
                AssignmentKind::Pr | AssignmentKind::Review | AssignmentKind::Smoke => {
                    match assignment.answer_refused {
                        Some(_) => Self::Failed,
                        None => Self::Served,
                    }
                }
            },
            AssignmentState::Failed => Self::Failed,
            AssignmentState::Cancelled => Self::Cancelled,
            AssignmentState::Lost => Self::Lost,
        };
        // A person may have what a failed worker left merged all the same.
        let merged = assignment.merged_as().is_some();
        Some(if merged { Self::Merged } else { unmerged })
    }

    /// What it comes to when the assignment leaves the board.
    #[must_use]
    pub const fn archived(self) -> Self {
        match self {
            Self::UnderWay => Self::Unused,
            Self::Merged
            | Self::Unused
            | Self::Continued
            | Self::Served
            | Self::Failed
            | Self::Cancelled
            | Self::Lost => self,
        }
    }

    /// The word for it in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::UnderWay => "under_way",
            Self::Unused => "unused",
            Self::Continued => "continued",
            Self::Served => "served",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// What became of work that is done in commits, before these are merged.
fn of_commits(assignment: &Assignment) -> Fate {
    if assignment.superseded_by.is_some() {
        Fate::Continued
    } else if assignment.deliverable().is_some() {
        Fate::UnderWay
    } else {
        Fate::Unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_that_are_stored() {
        let fates = [
            Fate::Merged,
            Fate::UnderWay,
            Fate::Unused,
            Fate::Continued,
            Fate::Served,
            Fate::Failed,
            Fate::Cancelled,
            Fate::Lost,
        ];
        for fate in fates {
            assert_eq!(serde_json::json!(fate), fate.as_str());
        }
        for kind in AssignmentKind::ALL {
            assert_eq!(serde_json::json!(kind), kind.as_str());
        }
    }
}
