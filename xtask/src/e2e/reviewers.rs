//! Reviewers as the board sees them: of use, of no use, dead. And who writes a pull request's text,
//! or tries a branch out.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::scenario::{
    CAPABILITY, REVIEWER, Stage, close, commits, events, finding, judges, requested, scripts,
};
use crate::lab::{Lab, NAME, SPARE, kill};

/// Two reviewers only talk: a person is told so, and nothing is merged.
pub(super) async fn ignore_the_schema(stage: &Stage) -> Result<()> {
    let (lab, agents) = stage.open_pair("true", rules()).await?;
    let talks = json!([{"text": "Looks good to me."}, {"text": "Really."}]);
    let id = deliver(&lab, talks)?;
    lab.coord(&["wait", "--timeout", "120", &id])?;
    let reviews = requested(&lab, "review")?;
    ensure!(reviews.len() == 2, "{} have reviewed it", reviews.len());
    ensure!(events(&lab, "review_recorded")?.is_empty());
    ensure!(events(&lab, "merged")?.is_empty(), "it is merged");
    let why = lab.coord(&["why", "1"])?;
    let last = reviews[1]["id"].as_str().context("no id")?;
    for words in ["its review", last, "no answer in the schema"] {
        ensure!(
            why.stdout.contains(words),
            "it does not say `{words}`: {why}"
        );
    }
    close(&lab, agents)
}

/// The first cites a line that the diff does not have: its answer counts for nothing. The second
/// one approves.
pub(super) async fn cite_what_is_not_there(stage: &Stage) -> Result<()> {
    let (lab, agents) = stage.open_pair("true", rules()).await?;
    let beside = vec![judges("request_changes", &[finding("sum.txt", 999)])];
    let steps = json!({"attempts": [beside, [judges("approve", &[])]]});
    let id = deliver(&lab, steps)?;
    lab.wait(&[&id], 0)?;
    let refused = events(&lab, "answer_refused")?;
    ensure!(refused.len() == 1, "refused: {refused:?}");
    let why = refused[0]["why"].as_str().unwrap_or_default();
    ensure!(why.contains("sum.txt"), "it was refused because {why}");
    let reviews = events(&lab, "review_recorded")?;
    ensure!(reviews.len() == 1, "recorded: {reviews:?}");
    ensure!(reviews[0]["verdict"]["result"] == "approve", "{reviews:?}");
    ensure!(events(&lab, "merged")?.len() == 1, "it is not merged");
    close(&lab, agents)
}

/// One is killed: that is no verdict, and another one approves.
pub(super) async fn die(stage: &Stage) -> Result<()> {
    let (lab, agents) = stage.open_pair("true", rules()).await?;
    let read = json!({"tool": {"name": "Read", "input": {"file_path": "sum.txt"}}});
    let waits = json!([read, {"delay_ms": 60_000}, judges("request_changes", &[])]);
    let steps = json!({"attempts": [waits, [judges("approve", &[])]]});
    let id = deliver(&lab, steps)?;
    let drive = lab.start(&["drive"])?;
    let is_reviewer = |command: &str| command.contains("--json-schema");
    let mut reviewer = None;
    lab.until("a reviewer", |lab| {
        let reviews = requested(lab, "review")?;
        let Some(id) = reviews.first().and_then(|it| it["id"].as_str()) else {
            return Ok(false);
        };
        if !lab
            .coord(&["log", id, "--raw"])?
            .stdout
            .contains("tool_use")
        {
            return Ok(false);
        }
        let processes = lab.processes()?;
        let found = processes.iter().find(|it| is_reviewer(&it.command));
        reviewer = found.map(|it| it.pid);
        Ok(reviewer.is_some())
    })?;
    kill(reviewer.context("there is no reviewer")?);
    lab.until("the merge", |lab| Ok(events(lab, "merged")?.len() == 1))?;
    drive.end()?;
    let reviews = requested(&lab, "review")?;
    ensure!(reviews.len() == 2, "{}", lab.coord(&["history"])?);
    let recorded = events(&lab, "review_recorded")?;
    ensure!(recorded.len() == 1, "recorded: {recorded:?}");
    lab.wait(&[&id], 0)?;
    close(&lab, agents)
}

/// `coord pr`: a worker writes title and text, the coordinator opens it, another worker judges it.
pub(super) async fn pull_request(stage: &Stage) -> Result<()> {
    let (lab, agents) = stage
        .open_pair("true", json!({"pipeline": {"gates": ["test"]}}))
        .await?;
    let steps = [
        ("", commits("echo one > sum.txt")),
        (REVIEWER, json!([judges("approve", &[])])),
    ];
    let issue = lab.open_issue("Count", &scripts(&steps))?;
    let id = lab.assign_to(NAME, issue, &[])?;
    lab.wait(&[&id], 0)?;
    let opened = lab.coord_json(&["pr", &id])?;
    ensure!(opened["pull"].is_u64(), "{opened:#}");
    ensure!(opened["text"]["title"] == "By its author", "{opened:#}");
    ensure!(opened["review"]["result"] == "approve", "{opened:#}");
    ensure!(events(&lab, "merged")?.is_empty(), "it is merged");
    close(&lab, agents)
}

/// `coord smoke`: the agent of the machine that can do it runs the command, and no model is asked.
pub(super) async fn smoke(stage: &Stage) -> Result<()> {
    let rules = json!({
        "pipeline": {"gates": ["test"]},
        "smoke_tests": {
            "default_command": "test \"$(cat sum.txt)\" = one",
            "capability_rules": [{"files": ["sum.txt"], "requires": [CAPABILITY]}],
        },
    });
    let (lab, agents) = stage.open_pair("true", rules).await?;
    let steps = [("", commits("echo one > sum.txt"))];
    let issue = lab.open_issue("Count", &scripts(&steps))?;
    let id = lab.assign_to(NAME, issue, &[])?;
    lab.wait(&[&id], 0)?;
    let asked = stage.api.requests().len();
    lab.coord(&["smoke", &id])?.expect(0)?;
    ensure!(stage.api.requests().len() == asked, "a model was asked");
    let smokes = requested(&lab, "smoke")?;
    let machines: Vec<&Value> = smokes.iter().map(|it| &it["machine"]).collect();
    ensure!(machines == [SPARE], "it ran on {machines:?}");
    let verdicts = events(&lab, "smoke_recorded")?;
    ensure!(verdicts.len() == 1, "recorded: {verdicts:?}");
    ensure!(verdicts[0]["verdict"]["passed"] == true, "{verdicts:?}");
    close(&lab, agents)
}

fn rules() -> Value {
    json!({
        "pipeline": {"gates": ["test", "review"]},
        "reviews": {"enabled": true, "require_approval": true},
    })
}

/// A worker whose branch is reviewed by whoever follows `reviewer`, and merged once it may be.
fn deliver(lab: &Lab, reviewer: Value) -> Result<String> {
    let steps = [("", commits("echo one > sum.txt")), (REVIEWER, reviewer)];
    let issue = lab.open_issue("Count", &scripts(&steps))?;
    lab.assign_to(NAME, issue, &["--until", "merged"])
}
