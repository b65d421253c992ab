//! `coord notify`: one pass of the loop by hand: hear what the agents have to say, let that lead to
//! what follows, carry out what is due, tell what happened, end.

use std::collections::BTreeSet;

use clap::Args;
use coord_core::ids::{AssignmentId, EffectKey};
use coord_core::{Command, Recorded};
use coord_engine::{Engine, now, settled};
use coord_store::HistoryFilter;
use serde_json::json;

use crate::app::{App, Bench};
use crate::describe::{self, count};
use crate::exit;
use crate::failure::Failure;
use crate::postponed::Postponed;
use crate::printer::{FAINT, paint};
use crate::tips;

#[derive(Debug, Args)]
pub(crate) struct NotifyArgs {}

pub(crate) async fn run(app: &App, _: NotifyArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let done = app.interruptible(pass(app, &engine)).await;
    engine.close().await;
    done
}

async fn pass(app: &App, engine: &Engine) -> Result<u8, Failure> {
    let board = engine.store().board().await?;
    let before = board.seq;
    hear(app, engine).await?;
    let branches = board.assignments.values();
    let branches = branches.filter(|it| it.is_finished_branch());
    let branches: Vec<AssignmentId> = branches.map(|it| it.id.clone()).collect();
    let seen = engine.look_at_branches(&branches).await?;
    tips::print_missing(app.printer, engine, &seen).await?;
    carry_out(engine).await?;
    let filter = HistoryFilter {
        after_seq: Some(before),
        ..HistoryFilter::default()
    };
    let events = engine.store().history(filter).await?;
    show(app, engine, &events).await
}

/// Asks every agent once; says which ones do not answer.
pub(crate) async fn hear(app: &App, engine: &Engine) -> Result<(), Failure> {
    for view in engine.look(None).await? {
        if let Err(error) = &view.answer {
            let machine = &view.machine;
            app.printer.note(format_args!(
                "the agent of `{machine}` does not answer: {error}"
            ));
        }
    }
    Ok(())
}

/// Carries out what is due, and what becomes due by that; nothing twice.
pub(crate) async fn carry_out(engine: &Engine) -> Result<(), Failure> {
    engine.command(Command::Tick).await?;
    let mut tried: BTreeSet<EffectKey> = BTreeSet::new();
    loop {
        let outbox = engine.store().outbox().await?;
        let due = outbox.into_iter().filter(|row| row.not_before <= now());
        let due: Vec<EffectKey> = due
            .map(|row| row.key)
            .filter(|key| !tried.contains(key))
            .collect();
        if due.is_empty() {
            return Ok(());
        }
        engine.carry_out_now(&due).await?;
        tried.extend(due);
    }
}

async fn show(app: &App, engine: &Engine, events: &[Recorded]) -> Result<u8, Failure> {
    let board = engine.store().board().await?;
    let ids = board.assignments.keys();
    let open = ids.filter(|id| !settled(&board, id)).count();
    let postponed = Postponed::read(engine.store()).await?;
    if app.printer.is_json() {
        app.printer
            .json(&json!({"events": events, "postponed": postponed.json(),
            "unfinished": open}));
        return Ok(exit::OK);
    }
    let told = events.iter().filter(|it| !describe::is_detail(&it.event));
    for recorded in told.clone() {
        let at = paint(FAINT, crate::time::clock(recorded.at));
        app.printer
            .line(format_args!("{at}  {}", describe::event(&recorded.event)));
    }
    if told.count() == 0 {
        app.printer.line("nothing new");
    }
    postponed.print(app.printer, "");
    if open > 0 {
        let open = count(open, "unfinished assignment");
        app.printer.note(format_args!(
            "{open}; `coord drive` or `coord up` goes on with them"
        ));
    }
    Ok(exit::OK)
}
