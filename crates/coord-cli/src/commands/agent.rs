//! `coord agent`: the server of this machine, until it is told to stop.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use coord_agent::{AgentConfig, find_token};
use coord_config::Config;

use crate::app::{App, hostname, interrupted};
use crate::commands::up::host_agent;
use crate::exit;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    options: AgentOptions,
}

/// How the agent of this machine is started.
#[derive(Debug, Clone, Args)]
pub(crate) struct AgentOptions {
    /// The machine that this is, where its host name does not say it
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
    /// A file with the token that callers have to present
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Listen on any address without a token: anyone who reaches it can start programs here
    #[arg(long)]
    insecure_no_auth: bool,
}

impl AgentOptions {
    /// The agent that they ask for.
    pub(crate) fn configure(&self, config: &Config, home: &Path) -> Result<AgentConfig, Failure> {
        let name = self.machine.clone().or_else(|| {
            config
                .local_machine(&hostname())
                .map(|machine| machine.name.to_string())
        });
        let mut agent = AgentConfig::from_config(config, name.as_deref(), home.to_owned())?;
        agent.bind = SocketAddr::new(self.host, self.port.unwrap_or(agent.bind.port()));
        agent.insecure = self.insecure_no_auth;
        let named = self.token_file.clone().or_else(|| agent.token_file.take());
        let from_env = std::env::var("COORD_AGENT_TOKEN").ok();
        agent.token = find_token(named.as_deref(), from_env, home)?;
        Ok(agent)
    }
}

pub(crate) async fn run(app: &App, args: AgentArgs) -> Result<u8, Failure> {
    let (_, config) = app.config()?;
    let hosted = host_agent(args.options.configure(&config, &App::home()?)?).await?;
    app.printer
        .line(format_args!("listening on http://{}", hosted.address()));
    interrupted().await?;
    hosted.shutdown().await;
    app.printer
        .note("the agent has ended; workers that run go on, the next agent takes them over");
    Ok(exit::OK)
}
