//! `coord session`: what the session came to that was closed last.

use clap::Args;
use coord_engine::Engine;

use crate::app::{App, Bench};
use crate::describe::count;
use crate::exit;
use crate::failure::Failure;
use crate::printer::plain;

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {}

pub(crate) async fn run(app: &App, _: SessionArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let shown = match engine.last_session().await? {
        Some(seq) => show(app, &engine, seq).await.map(|_| exit::OK),
        None => Err(Failure::failed("no session has been closed yet")
            .with_hint("`coord done` closes the one that is going on")),
    };
    engine.close().await;
    shown
}

/// Shows what a session came to; the exit code says whether its hooks went well.
pub(crate) async fn show(app: &App, engine: &Engine, seq: u64) -> Result<u8, Failure> {
    let Some(summary) = engine.summary(seq).await? else {
        return Err(Failure::failed(format!(
            "no session ended with event {seq}"
        )));
    };
    if app.printer.is_json() {
        app.printer.json(&summary);
    } else {
        print(app, &summary.report(&crate::time::date_time));
        let open = summary.step_count.saturating_sub(summary.steps.len());
        if open > 0 {
            let open = count(open, "hook");
            app.printer.note(format_args!(
                "{open} to go; `coord resume` goes on with them"
            ));
        }
    }
    Ok(match summary.has_failed_step() {
        true => exit::FAILED,
        false => exit::OK,
    })
}

/// A report, which quotes issues and what programs said.
pub(crate) fn print(app: &App, report: &str) {
    for line in report.lines() {
        app.printer.line(plain(line));
    }
}
