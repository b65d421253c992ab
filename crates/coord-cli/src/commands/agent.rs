//! `coord agent`: the server of this machine, until it is told to stop.

use clap::Args;
use coord_agent::program::AgentOptions;

use crate::app::{App, interrupted};
use crate::commands::up::host_agent;
use crate::exit;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    options: AgentOptions,
}

pub(crate) async fn run(app: &App, args: AgentArgs) -> Result<u8, Failure> {
    let (_, config) = app.config()?;
    let hosted = host_agent(args.options.of_config(&config, App::home()?)?).await?;
    app.printer
        .line(format_args!("listening on http://{}", hosted.address()));
    interrupted().await?;
    hosted.shutdown().await;
    app.printer
        .note("the agent has ended; workers that run go on, the next agent takes them over");
    Ok(exit::OK)
}
