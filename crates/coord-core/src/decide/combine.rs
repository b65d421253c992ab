//! Testing what the base branch would be: which entries of the queue go together, and what came of
//! it.

use std::collections::BTreeSet;

use super::advance;
use super::draft::Draft;
use crate::assignment::{Assignment, MergeState};
use crate::effect::{CombinationEntry, Combined, CombinedResult, Effect, Outcome};
use crate::event::BoardEvent;
use crate::ids::{AssignmentId, CommitId, RepoName};
use crate::key::{self, EffectKind};
use crate::queue;
use crate::verdict::{Combination, TestResult};

/// How many entries are tested at once.
const BATCH: usize = 8;

/// Has the entries tested whose turn it is, in every repository where no such test runs and
/// nothing that was tested waits for its merge.
pub(super) fn start(draft: &mut Draft<'_>) {
    let queued = draft.board().assignments.values();
    let repos: BTreeSet<RepoName> = queued
        .filter(|it| it.is_in_merge_queue())
        .map(|it| it.issue.repo.clone())
        .collect();
    for repo in repos {
        if is_busy(draft, &repo) {
            continue;
        }
        let (board, policy) = (draft.board(), draft.policy);
        let batch: Vec<CombinationEntry> = queue::batch(board, policy, &repo)
            .into_iter()
            .take(BATCH)
            .filter_map(entry)
            .collect();
        if let Some(first) = batch.first().map(|it| it.id.clone()) {
            let key = key::combine(&first, draft.board().seq);
            let entries = batch;
            draft.enqueue(key, &first, Effect::TestCombination { repo, entries });
        }
    }
}

fn is_busy(draft: &Draft<'_>, repo: &RepoName) -> bool {
    let board = draft.board();
    let mut here = board
        .assignments
        .values()
        .filter(|it| it.issue.repo == *repo);
    here.any(|it| {
        let merging = it.merge.as_ref().map(|entry| &entry.state) == Some(&MergeState::Merging);
        merging
            || board.has_open(&it.id, EffectKind::Combine)
            || queue::combination(board, draft.policy, it).is_some()
    })
}

fn entry(it: &Assignment) -> Option<CombinationEntry> {
    let (work, entry) = (it.deliverable()?, it.merge.as_ref()?);
    let verdict = it.verdict_for_head().map(|verdict| verdict.result);
    Some(CombinationEntry {
        id: it.id.clone(),
        branch: work.branch.to_owned(),
        head: work.head.clone(),
        method: entry.method,
        tested: verdict == Some(TestResult::Passed),
    })
}

/// What came of a test of combinations, which was asked for with `first` at its head.
pub(super) fn tested(draft: &mut Draft<'_>, first: &AssignmentId, outcome: &Outcome) {
    if let Outcome::Combined { base, results } = outcome {
        let mut after = Vec::new();
        for result in results {
            settle(draft, base, &after, result);
            if matches!(result.result, CombinedResult::Green { .. }) {
                after.push(result.id.clone());
            }
        }
    } else if let Outcome::Failed { error, .. } = outcome {
        let it = draft.board().assignments.get(first);
        if it.is_some_and(Assignment::is_in_merge_queue) {
            draft.emit(BoardEvent::MergeRefused {
                id: first.clone(),
                reason: format!("it could not be tested with its base: {error}"),
            });
        }
    }
}

/// One entry. One that has changed meanwhile is passed over; what was tested on top of it counts
/// for nothing then (see [`queue::combination`]).
fn settle(draft: &mut Draft<'_>, base: &CommitId, after: &[AssignmentId], it: &Combined) {
    let id = it.id.clone();
    let is_current = advance::head_of(draft, &id).as_ref() == Some(&it.head);
    let queued = |it: &Assignment| {
        it.is_in_merge_queue() && it.merge.as_ref().map(|it| &it.state) == Some(&MergeState::Queued)
    };
    if !is_current || !draft.board().assignments.get(&id).is_some_and(queued) {
        return;
    }
    let base = base.clone();
    match &it.result {
        CombinedResult::Green { tree } => {
            let combination = Combination {
                head: it.head.clone(),
                onto: base,
                after: after.to_vec(),
                tree: tree.clone(),
            };
            draft.emit(BoardEvent::CombinationGreen { id, combination });
        }
        CombinedResult::Red { with, note, output } => {
            let (with, note, output) = (with.clone(), note.clone(), output.clone());
            draft.emit(BoardEvent::CombinationRed {
                id,
                base,
                with,
                note,
                output,
            });
        }
        CombinedResult::Conflict { paths } => {
            let paths = paths.clone();
            draft.emit(BoardEvent::MergeConflicted { id, base, paths });
        }
        CombinedResult::HeadMoved { head } => advance::branch_moved(draft, &id, head),
        CombinedResult::Later => {}
    }
}
