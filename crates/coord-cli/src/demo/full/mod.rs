//! `coord demo --full`: five issues through everything between a worker's end and the merge.

pub(crate) mod scenario;
mod timeline;
mod turns;

use std::cell::RefCell;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use coord_core::assignment::{
    Assignment, AssignmentState, FileScope, FreshnessRule, Goal, Waivers,
};
use coord_core::command::WhenBlocked;
use coord_core::ids::AssignmentId;
use coord_core::verdict::ReviewResult;
use coord_core::{Board, Command};
use coord_engine::{AssignInput, Engine, Progress, now, settled};
use coord_store::HistoryFilter;

use super::project::{self, Project};
use crate::exit;
use crate::failure::{Failure, io};
use crate::printer::Printer;
use timeline::Timeline;
use turns::Turns;

/// The two issues that are green alone and red together, in the order of their merges.
const PAIR: [u64; 2] = [2, 5];

/// Plays it to its end; the exit code says whether it came as it was meant to.
pub(crate) async fn play(
    printer: Printer,
    engine: &Engine,
    project: &Project,
) -> Result<u8, Failure> {
    let started = now();
    if engine.store().board().await?.seq > 0 {
        // Whom a person stopped, nobody begins again without one.
        let dir = project.dir.display();
        return Err(
            Failure::usage(format!("in `{dir}` it has been played already"))
                .with_hint("give --dir an empty folder, or one that does not exist"),
        );
    }
    for number in 1..=project.scenario.issues.len() as u64 {
        let committed = engine.assign(request(project, number)).await?;
        if let Some(refusal) = committed.refusal {
            return Err(refusal.into());
        }
    }
    let timeline = RefCell::new(Timeline::new(printer, started));
    for recorded in engine.store().history(HistoryFilter::default()).await? {
        timeline.borrow_mut().show(&recorded);
    }
    let show = |progress: Progress| {
        if let Progress::Recorded(recorded) = progress {
            timeline.borrow_mut().show(&recorded);
        }
    };
    tokio::try_join!(
        async { engine.drive(is_over, show).await.map_err(Failure::from) },
        direct(engine, &project.stage),
    )?;
    let turns = Turns::of(&engine.store().history(HistoryFilter::default()).await?);
    let missing = turns.missing(project.scenario.issues.len());
    timeline.into_inner().close(&turns, &missing);
    Ok(match missing.is_empty() {
        true => exit::OK,
        false => exit::FAILED,
    })
}

/// Files of the five overlap on purpose: what comes of that is part of the play.
fn request(project: &Project, number: u64) -> AssignInput {
    let index = usize::try_from(number - 1).unwrap_or_default();
    let files = project.scenario.issues.get(index).map(|issue| issue.files);
    AssignInput {
        machine: None,
        repo: project::repo(),
        issue: number,
        model: None,
        briefing: None,
        scope: FileScope {
            allowed: files.into_iter().flatten().map(|&f| f.to_owned()).collect(),
            ..FileScope::default()
        },
        when_blocked: WhenBlocked::Wait,
        waivers: Waivers {
            allow_overlap: true,
            ..Waivers::default()
        },
        goal: Goal::Merged,
        freshness: FreshnessRule::default(),
    }
}

fn is_over(board: &Board) -> ControlFlow<()> {
    match board.assignments.keys().all(|id| settled(board, id)) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// What a person does: says in which order the pair is to be merged. Its reviewers wait for each
/// other, so that both stand in the queue at the same time whatever the machine is busy with.
async fn direct(engine: &Engine, stage: &Path) -> Result<(), Failure> {
    let tested = |board: &Board| {
        let tested = |number| finished(board, number).filter(|it| it.verdict_for_head().is_some());
        let [first, second] = PAIR.map(tested);
        Some(vec![first?.id.clone(), second?.id.clone()])
    };
    let Some(ids) = until(engine, tested).await? else {
        return Ok(());
    };
    let committed = engine.command(merge_in_order(ids)).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    cue(stage, "ordered")?;
    let approved = |board: &Board| {
        let it = finished(board, PAIR[1])?;
        let review = it.delivery.review.as_ref()?;
        (review.result == ReviewResult::Approve).then_some(())
    };
    match until(engine, approved).await? {
        Some(()) => cue(stage, "approved"),
        None => Ok(()),
    }
}

fn merge_in_order(ids: Vec<AssignmentId>) -> Command {
    Command::Merge {
        ids,
        repo: None,
        method: project::METHOD,
        ordered: true,
        set_aside: None,
    }
}

/// The branch of an issue whose worker has ended well.
fn finished(board: &Board, number: u64) -> Option<&Assignment> {
    board.assignments.values().find(|it| {
        it.issue.number == number && it.kind.writes() && it.state == AssignmentState::Done
    })
}

/// Waits until `find` finds something on the board; `None` once nothing happens there any more.
async fn until<T>(
    engine: &Engine,
    find: impl Fn(&Board) -> Option<T>,
) -> Result<Option<T>, Failure> {
    let mut changes = engine.store().changes();
    loop {
        changes.mark_unchanged();
        let board = engine.store().board().await?;
        let found = find(&board);
        if found.is_some() || is_over(&board).is_break() {
            return Ok(found);
        }
        if changes.changed().await.is_err() {
            return Ok(None);
        }
    }
}

/// Lets those go on who wait for it.
fn cue(stage: &Path, name: &str) -> Result<(), Failure> {
    let file = stage.join(name);
    fs::write(&file, "").map_err(io(&file))
}
