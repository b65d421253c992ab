//! What happens by itself after every command: finished issues leave the board, finished branches
//! go on, the merge whose turn it is starts, and so does every assignment that nothing stands in the
//! way of any more.
//!
//! Doing it twice is the same as once: nothing that it does makes room for something else.

use std::collections::BTreeSet;

use super::draft::Draft;
use super::{advance, combine, fix, merge, serve};
use crate::assignment::{Assignment, AssignmentKind, AssignmentState, FileScope};
use crate::board::Board;
use crate::comment;
use crate::effect::{DispatchSpec, Effect};
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, IssueRef, MachineName};
use crate::key;
use crate::lease;
use crate::obstacle::obstacle;
use crate::placement::{self, Job};
use crate::queue;

pub(super) fn promote(draft: &mut Draft<'_>) {
    archive_solved(draft);
    archive_left_over(draft);
    advance::advance(draft);
    serve::stop_pointless(draft);
    advance::forget_checks(draft);
    while let Some(next) = queue::next(draft.board(), draft.policy).map(|it| it.id.clone()) {
        merge::start(draft, &next);
    }
    combine::start(draft);
    start_waiting(draft);
}

/// Takes every assignment of a solved issue off the board, the failed attempts too, once nothing
/// is left to be done for any of them.
fn archive_solved(draft: &mut Draft<'_>) {
    let merged = draft.board().assignments.values();
    let solved: BTreeSet<IssueRef> = merged
        .filter(|it| it.merged_as().is_some())
        .map(|it| it.issue.clone())
        .collect();
    for issue in solved {
        let board = draft.board();
        let over: Vec<AssignmentId> = board
            .of_issue(&issue)
            .filter(|it| !it.state.is_active() && !it.is_in_merge_queue())
            .map(|it| it.id.clone())
            .collect();
        if over
            .iter()
            .all(|id| board.open_effects_of(id).next().is_none())
        {
            for id in over {
                draft.emit(BoardEvent::AssignmentArchived { id });
            }
        }
    }
}

/// Takes what ends after the issue was solved by those who went on with it off the board.
fn archive_left_over(draft: &mut Draft<'_>) {
    let left_over = |board: &Board| {
        let gone = |id: &AssignmentId| !board.assignments.contains_key(id);
        let found = board.assignments.values().find(|it| {
            let about = it.about.as_ref().map(|about| &about.id);
            it.superseded_by.as_ref().or(about).is_some_and(gone)
                && !it.state.is_active()
                && board.open_effects_of(&it.id).next().is_none()
        });
        found.map(|it| it.id.clone())
    };
    while let Some(id) = left_over(draft.board()) {
        draft.emit(BoardEvent::AssignmentArchived { id });
    }
}

fn start_waiting(draft: &mut Draft<'_>) {
    let assignments = draft.board().assignments.values();
    let mut waiting: Vec<Assignment> = assignments
        .filter(|it| it.state == AssignmentState::Waiting)
        .cloned()
        .collect();
    waiting.sort_by(|one, other| (one.requested_at, &one.id).cmp(&(other.requested_at, &other.id)));
    for mut assignment in waiting {
        let board = draft.board();
        if !assignment.pinned
            && let Some(best) = machine(draft, &assignment)
        {
            assignment.machine = best;
        }
        if obstacle(board, draft.policy, &assignment, draft.now).is_none() {
            start(draft, assignment);
        }
    }
}

/// The best machine; for what goes on with an earlier attempt another one than that had, unless it
/// puts right what that has made.
fn machine(draft: &Draft<'_>, it: &Assignment) -> Option<MachineName> {
    if let Some(about) = &it.about {
        let subject = draft.board().assignments.get(&about.id)?;
        return serve::machine(draft, subject, it.kind);
    }
    let (board, policy, now) = (draft.board(), draft.policy, draft.now);
    let before = it.follows.as_ref().and_then(|id| board.assignments.get(id));
    let job = Job::of(it);
    let best = match before {
        Some(before) if it.kind != AssignmentKind::Continue => return fix::machine(draft, before),
        Some(before) => placement::next_machine(board, policy, &job, &before.machine, now),
        None => placement::best_machine(board, policy, &job, now),
    };
    best.cloned()
}

/// Claims slot and files for an assignment and has it dispatched; where others work too, once the
/// claim on the forge stands.
pub(super) fn start(draft: &mut Draft<'_>, assignment: Assignment) {
    if !assignment.kind.writes() {
        let spec = dispatch_spec(draft, &assignment);
        draft.emit(BoardEvent::AssignmentRequested {
            assignment: Box::new(assignment),
        });
        return enqueue_dispatch(draft, spec);
    }
    let briefing = comment::briefing(&assignment);
    let (id, above) = (assignment.id.clone(), assignment.claims_above);
    let shared = draft.is_shared(&assignment.issue.repo);
    let ready = (!shared).then(|| dispatch_spec(draft, &assignment));
    draft.emit(BoardEvent::AssignmentRequested {
        assignment: Box::new(assignment),
    });
    match ready {
        Some(spec) => {
            enqueue_dispatch(draft, spec);
            draft.post(briefing);
        }
        None => {
            let comment = briefing;
            draft.enqueue(key::claim(&id), &id, Effect::Claim { comment, above });
        }
    }
}

/// Has an assignment dispatched whose claim stands.
pub(super) fn dispatch(draft: &mut Draft<'_>, id: &AssignmentId) {
    if let Some(it) = draft.board().assignments.get(id) {
        let spec = dispatch_spec(draft, it);
        enqueue_dispatch(draft, spec);
    }
}

fn enqueue_dispatch(draft: &mut Draft<'_>, spec: DispatchSpec) {
    let not_before = placement::not_before(draft.board(), draft.policy, &spec.machine, draft.now);
    let id = spec.id.clone();
    let effect = Effect::Dispatch(Box::new(spec));
    draft.enqueue_for(key::dispatch(&id), &id, effect, not_before);
}

fn dispatch_spec(draft: &Draft<'_>, it: &Assignment) -> DispatchSpec {
    let policy = draft.policy;
    let mut scope: FileScope = it.scope.clone();
    for glob in &policy.coordinator_only_files {
        if !scope.forbidden.contains(glob) {
            scope.forbidden.push(glob.clone());
        }
    }
    let left = |limit: f64| (limit - draft.board().spent_on(&it.issue)).max(0.0);
    let left_today = |limit: f64| (limit - draft.board().spent_on_day(draft.now)).max(0.0);
    let limits = [
        policy.budgets.assignment_usd,
        policy.budgets.issue_usd.map(left),
        policy.budgets.day_usd.map(left_today),
    ];
    DispatchSpec {
        id: it.id.clone(),
        kind: it.kind,
        serving: serve::spec(draft, it),
        machine: it.machine.clone(),
        issue: it.issue.clone(),
        title: it.title.clone(),
        briefing: it.briefing.clone(),
        issue_body: it.issue_body.clone(),
        scope,
        leases: policy.leases,
        leased: it.leased.clone(),
        do_not_touch: lease::do_not_touch(draft.board(), it),
        branch: it.branch.clone(),
        start: it.start.clone(),
        model: it.model.clone(),
        max_budget_usd: limits.into_iter().flatten().reduce(f64::min),
        freshness: it.freshness,
    }
}
