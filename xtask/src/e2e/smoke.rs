//! Smoke commands: the agent runs them itself, and no model is asked.

use anyhow::{Context, Result, ensure};
use coord_protocol::{AssignBody, AssignmentType, EndReport, EndResult, FailureKind};
use serde_json::Value;

use super::scenario::{Stage, expect_nothing_published, expect_only};
use crate::lab::{Lab, Work};

/// Green, red, and out of time; the real worker stands ready and is not started.
pub(super) async fn verdicts(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let before = stage.api.requests().len();
    let green = run(
        &lab,
        smoke(&lab, 1, "ls -a && test -z \"$ANTHROPIC_API_KEY\"", 60),
    )
    .await?;
    ensure!(green.result == EndResult::Done, "{green:?}");
    let red = run(&lab, smoke(&lab, 2, "echo all is lost >&2; exit 9", 60)).await?;
    let verdict = (red.result, red.class, red.exit_code);
    let expected = (EndResult::Failed, Some(FailureKind::Work), Some(9));
    ensure!(verdict == expected, "{red:?}");
    ensure!(red.error.is_some_and(|e| e.contains("all is lost")));
    let late = "setsid sh -c 'trap \"\" TERM; sleep 4321' & sleep 4322";
    let late = run(&lab, smoke(&lab, 3, late, 2)).await?;
    let environmental = late.class == Some(FailureKind::Environmental);
    ensure!(
        environmental && late.result == EndResult::Failed,
        "{late:?}"
    );
    ensure!(late.error.is_some_and(|e| e.contains("timed out")));
    expect_only(&lab, &agent)?;
    expect_nothing_published(&lab)?;
    let asked = stage.api.requests().len() - before;
    ensure!(asked == 0, "the model was asked {asked} times");
    agent.kill();
    Ok(())
}

/// SIGKILL to the agent in the middle: the command goes on, and its verdict is not lost.
pub(super) async fn survives_the_agent(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let gate = lab.sandbox.path().join("gate");
    let command = format!(
        "echo begun; for i in $(seq 900); do [ -e '{}' ] && break; sleep 0.1; done; echo over; exit 7",
        gate.display()
    );
    let client = lab.client()?;
    let id = client.assign(&smoke(&lab, 1, &command, 120)).await?.id;
    lab.wait_process("seq 900").await?;
    let pid = lab.wait_started(id.as_str()).await?.pid;
    agent.kill();
    let agent = lab.start_agent().await?;
    let adopted = lab.wait_started(id.as_str()).await?.pid;
    ensure!(adopted == pid, "the agent took {adopted:?} for {pid:?}");
    std::fs::write(&gate, "")?;
    let end = lab.wait_finished(id.as_str()).await?.end;
    let end = end.context("the row has no end")?;
    ensure!(end.exit_code == Some(7), "{end:?}");
    let log = lab.client()?.logs(&id, 0).await?.text;
    ensure!(log.ends_with("begun\nover\n"), "the log is {log}");
    expect_only(&lab, &agent)?;
    agent.kill();
    Ok(())
}

fn smoke(lab: &Lab, number: u64, command: &str, seconds: u64) -> AssignBody {
    AssignBody {
        kind: AssignmentType::Smoke,
        smoke_command: Some(command.to_owned()),
        timeout_seconds: Some(seconds),
        ..Work::new(number, "nobody reads this").body(lab)
    }
}

async fn run(lab: &Lab, body: AssignBody) -> Result<EndReport> {
    let id = lab.client()?.assign(&body).await?.id;
    let row = lab.wait_finished(id.as_str()).await?;
    let model: Value = serde_json::to_value(&row.model_used)?;
    ensure!(model.is_null(), "a model was asked: {model}");
    row.end.context("the row has no end")
}
