//! The order of merging: a person's order first, then upstream before downstream, then whoever
//! gives way to nobody, then small diffs first. At most one merge runs in a repository at a time.

use std::collections::BTreeSet;

use crate::assignment::{Assignment, AssignmentKind, MergeEntry, MergeState};
use crate::board::Board;
use crate::gates;
use crate::graph::DependencyGraph;
use crate::ids::{AssignmentId, RepoName};
use crate::key::EffectKind;
use crate::pipeline::{self, Serving};
use crate::policy::{Gate, Policy};
use crate::verdict::Combination;

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
            gives_way(board, it),
            it.end.as_ref().map_or(0, |end| end.files.len()),
            entry.queued_at,
            &it.id,
        )
    });
    queue.into_iter().map(|(_, it)| it).collect()
}

/// How many entries of the queue are merged before this one because it is going to conflict with
/// them, and they began before it.
fn gives_way(board: &Board, it: &Assignment) -> usize {
    let queued = |id: &AssignmentId| {
        let other = board.assignments.get(id);
        other.is_some_and(Assignment::is_in_merge_queue)
    };
    let clashes = board.conflicts.iter().filter(|clash| clash.id == it.id);
    clashes
        .filter(|clash| clash.with.as_ref().is_some_and(queued))
        .count()
}

/// The entry that has to be merged, or to leave the queue, before `it` may be merged.
#[must_use]
pub fn comes_first<'b>(
    board: &'b Board,
    policy: &Policy,
    it: &Assignment,
) -> Option<&'b Assignment> {
    predecessors(board, policy, it).next()
}

fn predecessors<'b>(
    board: &'b Board,
    policy: &Policy,
    it: &Assignment,
) -> impl Iterator<Item = &'b Assignment> {
    let mine = it.merge.as_ref().and_then(|entry| entry.order);
    let (id, repo) = (it.id.clone(), it.issue.repo.clone());
    let upstreams: BTreeSet<RepoName> = DependencyGraph::of(policy)
        .upstreams(&it.issue.repo)
        .into_iter()
        .cloned()
        .collect();
    let precedes = move |(entry, other): &(&MergeEntry, &Assignment)| {
        let same_repo = other.issue.repo == repo;
        let upstream = upstreams.contains(&other.issue.repo);
        let ordered_first = match (entry.order, mine) {
            (Some(theirs), Some(mine)) => theirs < mine,
            (Some(_), None) => same_repo || upstream,
            (None, Some(_)) => false,
            (None, None) => upstream,
        };
        other.id != id && (ordered_first || (same_repo && entry.state == MergeState::Merging))
    };
    entries(board).filter(precedes).map(|(_, other)| other)
}

/// The next entry whose gates hold, whose turn it is, and which was tested on its base.
#[must_use]
pub fn next<'b>(board: &'b Board, policy: &Policy) -> Option<&'b Assignment> {
    in_order(board, policy).into_iter().find(|it| {
        is_ready(board, policy, it)
            && comes_first(board, policy, it).is_none()
            && (!is_combined(policy, it)
                || combination(board, policy, it).is_some_and(|it| it.after.is_empty()))
    })
}

/// The entries of a repository that are to be tested together, in the order of merging: those whose
/// gates hold, and before which nothing comes that is not among them.
pub(crate) fn batch<'b>(board: &'b Board, policy: &Policy, repo: &RepoName) -> Vec<&'b Assignment> {
    let mut batch: Vec<&Assignment> = Vec::new();
    for it in in_order(board, policy) {
        let is_in_batch = |other: &Assignment| batch.iter().any(|it| it.id == other.id);
        let here = it.issue.repo == *repo && is_combined(policy, it);
        if here && is_ready(board, policy, it) && predecessors(board, policy, it).all(is_in_batch) {
            batch.push(it);
        }
    }
    batch
}

/// Whether the entry is merged only in a combination that was tested.
pub(crate) fn is_combined(policy: &Policy, it: &Assignment) -> bool {
    policy.gates.contains(&Gate::Test) && it.overridden(Gate::Test).is_none()
}

/// The combination that the entry was green in, provided that it can still come about: it may be
/// merged, and what comes before it is what it was tested with, and on its way on top of the same
/// base.
#[must_use]
pub fn combination<'b>(
    board: &Board,
    policy: &Policy,
    it: &'b Assignment,
) -> Option<&'b Combination> {
    let found = it.delivery.combination.as_ref()?;
    let may_land = is_merging(it) || is_ready(board, policy, it);
    let is_expected = |other: &Assignment| found.after.contains(&other.id);
    if !may_land || !predecessors(board, policy, it).all(is_expected) {
        return None;
    }
    let is_head = it
        .deliverable()
        .is_some_and(|work| *work.head == found.head);
    let on_its_way = |id: &AssignmentId| {
        let may_land = |it: &&Assignment| is_merging(it) || is_ready(board, policy, it);
        let before = board.assignments.get(id).filter(may_land);
        let theirs = before.and_then(|it| it.delivery.combination.as_ref());
        theirs.is_some_and(|theirs| theirs.onto == found.onto)
    };
    let holds = is_head && found.after.iter().all(on_its_way);
    holds.then_some(found)
}

/// Whether its gates hold. A merge would meet a pull request that is just being opened, and come
/// before the word of somebody who tries the branch out.
fn is_ready(board: &Board, policy: &Policy, it: &Assignment) -> bool {
    let tried_out = pipeline::serving(board, it, AssignmentKind::Smoke);
    it.is_in_merge_queue()
        && !is_merging(it)
        && !board.has_open(&it.id, EffectKind::Pull)
        && !matches!(tried_out, Serving::Active(_))
        && gates::first_closed(board, policy, it).is_none()
}

fn is_merging(it: &Assignment) -> bool {
    it.merge.as_ref().map(|entry| &entry.state) == Some(&MergeState::Merging)
}

fn entries(board: &Board) -> impl Iterator<Item = (&MergeEntry, &Assignment)> {
    board
        .assignments
        .values()
        .filter(|it| it.is_in_merge_queue())
        .filter_map(|it| Some((it.merge.as_ref()?, it)))
}
