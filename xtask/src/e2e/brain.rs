//! What the scenarios of planning share: a laboratory in whose first issue stands what the model
//! answers that is asked for a plan.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use coord_test_support::git_fixture::git;
use coord_test_support::messages_api::Request;
use serde_json::{Value, json};

use super::scenario::{Stage, commits, scripts, structured};
use crate::lab::{AgentProcess, Lab, NAME};

/// What stands in every question for a plan.
const PLANNER: &str = "You plan the work";
/// What stands in what it is told about its first answer.
const FED_BACK: &str = "What was wrong with your answer";

/// A laboratory whose issues are planned by the real CLI.
pub(super) struct Brain<'a> {
    stage: &'a Stage,
    pub(super) lab: Lab,
    pub(super) agent: AgentProcess,
}

/// A plan, and what was asked for it.
pub(super) struct Planned {
    /// What `coord plan --json` printed.
    pub(super) said: Value,
    requests: Vec<Request>,
}

impl<'a> Brain<'a> {
    /// Its one issue asks for `greeting.txt`, and its worker writes that.
    pub(super) async fn open(stage: &'a Stage, explore: bool) -> Result<Self> {
        let rules = json!({
            "plan": {"planner": "brain", "explore": explore, "timeout_seconds": 90},
        });
        let (lab, agent) = stage.open_impatient(&rules).await?;
        let answers = answers(&lab);
        let steps = [
            ("", commits("echo hello > greeting.txt")),
            (PLANNER, json!([{"from": answers}])),
        ];
        lab.open_issue("Greet", &scripts(&steps))?;
        Ok(Self { stage, lab, agent })
    }

    /// Has the model take these steps when it is asked next.
    pub(super) fn will(&self, steps: &[Value]) -> Result<()> {
        Ok(std::fs::write(
            answers(&self.lab),
            json!(steps).to_string(),
        )?)
    }

    /// `coord plan`, with a model that takes these steps.
    pub(super) fn plan(&self, steps: &[Value]) -> Result<Planned> {
        self.will(steps)?;
        let before = self.stage.api.requests().len();
        let said = self.lab.coord_json(&["plan"])?;
        let requests = self.stage.api.requests().split_off(before);
        let requests = requests.into_iter().filter(|it| it.turn.is_some());
        Ok(Planned {
            said,
            requests: requests.collect(),
        })
    }

    /// The numbers of the issues that are proposed, as the board has it.
    pub(super) fn proposed(&self) -> Result<Vec<u64>> {
        let status = self.lab.coord_json(&["status"])?;
        let proposals = status["proposals"].as_array().cloned();
        let proposals = proposals.context("status shows no proposals")?;
        let number = |it: &Value| it["issue"]["number"].as_u64().context("an odd issue");
        proposals.iter().map(number).collect()
    }

    /// Fails unless nothing is left of what was started for a plan.
    pub(super) fn expect_nothing_left(&self) -> Result<()> {
        self.lab.wait_only(&[self.agent.pid()])?;
        let trees = git(&self.lab.repo.clone_path(), &["worktree", "list"])?;
        ensure!(!trees.contains("/plan/"), "worktrees are left:\n{trees}");
        let home = self.lab.sandbox.coord_home().join("plan");
        let left = ["worktrees", "questions"].map(|it| files(&home.join(it)));
        let left: Vec<Vec<PathBuf>> = left.into_iter().collect::<Result<_>>()?;
        let left = left.concat();
        // Those who wait for each other keep a lock there.
        let left: Vec<_> = left.iter().filter(|it| !it.ends_with("lock")).collect();
        ensure!(left.is_empty(), "files are left: {left:?}");
        Ok(())
    }

    /// Ends the agent; nothing else may be left.
    pub(super) fn close(self) -> Result<()> {
        self.expect_nothing_left()?;
        self.agent.kill();
        Ok(())
    }
}

impl Planned {
    /// What the model was asked first.
    pub(super) fn prompt(&self) -> Result<&str> {
        let first = self.requests.first().context("no model was asked")?;
        Ok(&first.heard)
    }

    /// What it heard after that, answer by answer.
    pub(super) fn heard(&self) -> impl Iterator<Item = &str> {
        self.requests.iter().skip(1).map(|it| &*it.heard)
    }

    /// What it was told about its first answer: nothing, or once.
    pub(super) fn fed_back(&self) -> Result<Option<&str>> {
        let mut told = self.heard().filter(|it| it.contains(FED_BACK));
        let first = told.next();
        ensure!(told.next().is_none(), "it was told twice");
        Ok(first)
    }

    /// The reasons under `key`, each on a line.
    pub(super) fn refusals(&self, key: &str) -> Vec<&str> {
        let refused = self.said[key].as_array().map(Vec::as_slice);
        let refused = refused.unwrap_or_default().iter();
        refused.filter_map(|it| it["why"].as_str()).collect()
    }

    /// Fails unless the reasons under `key` are these many, and each of `words` stands in one.
    pub(super) fn expect_refused(&self, key: &str, count: usize, words: &[&str]) -> Result<()> {
        let found = self.refusals(key);
        ensure!(
            found.len() == count,
            "{key}: {found:#?} by {}",
            self.said["by"]
        );
        for words in words {
            let named = found.iter().any(|why| why.contains(words));
            ensure!(named, "{key} does not say `{words}`: {found:#?}");
        }
        Ok(())
    }

    /// Fails unless rules made the plan in place of the model, for a reason that says `words`.
    pub(super) fn expect_fallback(&self, words: &str) -> Result<()> {
        let by = &self.said["by"];
        let why = by["instead"].as_str().unwrap_or_default();
        ensure!(
            by["planner"] == "rules" && why.contains(words),
            "not by rules because of `{words}`: {by}"
        );
        Ok(())
    }
}

fn answers(lab: &Lab) -> PathBuf {
    lab.sandbox.path().join("answers.json")
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => found.extend(files(&entry.path())?),
            false => found.push(entry.path()),
        }
    }
    Ok(found)
}

/// The step that answers with these proposals.
pub(super) fn proposes(proposals: &[Value]) -> Value {
    structured(&json!({"proposals": proposals, "splits": []}))
}

/// A proposal that keeps to the schema.
pub(super) fn proposal(issue: u64, machine: &str, files: &[&str]) -> Value {
    json!({"repo": NAME, "issue": issue, "machine": machine, "files": files, "size": "small",
        "rationale": "It comes first."})
}
