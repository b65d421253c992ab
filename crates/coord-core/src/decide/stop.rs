//! Stopping an assignment, or putting a finished branch aside.

use super::draft::Draft;
use super::end::end_unreported;
use super::follow;
use crate::assignment::{Assignment, AssignmentState, Goal, WorkerResult};
use crate::command::{Refusal, Rule};
use crate::event::BoardEvent;
use crate::ids::AssignmentId;
use crate::key::EffectKind;
use crate::pipeline::{self, Busy, Next};

pub(super) fn stop(draft: &mut Draft<'_>, id: &AssignmentId) -> Result<(), Refusal> {
    let assignment = draft.assignment(id)?;
    match assignment.state {
        AssignmentState::Waiting => {
            let why = Some("withdrawn before it started".to_owned());
            end_unreported(draft, id, WorkerResult::Cancelled, why);
            Ok(())
        }
        // The agent may have a dispatch that nobody knows the outcome of yet, so that it is asked
        // in both cases, and asked again when the first time came to nothing.
        AssignmentState::Requested | AssignmentState::Running => {
            let asked_before = assignment.stop_requested;
            if !asked_before {
                draft.emit(BoardEvent::StopRequested { id: id.clone() });
            }
            if !draft.board().has_open(id, EffectKind::Cancel) {
                draft.cancel(id);
            }
            Ok(())
        }
        AssignmentState::Done if goes_on(draft, assignment) => {
            draft.emit(BoardEvent::StopRequested { id: id.clone() });
            Ok(())
        }
        AssignmentState::Done
        | AssignmentState::Failed
        | AssignmentState::Cancelled
        | AssignmentState::Lost => {
            let why = format!("assignment {id} is {}", assignment.state.as_str());
            let refusal = Refusal::new(Rule::State, why).of_assignment(id);
            Err(refusal.of_issue(&assignment.issue))
        }
    }
}

/// Whether the coordinator has something in mind with a finished branch that can still be stopped.
fn goes_on(draft: &Draft<'_>, it: &Assignment) -> bool {
    let (board, policy) = (draft.board(), draft.policy);
    let on_its_way = it.is_automated(Goal::Tested) || it.is_in_merge_queue();
    let is_looked_at = matches!(
        pipeline::next(board, policy, it, draft.now),
        Next::Busy(Busy::Serving(_))
    );
    it.is_finished_branch()
        && !it.stop_requested
        && !follow::is_merging(it)
        && (on_its_way || is_looked_at)
}
