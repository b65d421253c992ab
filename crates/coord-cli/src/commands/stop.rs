//! `coord stop`: end a worker. What it wrote is saved, nothing is published.

use clap::Args;
use coord_core::Command;
use serde_json::json;

use crate::app::{App, Bench};
use crate::commands::assign::deliver;
use crate::commands::log::{known, on_board};
use crate::exit;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// The assignment, or the beginning of its id
    id: String,
}

pub(crate) async fn run(app: &App, args: StopArgs) -> Result<u8, Failure> {
    let Bench { engine, .. } = app.bench().await?;
    let id = engine.resolve(&args.id).await?;
    on_board(&engine, &id).await?;
    let before = known(&engine, &id).await?;
    let committed = engine.command(Command::Stop { id: id.clone() }).await?;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    let carried = deliver(&engine, &committed).await?;
    engine.close().await;
    let delivered = carried.iter().any(coord_engine::Carried::is_settled);
    let ended = !committed
        .board
        .assignments
        .get(&id)
        .is_some_and(|a| a.state.is_active());
    if app.printer.is_json() {
        app.printer
            .json(&json!({"id": id, "delivered": delivered, "ended": ended}));
    } else if !before.state.is_active() {
        app.printer.line(format_args!(
            "{id} is put aside; `coord merge {id}` takes its branch up again"
        ));
    } else if ended {
        app.printer
            .line(format_args!("{id} is withdrawn; it had not started"));
    } else if delivered {
        app.printer.line(format_args!(
            "{id} is being stopped; `coord wait {id}` waits for its end"
        ));
    } else {
        app.printer.line(format_args!(
            "{id} will be stopped as soon as its agent can be reached"
        ));
    }
    Ok(exit::OK)
}
