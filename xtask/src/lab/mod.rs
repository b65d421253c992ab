//! A laboratory: our built binaries in a sandbox, with a repository, a configuration and an agent.
//!
//! What runs here sees an environment of its own (see [`Sandbox`]). Everything that was started in
//! the sandbox is gone when the laboratory is dropped, workers and their children included.

mod agent;
mod background;
mod binaries;
mod command_line;
mod setup;
mod work;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use coord_protocol::{AgentClient, Timeouts};
use coord_test_support::git_fixture::{RepoFixture, git};
use coord_test_support::processes;
use coord_test_support::sandbox::Sandbox;

pub(crate) use agent::AgentProcess;
pub(crate) use binaries::{Binaries, target_folder};
pub(crate) use command_line::Answer;
pub(crate) use setup::Setup;
pub(crate) use work::Work;

/// The name of the repository and of the machine in every laboratory.
pub(crate) const NAME: &str = "lab";

/// The name of the second machine.
pub(crate) const SPARE: &str = "spare";

/// How long processes may take to appear and to go.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long several workers may take, one after the other.
const LONG: Duration = Duration::from_secs(240);

/// A sandbox with a repository and a configuration; the agent is started separately.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) repo: RepoFixture,
    pub(crate) binaries: Binaries,
    /// The machines; the first is where commands run too.
    places: Vec<Place>,
    env: Vec<(String, String)>,
}

/// A machine of a laboratory: an agent with a state folder and a checkout of its own.
#[derive(Debug)]
pub(crate) struct Place {
    machine: &'static str,
    port: u16,
    home: PathBuf,
    checkout: PathBuf,
}

impl Lab {
    /// Makes the folders, the repository and `coordinator.yml`. Nothing runs yet.
    pub(crate) fn new(binaries: &Binaries, setup: &Setup) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let repo = RepoFixture::create(&sandbox.path().join("repo"))?;
        let mut places = vec![Place {
            machine: NAME,
            port: setup::free_port()?,
            home: sandbox.coord_home(),
            checkout: repo.clone_path(),
        }];
        if setup.spare.is_some() {
            places.push(Place::spare(&sandbox, &repo)?);
        }
        let lab = Self {
            places,
            env: setup.env.clone(),
            binaries: binaries.clone(),
            sandbox,
            repo,
        };
        lab.reconfigure(setup)?;
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
            setup.config(&self.repo, &self.places),
        )?)
    }

    /// The port of its agent.
    pub(crate) fn port(&self) -> u16 {
        self.places[0].port
    }

    /// A client of the agent, whether it runs or not.
    pub(crate) fn client(&self) -> Result<AgentClient> {
        self.places[0].client()
    }

    /// Starts the agent and waits until it answers.
    pub(crate) async fn start_agent(&self) -> Result<AgentProcess> {
        AgentProcess::start(self, &self.places[0]).await
    }

    /// The same with the agent of the second machine.
    pub(crate) async fn start_spare(&self) -> Result<AgentProcess> {
        let place = self.places.get(1).context("there is one machine only")?;
        AgentProcess::start(self, place).await
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

    /// Waits until `survivors` are the only processes in here that are alive.
    pub(crate) fn wait_only(&self, survivors: &[u32]) -> Result<()> {
        processes::wait_only(self.sandbox.path(), survivors, PATIENCE)
    }

    /// Asks again and again until it is so, for what nobody announces.
    pub(crate) fn until(
        &self,
        what: &str,
        mut is_so: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let start = Instant::now();
        while !is_so(self)? {
            if start.elapsed() > LONG {
                let history = self.coord(&["history", "--limit", "1000"])?;
                bail!("{what} did not come: {history}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
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

impl Place {
    fn spare(sandbox: &Sandbox, repo: &RepoFixture) -> Result<Self> {
        let checkout = sandbox.path().join("repo").join(SPARE);
        let remote = repo.remote_path();
        let args = ["clone", "--quiet", &remote.to_string_lossy(), SPARE];
        git(&sandbox.path().join("repo"), &args)?;
        Ok(Self {
            machine: SPARE,
            port: setup::free_port()?,
            home: sandbox.path().join(SPARE),
            checkout,
        })
    }

    fn client(&self) -> Result<AgentClient> {
        let url = format!("http://127.0.0.1:{}", self.port);
        Ok(AgentClient::new(&url, None, Timeouts::default())?)
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
