//! Edits while no coordinator is connected, or the agent is not there: the configured mode decides.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scenario::{Stage, close, events, expect, script, until_events};
use super::stream::Stream;
use crate::lab::NAME;

/// Inside of what was declared an edit needs nobody; outside it is denied; and whoever declared
/// nothing can be given nothing.
pub(super) async fn strict(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_with(&json!({"leases": "strict"})).await?;
    let steps = script(&json!([
        {"write": {"path": "inside/a.txt", "content": "a"}},
        {"write": {"path": "outside.txt", "content": "b"}},
        {"bash": "git add --all && git commit -qm 'What I have'"},
        {"text": "STATUS: DONE"},
    ]));
    let declared = lab.open_issue("Declare", &steps)?;
    let declared = lab.assign_to(NAME, declared, &["--files", "inside/**"])?;
    let free = script(&json!([
        {"write": {"path": "anywhere.txt", "content": "c"}},
        {"text": "STATUS: DONE"},
    ]));
    let free = lab.open_issue("Declare nothing", &free)?;
    let free = lab.assign_to(NAME, free, &[])?;
    for id in [&declared, &free] {
        lab.wait_finished(id).await?;
    }
    for (id, words) in [
        (
            &declared,
            "outside of the files that were given to this task",
        ),
        (&free, "does not answer"),
    ] {
        let stream = Stream::of(&lab, id)?;
        let told = stream.errors(words)?;
        ensure!(told.len() == 1, "{id} was told {:#?}", stream.results()?);
        ensure!(stream.denied() == ["Write"], "{:?}", stream.denied());
    }
    lab.coord(&["wait", "--timeout", "120", &declared, &free])?;
    let denied = events(&lab, "edit_denied")?;
    let of = |id: &str| {
        let denied = denied.iter().filter(|it| it["id"] == id);
        denied
            .map(|it| (&it["path"], &it["why"]["denial"]))
            .collect::<Vec<_>>()
    };
    let (outside, unreachable) = (json!("outside"), json!("unreachable"));
    let paths = [json!("outside.txt"), json!("anywhere.txt")];
    ensure!(of(&declared) == [(&paths[0], &outside)], "{denied:?}");
    ensure!(of(&free) == [(&paths[1], &unreachable)], "{denied:?}");
    expect(&lab, &declared, "/end/files", &json!(["inside/a.txt"]))?;
    expect(&lab, &free, "/end/commits", &json!(0))?;
    close(&lab, [agent])
}

/// The edit is made, and the board learns of it when somebody is there again.
pub(super) async fn warn(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_with(&json!({"leases": "warn"})).await?;
    let steps = script(&json!([
        {"write": {"path": "anywhere.txt", "content": "c"}},
        {"bash": "git add --all && git commit -qm 'Write it'"},
        {"text": "STATUS: DONE"},
    ]));
    let issue = lab.open_issue("Declare nothing", &steps)?;
    let id = lab.assign_to(NAME, issue, &[])?;
    lab.wait_finished(&id).await?;
    lab.wait(&[&id], 0)?;
    let unchecked = events(&lab, "edit_unchecked")?;
    let once: Value = json!({"kind": "edit_unchecked", "id": id, "path": "anywhere.txt"});
    ensure!(unchecked == [once], "{unchecked:?}");
    ensure!(events(&lab, "edit_denied")?.is_empty());
    expect(&lab, &id, "/end/files", &json!(["anywhere.txt"]))?;
    close(&lab, [agent])
}

/// The agent is killed before an edit: strictly, the edit is denied all the same, although the CLI
/// lets a call through whose hook fails; with a warning it is made, and told later.
pub(super) async fn agent_gone(stage: &Stage) -> Result<()> {
    for mode in ["strict", "warn"] {
        let (lab, agent) = stage.open_with(&json!({"leases": mode})).await?;
        let (gone, back) = (
            lab.sandbox.path().join("gone"),
            lab.sandbox.path().join("back"),
        );
        let steps = script(&json!([
            {"await": gone},
            {"write": {"path": "anywhere.txt", "content": "c"}},
            {"await": back},
            {"bash": "git add --all && git commit -qm 'Write it' --allow-empty"},
            {"text": "STATUS: DONE"},
        ]));
        let issue = lab.open_issue("Write it", &steps)?;
        let id = lab.assign_to(NAME, issue, &[])?;
        lab.wait_process("--session-id").await?;
        lab.wait_started(&id).await?;
        agent.kill();
        std::fs::write(&gone, "")?;
        lab.until("the answer of the tool", |lab| {
            let written = lab.sandbox.coord_home().join("agent/assignments");
            let log = std::fs::read_to_string(written.join(&id).join("log.ndjson"))?;
            Ok(log.contains("\"tool_result\""))
        })?;
        let agent = lab.start_agent().await?;
        let drive = lab.start(&["drive"])?;
        std::fs::write(&back, "")?;
        until_events(&lab, "assignment_ended", 1)?;
        drive.end()?;
        let stream = Stream::of(&lab, &id)?;
        let denied = stream.errors("agent on this machine does not answer")?;
        let unchecked = events(&lab, "edit_unchecked")?;
        let files = match mode {
            "strict" => {
                ensure!(denied.len() == 1, "{:#?}", stream.results()?);
                ensure!(unchecked.is_empty(), "{unchecked:?}");
                json!([])
            }
            _ => {
                ensure!(denied.is_empty(), "{denied:#?}");
                let once = json!({"kind": "edit_unchecked", "id": id, "path": "anywhere.txt"});
                ensure!(unchecked == [once], "{unchecked:?}");
                json!(["anywhere.txt"])
            }
        };
        expect(&lab, &id, "/end/files", &files)?;
        close(&lab, [agent])?;
    }
    Ok(())
}
