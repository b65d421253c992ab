//! What an agent has to know before it starts. Reads no file and no environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that an agent is started with.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The name of this machine.
    pub machine: String,
    /// What it can do, e.g. `docker`.
    pub capabilities: Vec<String>,
    /// The repositories that workers may be started in, by name.
    pub repos: BTreeMap<String, RepoConfig>,
    /// The state folder; the agent's part is `agent/` in it.
    pub home: PathBuf,
    /// How many workers at once.
    pub max_workers: u32,
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Names under which callers reach the machine, besides its addresses.
    pub hosts: Vec<String>,
    /// What callers have to present; `None` is accepted on loopback only, or with `insecure`.
    pub token: Option<String>,
    /// Where the configuration says that the token is; whoever starts the agent reads it.
    pub token_file: Option<PathBuf>,
    /// Listen on any address without a token.
    pub insecure: bool,
    /// Folders below which any repository is accepted.
    pub allow_paths: Vec<PathBuf>,
    /// The program that holds workers when it is called with `__supervise`; `None` looks for one
    /// beside the running program, and else takes the running program itself.
    pub supervisor: Option<PathBuf>,
    /// How workers are started.
    pub worker: WorkerSettings,
    /// How many clean worktrees are kept ready for each repository.
    pub warm: usize,
    /// How many days the logs and records of ended assignments are kept.
    pub keep_finished_days: u32,
}

/// A repository of the machine.
#[derive(Debug, Clone, Default)]
pub struct RepoConfig {
    /// The checkout.
    pub path: PathBuf,
    /// The branch that work starts from; `None` asks the repository.
    pub default_branch: Option<String>,
    /// The command that tests it; workers are told.
    pub test_command: Option<String>,
    /// How worktrees are prepared and cleaned.
    pub worktree: WorktreeSettings,
}

/// How worktrees of a repository are prepared and cleaned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorktreeSettings {
    /// A shell command to run in a worktree before the worker starts.
    pub setup: Option<String>,
    /// Files of the checkout to copy into it.
    pub copy: Vec<String>,
    /// Ignored paths that survive recycling, e.g. a build cache.
    pub keep: Vec<String>,
}

/// How workers are started and when they are given up.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The program and its first arguments.
    pub command: Vec<String>,
    /// Added to its arguments.
    pub extra_args: Vec<String>,
    /// Which settings files the worker reads.
    pub setting_sources: Vec<String>,
    /// Allow patterns.
    pub allow: Vec<String>,
    /// Deny patterns, unless the request brings its own.
    pub deny: Vec<String>,
    /// The limit on a whole run, unless the request brings its own.
    pub timeout: Duration,
    /// The longest silence.
    pub stall: Duration,
    /// The longest silence before the first line.
    pub first_output: Duration,
    /// Between asking a worker to stop and killing it.
    pub grace: Duration,
    /// The limit on `worktree.setup`.
    pub setup_timeout: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            command: vec!["claude".to_owned()],
            extra_args: Vec::new(),
            setting_sources: vec!["user".to_owned()],
            allow: Vec::new(),
            deny: Vec::new(),
            timeout: Duration::from_secs(4 * 3600),
            stall: Duration::from_secs(900),
            first_output: Duration::from_secs(120),
            grace: Duration::from_secs(10),
            setup_timeout: Duration::from_secs(600),
        }
    }
}
