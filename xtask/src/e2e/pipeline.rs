//! Runs that end well: one from issue to merge, and eight at the same time.

use anyhow::{Result, ensure};
use serde_json::json;

use super::scenario::{Stage, dispatch, expect, expect_only};

/// A worker commits; its branch is pushed, tested and merged; the log tells the whole story.
pub(super) async fn success(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let commit = "printf 'hello\\n' > hello.txt && git add hello.txt && git commit -qm 'Say hello'";
    let steps = json!([
        {"text": "STATUS: saying hello"},
        {"bash": commit},
        {"text": "STATUS: DONE"},
    ]);
    let id = dispatch(&lab, "Say hello", &steps)?;
    lab.wait(&[&id], 0)?;
    expect(&lab, &id, "/state", &json!("done"))?;
    expect(&lab, &id, "/end/pushed", &json!(true))?;
    expect(&lab, &id, "/end/commits", &json!(1))?;
    expect(&lab, &id, "/end/files", &json!(["hello.txt"]))?;
    let branch = "issue-1-say-hello";
    let pushed = lab.repo.remote_file(branch, "hello.txt");
    ensure!(
        pushed.as_deref() == Some("hello"),
        "{branch} on the remote has {pushed:?}"
    );
    expect_only(&lab, &agent)?;

    let log = lab.coord(&["log", &id, "--raw"])?.stdout;
    for event in [
        "\"subtype\":\"init\"",
        "saying hello",
        "\"type\":\"result\"",
    ] {
        ensure!(log.contains(event), "the log lacks {event}:\n{log}");
    }
    lab.coord(&["test", &id])?.expect(0)?;
    lab.coord(&["merge", &id])?.expect(0)?;
    let merged = lab.repo.remote_file(lab.repo.branch(), "hello.txt");
    ensure!(
        merged.as_deref() == Some("hello"),
        "the default branch has {merged:?}"
    );
    agent.kill();
    Ok(())
}

/// Eight workers wait for each other, so that none ends before all have run at the same time.
pub(super) async fn eight_at_once(stage: &Stage) -> Result<()> {
    const WORKERS: usize = 8;
    let (lab, agent) = stage.open().await?;
    let meeting = lab.sandbox.path().join("meeting");
    std::fs::create_dir(&meeting)?;
    let mut ids = Vec::new();
    for n in 1..=WORKERS {
        let command = format!(
            "touch '{here}/{n}'; for i in $(seq 900); do \
             [ $(ls '{here}' | wc -l) = {WORKERS} ] && break; sleep 0.1; done; \
             ls '{here}' | wc -l > met-{n}.txt; git add . && git commit -qm 'Meet {n}'",
            here = meeting.display(),
        );
        let steps = json!([{"bash": command}, {"text": "STATUS: DONE"}]);
        ids.push(dispatch(&lab, &format!("Meet {n}"), &steps)?);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    lab.wait(&ids, 0)?;
    for n in 1..=WORKERS {
        let met = lab
            .repo
            .remote_file(&format!("issue-{n}-meet-{n}"), &format!("met-{n}.txt"));
        let met = met.as_deref().map(str::trim);
        ensure!(met == Some("8"), "worker {n} met {met:?}");
    }
    expect_only(&lab, &agent)?;
    agent.kill();
    Ok(())
}
