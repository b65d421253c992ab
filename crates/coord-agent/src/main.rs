//! `coord-agent`: the agent of one machine as a program of its own.

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use coord_agent::{Agent, AgentConfig, AgentError, find_token};

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
    /// Which machine of the configuration this is
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
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("COORD_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match run(args) {
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

fn run(args: Args) -> Result<()> {
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

fn configure(args: Args) -> Result<AgentConfig> {
    let user_home = std::env::var_os("HOME").map(PathBuf::from);
    let home = match std::env::var_os("COORD_HOME").filter(|home| !home.is_empty()) {
        Some(home) => std::path::absolute(home)?,
        None => user_home
            .as_deref()
            .map(|home| home.join(".coord"))
            .ok_or_else(|| anyhow!("neither COORD_HOME nor HOME is set"))?,
    };
    let mut config = from_file(&args, &home, user_home.as_deref())?;
    config.bind = SocketAddr::new(args.host, args.port.unwrap_or(config.bind.port()));
    config.insecure = args.insecure_no_auth;
    let from_env = std::env::var("COORD_AGENT_TOKEN").ok();
    let named = args.token_file.or_else(|| config.token_file.take());
    config.token = find_token(named.as_deref(), from_env, &home)?;
    config.allow_paths = args.allow_path;
    Ok(config)
}

/// Without any configuration only `--allow-path` says where workers may be started.
fn from_file(args: &Args, home: &Path, user_home: Option<&Path>) -> Result<AgentConfig> {
    let env = std::env::var_os("COORD_CONFIG");
    let cwd = std::env::current_dir().context("cannot tell the current folder")?;
    let located = coord_config::locate(args.config.as_deref(), env.as_deref(), &cwd, user_home);
    let path = match located {
        Ok(located) => located.path,
        Err(coord_config::LocateError::NotFound { .. }) if !args.allow_path.is_empty() => {
            let machine = args
                .machine
                .clone()
                .unwrap_or_else(|| "localhost".to_owned());
            return Ok(AgentConfig::bare(machine, home.to_path_buf(), Vec::new()));
        }
        Err(error) => return Err(error.into()),
    };
    let config = coord_config::load(&path, user_home)?;
    Ok(AgentConfig::from_config(
        &config,
        args.machine.as_deref(),
        home.to_path_buf(),
    )?)
}
