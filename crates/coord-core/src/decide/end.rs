//! The end of an assignment, and what follows by itself.

use super::draft::Draft;
use super::{reassign, test};
use crate::assignment::{AssignmentState, Goal, WorkerEnd, WorkerResult};
use crate::comment;
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, Timestamp};

/// Ends an active assignment, tells the issue, and goes on with its test where that is its goal,
/// or with another attempt.
pub(super) fn end(draft: &mut Draft<'_>, id: &AssignmentId, at: Timestamp, end: WorkerEnd) {
    draft.emit(BoardEvent::AssignmentEnded {
        id: id.clone(),
        at,
        end: Box::new(end),
    });
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    let comment = assignment
        .end
        .as_ref()
        .and_then(|end| comment::end(assignment, end));
    let goes_on = assignment.is_automated(Goal::Tested);
    let taken_back = assignment.state == AssignmentState::Cancelled;
    if let Some(comment) = comment {
        draft.post(comment);
    }
    if taken_back {
        draft.release_claim(id);
    }
    if goes_on {
        test::start(draft, id);
    }
    reassign::after_end(draft, id);
}

/// Ends an assignment whose agent will not report an end.
pub(super) fn end_unreported(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    result: WorkerResult,
    error: Option<String>,
) {
    let at = draft.now;
    end(draft, id, at, WorkerEnd::unreported(result, error));
}
