//! What the programs that are an agent share: the options of `coord-agent`, `coord agent` and
//! `coord up`, what they make of a configuration, and the log.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use coord_config::Config;
use tracing_subscriber::EnvFilter;

use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::token::find_token;

/// How the agent of this machine is started.
#[derive(Debug, Clone, Args)]
pub struct AgentOptions {
    /// The machine of the configuration that this is, where its host name does not say it
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
    /// Accept repositories below this folder, whatever the configuration says
    #[arg(long, value_name = "FOLDER")]
    allow_path: Vec<PathBuf>,
    /// Listen on any address without a token: anyone who reaches it can start programs here
    #[arg(long)]
    insecure_no_auth: bool,
}

impl AgentOptions {
    /// The agent of the machine that is named, else of the one that this process runs on.
    ///
    /// # Errors
    /// [`AgentError::UnknownMachine`], and [`AgentError::TokenFile`].
    pub fn of_config(&self, config: &Config, home: PathBuf) -> Result<AgentConfig, AgentError> {
        let hostname = rustix::system::uname();
        let here = || config.local_machine(&hostname.nodename().to_string_lossy());
        let named = self.machine.as_deref();
        let name = named.or_else(|| here().map(|machine| machine.name.as_str()));
        self.complete(AgentConfig::from_config(config, name, home)?)
    }

    /// An agent without a configuration; `None` when it could not accept any repository.
    ///
    /// # Errors
    /// [`AgentError::TokenFile`].
    pub fn bare(&self, home: PathBuf) -> Option<Result<AgentConfig, AgentError>> {
        let name = self.machine.as_deref().unwrap_or("localhost").to_owned();
        let bare = || self.complete(AgentConfig::bare(name, home, Vec::new()));
        (!self.allow_path.is_empty()).then(bare)
    }

    fn complete(&self, mut agent: AgentConfig) -> Result<AgentConfig, AgentError> {
        let port = self.port.unwrap_or(agent.bind.port());
        agent.bind = SocketAddr::new(self.host, port);
        agent.insecure = self.insecure_no_auth;
        agent.allow_paths.clone_from(&self.allow_path);
        let named = self.token_file.clone().or_else(|| agent.token_file.take());
        let from_env = std::env::var("COORD_AGENT_TOKEN").ok();
        agent.token = find_token(named.as_deref(), from_env, &agent.home)?;
        Ok(agent)
    }
}

/// Writes the log to stderr: what `COORD_LOG` asks for, else everything from `level` on. In one
/// process the first call counts.
pub fn log_to_stderr(level: &str) {
    let filter = EnvFilter::try_from_env("COORD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let _ = log.try_init();
}
