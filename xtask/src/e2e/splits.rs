//! Sub-issues are opened once, however often `coord split` is killed in the middle of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use coord_test_support::github::{FakeGithub, Fault, When};
use serde_json::{Value, json};

use super::brain::Brain;
use super::scenario::{Stage, events, structured};
use crate::lab::{Lab, NAME, Setup};

const PARTS: usize = 8;
const REPO: &str = "acme/lab";
const TOKEN: &str = "not-a-token-of-anybody";

/// On the forge of this machine, killed at one moment after the other.
pub(super) async fn local(stage: &Stage) -> Result<()> {
    let brain = Brain::open(stage, false).await?;
    let lab = &brain.lab;
    let planned = brain.plan(&[splits(1)])?;
    let id = planned.said["splits"][0]["id"].as_str();
    let id = id.with_context(|| format!("no split: {:#}", planned.said))?;
    lab.coord(&["split", id, "--dry-run"])?.expect(0)?;
    ensure!(issues(lab)?.len() == 1, "a dry run has opened issues");
    for moment in (5..150).step_by(5) {
        let split = lab.start(&["split", id])?;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        split.kill()?;
    }
    // It may have come to its end before the last moment.
    if events(lab, "split_done")?.is_empty() {
        lab.coord(&["split", id])?.expect(0)?;
    }
    expect_once(lab)?;
    ensure!(events(lab, "split_done")?.len() == 1, "done more than once");
    brain.close()
}

/// On GitHub, killed while it waits for an answer that does not come although the issue is there.
pub(super) async fn on_github(stage: &Stage) -> Result<()> {
    let github = FakeGithub::start().await?;
    github.add_user("coordinator", TOKEN);
    let setup = stage.impatient(&json!({
        "repos": [{"name": NAME, "github": REPO, "default_branch": "main"}],
        "github_api_url": github.url(),
        "plan": {"planner": "brain", "timeout_seconds": 90},
    }));
    let mut env = setup.env.clone();
    env.push(("COORD_GITHUB_TOKEN".to_owned(), TOKEN.to_owned()));
    let lab = Lab::new(&stage.binaries, &Setup { env, ..setup })?;
    let repo = github.add_repo(REPO, Some(lab.repo.remote_path()))?;
    github.set_association(REPO, "coordinator", "OWNER");
    let answers = lab.sandbox.path().join("answers.json");
    std::fs::write(&answers, json!([splits(1)]).to_string())?;
    let script = json!([{"from": answers}]);
    let body = format!("Rework it.\n\n```messages-script\n{script}\n```\n");
    repo.open_issue("Rework", &body, &[], "coordinator");
    let said = lab.coord_json(&["plan"])?;
    let id = said["splits"][0]["id"].as_str();
    let id = id.with_context(|| format!("no split: {said:#}"))?;

    for _ in 0..2 {
        github.schedule(Fault::TimeOutAfterEffect, When::request("POST", "/issues"));
        let before = repo.issues().len();
        let split = lab.start(&["split", id])?;
        lab.until("a sub-issue whose answer does not come", |_| {
            Ok(github.pending_faults() == 0 && repo.issues().len() > before)
        })?;
        split.kill()?;
    }
    lab.coord(&["split", id])?.expect(0)?;
    expect_once(&lab)?;
    let children = repo.sub_issues(1);
    ensure!(children.len() == PARTS, "sub-issues: {children:?}");
    let said = github.violations();
    ensure!(said.is_empty(), "against GitHub's description: {said:#?}");
    lab.wait_only(&[])
}

/// The step that proposes a split into parts of which each waits for the one before.
fn splits(issue: u64) -> Value {
    let chunk = |n: usize| {
        let after: Vec<usize> = n.checked_sub(1).into_iter().collect();
        json!({"title": format!("Part {n}"), "scope": format!("The part {n}."),
            "files": [format!("part-{n}.txt")], "after": after})
    };
    let chunks: Vec<Value> = (0..PARTS).map(chunk).collect();
    structured(&json!({"proposals": [], "splits": [
        {"repo": NAME, "issue": issue, "rationale": "It is too large.", "chunks": chunks},
    ]}))
}

fn issues(lab: &Lab) -> Result<Vec<Value>> {
    let issues = lab.coord_json(&["issue", "list", "--all"])?;
    issues.as_array().cloned().context("no list of issues")
}

/// Every part is an issue, once, and depends on the one before; the parent names all of them, once.
fn expect_once(lab: &Lab) -> Result<()> {
    let issues = issues(lab)?;
    let mut numbers = Vec::new();
    for n in 0..PARTS {
        let title = format!("Part {n}");
        let found = issues.iter().filter(|it| it["title"] == title.as_str());
        let found: Vec<u64> = found.filter_map(|it| it["number"].as_u64()).collect();
        ensure!(found.len() == 1, "{title} is {found:?}");
        numbers.extend(found);
    }
    ensure!(issues.len() == PARTS + 1, "{} issues", issues.len());
    for (place, number) in numbers.iter().enumerate().skip(1) {
        let body = body(lab, *number)?;
        let before = format!("Depends on #{}", numbers[place - 1]);
        ensure!(body.contains(&before), "#{number} lacks {before}: {body}");
    }
    let parent = body(lab, 1)?;
    for number in numbers {
        let task = format!("- [ ] #{number} ");
        let listed = parent.matches(&task).count();
        ensure!(listed == 1, "#{number} is listed {listed} times: {parent}");
    }
    let blocked = lab.coord_json(&["status"])?;
    let blocked = blocked["blocked_issues"].as_array();
    let blocked = blocked.context("no blocked issues")?;
    // All but the first part; and the parent, which waits for its parts.
    ensure!(blocked.len() == PARTS, "blocked are {blocked:#?}");
    Ok(())
}

fn body(lab: &Lab, number: u64) -> Result<String> {
    let issue = lab.coord_json(&["issue", "show", "--sync", &number.to_string()])?;
    let body = issue["body"].as_str().or(issue["issue"]["body"].as_str());
    Ok(body
        .with_context(|| format!("no body: {issue:#}"))?
        .to_owned())
}
