//! Leases on files: what an assignment declared and was seen to change is its own for now.

use std::collections::BTreeSet;

use crate::assignment::{Assignment, AssignmentState};
use crate::board::Board;
use crate::ids::Timestamp;
use crate::scope::Glob;

/// The other assignments that hold a lease in the repository of `it`.
pub(crate) fn holders<'b>(
    board: &'b Board,
    it: &Assignment,
) -> impl Iterator<Item = &'b Assignment> {
    let (id, repo) = (it.id.clone(), it.issue.repo.clone());
    board
        .assignments
        .values()
        .filter(move |other| other.holds_lease() && other.id != id && other.issue.repo == repo)
}

/// What stands in the way of the files that `it` declares, and the path or glob they share:
/// somebody's lease, or an assignment that could start, has waited for longer and must not be
/// overtaken.
pub(crate) fn first_overlap<'b>(
    board: &'b Board,
    it: &Assignment,
    now: Timestamp,
) -> Option<(&'b Assignment, String)> {
    let declared: Vec<Glob> = globs(it);
    if declared.is_empty() {
        return None;
    }
    let earlier = board.assignments.values().filter(|other| {
        other.state == AssignmentState::Waiting
            && other.start.not_before <= Some(now)
            && other.issue.repo == it.issue.repo
            && (other.requested_at, &other.id) < (it.requested_at, &it.id)
    });
    holders(board, it)
        .chain(earlier)
        .find_map(|other| Some((other, shared(&declared, other)?)))
}

/// A glob or path of `other` that one of the `declared` globs may touch.
fn shared(declared: &[Glob], other: &Assignment) -> Option<String> {
    let theirs = other
        .scope
        .allowed
        .iter()
        .find(|text| declared.iter().any(|mine| mine.overlaps(&Glob::new(text))));
    let observed = || {
        let touched = |path: &&String| declared.iter().any(|mine| mine.matches(path));
        other.observed.iter().find(touched)
    };
    theirs.or_else(observed).cloned()
}

/// Whether `path` belongs to `holder`: declared by it, or seen to be changed by it.
pub(crate) fn covers(holder: &Assignment, path: &str) -> bool {
    holder.observed.contains(path) || globs(holder).iter().any(|glob| glob.matches(path))
}

/// What a worker without a scope of its own should leave alone: the files of everybody else.
pub(crate) fn do_not_touch(board: &Board, it: &Assignment) -> Vec<String> {
    if !it.scope.allowed.is_empty() {
        return Vec::new();
    }
    let files: BTreeSet<&String> = holders(board, it)
        .flat_map(|other| other.scope.allowed.iter().chain(&other.observed))
        .collect();
    files.into_iter().cloned().collect()
}

fn globs(it: &Assignment) -> Vec<Glob> {
    it.scope
        .allowed
        .iter()
        .map(|text| Glob::new(text))
        .collect()
}
