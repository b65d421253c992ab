//! `coord fix`: have a finished branch put right: what its tests, its reviewer or a person found.

use clap::Args;
use coord_core::Command;
use coord_core::command::FixRequest;
use coord_core::ids::MachineName;
use coord_engine::fresh_id;

use crate::app::{App, Bench};
use crate::commands::assign;
use crate::commands::log::on_board;
use crate::commands::retry::dry;
use crate::failure::Failure;
use crate::given::GuidanceArgs;
use crate::tips;

#[derive(Debug, Args)]
pub(crate) struct FixArgs {
    /// The assignment whose branch it is, or the beginning of its id
    id: String,
    #[command(flatten)]
    guidance: GuidanceArgs,
    /// The machine to run it on; otherwise the coordinator chooses
    #[arg(long, value_name = "NAME")]
    machine: Option<MachineName>,
    /// The model, instead of the next one up
    #[arg(long)]
    model: Option<String>,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(app: &App, args: FixArgs) -> Result<u8, Failure> {
    let guidance = args.guidance.read()?;
    let Bench { engine, .. } = app.bench().await?;
    let follows = engine.resolve(&args.id).await?;
    on_board(&engine, &follows).await?;
    tips::look(app.printer, &engine, std::slice::from_ref(&follows)).await?;
    let command = Command::Fix(Box::new(FixRequest {
        id: fresh_id(),
        follows,
        machine: args.machine,
        model: args.model,
        guidance,
    }));
    if args.dry_run {
        let decision = engine.decide(&command).await?;
        engine.close().await;
        return dry(app.printer, decision);
    }
    let committed = engine.command(command).await?;
    let carried = assign::hand_over(&engine, &committed).await?;
    engine.close().await;
    if let Some(refusal) = committed.refusal {
        return Err(refusal.into());
    }
    assign::show(app.printer, &committed, &carried)
}
