//! `coord up`: the agent of this machine and the coordinator's loop, in one process.

use std::convert::Infallible;
use std::ops::ControlFlow;

use clap::Args;
use coord_agent::program::AgentOptions;
use coord_agent::{Agent, AgentConfig, Running};

use crate::app::{App, Bench};
use crate::exit;
use crate::failure::Failure;
use crate::narrator::Narrator;

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
    let narrator = Narrator::new(app.printer);
    let forever = |_: &coord_core::Board| ControlFlow::<Infallible>::Continue(());
    let done = app
        .interruptible(async {
            let never = engine
                .drive(forever, |progress| narrator.show(&progress))
                .await?;
            match never {}
        })
        .await;
    engine.close().await;
    hosted.shutdown().await;
    done.map(|code| {
        if code == exit::INTERRUPTED {
            exit::OK
        } else {
            code
        }
    })
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
