//! What the radar saw: conflicts that are new, and those that are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use crate::assignment::{Assignment, AssignmentState};
use crate::board::Board;
use crate::effect::Effect;
use crate::event::BoardEvent;
use crate::ids::AssignmentId;
use crate::key;
use crate::radar::{Clash, Seen, Sighting};

/// How many paths of a conflict are recorded, and how many a worker is told.
const PATHS: (usize, usize) = (200, 10);

pub(super) fn seen(draft: &mut Draft<'_>, sighting: &Sighting) {
    let board = draft.board();
    let mut pairs: BTreeMap<(AssignmentId, Option<AssignmentId>), BTreeSet<String>> =
        BTreeMap::new();
    for seen in &sighting.conflicts {
        if let Some(pair) = pair(board, sighting, seen) {
            pairs
                .entry(pair)
                .or_default()
                .extend(seen.paths.iter().cloned());
        }
    }
    let clash = |((id, with), paths): (_, BTreeSet<String>)| Clash {
        id,
        with,
        paths: paths.into_iter().take(PATHS.0).collect(),
    };
    let found: BTreeSet<Clash> = pairs.into_iter().map(clash).collect();
    let is_here = |it: &&Clash| {
        let owner = board.assignments.get(&it.id);
        owner.is_some_and(|owner| owner.issue.repo == sighting.repo)
    };
    let known: BTreeSet<Clash> = board.conflicts.iter().filter(is_here).cloned().collect();
    let is_same = |one: &Clash, other: &Clash| (&one.id, &one.with) == (&other.id, &other.with);
    for gone in &known {
        if !found.iter().any(|it| is_same(it, gone)) {
            let (id, with) = (gone.id.clone(), gone.with.clone());
            draft.emit(BoardEvent::ConflictGone { id, with });
        }
    }
    for clash in found.difference(&known) {
        let before = known.iter().find(|it| is_same(it, clash));
        let is_news = |path: &String| before.is_none_or(|it| !it.paths.contains(path));
        let news = clash.paths.iter().any(is_news) || before.is_none();
        foresee(draft, clash, news);
    }
}

/// A pair of branches that were looked at, the later one first: it is the one that gives way.
fn pair(
    board: &Board,
    sighting: &Sighting,
    seen: &Seen,
) -> Option<(AssignmentId, Option<AssignmentId>)> {
    let looked_at = |id: &AssignmentId| sighting.heads.iter().any(|(head, _)| head == id);
    let branch = |id: &AssignmentId| {
        let it = board.assignments.get(id)?;
        let is_here = it.issue.repo == sighting.repo && it.kind.writes();
        (is_here && looked_at(id)).then_some(it)
    };
    let one = branch(&seen.one)?;
    let Some(other) = &seen.other else {
        return Some((one.id.clone(), None));
    };
    let other = branch(other).filter(|other| other.id != one.id)?;
    let (later, earlier) = match begun_at(board, other) <= begun_at(board, one) {
        true => (one, other),
        false => (other, one),
    };
    Some((later.id.clone(), Some(earlier.id.clone())))
}

/// Whoever puts a branch right is as early as whoever began it.
fn begun_at<'b>(board: &'b Board, it: &'b Assignment) -> impl Ord + use<'b> {
    let first = board.chain(it).last().unwrap_or(it);
    (first.requested_at, &first.id)
}

fn foresee(draft: &mut Draft<'_>, clash: &Clash, news: bool) {
    let Clash { id, with, paths } = clash;
    draft.emit(BoardEvent::ConflictForeseen {
        id: id.clone(),
        with: with.clone(),
        paths: paths.clone(),
    });
    let board = draft.board();
    let Some(it) = board.assignments.get(id) else {
        return;
    };
    let hears = it.state == AssignmentState::Running && !it.stop_requested;
    if !news || !hears {
        return;
    }
    let other = with.as_ref().and_then(|id| board.assignments.get(id));
    let effect = Effect::Tell {
        machine: it.machine.clone(),
        id: id.clone(),
        text: told(other, paths),
        seq: board.seq,
    };
    let key = key::tell(id, board.seq);
    draft.enqueue(key, id, effect);
}

/// For a worker. Paths are what another worker has made them: they are quoted.
fn told(other: Option<&Assignment>, paths: &[String]) -> String {
    let shown: Vec<String> = paths
        .iter()
        .take(PATHS.1)
        .map(|it| format!("{it:?}"))
        .collect();
    let more = match paths.len().saturating_sub(PATHS.1) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let files = format!("{}{more}", shown.join(", "));
    match other {
        Some(other) => format!(
            "From the coordinator: what you have changed so far conflicts with the work on {} by \
             assignment {}, which began before yours and is merged first: {files}. Keep your change \
             there as small as you can, and away from lines that you need not touch; you may be \
             asked to rebase later.",
            other.issue, other.id
        ),
        None => format!(
            "From the coordinator: the base branch has moved, and what you have changed so far \
             conflicts with it: {files}. Finish your work; you may be asked to rebase later."
        ),
    }
}
