//! `coord up`: the agent of this machine and the coordinator's loop, in one process.

use clap::Args;
use coord_agent::program::AgentOptions;
use coord_agent::{Agent, AgentConfig, Running};

use crate::app::{App, Bench};
use crate::commands::drive::for_ever;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    options: AgentOptions,
}

pub(crate) async fn run(app: &App, args: UpArgs) -> Result<u8, Failure> {
    let Bench { config, engine } = app.bench().await?;
    let agent = args.options.of_config(&config, App::home()?)?;
    let machine = agent.machine.clone();
    let hosted = host_agent(agent).await?;
    app.printer.note(format_args!(
        "the agent of {machine} listens on {}; Ctrl-C ends it, workers go on",
        hosted.address()
    ));
    let done = for_ever(app, &engine).await;
    engine.close().await;
    hosted.shutdown().await;
    done
}

/// An agent in this process.
pub(crate) struct HostedAgent(Running);

impl HostedAgent {
    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.0.addr()
    }

    /// Ends it and waits until its state folder is free; workers go on.
    pub(crate) async fn shutdown(self) {
        self.0.shutdown();
        // It was asked to end: how it ended is of no consequence.
        let _ = self.0.join().await;
    }
}

/// Starts the agent of `machine` in this process.
pub(crate) async fn host_agent(config: AgentConfig) -> Result<HostedAgent, Failure> {
    Ok(HostedAgent(Agent::start(config).await?))
}
