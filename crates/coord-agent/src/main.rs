//! `coord-agent`: the agent of one machine as a program of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use coord_agent::program::{AgentOptions, log_to_stderr};
use coord_agent::{Agent, AgentConfig, AgentError};

/// Something was refused or failed.
const FAILED: u8 = 1;

/// The arguments or the configuration are wrong.
const USAGE: u8 = 2;

/// Starts, shows and stops workers on this machine.
#[derive(Debug, Parser)]
#[command(name = "coord-agent", version)]
struct Args {
    /// The configuration (default: $COORD_CONFIG, ./coordinator.yml, ~/.coord/coordinator.yml)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: AgentOptions,
}

fn main() -> ExitCode {
    // Before anything else: a supervisor has to stay small.
    let mut args = std::env::args_os().skip(1);
    if args
        .next()
        .is_some_and(|first| first == coord_supervisor::SUBCOMMAND)
    {
        return coord_supervisor::run(args);
    }
    let args = Args::parse();
    log_to_stderr("info");
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "error: {error:#}");
    let agent = error.downcast_ref::<AgentError>();
    if let Some(hint) = agent.and_then(AgentError::hint) {
        let _ = writeln!(stderr, "hint: {hint}");
    }
    let usage = error.is::<coord_config::ConfigError>()
        || error.is::<coord_config::LocateError>()
        || matches!(
            agent,
            Some(AgentError::UnknownMachine { .. } | AgentError::NoToken { .. })
        );
    ExitCode::from(if usage { USAGE } else { FAILED })
}

fn run(args: &Args) -> Result<()> {
    let config = configure(args)?;
    // One thread is enough: what blocks has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let running = Agent::start(config).await?;
        announce(running.addr())?;
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        running.shutdown();
        Ok(running.join().await?)
    })
}

/// The one line on stdout: whoever started it reads the port there.
fn announce(addr: SocketAddr) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{addr}")?;
    Ok(stdout.flush()?)
}

fn configure(args: &Args) -> Result<AgentConfig> {
    let user_home = std::env::var_os("HOME").map(PathBuf::from);
    let home = match std::env::var_os("COORD_HOME").filter(|home| !home.is_empty()) {
        Some(home) => std::path::absolute(home)?,
        None => user_home
            .as_deref()
            .map(|home| home.join(".coord"))
            .ok_or_else(|| anyhow!("neither COORD_HOME nor HOME is set"))?,
    };
    let env = std::env::var_os("COORD_CONFIG");
    let cwd = std::env::current_dir().context("cannot tell the current folder")?;
    let (named, user_home) = (args.config.as_deref(), user_home.as_deref());
    match coord_config::locate(named, env.as_deref(), &cwd, user_home) {
        Ok(located) => {
            let config = coord_config::load(&located.path, user_home)?;
            Ok(args.options.of_config(&config, home)?)
        }
        // Without any configuration only `--allow-path` says where workers may be started.
        Err(error @ coord_config::LocateError::NotFound { .. }) => {
            Ok(args.options.bare(home).ok_or(error)??)
        }
        Err(error) => Err(error.into()),
    }
}
