//! Where an assignment stands, in one line.

use coord_core::assignment::{Assignment, AssignmentState, MergeState, WorkerResult};
use coord_core::verdict::TestResult;

use super::{delivery, ended, verdict};
use crate::printer::{BAD, FAINT, GOOD, STRONG, WARN, paint, plain};

/// Where an assignment stands, in one line.
pub(crate) fn standing(assignment: &Assignment) -> String {
    let own = own_standing(assignment);
    let taken_over = assignment.superseded_by.as_ref();
    let taken_over = taken_over.map(|by| format!("taken over by {by}"));
    let parts = taken_over.into_iter().chain([own]);
    parts
        .chain(delivery::facts(assignment))
        .collect::<Vec<_>>()
        .join("; ")
}

fn own_standing(assignment: &Assignment) -> String {
    if let Some(entry) = &assignment.merge {
        return match &entry.state {
            MergeState::Queued => "queued for merging".to_owned(),
            MergeState::Merging => "merging".to_owned(),
            MergeState::Merged { commit } => {
                format!("{} as {}", paint(GOOD, "merged"), commit.short())
            }
            MergeState::Conflict { paths, .. } => {
                format!(
                    "{} in {}",
                    paint(BAD, "conflicts"),
                    plain(&paths.join(", "))
                )
            }
            MergeState::Red {
                base, with, note, ..
            } => delivery::red(base, with.as_ref(), note),
            MergeState::Refused { reason } => {
                format!("{}: {}", paint(BAD, "not merged"), plain(reason))
            }
        };
    }
    let tests = assignment.verdict_for_head();
    match (tests, &assignment.end) {
        (Some(result), _) if result.result == TestResult::Failed => verdict(result),
        (_, Some(end)) => match &end.stuck {
            Some(question) => {
                let asks = paint(WARN, "it asks");
                format!("{}; {asks}: {}", ended(end), plain(question))
            }
            None if !assignment.kind.writes() && end.result == WorkerResult::Done => {
                paint(GOOD, "done")
            }
            None => ended(end),
        },
        (_, None) => assignment.state.as_str().to_owned(),
    }
}

/// The state in its colour.
pub(crate) fn state(assignment: &Assignment) -> String {
    let style = match assignment.state {
        AssignmentState::Waiting | AssignmentState::Requested => FAINT,
        AssignmentState::Running => STRONG,
        AssignmentState::Done => GOOD,
        AssignmentState::Failed | AssignmentState::Lost => BAD,
        AssignmentState::Cancelled => WARN,
    };
    paint(style, assignment.state.as_str())
}
