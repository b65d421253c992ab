//! What a laboratory's configuration says.

use std::net::TcpListener;

use anyhow::{Context, Result};
use coord_test_support::git_fixture::RepoFixture;
use serde_json::{Map, Value, json};

use super::{NAME, Place, SPARE};

/// The parts of the configuration and the environment in which laboratories differ.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The worker's program and first arguments.
    pub(crate) worker: Vec<String>,
    /// How many workers at once.
    pub(crate) max_workers: u32,
    /// How many clean worktrees are kept ready.
    pub(crate) warm_worktrees: u32,
    /// The command that tests a branch.
    pub(crate) test_command: Option<String>,
    /// Environment on top of the sandbox's.
    pub(crate) env: Vec<(String, String)>,
    /// The capabilities of a second machine, where there is one.
    pub(crate) spare: Option<Vec<String>>,
    /// Keys at the top level that say something else than usual.
    pub(crate) more: Map<String, Value>,
}

impl Setup {
    /// A laboratory whose workers run `worker`.
    pub(crate) fn with_worker(worker: &[&str]) -> Self {
        Self {
            worker: worker.iter().map(|word| (*word).to_owned()).collect(),
            max_workers: 8,
            warm_worktrees: 0,
            test_command: None,
            env: Vec::new(),
            spare: None,
            more: Map::new(),
        }
    }

    /// The text of `coordinator.yml` for these machines; JSON is YAML.
    pub(super) fn config(&self, repo: &RepoFixture, places: &[Place]) -> String {
        let mut repository = json!({
            "name": NAME,
            "forge": "local",
            "default_branch": repo.branch(),
        });
        if let Some(test) = &self.test_command {
            repository["test_command"] = Value::from(test.as_str());
        }
        let machines: Vec<Value> = places.iter().map(|place| self.machine(place)).collect();
        let mut config = json!({
            "repos": [repository],
            "machines": machines,
            "concurrency": { "max_workers": self.max_workers, "stagger_seconds": 0 },
            "housekeeping": { "warm_worktrees": self.warm_worktrees },
            "pipeline": { "gates": ["test"] },
            "worker": { "command": self.worker, "grace_seconds": 2 },
        });
        for (key, value) in &self.more {
            config[key] = value.clone();
        }
        format!("{config:#}\n")
    }

    fn machine(&self, place: &Place) -> Value {
        let capabilities = self.spare.as_ref().filter(|_| place.machine == SPARE);
        json!({
            "name": place.machine,
            "host": "127.0.0.1",
            "port": place.port,
            "repos": [NAME],
            "repo_paths": { NAME: place.checkout.to_string_lossy() },
            "max_workers": self.max_workers,
            "capabilities": capabilities.cloned().unwrap_or_default(),
        })
    }
}

/// A port that nobody listens on right now. The agent keeps it over restarts.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("failed to find a free port")?;
    Ok(listener.local_addr()?.port())
}
