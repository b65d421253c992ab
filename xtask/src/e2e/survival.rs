//! Ends by force: of a worker with everything it started, and of the agent without its workers.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use coord_test_support::git_fixture::git;
use serde_json::json;

use super::scenario::{Stage, dispatch, expect, expect_nothing_published, expect_only};

/// `coord stop` during a Bash call whose grandchild has a session of its own and ignores SIGTERM.
pub(super) async fn stop(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let command = "echo precious > unsaved.txt; \
        setsid sh -c 'trap \"\" TERM; sleep 4321; sleep 4321' & sleep 4322";
    let steps = json!([{"bash": command}, {"text": "never"}]);
    let id = dispatch(&lab, "Sleep", &steps)?;
    lab.wait_process("sleep 4321").await?;
    lab.coord(&["stop", &id])?.expect(0)?;
    lab.wait(&[&id], 1)?;
    expect(&lab, &id, "/state", &json!("cancelled"))?;
    expect_only(&lab, &agent)?;
    expect_nothing_published(&lab)?;
    let saved = format!("refs/coord/wip/{id}:unsaved.txt");
    let saved = git(&lab.repo.clone_path(), &["cat-file", "blob", &saved])?;
    ensure!(
        saved == "precious",
        "what the worker wrote was saved as {saved:?}"
    );
    agent.kill();
    Ok(())
}

/// SIGKILL to the agent while a worker runs; the next agent adopts it, and nothing is missing.
pub(super) async fn restart(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open().await?;
    let gate = lab.sandbox.path().join("gate");
    let command = format!(
        "echo begun; for i in $(seq 900); do [ -e '{}' ] && break; sleep 0.1; done; \
         echo adopted > adopted.txt; git add . && git commit -qm 'Be adopted'",
        gate.display()
    );
    let steps = json!([{"bash": command}, {"text": "STATUS: DONE"}]);
    let id = dispatch(&lab, "Be adopted", &steps)?;
    lab.wait_process("seq 900").await?;
    let worker = lab.wait_started(&id).await?;
    agent.kill();
    let pid = worker.pid.context("the worker has no process")?;
    let alive = coord_test_support::processes::is_alive(pid);
    ensure!(alive, "the worker died with its agent");
    // The worker works on while nobody is there.
    tokio::time::sleep(Duration::from_millis(300)).await;

    let agent = lab.start_agent().await?;
    let adopted = lab.wait_started(&id).await?;
    ensure!(
        adopted.pid == Some(pid),
        "the agent took {:?} for {pid}",
        adopted.pid
    );
    std::fs::write(&gate, "")?;
    lab.wait(&[&id], 0)?;
    expect(&lab, &id, "/end/pushed", &json!(true))?;
    let pushed = lab.repo.remote_file("issue-1-be-adopted", "adopted.txt");
    ensure!(
        pushed.as_deref() == Some("adopted"),
        "the remote has {pushed:?}"
    );

    let log = lab.coord(&["log", &id, "--raw"])?.stdout;
    let starts = log.matches("\"subtype\":\"init\"").count();
    let results = log
        .lines()
        .filter(|l| l.contains("\"type\":\"result\""))
        .count();
    ensure!(
        (starts, results) == (1, 1),
        "{starts} starts and {results} results:\n{log}"
    );
    expect_only(&lab, &agent)?;
    agent.kill();
    Ok(())
}
