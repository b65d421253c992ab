//! The whole way from five issues to five merges, by the real worker, with everything that comes
//! back on that way.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scenario::{
    REVIEWER, Stage, close, commits, events, finding, judges, requested, scripts,
};
use crate::lab::Lab;

/// Runs every `*.check`; the red ones stand in the last line.
const TEST: &str = "red=; for it in *.check; do sh \"./$it\" || red=\"$red $it\"; done; \
    echo \"red:$red\"; test -z \"$red\"";

/// What is said to whoever solves a conflict.
const CONFLICT: &str = "conflicts with the base branch";
/// What is said to whoever puts right what a reviewer found.
const OBJECTION: &str = "A reviewer asked for changes";
/// What is said to whoever puts right what is red in combination.
const COMBINATION: &str = "red together with what is in the base branch";

/// One is sent back, two conflict, two are green alone and red together; five are merged.
pub(super) async fn all_the_way(stage: &Stage) -> Result<()> {
    let rules = json!({
        "pipeline": {"gates": ["test", "review", "ci"], "pull_requests": "worker"},
        "reviews": {"enabled": true, "require_approval": true},
    });
    let (lab, agents) = stage.open_pair(TEST, rules).await?;
    lab.repo.commit("first.check", "true\n", "Checks")?;
    lab.repo.commit("colour.txt", "white\n", "Colour")?;
    lab.repo.push()?;
    let cues = lab.sandbox.path().join("cues");
    std::fs::create_dir(&cues)?;
    let mut ids = Vec::new();
    for body in issues(&cues) {
        let issue = lab.open_issue(&format!("Issue {}", ids.len() + 1), &body)?;
        ids.push(lab.assign_to("-", issue, &["--until", "merged", "--allow-overlap"])?);
    }
    let drive = lab.start(&["drive"])?;
    direct(&lab, &cues, [&ids[1], &ids[4]])?;
    lab.until("the closing of five issues", |lab| {
        Ok(events(lab, "issue_closed")?.len() == 5)
    })?;
    drive.end()?;
    expect_turns(&lab, &ids)?;
    expect_merged(&lab)?;
    close(&lab, agents)
}

/// The bodies of the five issues.
fn issues(cues: &Path) -> [String; 5] {
    let approves = || json!([judges("approve", &[])]);
    let approves_after = |cue: &str| json!([{"await": cues.join(cue)}, judges("approve", &[])]);
    let paints = |colour: &str| {
        scripts(&[
            ("", commits(&format!("echo {colour} > colour.txt"))),
            (CONFLICT, brought_up("echo green and blue > colour.txt")),
            (REVIEWER, approves()),
        ])
    };
    [
        scripts(&[
            ("", commits("echo one > sum.txt")),
            (OBJECTION, commits("echo two > sum.txt")),
            (
                REVIEWER,
                json!([judges("request_changes", &[finding("sum.txt", 1)])]),
            ),
            ("+two", approves()),
        ]),
        scripts(&[
            ("", commits("touch b.txt")),
            (REVIEWER, approves_after("approved")),
        ]),
        paints("green"),
        paints("blue"),
        scripts(&[
            (
                "",
                commits("echo 'test ! -e b.txt || test -e c.txt' > needs.check"),
            ),
            (COMBINATION, brought_up("! sh needs.check && touch c.txt")),
            (REVIEWER, approves_after("ordered")),
        ]),
    ]
}

/// A worker that merges the base first, and then does one thing.
fn brought_up(command: &str) -> Value {
    let merge = "git fetch -q origin main && git merge -q FETCH_HEAD || git status --short";
    let commit = format!("{command} && git add --all && git commit -qm 'Bring it up to date'");
    json!([{"bash": merge}, {"bash": commit}, {"text": "STATUS: DONE"}])
}

/// Says in which order the two are to be merged. Their reviewers wait for each other, so that both
/// stand in the queue at once.
fn direct(lab: &Lab, cues: &Path, pair: [&String; 2]) -> Result<()> {
    let all = |kind: &'static str| {
        move |lab: &Lab| {
            let events = events(lab, kind)?;
            let has = |id: &&String| events.iter().any(|event| event["id"] == ***id);
            Ok(pair.iter().all(has))
        }
    };
    lab.until("the tests of the pair", all("test_recorded"))?;
    let [first, second] = pair;
    let queue = lab.start(&["merge", "--order", &format!("{first},{second}")])?;
    lab.until("the order of the pair", all("merge_queued"))?;
    std::fs::write(cues.join("ordered"), "")?;
    lab.until("the approval of the second", |lab| {
        let reviews = events(lab, "review_recorded")?;
        Ok(reviews.iter().any(|event| event["id"] == **second))
    })?;
    std::fs::write(cues.join("approved"), "")?;
    queue.end()
}

fn expect_turns(lab: &Lab, ids: &[String]) -> Result<()> {
    let mut causes: BTreeMap<String, usize> = BTreeMap::new();
    for event in events(lab, "assignment_superseded")? {
        let cause = event["cause"].as_str().unwrap_or_default().to_owned();
        *causes.entry(cause).or_default() += 1;
    }
    let once = ["combination", "conflict", "review"].map(|cause| (cause.to_owned(), 1));
    ensure!(causes == BTreeMap::from(once), "sent back: {causes:?}");
    let red = events(lab, "combination_red")?;
    let together = red.iter().map(|event| (&event["id"], &event["with"]));
    let together: Vec<_> = together.collect();
    ensure!(
        together == [(&json!(ids[4]), &json!(ids[1]))],
        "red together: {together:?}"
    );
    let writers = ["work", "fix", "rebase"].map(|kind| requested(lab, kind));
    let writers: Vec<Value> = writers.into_iter().collect::<Result<Vec<_>>>()?.concat();
    for review in requested(lab, "review")? {
        let writer = writers.iter().find(|it| it["id"] == review["about"]["id"]);
        let elsewhere = writer.is_some_and(|it| it["machine"] != review["machine"]);
        ensure!(elsewhere, "it was reviewed where it was made: {review:#}");
    }
    let texts = events(lab, "pull_written")?;
    let by_author = |event: &&Value| event["text"]["title"] == "By its author";
    ensure!(texts.iter().filter(by_author).count() == 5, "{texts:?}");
    Ok(())
}

fn expect_merged(lab: &Lab) -> Result<()> {
    let file = |path| lab.repo.remote_file(lab.repo.branch(), path);
    for (path, text) in [
        ("sum.txt", "two"),
        ("b.txt", ""),
        ("c.txt", ""),
        ("colour.txt", "green and blue"),
        ("needs.check", "test ! -e b.txt || test -e c.txt"),
    ] {
        let found = file(path);
        ensure!(found.as_deref() == Some(text), "{path} holds {found:?}");
    }
    Ok(())
}
