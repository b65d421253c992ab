//! What agents say, and that they say nothing.
//!
//! Every word may come twice, late, or from an agent that has nothing to do with the assignment.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::draft::Draft;
use super::end::end;
use super::{reassign, spend};
use crate::assignment::{Assignment, AssignmentState, WorkerEnd, WorkerResult};
use crate::board::{Board, RESTORED, UNCHECKED, edit_seen};
use crate::command::AgentReport;
use crate::comment;
use crate::effect::Outcome;
use crate::event::BoardEvent;
use crate::failure::FailureClass;
use crate::ids::{AssignmentId, MachineName, Timestamp};
use crate::key::EffectKind;
use crate::lease::{self, Denial};
use crate::policy::MachinePolicy;

/// More than any worker can cost.
const MAX_COST_USD: f64 = 1e6;

pub(super) fn hear(
    draft: &mut Draft<'_>,
    machine: &MachineName,
    id: &AssignmentId,
    report: &AgentReport,
) {
    let board = draft.board();
    let Some(assignment) = board
        .assignments
        .get(id)
        .filter(|it| it.machine == *machine)
    else {
        return;
    };
    // While the issue is being claimed nobody has been asked to work on it.
    let at_work = assignment.state.takes_slot() && !board.has_open(id, EffectKind::Claim);
    match report {
        AgentReport::RateLimited { resets_at } => limited(draft, machine, *resets_at),
        AgentReport::Started { at, .. } if at_work => started(draft, id, *at),
        AgentReport::Started { at, .. } => started_after_all(draft, id, *at),
        AgentReport::Unknown if at_work => unknown(draft, id),
        AgentReport::Files { paths } if at_work => {
            accepted(draft, id);
            files(draft, id, paths);
        }
        AgentReport::LeaseAsked { path, .. } if at_work => {
            accepted(draft, id);
            lease_asked(draft, id, path);
        }
        // Also of a worker that ended while nobody listened.
        AgentReport::EditDenied { path, tool, why } => denied(draft, id, path, tool, why.clone()),
        AgentReport::EditUnchecked { path } => unchecked(draft, id, path),
        AgentReport::FilesRestored { paths } => restored(draft, id, paths),
        AgentReport::Stuck { question } if at_work => {
            accepted(draft, id);
            stuck(draft, id, question);
        }
        AgentReport::Finished { at, end: how } if at_work => {
            accepted(draft, id);
            files(draft, id, &how.files);
            let how = within_bounds(draft, id, cleaned(draft, id, how));
            if matches!(how.result, WorkerResult::Failed(_)) {
                spend::ended(draft, id, how.cost_usd);
            }
            end(draft, id, *at, how);
        }
        AgentReport::Spent { cost_usd } if at_work => {
            accepted(draft, id);
            let cost_usd = own_cost(draft, id, *cost_usd);
            spend::spent(draft, id, cost_usd);
        }
        AgentReport::Spent { .. }
        | AgentReport::LeaseAsked { .. }
        | AgentReport::Files { .. }
        | AgentReport::Stuck { .. }
        | AgentReport::Finished { .. }
        | AgentReport::Unknown => {}
    }
}

/// Records that an agent cannot be reached: once per silence, and of its work nothing.
pub(super) fn silent(draft: &mut Draft<'_>, machine: &MachineName, error: &str) {
    let known = draft.policy.machines.contains_key(machine);
    if known && silent_since(draft, machine).is_none() {
        draft.emit(BoardEvent::AgentSilent {
            machine: machine.clone(),
            error: error.to_owned(),
        });
    }
}

pub(super) fn back(draft: &mut Draft<'_>, machine: &MachineName) {
    if silent_since(draft, machine).is_some() {
        draft.emit(BoardEvent::AgentBack {
            machine: machine.clone(),
        });
    }
}

fn silent_since(draft: &Draft<'_>, machine: &MachineName) -> Option<Timestamp> {
    draft.board().machines.get(machine)?.silent_since
}

/// Whatever an agent says of an assignment proves that it has it.
pub(super) fn accepted(draft: &mut Draft<'_>, id: &AssignmentId) {
    let state = draft.board().assignments.get(id).map(|it| it.state);
    if state == Some(AssignmentState::Requested) {
        draft.settle_open(id, EffectKind::Dispatch, &Outcome::Dispatched);
        draft.emit(BoardEvent::AssignmentAccepted { id: id.clone() });
    }
}

fn started(draft: &mut Draft<'_>, id: &AssignmentId, at: Timestamp) {
    accepted(draft, id);
    let running = draft.board().assignments.get(id);
    if running.is_some_and(|it| it.started_at.is_none()) {
        draft.emit(BoardEvent::WorkerStarted { id: id.clone(), at });
    }
}

/// A dispatch that was still on its way when the board gave it up has reached its agent: the
/// worker is a fact, and is stopped before somebody else's meets it.
fn started_after_all(draft: &mut Draft<'_>, id: &AssignmentId, at: Timestamp) {
    let given_up = |it: &&Assignment| match it.state {
        AssignmentState::Failed | AssignmentState::Cancelled | AssignmentState::Lost => {
            it.started_at.is_none()
        }
        AssignmentState::Waiting
        | AssignmentState::Requested
        | AssignmentState::Running
        | AssignmentState::Done => false,
    };
    if draft.board().assignments.get(id).filter(given_up).is_some() {
        draft.emit(BoardEvent::WorkerStarted { id: id.clone(), at });
        draft.cancel(id);
    }
}

fn files(draft: &mut Draft<'_>, id: &AssignmentId, paths: &[String]) {
    let board = draft.board();
    let Some(assignment) = board.assignments.get(id) else {
        return;
    };
    let mut new: Vec<String> = paths
        .iter()
        .filter(|path| !assignment.observed.contains(*path))
        .cloned()
        .collect();
    new.sort();
    new.dedup();
    if new.is_empty() {
        return;
    }
    let overlaps = match assignment.superseded_by {
        // It is to stop as soon as it hears of it.
        Some(_) => Vec::new(),
        None => overlaps(draft, assignment, &new),
    };
    let is_held = |path: &str| lease::holders(board, assignment).any(|it| lease::covers(it, path));
    let is_foreign = |path: &&String| {
        assignment.superseded_by.is_some()
            || lease::forbidding(draft.policy, assignment, path).is_some()
            || is_held(path)
    };
    let foreign = new.iter().filter(is_foreign).cloned().collect();
    draft.emit(BoardEvent::FilesObserved {
        id: id.clone(),
        paths: new,
        foreign,
    });
    for overlap in overlaps {
        draft.emit(overlap);
    }
}

/// Grants a path that nobody else holds. That one was not granted its agent says itself.
fn lease_asked(draft: &mut Draft<'_>, id: &AssignmentId, path: &str) {
    let board = draft.board();
    let granted = lease::answer(board, draft.policy, id, path).is_ok();
    let it = board.assignments.get(id);
    if granted && it.is_some_and(|it| !it.leased.contains(path)) {
        draft.emit(BoardEvent::LeaseGranted {
            id: id.clone(),
            paths: vec![path.to_owned()],
        });
    }
}

fn denied(draft: &mut Draft<'_>, id: &AssignmentId, path: &str, tool: &str, why: Denial) {
    if is_known(draft, id, path, &why) {
        return;
    }
    draft.emit(BoardEvent::EditDenied {
        id: id.clone(),
        path: path.to_owned(),
        tool: tool.to_owned(),
        why,
    });
}

fn unchecked(draft: &mut Draft<'_>, id: &AssignmentId, path: &str) {
    if !is_known(draft, id, path, &UNCHECKED) {
        let (id, path) = (id.clone(), path.to_owned());
        draft.emit(BoardEvent::EditUnchecked { id, path });
    }
}

fn restored(draft: &mut Draft<'_>, id: &AssignmentId, paths: &[String]) {
    let is_news = |path: &&String| !is_known(draft, id, path, &RESTORED);
    let paths: Vec<String> = paths.iter().filter(is_news).cloned().collect();
    if !paths.is_empty() {
        let id = id.clone();
        draft.emit(BoardEvent::FilesRestored { id, paths });
    }
}

/// Whether it is recorded. An agent is heard by everybody who follows it, and by some of them twice;
/// a worker may try the same thing for an hour.
fn is_known(draft: &Draft<'_>, id: &AssignmentId, path: &str, what: &dyn Display) -> bool {
    let seen = &draft.board().edits_seen;
    seen.contains(&edit_seen(id, path, what))
}

/// The pairs that nobody has seen yet.
fn overlaps(draft: &Draft<'_>, it: &Assignment, paths: &[String]) -> Vec<BoardEvent> {
    let seen = &draft.board().overlaps_seen;
    let mut found = Vec::new();
    for other in lease::holders(draft.board(), it) {
        let (first, second) = ((&it.id).min(&other.id), (&it.id).max(&other.id));
        for path in paths {
            let pair = (first.clone(), second.clone(), path.clone());
            if lease::covers(other, path) && !seen.contains(&pair) {
                found.push(BoardEvent::OverlapObserved {
                    id: it.id.clone(),
                    other: other.id.clone(),
                    path: path.clone(),
                });
            }
        }
    }
    found
}

/// Records a question, and posts the first one: an issue gets one such comment per assignment.
fn stuck(draft: &mut Draft<'_>, id: &AssignmentId, question: &str) {
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    // The question of a superseded one is nobody's any more, an answered one is settled, and who
    // only looks at a branch is not told anything.
    let known = [&assignment.stuck, &assignment.answered];
    let is_known = known.iter().any(|it| it.as_deref() == Some(question));
    if is_known || assignment.superseded_by.is_some() || !assignment.kind.writes() {
        return;
    }
    let first = known
        .iter()
        .all(|it| it.is_none())
        .then(|| comment::stuck(assignment, question));
    draft.emit(BoardEvent::WorkerStuck {
        id: id.clone(),
        question: question.to_owned(),
    });
    if let Some(comment) = first {
        draft.post(comment);
    }
}

/// A limit of one machine is that of every machine of the same account.
fn limited(draft: &mut Draft<'_>, machine: &MachineName, resets_at: Timestamp) {
    let machines = &draft.policy.machines;
    let account = machines.get(machine).and_then(|it| it.account.as_ref());
    let shares = |it: &MachinePolicy| account.is_some() && it.account.as_ref() == account;
    let sharing = machines.iter().filter(|(_, it)| shares(it));
    let mut limited: BTreeSet<MachineName> = sharing.map(|(name, _)| name.clone()).collect();
    limited.insert(machine.clone());
    for machine in limited {
        let known = draft.board().machines.get(&machine);
        let until = known.and_then(|facts| facts.limited_until);
        if resets_at > draft.now && Some(resets_at) > until {
            draft.emit(BoardEvent::RateLimited { machine, resets_at });
        }
    }
}

/// The agent answered and does not know it. Before the dispatch is settled that means nothing.
fn unknown(draft: &mut Draft<'_>, id: &AssignmentId) {
    if draft.board().has_open(id, EffectKind::Dispatch) {
        return;
    }
    draft.emit(BoardEvent::AssignmentLost { id: id.clone() });
    let writer = draft
        .board()
        .assignments
        .get(id)
        .filter(|it| it.kind.writes());
    if let Some(comment) = writer.map(comment::lost) {
        draft.post(comment);
    }
    reassign::after_end(draft, id);
}

/// An end with a cost that can be added up and written down: agents are not trusted to send a
/// number, and JSON has none for infinity. A session that went on tells the cost of all of it,
/// of which the runs before have their part already.
fn cleaned(draft: &Draft<'_>, id: &AssignmentId, end: &WorkerEnd) -> WorkerEnd {
    WorkerEnd {
        cost_usd: own_cost(draft, id, end.cost_usd),
        ..end.clone()
    }
}

/// Commits that change what no worker may change are no success, however they came about.
fn within_bounds(draft: &Draft<'_>, id: &AssignmentId, end: WorkerEnd) -> WorkerEnd {
    let it = draft.board().assignments.get(id);
    let found = it
        .filter(|_| end.result == WorkerResult::Done)
        .and_then(|it| {
            let mut paths = end.files.iter();
            paths.find_map(|path| Some((path, lease::forbidding(draft.policy, it, path)?)))
        });
    let Some((path, glob)) = found else {
        return end;
    };
    let error = format!("its commits change {path}, which no worker may change (`{glob}`)");
    WorkerEnd {
        result: WorkerResult::Failed(FailureClass::Work),
        error: Some(error),
        ..end
    }
}

/// The part of `told` that no earlier run of the session has.
fn own_cost(draft: &Draft<'_>, id: &AssignmentId, told: f64) -> f64 {
    let told = match told.is_finite() {
        true => told.clamp(0.0, MAX_COST_USD),
        false => 0.0,
    };
    let board = draft.board();
    let before = |it| runs_before(board, it).map(|end| end.cost_usd).sum();
    let before: f64 = board.assignments.get(id).map_or(0.0, before);
    (told - before).max(0.0)
}

/// The ends of the earlier runs of the session that `it` goes on with.
fn runs_before<'b>(board: &'b Board, it: &'b Assignment) -> impl Iterator<Item = &'b WorkerEnd> {
    let resumed = |it: &&Assignment| it.start.session.is_some();
    let count = board.chain(it).take_while(resumed).count();
    let earlier = board.chain(it).skip(1).take(count);
    earlier.filter_map(|it| it.end.as_ref())
}
