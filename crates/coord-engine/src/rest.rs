//! When the loop may stop: how far an assignment is from where it goes by itself.

use coord_core::assignment::{Assignment, MergeState};
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_core::{Board, Policy, gates};

/// Whether nothing more happens to the assignment by itself: its worker has ended, its effects
/// are settled, and it does not stand in the merge queue. What has left the board is settled; what
/// another one goes on with is settled with that one.
#[must_use]
pub fn settled(board: &Board, id: &AssignmentId) -> bool {
    last(board, id).is_none_or(|a| !a.state.is_active() && !has_open(board, &a.id) && !in_queue(a))
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

/// Whether its merge cannot go on by itself: it is settled, or waits for a gate that only a
/// person can open.
#[must_use]
pub fn merge_rests(board: &Board, policy: &Policy, id: &AssignmentId) -> bool {
    settled(board, id) || waits_for_gate(board, policy, id)
}

fn waits_for_gate(board: &Board, policy: &Policy, id: &AssignmentId) -> bool {
    board.assignments.get(id).is_some_and(|a| {
        in_queue(a) && !has_open(board, id) && gates::first_closed(policy, a).is_some()
    })
}

fn has_open(board: &Board, id: &AssignmentId) -> bool {
    board.open_effects.values().any(|of| of == id)
}

fn in_queue(assignment: &Assignment) -> bool {
    let state = assignment.merge.as_ref().map(|entry| &entry.state);
    matches!(state, Some(MergeState::Queued | MergeState::Merging))
}
