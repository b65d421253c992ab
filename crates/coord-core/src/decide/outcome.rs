//! What came of effects. A key that is not open has been answered for: nothing happens then.

use super::draft::Draft;
use super::end::end_unreported;
use super::{merge, promote, reassign, report, session, test};
use crate::assignment::{Assignment, AssignmentState, WorkerResult};
use crate::effect::Outcome;
use crate::event::BoardEvent;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, EffectKey};
use crate::key::EffectKind;

pub(super) fn settle(draft: &mut Draft<'_>, key: &EffectKey, outcome: &Outcome) {
    let Some(id) = draft.board().open_effects.get(key).cloned() else {
        return session::end_step(draft, key, outcome);
    };
    draft.emit(BoardEvent::EffectSettled {
        key: key.clone(),
        outcome: outcome.clone(),
    });
    match EffectKind::of(key) {
        Some(EffectKind::Claim) => claimed(draft, &id, outcome),
        Some(EffectKind::Dispatch) => dispatch(draft, &id, outcome),
        Some(EffectKind::Cancel) => cancel(draft, &id, outcome),
        Some(EffectKind::Guide) => guided(draft, &id, outcome),
        Some(EffectKind::Test) => tested(draft, &id, outcome),
        Some(EffectKind::Merge) => merged(draft, &id, outcome),
        Some(EffectKind::Close) => closed(draft, &id, outcome),
        Some(EffectKind::Comment | EffectKind::Release | EffectKind::Step) | None => {}
    }
}

/// An assignment that ended while its claim was on the way has taken it back already, or does now.
fn claimed(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    if assignment.state != AssignmentState::Requested {
        if *outcome == Outcome::Claimed {
            draft.release_claim(id);
        }
        return;
    }
    match outcome {
        // Whoever carries out a claim gives it up once a person has asked for the stop. What an
        // earlier try has posted is taken back with the end.
        Outcome::Claimed | Outcome::Failed { .. } if assignment.stop_requested => {
            let why = Some("stopped before it started".to_owned());
            end_unreported(draft, id, WorkerResult::Cancelled, why);
        }
        Outcome::Claimed => {
            draft.emit(BoardEvent::ClaimWon { id: id.clone() });
            promote::dispatch(draft, id);
        }
        Outcome::ClaimLost { to } => {
            let why = to.as_ref().map_or_else(
                || "another coordinator had claimed the issue".to_owned(),
                |claim| format!("claimed before by {claim}"),
            );
            draft.emit(BoardEvent::ClaimLost {
                id: id.clone(),
                to: to.clone(),
            });
            end_unreported(draft, id, WorkerResult::Cancelled, Some(why));
        }
        Outcome::Failed { class, error } => {
            let failed = WorkerResult::Failed(*class);
            end_unreported(draft, id, failed, Some(error.clone()));
        }
        Outcome::Dispatched
        | Outcome::ClaimReleased
        | Outcome::CancelDelivered
        | Outcome::Guided
        | Outcome::CommentPosted
        | Outcome::Tested { .. }
        | Outcome::Merged { .. }
        | Outcome::MergeConflict { .. }
        | Outcome::MergeRefused { .. }
        | Outcome::IssueClosed
        | Outcome::StepEnded { .. } => {
            let failed = WorkerResult::Failed(FailureClass::Configuration);
            end_unreported(draft, id, failed, Some(mismatch(outcome)));
        }
    }
}

fn dispatch(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    match outcome {
        Outcome::Dispatched => report::accepted(draft, id),
        // Whoever carries out a dispatch gives it up once a person has asked for the stop. Where
        // an earlier try did reach the agent, the effect that stops the worker is on its way.
        Outcome::Failed { .. } if assignment.stop_requested => {
            let why = Some("stopped before it started".to_owned());
            end_unreported(draft, id, WorkerResult::Cancelled, why);
        }
        Outcome::Failed { class, error } => {
            let failed = WorkerResult::Failed(*class);
            end_unreported(draft, id, failed, Some(error.clone()));
        }
        Outcome::Claimed
        | Outcome::ClaimLost { .. }
        | Outcome::ClaimReleased
        | Outcome::CancelDelivered
        | Outcome::Guided
        | Outcome::CommentPosted
        | Outcome::Tested { .. }
        | Outcome::Merged { .. }
        | Outcome::MergeConflict { .. }
        | Outcome::MergeRefused { .. }
        | Outcome::IssueClosed
        | Outcome::StepEnded { .. } => {
            let failed = WorkerResult::Failed(FailureClass::Configuration);
            end_unreported(draft, id, failed, Some(mismatch(outcome)));
        }
    }
}

/// The agent of a worker that runs reports its end itself; nobody reports what never began.
fn cancel(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let state = draft.board().assignments.get(id).map(|it| it.state);
    // A claim on its way to the forge ends it with its own outcome, which may have to be undone.
    if draft.board().has_open(id, EffectKind::Claim) {
        return;
    }
    if *outcome == Outcome::CancelDelivered && state == Some(AssignmentState::Requested) {
        draft.settle_open(id, EffectKind::Dispatch, outcome);
        let why = Some("stopped before it started".to_owned());
        end_unreported(draft, id, WorkerResult::Cancelled, why);
    }
}

/// What a worker could not be told any more is for whoever goes on with its work.
fn guided(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let error = match outcome {
        Outcome::Guided => return,
        Outcome::Failed { error, .. } => error.clone(),
        Outcome::Dispatched
        | Outcome::Claimed
        | Outcome::ClaimLost { .. }
        | Outcome::ClaimReleased
        | Outcome::CancelDelivered
        | Outcome::CommentPosted
        | Outcome::Tested { .. }
        | Outcome::Merged { .. }
        | Outcome::MergeConflict { .. }
        | Outcome::MergeRefused { .. }
        | Outcome::IssueClosed
        | Outcome::StepEnded { .. } => mismatch(outcome),
    };
    draft.emit(BoardEvent::GuidanceUnheard {
        id: id.clone(),
        error,
    });
    let ended = draft.board().assignments.get(id);
    if ended.is_some_and(|it| !it.state.is_active()) {
        reassign::after_end(draft, id);
    }
}

fn tested(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let work = draft
        .board()
        .assignments
        .get(id)
        .and_then(Assignment::deliverable);
    // The head of an ended assignment never changes, so that this is the one that was tested.
    if let (Outcome::Tested { result, note }, Some(work)) = (outcome, work) {
        let head = work.head.clone();
        test::record(draft, id, head, *result, note);
    }
}

fn merged(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let id = id.clone();
    match outcome {
        Outcome::Merged { commit } => merge::landed(draft, &id, commit),
        Outcome::MergeConflict { base, paths } => {
            let (base, paths) = (base.clone(), paths.clone());
            draft.emit(BoardEvent::MergeConflicted { id, base, paths });
        }
        Outcome::MergeRefused { reason } | Outcome::Failed { error: reason, .. } => {
            let reason = reason.clone();
            draft.emit(BoardEvent::MergeRefused { id, reason });
        }
        Outcome::Dispatched
        | Outcome::Claimed
        | Outcome::ClaimLost { .. }
        | Outcome::ClaimReleased
        | Outcome::CancelDelivered
        | Outcome::Guided
        | Outcome::CommentPosted
        | Outcome::Tested { .. }
        | Outcome::IssueClosed
        | Outcome::StepEnded { .. } => {
            let reason = mismatch(outcome);
            draft.emit(BoardEvent::MergeRefused { id, reason });
        }
    }
}

fn closed(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let issue = draft.board().assignments.get(id).map(|it| it.issue.clone());
    if let (Outcome::IssueClosed, Some(issue)) = (outcome, issue) {
        draft.emit(BoardEvent::IssueClosed { issue });
    }
}

/// An answer to another question is a defect of whoever gave it; nothing may hang on it for ever.
pub(super) fn mismatch(outcome: &Outcome) -> String {
    format!("the answer was of another kind: {outcome:?}")
}
