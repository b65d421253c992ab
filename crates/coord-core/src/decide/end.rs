//! The end of an assignment, and what follows from it.

use super::draft::Draft;
use super::{reassign, serve, spend};
use crate::assignment::{AssignmentState, WorkerEnd, WorkerResult};
use crate::comment;
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, Timestamp};

/// Ends an active assignment, tells the issue, and goes on with another attempt where that is due.
pub(super) fn end(draft: &mut Draft<'_>, id: &AssignmentId, at: Timestamp, end: WorkerEnd) {
    let end = Box::new(end);
    draft.emit(BoardEvent::AssignmentEnded {
        id: id.clone(),
        at,
        end: end.clone(),
    });
    // What it has cost in the end may be what uses a budget up.
    spend::stop_over_budget(draft);
    let it = draft.board().assignments.get(id);
    if it.is_some_and(|it| !it.kind.writes()) {
        return serve::ended(draft, id, &end);
    }
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    let comment = assignment
        .end
        .as_ref()
        .and_then(|end| comment::end(assignment, end));
    let taken_back = assignment.state == AssignmentState::Cancelled;
    if let Some(comment) = comment {
        draft.post(comment);
    }
    if taken_back {
        draft.release_claim(id);
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
