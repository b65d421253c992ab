//! What the scenarios share: a laboratory whose workers are the real ones, and scripts for the model.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use coord_test_support::messages_api::MessagesApi;
use serde_json::{Value, json};

use crate::lab::{AgentProcess, Binaries, Lab, Setup};

/// What only the second machine of a pair can do.
pub(super) const CAPABILITY: &str = "display";

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

    /// A laboratory with two machines, whose board follows these rules; `test` is the command that
    /// tests a branch, and the second machine can do what the first cannot.
    pub(super) async fn open_pair(
        &self,
        test: &str,
        rules: Value,
    ) -> Result<(Lab, [AgentProcess; 2])> {
        let setup = Setup {
            test_command: Some(test.to_owned()),
            env: self.env("ANTHROPIC_API_KEY"),
            spare: Some(vec![CAPABILITY.to_owned()]),
            more: rules.as_object().cloned().unwrap_or_default(),
            ..Setup::with_worker(&[&self.claude.to_string_lossy()])
        };
        let lab = Lab::new(&self.binaries, &setup)?;
        let agents = [lab.start_agent().await?, lab.start_spare().await?];
        Ok((lab, agents))
    }

    /// A laboratory with one machine, whose board follows these rules.
    pub(super) async fn open_with(&self, rules: &Value) -> Result<(Lab, AgentProcess)> {
        self.open_so(&self.alone(rules)).await
    }

    /// The same where the CLI does not ask again and again after an error of the API.
    pub(super) async fn open_impatient(&self, rules: &Value) -> Result<(Lab, AgentProcess)> {
        self.open_so(&self.impatient(rules)).await
    }

    /// The configuration of the latter.
    pub(super) fn impatient(&self, rules: &Value) -> Setup {
        let mut setup = self.alone(rules);
        let once = ("CLAUDE_CODE_MAX_RETRIES", "1");
        setup.env.push((once.0.to_owned(), once.1.to_owned()));
        setup
    }

    fn alone(&self, rules: &Value) -> Setup {
        Setup {
            test_command: Some("true".to_owned()),
            env: self.env("ANTHROPIC_API_KEY"),
            more: rules.as_object().cloned().unwrap_or_default(),
            ..Setup::with_worker(&[&self.claude.to_string_lossy()])
        }
    }

    async fn open_so(&self, setup: &Setup) -> Result<(Lab, AgentProcess)> {
        let lab = Lab::new(&self.binaries, setup)?;
        let agent = lab.start_agent().await?;
        Ok((lab, agent))
    }

    async fn open_as(&self, credential: &str) -> Result<(Lab, AgentProcess)> {
        let setup = Setup {
            test_command: Some("git log -1 --format=%s && ls".to_owned()),
            env: self.env(credential),
            ..Setup::with_worker(&[&self.claude.to_string_lossy()])
        };
        self.open_so(&setup).await
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

/// The body of an issue with a script for each of several prompts: the one whose phrase stands in
/// the prompt, the last such one; the one without a phrase for every other. Whoever writes the text
/// of a pull request has a script already.
pub(super) fn scripts(scripts: &[(&str, Value)]) -> String {
    let author = json!([structured(
        &json!({"title": "By its author", "body": "It was read."})
    )]);
    let author = ("You are the author of a pull request", author);
    let mut body = "Do as the scripts say.\n".to_owned();
    for (phrase, steps) in scripts.iter().chain([&author]) {
        let when = match *phrase {
            "" => String::new(),
            phrase => format!(" when {phrase}"),
        };
        body += &format!("\n```messages-script{when}\n{steps}\n```\n");
    }
    body
}

/// What stands in every prompt of a reviewer.
pub(super) const REVIEWER: &str = "You are a reviewer";

/// The step with which a reviewer answers.
pub(super) fn judges(verdict: &str, findings: &[Value]) -> Value {
    structured(&json!({"verdict": verdict, "summary": "It was read.", "findings": findings}))
}

/// A finding at a line of a file.
pub(super) fn finding(path: &str, line: u32) -> Value {
    json!({"path": path, "line": line, "severity": "major", "rule": "correctness",
        "text": "It is not what the issue asks for."})
}

/// The step with which anybody answers in a schema.
pub(super) fn structured(answer: &Value) -> Value {
    json!({"tool": {"name": "StructuredOutput", "input": answer}})
}

/// The steps of a worker that does one thing and commits everything.
pub(super) fn commits(command: &str) -> Value {
    let commit = format!("{command} && git add --all && git commit -qm 'Do it'");
    json!([{"text": "STATUS: at it"}, {"bash": commit}, {"text": "STATUS: DONE"}])
}

/// The events of a kind, the oldest first.
pub(super) fn events(lab: &Lab, kind: &str) -> Result<Vec<Value>> {
    let recorded = recorded(lab, kind)?;
    Ok(recorded.into_iter().map(|it| it["event"].clone()).collect())
}

/// The same, each with its number and the instant at which it was recorded.
pub(super) fn recorded(lab: &Lab, kind: &str) -> Result<Vec<Value>> {
    let recorded = lab.coord_json(&["history", "--limit", "1000", "--kind", kind])?;
    Ok(recorded.as_array().cloned().unwrap_or_default())
}

/// Waits until so many events of a kind are on the board.
pub(super) fn until_events(lab: &Lab, kind: &str, count: usize) -> Result<()> {
    let what = format!("{kind}, {count} of them,");
    lab.until(&what, |lab| Ok(events(lab, kind)?.len() >= count))
}

/// What the model was told whose tool has just answered `mark`.
pub(super) fn heard_with(stage: &Stage, mark: &str) -> Result<String> {
    let requests = stage.api.requests();
    // Its prompt holds the whole script.
    let mut later = requests
        .into_iter()
        .filter(|it| it.turn.is_some_and(|turn| turn > 0));
    let found = later.find(|it| it.heard.contains(mark));
    Ok(found
        .with_context(|| format!("no model has heard {mark}"))?
        .heard)
}

/// The step that calls a tool.
pub(super) fn tool(name: &str, input: &Value) -> Value {
    json!({"tool": {"name": name, "input": input}})
}

/// The assignments of a kind, as they were requested, the oldest first.
pub(super) fn requested(lab: &Lab, kind: &str) -> Result<Vec<Value>> {
    let requested = events(lab, "assignment_requested")?;
    let assignments = requested.into_iter().map(|it| it["assignment"].clone());
    Ok(assignments.filter(|it| it["kind"] == kind).collect())
}

/// Fails unless the agents are all that is left of the processes in the laboratory; ends them.
pub(super) fn close<const N: usize>(lab: &Lab, agents: [AgentProcess; N]) -> Result<()> {
    let pids: Vec<u32> = agents.iter().map(AgentProcess::pid).collect();
    lab.wait_only(&pids)?;
    agents.into_iter().for_each(AgentProcess::kill);
    Ok(())
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
    lab.wait_only(&[agent.pid()])
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
