//! Two branches that are going to conflict: everybody learns of it while both are still worked on.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::scenario::{Stage, close, events, script, tool, until_events};
use crate::lab::{Lab, NAME, SPARE};

const FILE: &str = "shared.txt";

/// A person has let two workers change one file; they run on two machines. The later one is told as
/// soon as their lines meet, and not any more once they do not.
pub(super) async fn foreseen(stage: &Stage) -> Result<()> {
    let (lab, agents) = stage.open_pair("true", json!({})).await?;
    let lines: Vec<String> = (1..=9).map(|n| format!("line {n}\n")).collect();
    lab.repo.commit(FILE, &lines.concat(), "Nine lines")?;
    lab.repo
        .commit("README.md", "Read me\n", "Something else")?;
    lab.repo.push()?;
    let cue = |name: &str| lab.sandbox.path().join(name);
    let changes = |to: &str| json!({"edit": {"path": FILE, "old": "line 5", "new": to}});
    let read = tool("Read", &json!({"file_path": FILE}));
    let commit = json!({"bash": "git add --all && git commit -qm 'Change it'"});
    let first = script(&json!([read, changes("five"), {"await": cue("over")}, commit]));
    let mut steps = vec![read, json!({"await": cue("changed")}), changes("FIVE")];
    // A message waits for the end of a tool call.
    steps.push(json!({"await": cue("foreseen")}));
    steps.extend(vec![json!({"bash": "sleep 0.2; echo told-$((1 + 1))"}); 5]);
    steps.push(json!({"bash": format!("git checkout {FILE}; echo x > own.txt")}));
    steps.push(json!({"await": cue("over")}));
    steps.push(commit.clone());
    let second = script(&steps.into());

    let drive = lab.start(&["drive"])?;
    let declared = ["--files", FILE];
    let issue = lab.open_issue("Change it", &first)?;
    let earlier = lab.assign_to(NAME, issue, &declared)?;
    let issue = lab.open_issue("Change it too", &second)?;
    let later = lab.assign_to(
        SPARE,
        issue,
        &[&declared[..], &["--allow-overlap"]].concat(),
    )?;
    until_events(&lab, "files_observed", 1)?;
    std::fs::write(cue("changed"), "")?;
    until_events(&lab, "conflict_foreseen", 1)?;
    expect_in_radar(&lab, &earlier, &later)?;
    std::fs::write(cue("foreseen"), "")?;
    until_events(&lab, "conflict_gone", 1)?;
    std::fs::write(cue("over"), "")?;
    until_events(&lab, "assignment_ended", 2)?;
    drive.end()?;

    let foreseen = events(&lab, "conflict_foreseen")?;
    let once = json!({"kind": "conflict_foreseen", "id": later, "with": earlier, "paths": [FILE]});
    ensure!(foreseen == [once], "foreseen: {foreseen:#?}");
    let words = format!("conflicts with the work on {NAME}#1 by assignment {earlier}");
    let requests = stage.api.requests();
    let told = requests
        .iter()
        .filter(|it| it.turn.is_some_and(|turn| turn > 0));
    let told: Vec<_> = told.filter(|it| it.heard.contains(&words)).collect();
    ensure!(told.len() == 1, "it was told {} times", told.len());
    ensure!(told[0].heard.contains(FILE), "{}", told[0].heard);
    close(&lab, agents)
}

fn expect_in_radar(lab: &Lab, earlier: &str, later: &str) -> Result<()> {
    let radar = lab.coord_json(&["radar"])?;
    let text = radar.to_string();
    for word in [earlier, later, FILE] {
        ensure!(
            text.contains(word),
            "the radar does not show {word}: {radar:#}"
        );
    }
    let status = lab.coord_json(&["status"])?;
    let conflicts = status["conflicts"].as_array().map_or(0, Vec::len);
    ensure!(conflicts == 1, "status shows {:#}", Value::from(conflicts));
    Ok(())
}
