//! When the loop may stop: how far an assignment is from where it goes by itself.

use std::collections::BTreeSet;

use coord_core::assignment::{Assignment, MergeState};
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_core::{Board, Policy, gates, queue};

/// Whether nothing more happens to the assignment by itself: its worker has ended, nobody looks at
/// its branch, its effects are settled, and it neither stands in the merge queue nor waits for an
/// entry of it. What has left the
/// board is settled; what another one goes on with is settled with that one.
#[must_use]
pub fn settled(board: &Board, id: &AssignmentId) -> bool {
    last(board, id).is_none_or(|it| {
        !is_busy(board, it) && !it.is_in_merge_queue() && waited_for(board, it).is_none()
    })
}

/// The entry of the queue that it does not go together with: it goes on once that is merged, or
/// leaves the queue.
fn waited_for<'b>(board: &'b Board, it: &Assignment) -> Option<&'b Assignment> {
    let Some(MergeState::Red { with: Some(id), .. }) = it.merge.as_ref().map(|it| &it.state) else {
        return None;
    };
    let other = board.assignments.get(id).filter(|_| !it.stop_requested);
    other.filter(|other| other.is_in_merge_queue())
}

/// The assignment itself, or the last of those that went on with it; `None` when that has left the
/// board.
fn last<'b>(board: &'b Board, id: &AssignmentId) -> Option<&'b Assignment> {
    let mut it = board.assignments.get(id)?;
    for _ in 0..board.assignments.len() {
        match &it.superseded_by {
            Some(by) => it = board.assignments.get(by)?,
            None => break,
        }
    }
    Some(it)
}

/// Whether no test of the assignment is under way.
#[must_use]
pub fn test_is_over(board: &Board, id: &AssignmentId) -> bool {
    !board
        .open_effects
        .iter()
        .any(|(key, of)| of == id && EffectKind::of(key) == Some(EffectKind::Test))
}

/// Whether its merge cannot go on by itself: it is settled, or it or what is to be merged before it
/// waits for a gate that only a person can open.
#[must_use]
pub fn merge_rests(board: &Board, policy: &Policy, id: &AssignmentId) -> bool {
    let mut seen = BTreeSet::new();
    last(board, id)
        .is_none_or(|it| settled(board, id) || waits_for_gate(board, policy, it, &mut seen))
}

fn waits_for_gate<'b>(
    board: &'b Board,
    policy: &Policy,
    it: &'b Assignment,
    seen: &mut BTreeSet<&'b AssignmentId>,
) -> bool {
    if is_busy(board, it) || !seen.insert(&it.id) {
        return false;
    }
    if let Some(other) = waited_for(board, it) {
        return waits_for_gate(board, policy, other, seen);
    }
    if !it.is_in_merge_queue() {
        return false;
    }
    gates::first_closed(board, policy, it).is_some()
        || queue::comes_first(board, policy, it)
            .is_some_and(|other| waits_for_gate(board, policy, other, seen))
}

/// Whether its worker, somebody who looks at its branch, or an effect of either is at it.
fn is_busy(board: &Board, it: &Assignment) -> bool {
    let at_it = |it: &Assignment| it.state.is_active() || has_open(board, &it.id);
    let looks = |other: &&Assignment| {
        let about = other.about.as_ref();
        other.superseded_by.is_none() && about.is_some_and(|about| about.id == it.id)
    };
    at_it(it) || board.of_issue(&it.issue).filter(looks).any(at_it)
}

fn has_open(board: &Board, id: &AssignmentId) -> bool {
    board.open_effects_of(id).next().is_some()
}
