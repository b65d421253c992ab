//! From `coordinator.yml` to what one machine's agent needs of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use coord_config::{Config, Machine};

use crate::config::{AgentConfig, RepoConfig, WorkerSettings, WorktreeSettings};
use crate::error::AgentError;

impl AgentConfig {
    /// The agent of `machine` as `config` describes it, on the port of the machine on loopback,
    /// without a token. Without a `machine`, the one on loopback, or the only one, is meant.
    ///
    /// # Errors
    /// [`AgentError::UnknownMachine`].
    pub fn from_config(
        config: &Config,
        machine: Option<&str>,
        home: PathBuf,
    ) -> Result<Self, AgentError> {
        let machine = find(config, machine)?;
        Ok(Self {
            machine: machine.name.to_string(),
            capabilities: machine.capabilities.clone(),
            repos: repos(config, machine),
            home,
            max_workers: machine.max_workers,
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), machine.port),
            hosts: vec![machine.host.clone()],
            token: None,
            token_file: machine.token_file.clone(),
            insecure: false,
            allow_paths: Vec::new(),
            supervisor: None,
            worker: worker(config),
            warm: config.housekeeping.warm_worktrees as usize,
            keep_finished_days: config.housekeeping.keep_finished_days,
        })
    }

    /// An agent without a configuration, on the default port of loopback: it accepts only
    /// `allow_paths`.
    #[must_use]
    pub fn bare(machine: String, home: PathBuf, allow_paths: Vec<PathBuf>) -> Self {
        let config = Config::default();
        Self {
            machine,
            capabilities: Vec::new(),
            repos: BTreeMap::new(),
            home,
            max_workers: config.concurrency.max_workers,
            bind: SocketAddr::new(
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                coord_protocol::DEFAULT_PORT,
            ),
            hosts: Vec::new(),
            token: None,
            token_file: None,
            insecure: false,
            allow_paths,
            supervisor: None,
            worker: worker(&config),
            warm: 0,
            keep_finished_days: config.housekeeping.keep_finished_days,
        }
    }
}

fn find<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Machine, AgentError> {
    let found = match (name, config.machines.as_slice()) {
        (Some(name), machines) => machines.iter().find(|m| m.name.as_str() == name),
        (None, [only]) => Some(only),
        (None, _) => config.local_machine(""),
    };
    found.ok_or_else(|| AgentError::UnknownMachine {
        machine: name.unwrap_or_default().to_owned(),
        known: config.machines.iter().map(|m| m.name.to_string()).collect(),
    })
}

/// A repository without a path on this machine cannot be worked on here.
fn repos(config: &Config, machine: &Machine) -> BTreeMap<String, RepoConfig> {
    let named = |(name, path): (&coord_core::ids::RepoName, &PathBuf)| {
        let repo = config.repos.iter().find(|repo| repo.name == *name)?;
        let described = RepoConfig {
            path: path.clone(),
            default_branch: repo.default_branch.clone(),
            test_command: repo.test_command.clone(),
            worktree: WorktreeSettings {
                setup: repo.worktree.setup.clone(),
                copy: repo.worktree.copy.clone(),
                keep: repo.worktree.keep.clone(),
            },
        };
        Some((name.to_string(), described))
    };
    machine.repo_paths.iter().filter_map(named).collect()
}

fn worker(config: &Config) -> WorkerSettings {
    let worker = &config.worker;
    WorkerSettings {
        command: worker.command.clone(),
        extra_args: worker.extra_args.clone(),
        setting_sources: worker
            .setting_sources
            .iter()
            .map(|s| s.as_str().to_owned())
            .collect(),
        allow: config.worker_permissions.allow.clone(),
        deny: config.worker_permissions.deny.clone(),
        timeout: Duration::from_secs(worker.timeout_seconds),
        stall: Duration::from_secs(worker.stall_seconds),
        first_output: Duration::from_secs(worker.first_output_seconds),
        grace: Duration::from_secs(worker.grace_seconds),
        ..WorkerSettings::default()
    }
}
