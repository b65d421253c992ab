//! Putting an assignment in the place of an earlier one, whoever wants it.

use super::draft::Draft;
use super::promote;
use crate::assignment::{Assignment, AssignmentState, Cause, MergeState};
use crate::board::Board;
use crate::command::{Refusal, Rule, WhenBlocked};
use crate::event::BoardEvent;
use crate::ids::AssignmentId;
use crate::key::EffectKind;
use crate::obstacle::obstacle;

/// Has `new` go on with `old`: it starts, waits, or is refused.
pub(super) fn supersede(
    draft: &mut Draft<'_>,
    old: &AssignmentId,
    new: Assignment,
    cause: Cause,
    when_blocked: WhenBlocked,
) -> Result<(), Refusal> {
    draft.emit(BoardEvent::AssignmentSuperseded {
        id: old.clone(),
        by: new.id.clone(),
        cause,
    });
    end_of_old(draft, old);
    put_aside(draft, &new, cause);
    match obstacle(draft.board(), draft.policy, &new, draft.now) {
        None => promote::start(draft, new),
        Some(why) if when_blocked == WhenBlocked::Wait && why.rule.may_pass() => {
            draft.emit(BoardEvent::AssignmentWaits {
                assignment: Box::new(new),
                why,
            });
        }
        Some(refusal) => return Err(refusal),
    }
    Ok(())
}

/// The branches of earlier attempts are not merged any more once there is a new one, whatever a person
/// finds out about them.
pub(super) fn put_aside(draft: &mut Draft<'_>, new: &Assignment, cause: Cause) {
    let attempts = draft.board().of_issue(&new.issue);
    let earlier: Vec<AssignmentId> = attempts
        .filter(|it| it.kind.writes() && it.state == AssignmentState::Done)
        .filter(|it| it.superseded_by.is_none() && it.deliverable().is_some())
        .map(|it| it.id.clone())
        .collect();
    for id in earlier {
        let by = new.id.clone();
        draft.emit(BoardEvent::AssignmentSuperseded { id, by, cause });
    }
}

/// Nobody knows whether the worker of an old one that has not ended still runs: it is stopped as
/// soon as its agent answers, and what it has written is kept there.
fn end_of_old(draft: &mut Draft<'_>, id: &AssignmentId) {
    let Some(old) = draft.board().assignments.get(id) else {
        return;
    };
    if !old.state.is_active() {
        return;
    }
    if !old.stop_requested {
        draft.emit(BoardEvent::StopRequested { id: id.clone() });
    }
    if !draft.board().has_open(id, EffectKind::Cancel) {
        draft.cancel(id);
    }
}

/// Whether the work of an assignment may be in the base branch, or on its way there for good.
pub(super) fn is_merging(it: &Assignment) -> bool {
    match it.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Merging | MergeState::Merged { .. }) => true,
        Some(
            MergeState::Queued
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. },
        )
        | None => false,
    }
}

/// Whether nobody else has the issue by now: two branches for one issue would both be merged.
pub(super) fn unrivalled(board: &Board, it: &Assignment) -> Result<(), Refusal> {
    let Some(rival) = board.rival(it) else {
        return Ok(());
    };
    let why = format!("{} is claimed by assignment {} by now", it.issue, rival.id);
    Err(Refusal::new(Rule::Claimed, why)
        .of_issue(&it.issue)
        .of_assignment(&rival.id)
        .hint(format!("`coord stop {}` first", rival.id)))
}

/// Whether an agent may have it: handed over, or about to be.
pub(super) fn may_be_with_its_agent(draft: &Draft<'_>, it: &Assignment) -> bool {
    match it.state {
        AssignmentState::Running => true,
        AssignmentState::Requested => !draft.board().has_open(&it.id, EffectKind::Claim),
        AssignmentState::Waiting
        | AssignmentState::Done
        | AssignmentState::Failed
        | AssignmentState::Cancelled
        | AssignmentState::Lost => false,
    }
}
