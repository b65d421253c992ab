//! Shell commands ask nobody: what they change is found right after the call.

use anyhow::{Result, ensure};
use serde_json::json;

use super::scenario::{Stage, close, events, expect, heard_with, script, tool, until_events};
use super::stream::Stream;
use crate::lab::NAME;

/// Somebody else's file.
const FILE: &str = "shared.txt";
/// What no worker may change.
const FORBIDDEN: &str = "CHANGELOG.md";
const BEFORE: &str = "what was there";

/// One holds a file, the other one writes to it through Bash: it is told with the answer of that
/// very call, and so is everybody.
pub(super) async fn of_another(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_with(&json!({})).await?;
    lab.repo.commit(FILE, BEFORE, "Everybody's file")?;
    lab.repo.push()?;
    let (held, over) = (
        lab.sandbox.path().join("held"),
        lab.sandbox.path().join("over"),
    );
    let holds = script(&json!([
        tool("Read", &json!({"file_path": FILE})),
        {"edit": {"path": FILE, "old": BEFORE, "new": "the holder's"}},
        {"await": over},
        {"bash": "git commit -qam 'Hold it'"},
        {"text": "STATUS: DONE"},
    ]));
    let writes = script(&json!([
        {"await": held},
        {"bash": format!("echo intruder >> {FILE}; echo past-the-$((1 + 1))nd-hook")},
        {"bash": format!("git checkout {FILE} && touch own.txt && git add . && git commit -qm Own")},
        {"text": "STATUS: DONE"},
    ]));
    let (first, second) = (
        lab.open_issue("Hold", &holds)?,
        lab.open_issue("Write", &writes)?,
    );
    let holder = lab.assign_to(NAME, first, &[])?;
    let drive = lab.start(&["drive"])?;
    until_events(&lab, "lease_granted", 1)?;
    let writer = lab.assign_to(NAME, second, &[])?;
    std::fs::write(&held, "")?;
    let foreign = json!([FILE]);
    lab.until("the sight of the foreign change", |lab| {
        let mut seen = events(lab, "files_observed")?.into_iter();
        Ok(seen.any(|it| it["id"] == *writer && it["foreign"] == foreign))
    })?;
    std::fs::write(&over, "")?;
    until_events(&lab, "assignment_ended", 2)?;
    drive.end()?;

    let heard = heard_with(stage, "past-the-2nd-hook")?;
    for words in [FILE, "held by assignment", &holder, "Hold"] {
        ensure!(heard.contains(words), "it was not told `{words}`: {heard}");
    }
    let overlaps = events(&lab, "overlap_observed")?;
    let overlap = json!({"kind": "overlap_observed", "id": writer, "other": holder, "path": FILE});
    ensure!(overlaps == [overlap], "{overlaps:?}");
    expect(&lab, &writer, "/end/files", &json!(["own.txt"]))?;
    expect(&lab, &holder, "/end/files", &json!([FILE]))?;
    close(&lab, [agent])
}

/// A file that no worker may change is what it was, whatever a shell has done to it, also when the
/// same call has committed it.
pub(super) async fn forbidden(stage: &Stage) -> Result<()> {
    let rules = json!({"coordinator_only_files": [FORBIDDEN]});
    let (lab, agent) = stage.open_with(&rules).await?;
    lab.repo.commit(FORBIDDEN, BEFORE, "A log")?;
    lab.repo.push()?;
    let steps = json!([
        {"bash": format!("echo mine >> {FORBIDDEN}; echo forbidden-$((1 + 0))")},
        {"bash": format!("echo now; cat {FORBIDDEN}")},
        {"bash": format!("echo mine > {FORBIDDEN}; touch new.txt; git add --all; \
            git commit -qm Both; echo forbidden-$((1 + 1))")},
        {"bash": format!("echo then; cat {FORBIDDEN}; git commit -qam 'Put it back'")},
        {"bash": format!("rm {FORBIDDEN}; echo forbidden-$((1 + 2))")},
        tool("Read", &json!({"file_path": FORBIDDEN})),
        {"edit": {"path": FORBIDDEN, "old": BEFORE, "new": "mine"}},
        {"text": "STATUS: DONE"},
    ]);
    let issue = lab.open_issue("Log it", &script(&steps))?;
    let id = lab.assign_to(NAME, issue, &[])?;
    lab.wait(&[&id], 0)?;
    for call in ["forbidden-1", "forbidden-2", "forbidden-3"] {
        let heard = heard_with(stage, call)?;
        ensure!(
            heard.contains(FORBIDDEN) && heard.contains("was undone"),
            "after {call} it was told: {heard}"
        );
    }
    let results = Stream::of(&lab, &id)?.results()?;
    for looked in ["now\n", "then\n"] {
        let found = results.iter().find_map(|it| it.text.strip_prefix(looked));
        ensure!(
            found == Some(BEFORE),
            "{looked}: the file held {found:?}: {results:#?}"
        );
    }
    let restored = events(&lab, "files_restored")?;
    // The board says once what a worker may try for an hour.
    let once = json!({"kind": "files_restored", "id": id, "paths": [FORBIDDEN]});
    ensure!(restored == [once], "restored: {restored:?}");
    let denied = events(&lab, "edit_denied")?;
    let why = json!({"denial": "forbidden", "glob": FORBIDDEN});
    ensure!(denied.len() == 1 && denied[0]["why"] == why, "{denied:?}");
    expect(&lab, &id, "/end/files", &json!(["new.txt"]))?;
    let branch = "issue-1-log-it";
    let published = lab.repo.remote_file(branch, FORBIDDEN);
    ensure!(
        published.as_deref() == Some(BEFORE),
        "{branch} has {published:?}"
    );
    close(&lab, [agent])
}

/// A worker that has committed such a change, and does not put it right although it was told: its
/// branch is not merged.
pub(super) async fn stubborn(stage: &Stage) -> Result<()> {
    let rules = json!({"coordinator_only_files": [FORBIDDEN]});
    let (lab, agent) = stage.open_with(&rules).await?;
    lab.repo.commit(FORBIDDEN, BEFORE, "A log")?;
    lab.repo.push()?;
    let both =
        format!("echo mine > {FORBIDDEN}; touch new.txt; git add --all; git commit -qm Both");
    let steps = script(&json!([{"bash": both}, {"text": "STATUS: DONE"}]));
    let issue = lab.open_issue("Log it", &steps)?;
    let id = lab.assign_to(NAME, issue, &["--until", "merged"])?;
    lab.coord(&["wait", "--timeout", "60", &id])?;
    ensure!(
        events(&lab, "files_restored")?.len() == 1,
        "nobody was told"
    );
    let merged = lab.repo.remote_file(lab.repo.branch(), FORBIDDEN);
    ensure!(
        merged.as_deref() == Some(BEFORE),
        "merged is {merged:?}: {}",
        lab.coord(&["history"])?
    );
    close(&lab, [agent])
}
