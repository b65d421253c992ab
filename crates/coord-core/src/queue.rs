//! The order of merging: a person's order first, then upstream before downstream, then small
//! diffs first. At most one merge runs in a repository at a time.

use crate::assignment::{Assignment, MergeEntry, MergeState};
use crate::board::Board;
use crate::gates;
use crate::graph::DependencyGraph;
use crate::ids::RepoName;
use crate::policy::Policy;

/// Everything in the merge queue, in the order in which it is to be merged.
#[must_use]
pub fn in_order<'b>(board: &'b Board, policy: &Policy) -> Vec<&'b Assignment> {
    let layers = DependencyGraph::of(policy).layers();
    let layer_of = |repo: &RepoName| layers.iter().position(|layer| layer.contains(&repo));
    let mut queue: Vec<(&MergeEntry, &Assignment)> = entries(board).collect();
    queue.sort_by_key(|(entry, it)| {
        (
            entry.order.is_none(),
            entry.order,
            layer_of(&it.issue.repo),
            it.end.as_ref().map_or(0, |end| end.files.len()),
            entry.queued_at,
            &it.id,
        )
    });
    queue.into_iter().map(|(_, it)| it).collect()
}

/// The entry that has to be merged, or to leave the queue, before `it` may be merged.
#[must_use]
pub fn comes_first<'b>(
    board: &'b Board,
    policy: &Policy,
    it: &Assignment,
) -> Option<&'b Assignment> {
    let mine = it.merge.as_ref()?;
    let upstreams = DependencyGraph::of(policy).upstreams(&it.issue.repo);
    let precedes = |(entry, other): &(&MergeEntry, &Assignment)| {
        let same_repo = other.issue.repo == it.issue.repo;
        let upstream = upstreams.contains(&other.issue.repo);
        let ordered_first = match (entry.order, mine.order) {
            (Some(theirs), Some(mine)) => theirs < mine,
            (Some(_), None) => same_repo || upstream,
            (None, Some(_)) => false,
            (None, None) => upstream,
        };
        ordered_first || (same_repo && entry.state == MergeState::Merging)
    };
    entries(board)
        .filter(|(_, other)| other.id != it.id)
        .find(precedes)
        .map(|(_, other)| other)
}

/// The next entry whose gates hold and whose turn it is.
#[must_use]
pub fn next<'b>(board: &'b Board, policy: &Policy) -> Option<&'b Assignment> {
    in_order(board, policy).into_iter().find(|it| {
        it.merge
            .as_ref()
            .is_some_and(|entry| entry.state == MergeState::Queued)
            && gates::first_closed(policy, it).is_none()
            && comes_first(board, policy, it).is_none()
    })
}

fn entries(board: &Board) -> impl Iterator<Item = (&MergeEntry, &Assignment)> {
    board
        .assignments
        .values()
        .filter(|it| it.is_in_merge_queue())
        .filter_map(|it| Some((it.merge.as_ref()?, it)))
}
