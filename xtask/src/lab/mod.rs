//! A laboratory: our built binaries in a sandbox, with a repository, a configuration and an agent.
//!
//! What runs here sees an environment of its own (see [`Sandbox`]). Everything that was started in
//! the sandbox is gone when the laboratory is dropped, workers and their children included.

mod agent;
mod binaries;
mod command_line;
mod setup;
mod work;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use coord_protocol::{AgentClient, Timeouts};
use coord_test_support::git_fixture::RepoFixture;
use coord_test_support::processes;
use coord_test_support::sandbox::Sandbox;

pub(crate) use agent::AgentProcess;
pub(crate) use binaries::{Binaries, target_folder};
pub(crate) use command_line::Answer;
pub(crate) use setup::Setup;
pub(crate) use work::Work;

/// The name of the repository and of the machine in every laboratory.
pub(crate) const NAME: &str = "lab";

/// How long processes may take to appear and to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sandbox with a repository and a configuration; the agent is started separately.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) repo: RepoFixture,
    pub(crate) binaries: Binaries,
    port: u16,
    env: Vec<(String, String)>,
}

impl Lab {
    /// Makes the folders, the repository and `coordinator.yml`. Nothing runs yet.
    pub(crate) fn new(binaries: &Binaries, setup: &Setup) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let repo = RepoFixture::create(&sandbox.path().join("repo"))?;
        let lab = Self {
            port: setup::free_port()?,
            env: setup.env.clone(),
            binaries: binaries.clone(),
            sandbox,
            repo,
        };
        std::fs::write(lab.config(), setup.config(&lab.repo, lab.port))?;
        Ok(lab)
    }

    /// The path of `coordinator.yml`.
    pub(crate) fn config(&self) -> PathBuf {
        self.sandbox.path().join("coordinator.yml")
    }

    /// Writes the configuration again, for an agent that is not started yet.
    pub(crate) fn reconfigure(&self, setup: &Setup) -> Result<()> {
        Ok(std::fs::write(
            self.config(),
            setup.config(&self.repo, self.port),
        )?)
    }

    /// The port of its agent.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// A client of the agent, whether it runs or not.
    pub(crate) fn client(&self) -> Result<AgentClient> {
        let url = format!("http://127.0.0.1:{}", self.port);
        Ok(AgentClient::new(&url, None, Timeouts::default())?)
    }

    /// Starts the agent and waits until it answers.
    pub(crate) async fn start_agent(&self) -> Result<AgentProcess> {
        AgentProcess::start(self).await
    }

    /// A command in the sandbox, with the setup's environment on top.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = self.sandbox.command(program);
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// The processes that were started in here and are alive.
    pub(crate) fn processes(&self) -> Result<Vec<processes::Process>> {
        processes::of_folder(self.sandbox.path())
    }

    /// Waits until `survivor` is the only process in here that is alive.
    pub(crate) fn wait_only(&self, survivor: u32) -> Result<()> {
        processes::wait_only(self.sandbox.path(), &[survivor], PATIENCE)
    }

    /// Waits until a process runs in here whose arguments contain `words`.
    pub(crate) async fn wait_process(&self, words: &str) -> Result<()> {
        let start = Instant::now();
        while !self.processes()?.iter().any(|p| p.command.contains(words)) {
            ensure!(start.elapsed() < PATIENCE, "no process runs {words:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        end_all(self.sandbox.path());
    }
}

/// Ends what still runs in `folder`, each process by its id.
pub(crate) fn end_all(folder: &Path) {
    // A process may start another one between the look and the signal.
    for _ in 0..5 {
        let Ok(alive) = processes::of_folder(folder) else {
            return;
        };
        if alive.is_empty() {
            return;
        }
        for process in alive {
            kill(process.pid);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// SIGKILL to one process. One that is gone already is fine.
pub(crate) fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
