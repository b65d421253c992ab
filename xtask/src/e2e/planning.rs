//! From a question to a merge: the real CLI reads the code, proposes, a person approves.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::brain::{Brain, proposal, proposes};
use super::scenario::{Stage, events, tool};
use crate::lab::NAME;

/// What only somebody knows who has read the repository.
const SECRET: &str = "greetings belong into greeting.txt";

/// It reads a file first; what it proposes is saved, approved, worked on and merged.
pub(super) async fn approved(stage: &Stage) -> Result<()> {
    let brain = Brain::open(stage, true).await?;
    let lab = &brain.lab;
    lab.repo.commit("guide.txt", SECRET, "A guide")?;
    lab.repo.push()?;
    let read = tool("Read", &json!({"file_path": "guide.txt"}));
    let write = json!({"write": {"path": "guide.txt", "content": "mine"}});
    let planned = brain.plan(&[
        read,
        write,
        proposes(&[proposal(1, NAME, &["greeting.txt"])]),
    ])?;
    ensure!(
        planned.heard().any(|it| it.contains(SECRET)),
        "it could not read the repository: {:#?}",
        planned.heard().collect::<Vec<_>>()
    );
    let said = &planned.said;
    ensure!(said["by"]["planner"] == "brain", "by {}", said["by"]);
    let cost = said["cost_usd"].as_f64().unwrap_or_default();
    ensure!(cost > 0.0, "it has cost {cost}: {said:#}");
    planned.expect_refused("refused", 0, &[])?;
    planned.expect_refused("fed_back", 0, &[])?;
    brain.expect_nothing_left()?;
    let guide = std::fs::read_to_string(lab.repo.clone_path().join("guide.txt"))?;
    ensure!(guide == SECRET, "it has changed the checkout: {guide}");

    ensure!(
        brain.proposed()? == [1],
        "on the board: {:?}",
        brain.proposed()?
    );
    let proposed = said["proposals"][0]["id"].as_str().context("no id")?;
    let approved = lab.coord_json(&["approve", proposed, "--until", "merged"])?;
    let id = approved["approved"][0]["assignment"]["id"].as_str();
    let id = id.with_context(|| format!("approved: {approved:#}"))?;
    ensure!(brain.proposed()?.is_empty(), "it still waits for a person");
    lab.wait(&[id], 0)?;
    let merged = lab.repo.remote_file(lab.repo.branch(), "greeting.txt");
    ensure!(merged.as_deref() == Some("hello"), "merged is {merged:?}");
    let links = events(lab, "proposal_approved")?;
    ensure!(links.len() == 1 && links[0]["id"] == id, "{links:?}");
    brain.close()
}

/// Ctrl-C while it thinks: nothing of it is left, and what was proposed before stands.
pub(super) async fn interrupted(stage: &Stage) -> Result<()> {
    let brain = Brain::open(stage, true).await?;
    let lab = &brain.lab;
    brain.plan(&[proposes(&[proposal(1, NAME, &["before.txt"])])])?;
    let planned = events(lab, "planned")?;
    let read = tool("Read", &json!({"file_path": "README.md"}));
    let other = proposes(&[proposal(1, NAME, &["after.txt"])]);
    brain.will(&[read, json!({"delay_ms": 60_000}), other])?;
    let asked = stage.api.requests().len();
    let plan = lab.start(&["plan"])?;
    lab.wait_process("--json-schema").await?;
    lab.until("its first step", |_| Ok(stage.api.requests().len() > asked))?;
    let code = plan.interrupt()?;
    ensure!(code == Some(130), "it ended with {code:?}");
    brain.expect_nothing_left()?;
    ensure!(events(lab, "planned")? == planned, "something was saved");
    let status = lab.coord_json(&["status"])?;
    let proposals = status["proposals"].as_array().into_iter().flatten();
    let files: Vec<&Value> = proposals.map(|it| &it["files"]).collect();
    ensure!(files == [&json!(["before.txt"])], "proposed is {files:?}");
    brain.close()
}

/// SIGKILL while it thinks: the next plan sweeps up what that one has left.
pub(super) async fn killed(stage: &Stage) -> Result<()> {
    let brain = Brain::open(stage, true).await?;
    let lab = &brain.lab;
    brain.will(&[json!({"delay_ms": 60_000}), json!({"text": "never"})])?;
    let plan = lab.start(&["plan"])?;
    lab.wait_process("--json-schema").await?;
    plan.kill()?;
    let planned = brain.plan(&[proposes(&[proposal(1, NAME, &[])])])?;
    ensure!(
        planned.said["by"]["planner"] == "brain",
        "{:#}",
        planned.said
    );
    ensure!(brain.proposed()? == [1]);
    brain.close()
}
