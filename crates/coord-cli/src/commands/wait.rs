//! `coord wait`: block until assignments are as far as they go by themselves.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use coord_core::assignment::{Assignment, AssignmentState, MergeState};
use coord_core::ids::AssignmentId;
use coord_core::why;
use coord_engine::{Engine, now, settled};
use serde_json::json;

use crate::app::{App, Bench};
use crate::describe;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::printer::{FAINT, Printer, paint, plain};
use crate::time::clock;
use crate::waiting::Told;

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// The assignments, or the beginnings of their ids
    #[arg(required = true)]
    ids: Vec<String>,
    /// Give up after so many seconds; the work goes on
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

pub(crate) async fn run(app: &App, args: WaitArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let mut ids = Vec::new();
    for text in &args.ids {
        ids.push(engine.resolve(text).await?);
    }
    let work = until_settled(app.printer, &engine, &ids);
    let limit = args.timeout.map_or(Duration::MAX, Duration::from_secs);
    let waited = tokio::time::timeout(limit, app.interruptible(work)).await;
    engine.close().await;
    waited.unwrap_or_else(|_| {
        Err(
            Failure::timed_out(format!("still at work after {} s", limit.as_secs()))
                .with_hint("the work goes on; `coord status` shows it"),
        )
    })
}

async fn until_settled(
    printer: Printer,
    engine: &Engine,
    ids: &[AssignmentId],
) -> Result<u8, Failure> {
    let narrator = Narrator::new(printer).only(ids);
    let mut told = Told::default();
    let enough = |board: &coord_core::Board| {
        if ids.iter().all(|id| settled(board, id)) {
            return ControlFlow::Break(());
        }
        // What is settled is told at the end.
        let waiting = ids.iter().filter(|id| !settled(board, id));
        let waiting = waiting.filter_map(|id| board.assignments.get(id));
        let issues = waiting.map(|it| it.issue.clone()).collect();
        for line in told.news(board, engine.policy(), Some(&issues)) {
            let at = paint(FAINT, clock(now()));
            printer.note(format_args!("{at}  {line}"));
        }
        ControlFlow::Continue(())
    };
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    report(printer, engine, ids).await
}

/// Says how the assignments ended; the exit code is that of the worst.
pub(crate) async fn report(
    printer: Printer,
    engine: &Engine,
    ids: &[AssignmentId],
) -> Result<u8, Failure> {
    let mut ended = Vec::new();
    for id in ids {
        ended.extend(last_attempt(engine, id).await?);
    }
    if printer.is_json() {
        printer.json(&json!({"assignments": ended}));
    } else {
        let board = engine.store().board().await?;
        for assignment in &ended {
            let why = why(&board, engine.policy(), &assignment.issue, now());
            if assignment.is_in_merge_queue() {
                let (id, issue) = (&assignment.id, &assignment.issue);
                printer.line(format_args!(
                    "{id} {issue}: not merged: {}",
                    plain(&why.sentence)
                ));
            }
            printer.line(sentence(assignment));
            let is_news = !went_well(assignment) && why.assignment.as_ref() == Some(&assignment.id);
            printer.hint(describe::next_step(&why).filter(|_| is_news));
        }
    }
    let good = ended.iter().all(went_well);
    Ok(if good { exit::OK } else { exit::FAILED })
}

/// The assignment, or the one that went on with it last.
async fn last_attempt(engine: &Engine, id: &AssignmentId) -> Result<Option<Assignment>, Failure> {
    let mut last = engine.store().assignment(id).await?;
    while let Some(by) = last.as_ref().and_then(|it| it.superseded_by.clone()) {
        match engine.store().assignment(&by).await? {
            Some(next) => last = Some(next),
            None => break,
        }
    }
    Ok(last)
}

/// Whether nothing went wrong as far as it went.
pub(crate) fn went_well(assignment: &Assignment) -> bool {
    let unmerged = assignment.merge.as_ref().is_some_and(|entry| {
        matches!(
            entry.state,
            MergeState::Conflict { .. } | MergeState::Red { .. } | MergeState::Refused { .. }
        )
    });
    let is_in_base = assignment.merged_as().is_some();
    let is_stopped = assignment.is_rejected() || assignment.delivery.pull_refused.is_some();
    assignment.state == AssignmentState::Done
        && !unmerged
        && !assignment.is_in_merge_queue()
        && (is_in_base || !is_stopped)
        && assignment.question().is_none()
        && assignment.answer_refused.is_none()
}

fn sentence(assignment: &Assignment) -> String {
    let id = &assignment.id;
    let issue = &assignment.issue;
    let how = describe::standing(assignment);
    format!("{id} {issue}: {how}")
}
