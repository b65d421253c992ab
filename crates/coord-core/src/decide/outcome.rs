//! What came of effects. A key that is not open has been answered for: nothing happens then.

use super::draft::Draft;
use super::end::end_unreported;
use super::{advance, combine, merge, promote, reassign, report, serve, session, split, test};
use crate::assignment::{AssignmentState, WorkerResult};
use crate::effect::Outcome;
use crate::event::BoardEvent;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, EffectKey};
use crate::key::EffectKind;

pub(super) fn settle(draft: &mut Draft<'_>, key: &EffectKey, outcome: &Outcome) {
    let Some(id) = draft.board().open_effects.get(key).cloned() else {
        return match EffectKind::of(key) {
            Some(EffectKind::Split) => split::carried_out(draft, key, outcome),
            Some(_) | None => session::end_step(draft, key, outcome),
        };
    };
    draft.emit(BoardEvent::EffectSettled {
        key: key.clone(),
        outcome: outcome.clone(),
    });
    let kind = EffectKind::of(key);
    let outcome = &*outcome.answering(kind);
    match kind {
        Some(EffectKind::Claim) => claimed(draft, &id, outcome),
        Some(EffectKind::Dispatch) => dispatch(draft, &id, outcome),
        Some(EffectKind::Cancel) => cancel(draft, &id, outcome),
        Some(EffectKind::Guide) => guided(draft, &id, outcome),
        Some(EffectKind::Test) => test::tested(draft, &id, outcome),
        Some(EffectKind::Pull) => advance::pull_opened(draft, &id, outcome),
        Some(EffectKind::Judge) => serve::judged(draft, &id, outcome),
        Some(EffectKind::Checks) => advance::checks_read(draft, &id, outcome),
        Some(EffectKind::Combine) => combine::tested(draft, &id, outcome),
        Some(EffectKind::Merge) => merged(draft, &id, outcome),
        Some(EffectKind::Close) => closed(draft, &id, outcome),
        Some(
            EffectKind::Comment
            | EffectKind::Release
            | EffectKind::Tell
            | EffectKind::Split
            | EffectKind::Step,
        )
        | None => {}
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
    if let Outcome::Failed { class, error } = outcome {
        never_started(draft, id, *class, error);
    } else if let Outcome::ClaimLost { to } = outcome {
        let why = to.as_ref().map_or_else(
            || "another coordinator had claimed the issue".to_owned(),
            |claim| format!("claimed before by {claim}"),
        );
        draft.emit(BoardEvent::ClaimLost {
            id: id.clone(),
            to: to.clone(),
        });
        end_unreported(draft, id, WorkerResult::Cancelled, Some(why));
    } else if assignment.stop_requested {
        stopped(draft, id);
    } else {
        draft.emit(BoardEvent::ClaimWon { id: id.clone() });
        promote::dispatch(draft, id);
    }
}

fn dispatch(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    if let Outcome::Failed { class, error } = outcome {
        never_started(draft, id, *class, error);
    } else {
        report::accepted(draft, id);
    }
}

/// Whoever carries out a claim or a dispatch gives it up once a person has asked for the stop. What
/// an earlier try has posted is taken back with the end; where one did reach the agent, the effect
/// that stops the worker is on its way.
fn never_started(draft: &mut Draft<'_>, id: &AssignmentId, class: FailureClass, error: &str) {
    let it = draft.board().assignments.get(id);
    if it.is_some_and(|it| it.stop_requested) {
        stopped(draft, id);
    } else if it.is_some() {
        let failed = WorkerResult::Failed(class);
        end_unreported(draft, id, failed, Some(error.to_owned()));
    }
}

fn stopped(draft: &mut Draft<'_>, id: &AssignmentId) {
    let why = Some("stopped before it started".to_owned());
    end_unreported(draft, id, WorkerResult::Cancelled, why);
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
        stopped(draft, id);
    }
}

/// What a worker could not be told any more is for whoever goes on with its work.
fn guided(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let Outcome::Failed { error, .. } = outcome else {
        return;
    };
    draft.emit(BoardEvent::GuidanceUnheard {
        id: id.clone(),
        error: error.clone(),
    });
    let ended = draft.board().assignments.get(id);
    if ended.is_some_and(|it| !it.state.is_active()) {
        reassign::after_end(draft, id);
    }
}

fn merged(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    if let Outcome::Merged { commit, warning } = outcome {
        merge::landed(draft, id, commit, warning.as_deref());
    } else if let Outcome::MergeConflict { base, paths } = outcome {
        draft.emit(BoardEvent::MergeConflicted {
            id: id.clone(),
            base: base.clone(),
            paths: paths.clone(),
        });
    } else if let Outcome::BaseMoved { base } = outcome {
        let repo = draft.board().assignments.get(id).map(|it| &it.issue.repo);
        if let Some(repo) = repo.cloned() {
            let base = base.clone();
            draft.emit(BoardEvent::BaseMoved { repo, base });
        }
    } else if let Outcome::HeadMoved { head } = outcome {
        merge::elsewhere(draft, id, head);
    } else if let Outcome::MergeRefused { reason } | Outcome::Failed { error: reason, .. } = outcome
    {
        draft.emit(BoardEvent::MergeRefused {
            id: id.clone(),
            reason: reason.clone(),
        });
    }
}

fn closed(draft: &mut Draft<'_>, id: &AssignmentId, outcome: &Outcome) {
    let issue = draft.board().assignments.get(id).map(|it| it.issue.clone());
    if let (Outcome::IssueClosed, Some(issue)) = (outcome, issue) {
        draft.emit(BoardEvent::IssueClosed { issue });
    }
}
