//! Sending a branch back: to have put right what was found wrong with it, or to bring it up to date
//! with its base.

use super::draft::{Draft, refuse};
use super::{assign, follow, reassign, serve};
use crate::assignment::{Assignment, AssignmentKind, Cause, MergeState};
use crate::command::{FixRequest, Refusal, WhenBlocked};
use crate::continuation::{self, Plan};
use crate::ids::{AssignmentId, CommitId, MachineName};
use crate::ladder;
use crate::placement::{self, Job};
use crate::repair;

/// A person wants a branch put right.
pub(super) fn fix(draft: &mut Draft<'_>, request: &FixRequest) -> Result<(), Refusal> {
    if let Some(earlier) = draft.board().assignments.get(&request.id) {
        return match earlier.follows.as_ref() == Some(&request.follows) {
            true => Ok(()),
            false => Err(refuse(earlier, "has this id already")),
        };
    }
    let old = serve::finished(draft, &request.follows)?.clone();
    if follow::is_merging(&old) {
        return Err(refuse(&old, "is being merged"));
    }
    follow::unrivalled(draft.board(), &old)?;
    let (cause, onto) = found(draft, &old);
    let machine = match &request.machine {
        Some(name) if *name != old.machine && is_only_there(&old) => {
            let what = format!("could not be pushed, and is only on {}", old.machine);
            return Err(refuse(&old, &what));
        }
        Some(name) => assign::machine(draft, Some(name), &old.issue, &old.labels)?,
        None => match machine(draft, &old) {
            Some(name) => name,
            None => assign::machine(draft, None, &old.issue, &old.labels)?,
        },
    };
    let plan = Plan {
        pinned: request.machine.is_some(),
        model: request.model.clone().or_else(|| one_up(draft, &old)),
        guidance: request.guidance.clone(),
        onto,
        // A person looks at it now: the counting begins anew.
        rounds: 0,
        kind: match cause == Cause::Conflict {
            true => AssignmentKind::Rebase,
            false => AssignmentKind::Fix,
        },
        ..Plan::new(&old, request.id.clone(), cause, machine, draft.now)
    };
    let new = continuation::follow(draft.board(), &old, plan);
    follow::supersede(draft, &old.id, new, Cause::Person, WhenBlocked::Wait)
}

/// What is known to be wrong with the branch, and the commit that it has to be brought up to for that.
fn found(draft: &Draft<'_>, it: &Assignment) -> (Cause, Option<CommitId>) {
    let tip = || draft.board().bases.get(&it.issue.repo).cloned();
    let onto = match it.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Conflict { base, .. }) => Some(base.clone()),
        Some(MergeState::Red { base, .. }) => tip().or_else(|| Some(base.clone())),
        Some(
            MergeState::Queued
            | MergeState::Merging
            | MergeState::Merged { .. }
            | MergeState::Refused { .. },
        )
        | None => None,
    };
    (repair::found(it), onto)
}

/// Sends a branch back without a person.
pub(super) fn send_back(
    draft: &mut Draft<'_>,
    id: &AssignmentId,
    cause: Cause,
    onto: Option<CommitId>,
) {
    let Some(old) = draft.board().assignments.get(id).cloned() else {
        return;
    };
    let machine = machine(draft, &old).unwrap_or_else(|| old.machine.clone());
    let is_round = cause != Cause::Conflict;
    let model = match is_round {
        true => one_up(draft, &old),
        false => old.model.clone(),
    };
    let fresh = reassign::fresh_id(draft, &old);
    let plan = Plan {
        model,
        onto,
        rounds: old.rounds.saturating_add(u32::from(is_round)),
        ..Plan::new(&old, fresh, cause, machine, draft.now)
    };
    let new = continuation::follow(draft.board(), &old, plan);
    // Every obstacle may pass, so that this is never refused.
    let _ = follow::supersede(draft, id, new, cause, WhenBlocked::Wait);
}

/// Where the branch was made, if that machine is free or nobody else has the branch; else the best
/// one.
pub(super) fn machine(draft: &Draft<'_>, old: &Assignment) -> Option<MachineName> {
    let (board, policy, repo) = (draft.board(), draft.policy, &old.issue.repo);
    if is_only_there(old) {
        return Some(old.machine.clone());
    }
    let here = placement::may_work(policy, repo).find(|name| {
        **name == old.machine
            && !placement::is_silent(board, name)
            && placement::free_slots(board, policy, name) > 0
    });
    let best = || placement::best_machine(board, policy, &Job::of(old), draft.now);
    here.or_else(best).cloned()
}

/// Whether the commits could not be pushed.
fn is_only_there(old: &Assignment) -> bool {
    let end = old.end.as_ref();
    end.is_some_and(|end| !end.pushed && end.deliverable().is_some())
}

fn one_up(draft: &Draft<'_>, old: &Assignment) -> Option<String> {
    let up = ladder::next_up(&draft.policy.models, old.model.as_deref());
    up.map(str::to_owned).or_else(|| old.model.clone())
}
