//! Going on without a person: with work that failed, was lost or interrupted, and with what a
//! silent agent has. A person's guidance that no worker heard is gone on with in any case.

use super::draft::Draft;
use super::{follow, retry, serve};
use crate::assignment::{Assignment, AssignmentState, Cause, WorkerResult};
use crate::command::WhenBlocked;
use crate::continuation::{self, Plan};
use crate::failure::{FailureClass, INTERRUPTIONS, wait_after};
use crate::ids::{AssignmentId, MachineName, Timestamp};
use crate::ladder;
use crate::obstacle::obstacle;
use crate::placement::{self, Job};

/// What follows from the end of an assignment by itself.
pub(super) fn after_end(draft: &mut Draft<'_>, id: &AssignmentId) {
    let Some(it) = draft.board().assignments.get(id) else {
        return;
    };
    let writes = it.kind.writes();
    if !writes || it.stop_requested || it.superseded_by.is_some() || follow::is_merging(it) {
        return;
    }
    // What comes of guidance may come late: somebody may have assigned the issue again.
    let attempts = draft.board().of_issue(&it.issue);
    let taken = attempts
        .filter(|other| other.id != *id)
        .any(Assignment::claims_issue);
    if taken {
        return;
    }
    if let Some(cause) = cause(draft, it) {
        let old = it.clone();
        go_on(draft, &old, cause);
    }
}

/// Moves the work of an agent that has been silent for too long to other machines, as far as it
/// could start there now. Unknown is not dead: what is left waits for its agent.
pub(super) fn stale(draft: &mut Draft<'_>, machine: &MachineName) {
    if !draft.policy.concurrency.auto_reassign || !retry::is_stale(draft, machine) {
        return;
    }
    serve::stale(draft, machine);
    let assignments = draft.board().assignments.values();
    let silent: Vec<Assignment> = assignments
        .filter(|it| it.machine == *machine && it.is_at_work() && !it.stop_requested)
        .filter(|it| it.kind.writes() && follow::may_be_with_its_agent(draft, it))
        .filter(|it| has_retries(draft, it))
        .cloned()
        .collect();
    for old in silent {
        go_on(draft, &old, Cause::Silence);
    }
}

/// Why the assignment, which has ended, is gone on with; `None` where that is for a person to say.
fn cause(draft: &Draft<'_>, it: &Assignment) -> Option<Cause> {
    let by_itself = draft.policy.concurrency.auto_reassign;
    if it.state == AssignmentState::Lost {
        return (by_itself && has_retries(draft, it)).then_some(Cause::Lost);
    }
    let unheard = it.unheard.then_some(Cause::Guidance);
    match it.end.as_ref()?.result {
        WorkerResult::Cancelled => None,
        WorkerResult::Done => unheard,
        WorkerResult::Failed(FailureClass::Configuration) => {
            let session = it.start.session.as_ref().map(|_| Cause::Session);
            session.or(unheard)
        }
        WorkerResult::Failed(FailureClass::Work) => {
            let again = by_itself && has_retries(draft, it);
            unheard.or(again.then_some(Cause::Work))
        }
        // A usage limit moves nothing: the session goes on where it was.
        WorkerResult::Failed(FailureClass::Environmental { retry_at }) => {
            let waits = by_itself || retry_at.is_some();
            let again = waits && interruptions(draft, it) <= INTERRUPTIONS;
            unheard.or(again.then_some(Cause::Environment))
        }
    }
}

fn has_retries(draft: &Draft<'_>, it: &Assignment) -> bool {
    it.retries < draft.policy.concurrency.max_retries
}

/// How often in a row it was interrupted, this time included.
fn interruptions(draft: &Draft<'_>, it: &Assignment) -> usize {
    let line = draft.board().chain(it);
    line.take_while(|it| it.was_interrupted()).count()
}

fn go_on(draft: &mut Draft<'_>, old: &Assignment, cause: Cause) {
    let Some(plan) = plan(draft, old, cause) else {
        return;
    };
    let new = continuation::follow(draft.board(), old, plan);
    // Its worker may still do it: nothing is gained by waiting elsewhere.
    if cause == Cause::Silence && !could_start(draft, old, &new) {
        return;
    }
    // Every obstacle may pass, so that this is never refused.
    let _ = follow::supersede(draft, &old.id, new, cause, WhenBlocked::Wait);
}

fn could_start(draft: &Draft<'_>, old: &Assignment, new: &Assignment) -> bool {
    let mut board = draft.board().clone();
    if let Some(it) = board.assignments.get_mut(&old.id) {
        it.superseded_by = Some(new.id.clone());
    }
    obstacle(&board, draft.policy, new, draft.now).is_none()
}

/// `None` where no machine may go on with it.
fn plan(draft: &Draft<'_>, old: &Assignment, cause: Cause) -> Option<Plan> {
    let (board, policy, now) = (draft.board(), draft.policy, draft.now);
    let (repo, here, job) = (&old.issue.repo, &old.machine, Job::of(old));
    let is_retry = [Cause::Work, Cause::Lost, Cause::Silence].contains(&cause);
    let stays = !is_retry && placement::may_work(policy, repo).any(|name| name == here);
    let machine = if cause == Cause::Silence {
        placement::elsewhere(board, policy, &job, here, now)?
    } else if stays {
        here
    } else {
        placement::next_machine(board, policy, &job, here, now)?
    };
    let up = ladder::next_up(&policy.models, old.model.as_deref());
    let up = up.filter(|_| is_retry).map(str::to_owned);
    Some(Plan {
        model: up.or_else(|| old.model.clone()),
        resume: matches!(cause, Cause::Environment | Cause::Guidance),
        not_before: (cause == Cause::Environment).then(|| over_at(draft, old)),
        onto: old.start.onto.clone(),
        retries: old.retries + u32::from(is_retry),
        ..Plan::new(old, fresh_id(draft, old), cause, machine.clone(), now)
    })
}

/// When what interrupted the worker may be over: as it was told, or after a wait that doubles.
fn over_at(draft: &Draft<'_>, old: &Assignment) -> Timestamp {
    let told = match old.end.as_ref().map(|end| end.result) {
        Some(WorkerResult::Failed(FailureClass::Environmental { retry_at })) => retry_at,
        Some(WorkerResult::Done | WorkerResult::Failed(_) | WorkerResult::Cancelled) | None => None,
    };
    let wait = wait_after(interruptions(draft, old));
    told.filter(|at| *at > draft.now)
        .unwrap_or_else(|| draft.now.plus_secs(wait))
}

/// Decisions are without chance: the id comes from the one before.
pub(super) fn fresh_id(draft: &Draft<'_>, old: &Assignment) -> AssignmentId {
    let mut id = old.id.next();
    while draft.board().assignments.contains_key(&id) {
        id = id.next();
    }
    id
}
