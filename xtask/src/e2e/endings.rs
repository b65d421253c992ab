//! Runs that end without work: the board says why, and nothing is published.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use serde_json::json;

use super::scenario::{
    Stage, dispatch, expect, expect_nothing_published, expect_only, field, requested,
};

/// The worker asks a question and ends; the question stands on the board.
pub(super) async fn stuck(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let steps = json!([{"text": "STUCK: which colour should it have?"}]);
    let id = dispatch(&lab, "Paint it", &steps)?;
    // It ended well and asks something: a person has to answer before anything goes on.
    lab.wait(&[&id], 1)?;
    expect(
        &lab,
        &id,
        "/end/stuck",
        &json!("which colour should it have?"),
    )?;
    expect(&lab, &id, "/end/commits", &json!(0))?;
    expect_nothing_published(&lab)?;
    expect_only(&lab, &agent)?;
    agent.kill();
    Ok(())
}

/// The API refuses; exit code 1 with a result whose subtype says `success`.
pub(super) async fn api_error(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let steps = json!([{"error": {"status": 400, "message": "no such thing"}}, {"text": "never"}]);
    let id = dispatch(&lab, "Fail", &steps)?;
    lab.wait(&[&id], 1)?;
    expect(&lab, &id, "/state", &json!("failed"))?;
    let error = field(&lab, &id, "/end/error")?;
    ensure!(
        error.as_str().is_some_and(|e| e.contains("400")),
        "the error is {error}"
    );
    expect_nothing_published(&lab)?;
    expect_only(&lab, &agent)?;
    agent.kill();
    Ok(())
}

/// The account is used up: no defect of the work. It is parked until the limit is lifted, and then
/// the same session goes on.
pub(super) async fn usage_limit(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_subscribed().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let resets_at = now + 8;
    let commit = "touch late.txt && git add late.txt && git commit -qm Late";
    let steps = json!([
        {"limit": {"resets_at": resets_at, "times": 1}},
        {"bash": commit},
        {"text": "STATUS: DONE"},
    ]);
    let id = dispatch(&lab, "Wait", &steps)?;
    lab.wait(&[&id], 0)?;
    expect(&lab, &id, "/state", &json!("failed"))?;
    let parked = json!({"failed": {"environmental": {"retry_at": resets_at * 1000}}});
    expect(&lab, &id, "/end/result", &parked)?;
    let next = requested(&lab, "continue")?;
    ensure!(next.len() == 1, "gone on with as {next:?}");
    let session = field(&lab, &id, "/end/session")?;
    ensure!(session.is_string(), "it had no session");
    ensure!(next[0]["start"]["session"] == session, "{next:?}");
    let next = next[0]["id"].as_str().unwrap_or_default();
    expect(&lab, next, "/state", &json!("done"))?;
    expect(&lab, next, "/end/files", &json!(["late.txt"]))?;
    let started = field(&lab, next, "/started_at")?;
    let started = started.as_u64().unwrap_or_default();
    ensure!(started >= resets_at * 1000, "it went on at {started}");
    expect_only(&lab, &agent)?;
    agent.kill();
    Ok(())
}
