//! What the scenarios share: a laboratory whose workers are the real ones, and scripts for the model.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use coord_test_support::messages_api::MessagesApi;
use serde_json::Value;

use crate::lab::{AgentProcess, Binaries, Lab, Setup};

/// What is made once for all scenarios.
pub(super) struct Stage {
    /// The real worker.
    pub(super) claude: PathBuf,
    pub(super) binaries: Binaries,
    pub(super) api: MessagesApi,
}

impl Stage {
    /// A fresh laboratory with a running agent; its account pays by use.
    pub(super) async fn open(&self) -> Result<(Lab, AgentProcess)> {
        self.open_as("ANTHROPIC_API_KEY").await
    }

    /// The same with a subscription, which has usage limits.
    pub(super) async fn open_subscribed(&self) -> Result<(Lab, AgentProcess)> {
        self.open_as("CLAUDE_CODE_OAUTH_TOKEN").await
    }

    async fn open_as(&self, credential: &str) -> Result<(Lab, AgentProcess)> {
        let setup = Setup {
            test_command: Some("git log -1 --format=%s && ls".to_owned()),
            env: self.env(credential),
            ..Setup::with_worker(&[&self.claude.to_string_lossy()])
        };
        let lab = Lab::new(&self.binaries, &setup)?;
        let agent = lab.start_agent().await?;
        Ok((lab, agent))
    }

    /// The double instead of the real API, and nothing that would speak to anybody else.
    fn env(&self, credential: &str) -> Vec<(String, String)> {
        let url = self.api.base_url();
        let mut env = vec![
            ("ANTHROPIC_BASE_URL", url.as_str()),
            (credential, "not-a-credential"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_TELEMETRY", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
        ];
        if rustix::process::geteuid().is_root() {
            env.push(("IS_SANDBOX", "1"));
        }
        env.into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// The body of an issue that makes the model say and do `steps`, an array.
pub(super) fn script(steps: &Value) -> String {
    format!("Do as the script says.\n\n```messages-script\n{steps}\n```\n")
}

/// Opens an issue with a script and puts a worker on it; the id of the assignment.
pub(super) fn dispatch(lab: &Lab, title: &str, steps: &Value) -> Result<String> {
    let issue = lab.open_issue(title, &script(steps))?;
    lab.assign(issue)
}

/// The value of a field of the assignment, found by its path.
pub(super) fn field(lab: &Lab, id: &str, pointer: &str) -> Result<Value> {
    let row = lab.assignment(id)?;
    Ok(row.pointer(pointer).cloned().unwrap_or(Value::Null))
}

/// Fails unless a field of the assignment has this value.
pub(super) fn expect(lab: &Lab, id: &str, pointer: &str, value: &Value) -> Result<()> {
    let row = lab.assignment(id)?;
    let found = row.pointer(pointer).unwrap_or(&Value::Null);
    ensure!(
        found == value,
        "{pointer} of {id} is {found}, not {value}: {row:#}"
    );
    Ok(())
}

/// Fails unless the agent is all that is left of the processes in the laboratory.
pub(super) fn expect_only(lab: &Lab, agent: &AgentProcess) -> Result<()> {
    lab.wait_only(agent.pid())
}

/// Fails unless the default branch is all that there is on the remote.
pub(super) fn expect_nothing_published(lab: &Lab) -> Result<()> {
    let branches = lab.repo.remote_branches()?;
    ensure!(
        branches == [lab.repo.branch()],
        "the remote has {branches:?}"
    );
    Ok(())
}
