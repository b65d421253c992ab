//! `coord resume`: after a crash, ask the agents what happened and finish what was begun.

use std::ops::ControlFlow;

use clap::Args;
use coord_core::ids::AssignmentId;
use coord_engine::settled;
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::notify::{carry_out, hear};
use crate::commands::wait;
use crate::describe::count;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Only bring the board up to date; do not wait for what runs
    #[arg(long)]
    no_wait: bool,
}

pub(crate) async fn run(app: &App, args: ResumeArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let before = engine.store().board().await?;
    hear(app, &engine).await?;
    let ids: Vec<AssignmentId> = before
        .assignments
        .keys()
        .filter(|id| !settled(&before, id))
        .cloned()
        .collect();
    let done = if args.no_wait {
        once(app, &engine, &ids).await
    } else {
        app.interruptible(finish(app, &engine, &ids)).await
    };
    engine.close().await;
    done
}

async fn once(
    app: &App,
    engine: &coord_engine::Engine,
    ids: &[AssignmentId],
) -> Result<u8, Failure> {
    carry_out(engine).await?;
    let board = engine.store().board().await?;
    let open = ids.iter().filter(|id| !settled(&board, id)).count();
    if app.printer.is_json() {
        app.printer.json(&json!({"unfinished": open}));
    } else {
        let open = count(open, "unfinished assignment");
        app.printer.line(format_args!(
            "{open}; `coord up` or `coord resume` goes on with them"
        ));
    }
    Ok(exit::OK)
}

async fn finish(
    app: &App,
    engine: &coord_engine::Engine,
    ids: &[AssignmentId],
) -> Result<u8, Failure> {
    if ids.is_empty() {
        app.printer.note("nothing was left unfinished");
    }
    let enough = |board: &coord_core::Board| {
        if ids.iter().all(|id| settled(board, id)) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let narrator = Narrator::new(app.printer);
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    wait::report(app.printer, engine, ids).await
}
