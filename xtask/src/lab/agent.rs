//! The agent's process in a laboratory.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Lab, Place};

/// How long an agent may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running agent; killed with SIGKILL when it is dropped, as a crash would do it.
pub(crate) struct AgentProcess {
    child: Child,
}

impl AgentProcess {
    pub(super) async fn start(lab: &Lab, place: &Place) -> Result<Self> {
        let program = lab.binaries.agent();
        let log = lab.sandbox.path().join(format!("{}.log", place.machine));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = lab
            .command(&program)
            .env("COORD_HOME", &place.home)
            .arg("--config")
            .arg(lab.config())
            .args(["--machine", place.machine])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("failed to start {}", program.display()))?;
        let mut agent = Self { child };
        let client = place.client()?;
        let start = Instant::now();
        while let Err(error) = client.health().await {
            let ended = agent.child.try_wait()?;
            if ended.is_some() || start.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                bail!("the agent does not answer ({error:#}); it said:\n{said}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(agent)
    }

    /// The id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would: SIGKILL, nothing is cleaned up.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
