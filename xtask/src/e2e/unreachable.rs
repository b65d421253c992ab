//! Edits while no coordinator is connected: the configured mode decides.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scenario::{Stage, close, events, expect, script};
use super::stream::Stream;
use crate::lab::NAME;

/// Inside of what was declared an edit needs nobody; outside it is denied; and whoever declared
/// nothing can be given nothing.
pub(super) async fn strict(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_with(json!({"leases": "strict"})).await?;
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
        (&declared, "outside of the files that were given to this task"),
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
        denied.map(|it| (&it["path"], &it["why"]["denial"])).collect::<Vec<_>>()
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
    let (lab, agent) = stage.open_with(json!({"leases": "warn"})).await?;
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
