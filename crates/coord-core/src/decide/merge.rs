//! The merge queue: what enters it, what starts, and what follows once work is in the base branch.

use std::collections::BTreeSet;

use super::draft::{Draft, refuse};
use super::{advance, follow, serve};
use crate::assignment::{Assignment, AssignmentState, Goal, MergeEntry, MergeMethod, MergeState};
use crate::board::Board;
use crate::command::{Refusal, Rule, SetAside};
use crate::comment;
use crate::effect::Effect;
use crate::event::BoardEvent;
use crate::gates;
use crate::ids::{AssignmentId, CommitId, RepoName};
use crate::key::{self, EffectKind};
use crate::policy::Gate;
use crate::queue;
use crate::verdict::Override;

/// What a person wants merged, and how.
pub(super) struct Wish<'a> {
    pub(super) ids: &'a [AssignmentId],
    pub(super) repo: Option<&'a RepoName>,
    pub(super) method: MergeMethod,
    pub(super) ordered: bool,
    pub(super) set_aside: Option<&'a SetAside>,
}

impl Wish<'_> {
    fn includes(&self, it: &Assignment) -> bool {
        self.repo.is_none_or(|repo| *repo == it.issue.repo)
    }
}

/// Puts what the person named, or else everything that may be merged, into the queue.
pub(super) fn enqueue(draft: &mut Draft<'_>, wish: &Wish<'_>) -> Result<(), Refusal> {
    if let Some(set_aside) = wish.set_aside {
        override_gates(draft, wish.ids, set_aside)?;
    }
    let ids = if wish.ids.is_empty() {
        everything(draft, wish)?
    } else {
        named(draft, wish)?
    };
    let first = wish
        .ordered
        .then(|| last_order(draft).map_or(0, |last| last.saturating_add(1)));
    for (place, id) in (0u32..).zip(ids) {
        // What went into the queue just now may be another attempt at the same issue.
        follow::unrivalled(draft.board(), draft.assignment(&id)?)?;
        let order = match first {
            Some(first) => Some(first.saturating_add(place)),
            None => order_in_queue(draft, &id),
        };
        put(draft, &id, wish.method, order);
        read_checks_again(draft, &id);
    }
    Ok(())
}

/// Sets gates aside for what the person named, as it is now.
fn override_gates(
    draft: &mut Draft<'_>,
    ids: &[AssignmentId],
    set_aside: &SetAside,
) -> Result<(), Refusal> {
    if ids.is_empty() {
        let why = "a gate is only set aside for assignments that are named";
        return Err(Refusal::new(Rule::Gate, why).hint("`coord merge ID --override GATE`"));
    }
    if set_aside.reason.trim().is_empty() {
        let why = "a gate is only set aside with a reason";
        return Err(Refusal::new(Rule::Gate, why).hint("`--reason TEXT`"));
    }
    for id in ids {
        let it = draft.assignment(id)?;
        serve::is_branch(it)?;
        let work = it
            .deliverable()
            .ok_or_else(|| refuse(it, "has no commits"))?;
        let head = work.head.clone();
        for gate in &set_aside.gates {
            let set_aside = Override {
                gate: *gate,
                head: head.clone(),
                reason: set_aside.reason.clone(),
                at: draft.now,
            };
            let id = id.clone();
            draft.emit(BoardEvent::GateOverridden { id, set_aside });
        }
    }
    Ok(())
}

/// Bad checks may be good by now: whoever asks for the merge once more wants to know.
fn read_checks_again(draft: &mut Draft<'_>, id: &AssignmentId) {
    let it = draft.board().assignments.get(id);
    let bad = it
        .and_then(Assignment::checks_of_head)
        .is_some_and(|it| !it.good);
    if bad && !draft.board().has_open(id, EffectKind::Checks) {
        advance::read_checks(draft, id);
    }
}

/// Puts an assignment into the queue because that is its goal: as a person wanted it merged, or one
/// that it goes on with.
pub(super) fn queue_by_itself(draft: &mut Draft<'_>, id: &AssignmentId) {
    let board = draft.board();
    let Some(it) = board.assignments.get(id) else {
        return;
    };
    let before = board.chain(it).find_map(|it| it.merge.as_ref());
    let configured = (draft.policy.pipeline.merge_method, None);
    let (method, order) = before.map_or(configured, |it| (it.method, it.order));
    put(draft, id, method, order);
}

/// Puts what did not go together with the base, or with what came before, into the queue again: its
/// branch is another one now. Unless that is left to a person.
pub(super) fn queue_again(draft: &mut Draft<'_>, id: &AssignmentId) {
    let it = draft.board().assignments.get(id);
    let Some(it) = it.filter(|it| it.is_automated(Goal::Merged)) else {
        return;
    };
    let Some(entry) = it.merge.clone() else {
        return;
    };
    if matches!(
        entry.state,
        MergeState::Conflict { .. } | MergeState::Red { .. }
    ) {
        put(draft, id, entry.method, entry.order);
    }
}

/// Asks the forge to merge the entry whose turn it is.
pub(super) fn start(draft: &mut Draft<'_>, id: &AssignmentId) {
    draft.emit(BoardEvent::MergeStarted { id: id.clone() });
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    let (Some(entry), Some(work)) = (&assignment.merge, assignment.deliverable()) else {
        return;
    };
    let key = key::merge(id, entry.attempt);
    let tested = queue::is_combined(draft.policy, assignment)
        .then_some(assignment.delivery.combination.as_ref())
        .flatten();
    let effect = Effect::Merge {
        id: id.clone(),
        issue: assignment.issue.clone(),
        title: assignment.title.clone(),
        branch: work.branch.to_owned(),
        head: work.head.clone(),
        method: entry.method,
        onto: tested.map(|it| it.onto.clone()),
        tree: tested.and_then(|it| it.tree.clone()),
    };
    draft.enqueue(key, id, effect);
}

/// The branch is not where it was to be merged from.
pub(super) fn elsewhere(draft: &mut Draft<'_>, id: &AssignmentId, head: &CommitId) {
    advance::branch_moved(draft, id, head);
    let it = draft.board().assignments.get(id);
    let merging =
        |it: &Assignment| it.merge.as_ref().map(|entry| &entry.state) == Some(&MergeState::Merging);
    // It is: whoever says otherwise would be asked for ever.
    if it.is_some_and(merging) {
        let id = id.clone();
        let reason = format!("the forge says that the branch is not at {}", head.short());
        draft.emit(BoardEvent::MergeRefused { id, reason });
    }
}

/// The work is in the base branch: its issue is closed, and what conflicted with the old base is
/// tried on the new one.
pub(super) fn landed(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    commit: &CommitId,
    warning: Option<&str>,
) {
    draft.emit(BoardEvent::Merged {
        id: id.clone(),
        commit: commit.clone(),
        warning: warning.map(str::to_owned),
    });
    let Some(assignment) = draft.board().assignments.get(id) else {
        return;
    };
    let comment = comment::merged(assignment, commit);
    let close = Effect::CloseIssue {
        issue: assignment.issue.clone(),
        commit: commit.clone(),
    };
    let conflicted = conflicted(draft, &assignment.issue.repo);
    draft.enqueue(key::close(id), id, close);
    draft.post(comment);
    for (id, entry) in conflicted {
        put(draft, &id, entry.method, entry.order);
    }
}

/// What conflicts in a repository, unless a person has put it aside, or somebody else solves its
/// issue by now, or tried to.
fn conflicted(draft: &Draft<'_>, repo: &RepoName) -> Vec<(AssignmentId, MergeEntry)> {
    let board = draft.board();
    let free = |it: &&Assignment| !board.of_issue(&it.issue).any(Assignment::claims_issue);
    let entry = |it: &Assignment| {
        let entry = it.merge.clone()?;
        matches!(entry.state, MergeState::Conflict { .. }).then(|| (it.id.clone(), entry))
    };
    let all = board.assignments.values();
    all.filter(|it| it.issue.repo == *repo && it.superseded_by.is_none())
        .filter(|it| !it.stop_requested && board.leads(it))
        .filter(free)
        .filter_map(entry)
        .collect()
}

fn put(draft: &mut Draft<'_>, id: &AssignmentId, method: MergeMethod, order: Option<u32>) {
    draft.emit(BoardEvent::MergeQueued {
        id: id.clone(),
        method,
        order,
    });
}

/// The order that a person gave to an entry that is in the queue already.
fn order_in_queue(draft: &Draft<'_>, id: &AssignmentId) -> Option<u32> {
    let assignment = draft.board().assignments.get(id)?;
    let queued = assignment.is_in_merge_queue();
    assignment.merge.as_ref().filter(|_| queued)?.order
}

fn last_order(draft: &Draft<'_>) -> Option<u32> {
    let queued = draft.board().assignments.values();
    queued
        .filter(|it| it.is_in_merge_queue())
        .filter_map(|it| it.merge.as_ref()?.order)
        .max()
}

/// Everything that may be merged and is not queued. Nothing at all is refused: with the reason
/// of the first that only lacks its test, where there is one.
fn everything(draft: &Draft<'_>, wish: &Wish<'_>) -> Result<Vec<AssignmentId>, Refusal> {
    let board = draft.board();
    let candidates = board
        .assignments
        .values()
        .filter(|it| wish.includes(it) && it.superseded_by.is_none() && board.leads(it))
        .filter(|it| mergeable(board, it).is_ok() && !it.is_in_merge_queue());
    let (mut ready, mut untested) = (Vec::new(), None);
    for it in candidates {
        match tested(draft, it) {
            Ok(()) => ready.push(it.id.clone()),
            Err(refusal) => untested = untested.or(Some(refusal)),
        }
    }
    let queued = |it: &Assignment| wish.includes(it) && it.is_in_merge_queue();
    match untested {
        Some(refusal) if ready.is_empty() => Err(refusal),
        None if ready.is_empty() && !board.assignments.values().any(queued) => {
            let why = "no finished assignment has commits that are not merged";
            Err(Refusal::new(Rule::State, why).hint("`coord status` shows what is at work"))
        }
        Some(_) | None => Ok(ready),
    }
}

/// What the person named, each once. One that may not be merged refuses the whole wish.
fn named(draft: &Draft<'_>, wish: &Wish<'_>) -> Result<Vec<AssignmentId>, Refusal> {
    let mut seen = BTreeSet::new();
    let mut ids = Vec::new();
    for id in wish.ids.iter().filter(|id| seen.insert(*id)) {
        let it = draft.assignment(id)?;
        serve::is_branch(it)?;
        if !wish.includes(it) {
            return Err(refuse(it, &format!("belongs to {}", it.issue.repo)));
        }
        mergeable(draft.board(), it)?;
        tested(draft, it)?;
        ids.push(id.clone());
    }
    Ok(ids)
}

/// Whether it is done, has commits, is not being merged or merged, and nobody who went on with it
/// has more.
fn mergeable(board: &Board, it: &Assignment) -> Result<(), Refusal> {
    let next = |it: &Assignment| board.assignments.get(it.superseded_by.as_ref()?);
    let later = std::iter::successors(next(it), |it| next(it)).take(board.assignments.len());
    if let Some(later) = later
        .into_iter()
        .find(|it| it.is_at_work() || it.deliverable().is_some())
    {
        let refusal = refuse(it, &format!("was taken over by assignment {}", later.id));
        return Err(refusal.hint(format!("`coord merge {}`", later.id)));
    }
    let line = std::iter::successors(Some(it), |it| next(it)).take(board.assignments.len());
    let is_gone = |by: &&AssignmentId| !board.assignments.contains_key(*by);
    let mut taken_over = line.filter_map(|it| it.superseded_by.as_ref());
    if let Some(by) = taken_over.find(is_gone) {
        let what = format!("was taken over by assignment {by}, which is merged");
        return Err(refuse(it, &what));
    }
    if it.state != AssignmentState::Done {
        return Err(refuse(it, &format!("is {}", it.state.as_str())));
    }
    follow::unrivalled(board, it)?;
    if it.deliverable().is_none() {
        return Err(refuse(it, "has no commits"));
    }
    match it.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Merging) => Err(refuse(it, "is being merged")),
        Some(MergeState::Merged { .. }) => Err(refuse(it, "is merged")),
        Some(
            MergeState::Queued
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. },
        )
        | None => Ok(()),
    }
}

/// Whether the test gate, where there is one, holds: an entry that waits for a test that nobody
/// asked for would wait for ever.
fn tested(draft: &Draft<'_>, it: &Assignment) -> Result<(), Refusal> {
    let statuses = gates::gates(draft.board(), draft.policy, it);
    let closed = statuses
        .into_iter()
        .find(|status| status.gate == Gate::Test && !status.holds);
    match closed {
        None => Ok(()),
        Some(status) => {
            let smoke_is_red = it.smoke_of_head().is_some_and(|it| !it.passed);
            let (why, hint) = if draft.board().has_open(&it.id, EffectKind::Test) {
                ("its test still runs", "wait")
            } else if smoke_is_red {
                (status.why.as_str(), "fix")
            } else {
                (status.why.as_str(), "test")
            };
            let why = format!("assignment {} cannot be merged: {why}", it.id);
            let refusal = Refusal::new(Rule::Gate, why)
                .of_issue(&it.issue)
                .of_assignment(&it.id)
                .hint(format!("`coord {hint} {}`", it.id));
            Err(refusal)
        }
    }
}
