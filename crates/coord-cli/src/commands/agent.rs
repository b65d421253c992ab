//! `coord agent`: the server of this machine, until it is told to stop.

use clap::{Args, Subcommand};
use coord_agent::program::AgentOptions;
use coord_agent::{make_token, token_path};
use serde_json::json;

use crate::app::{App, interrupted};
use crate::commands::up::host_agent;
use crate::exit;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    options: AgentOptions,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the token that callers from other machines need
    Pair,
}

pub(crate) async fn run(app: &App, args: AgentArgs) -> Result<u8, Failure> {
    match args.action {
        Some(Action::Pair) => pair(app),
        None => serve(app, args.options).await,
    }
}

fn pair(app: &App) -> Result<u8, Failure> {
    let home = App::home()?;
    let fresh = make_token(&home)?;
    let path = token_path(&home);
    if app.printer.is_json() {
        app.printer
            .json(&json!({"token_file": path, "fresh": fresh}));
        return Ok(exit::OK);
    }
    let word = if fresh { "is now" } else { "is already" };
    app.printer.line(format_args!(
        "the token of this agent {word} in {}",
        path.display()
    ));
    app.printer.note(
        "copy it to the coordinator's machine, readable by you alone, and name it there as the \
         machine's `token_file`; a running agent takes it up when it is started again",
    );
    Ok(exit::OK)
}

async fn serve(app: &App, options: AgentOptions) -> Result<u8, Failure> {
    let (_, config) = app.config()?;
    let hosted = host_agent(options.of_config(&config, App::home()?)?).await?;
    app.printer
        .line(format_args!("listening on http://{}", hosted.address()));
    interrupted().await?;
    hosted.shutdown().await;
    app.printer
        .note("the agent has ended; workers that run go on, the next agent takes them over");
    Ok(exit::OK)
}
