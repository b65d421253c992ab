//! `coord done`: close the session, run its hooks and the housekeeping, say what it came to.

use std::ops::ControlFlow;

use clap::Args;
use coord_core::session::{Occasion, Period, Since};
use coord_core::{Board, BoardEvent, Decision};
use coord_engine::{Engine, now};
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::notify::hear;
use crate::commands::session;
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;
use crate::printer::plain;

#[derive(Debug, Args)]
pub(crate) struct DoneArgs {
    /// Close it although something is at work; that goes on and belongs to the next session
    #[arg(long)]
    force: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(app: &App, args: DoneArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let done = app.interruptible(close(app, &engine, &args)).await;
    engine.close().await;
    done
}

async fn close(app: &App, engine: &Engine, args: &DoneArgs) -> Result<u8, Failure> {
    // What ended while nobody looked is not at work any more.
    hear(app, engine).await?;
    let command = engine.close_session(args.force);
    if args.dry_run {
        let decision = engine.decide(&command).await?;
        return dry(app, engine, decision).await;
    }
    let committed = engine.command(command).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let closed = committed.recorded.iter().find(|it| is_close(&it.event));
    let seq = closed.map_or(committed.board.seq, |it| it.seq);
    let enough = |board: &Board| match board.step_runs.contains_key(&seq) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let narrator = Narrator::new(app.printer);
    engine
        .drive(enough, |progress| narrator.show(&progress))
        .await?;
    session::show(app, engine, seq).await
}

const fn is_close(event: &BoardEvent) -> bool {
    matches!(event, BoardEvent::SessionClosed { .. })
}

async fn dry(app: &App, engine: &Engine, decision: Decision) -> Result<u8, Failure> {
    if let Some(refusal) = decision.refusal {
        return Err(refusal.into());
    }
    let period: Option<Box<Period>> = decision.events.into_iter().find_map(|event| match event {
        BoardEvent::SessionClosed { period } => Some(period),
        _ => None,
    });
    let Some(period) = period else {
        return Ok(exit::OK);
    };
    let until = Since {
        seq: engine.store().board().await?.seq,
        at: now(),
    };
    let summary = engine
        .summarize(Occasion::SessionEnd, &period, until)
        .await?;
    if app.printer.is_json() {
        app.printer
            .json(&json!({"dry_run": true, "summary": summary, "would_run": period.steps}));
        return Ok(exit::OK);
    }
    session::print(app, &summary.report(&crate::time::date_time));
    app.printer.line("");
    for step in &period.steps {
        app.printer
            .line(format_args!("would run {}", plain(&step.to_string())));
    }
    app.printer.line("dry run: nothing was closed");
    Ok(exit::OK)
}
