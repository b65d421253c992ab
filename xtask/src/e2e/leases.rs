//! Two workers want the same files at once: the hook gives each file to one of them, and tells the
//! other one who has it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::scenario::{Stage, close, events, recorded, script, tool, until_events};
use super::stream::Stream;
use crate::lab::{Lab, NAME, SPARE};

/// Everybody's file, and what it says at first.
const FILE: &str = "shared.txt";
const BEFORE: &str = "nobody's";
const NOTEBOOK: &str = "shared.ipynb";

/// Both workers run on one machine, whose agent knows of both.
pub(super) async fn one_file(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_with(&json!({})).await?;
    race(&lab, [NAME, NAME], &[Wish::Edit])?;
    close(&lab, [agent])
}

/// Each runs on a machine of its own: only the coordinator knows of both.
pub(super) async fn across_machines(stage: &Stage) -> Result<()> {
    let (lab, agents) = stage.open_pair("true", json!({})).await?;
    race(&lab, [NAME, SPARE], &[Wish::Edit, Wish::Create])?;
    close(&lab, agents)
}

/// Every tool of the CLI that changes a file.
pub(super) async fn every_tool(stage: &Stage) -> Result<()> {
    let (lab, agent) = stage.open_with(&json!({"leases": "strict"})).await?;
    let wishes = [Wish::Edit, Wish::Create, Wish::Overwrite, Wish::Notebook];
    race(&lab, [NAME, NAME], &wishes)?;
    close(&lab, [agent])
}

/// What both workers want to do at once.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Edit,
    Create,
    Overwrite,
    Notebook,
}

impl Wish {
    fn path(self) -> &'static str {
        match self {
            Self::Edit => FILE,
            Self::Create => "new/file.txt",
            Self::Overwrite => "old.txt",
            Self::Notebook => NOTEBOOK,
        }
    }

    fn tool(self) -> &'static str {
        match self {
            Self::Edit => "Edit",
            Self::Create | Self::Overwrite => "Write",
            Self::Notebook => "NotebookEdit",
        }
    }

    /// What stands in the file afterwards, if worker `n` has it.
    fn mark(n: usize) -> String {
        format!("that of worker {n}")
    }

    fn step(self, n: usize) -> Value {
        let (path, mark) = (self.path(), Self::mark(n));
        match self {
            Self::Edit => json!({"edit": {"path": path, "old": BEFORE, "new": mark}}),
            Self::Create | Self::Overwrite => json!({"write": {"path": path, "content": mark}}),
            Self::Notebook => tool(
                "NotebookEdit",
                &json!({"notebook_path": path, "cell_id": "first", "new_source": mark}),
            ),
        }
    }
}

/// Has two workers do the same at the same time, and looks at what came of it.
fn race(lab: &Lab, machines: [&str; 2], wishes: &[Wish]) -> Result<()> {
    lab.repo.commit(FILE, BEFORE, "Everybody's file")?;
    lab.repo.commit("old.txt", BEFORE, "Another one")?;
    lab.repo.commit(NOTEBOOK, &notebook(), "A notebook")?;
    lab.repo.push()?;
    std::fs::create_dir(lab.sandbox.path().join("meeting"))?;
    let mut ids = Vec::new();
    for (n, machine) in machines.into_iter().enumerate() {
        let body = script(&steps(lab, n, wishes));
        let issue = lab.open_issue(&format!("Want {n}"), &body)?;
        ids.push(lab.assign_to(machine, issue, &[])?);
    }
    let drive = lab.start(&["drive"])?;
    until_events(lab, "edit_denied", wishes.len())?;
    std::fs::write(lab.sandbox.path().join("over"), "")?;
    until_events(lab, "assignment_ended", 2)?;
    drive.end()?;
    let denials = recorded(lab, "edit_denied")?;
    ensure!(denials.len() == wishes.len(), "denied: {denials:#?}");
    for wish in wishes {
        expect_one_author(lab, &ids, *wish, &denials)?;
    }
    for kind in ["edit_unchecked", "overlap_observed", "files_restored"] {
        let found = events(lab, kind)?;
        ensure!(found.is_empty(), "{kind}: {found:?}");
    }
    Ok(())
}

/// Each waits for the other before each of its wishes, and goes on after all of them.
fn steps(lab: &Lab, n: usize, wishes: &[Wish]) -> Value {
    let here = lab.sandbox.path();
    let mut steps: Vec<Value> = [FILE, "old.txt", NOTEBOOK]
        .map(|path| tool("Read", &json!({"file_path": path})))
        .to_vec();
    for (number, wish) in wishes.iter().enumerate() {
        let meet = format!(
            "cd '{}' && touch {number}-{n}; for i in $(seq 900); do \
             [ $(ls -d {number}-* | wc -l) = 2 ] && break; sleep 0.05; done",
            here.join("meeting").display()
        );
        steps.push(json!({"bash": format!("({meet})")}));
        steps.push(wish.step(n));
    }
    let commit = format!("touch own-{n}.txt && git add --all && git commit -qm 'What I have'");
    steps.push(json!({"await": here.join("over")}));
    steps.push(json!({"bash": commit}));
    steps.push(json!({"text": "STATUS: DONE"}));
    steps.into()
}

fn notebook() -> String {
    let cell = json!({"cell_type": "code", "id": "first", "metadata": {}, "source": [BEFORE],
        "outputs": [], "execution_count": null});
    json!({"cells": [cell], "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4, "nbformat_minor": 5})
    .to_string()
}

/// One of the two has the file; the other one was told so, and so was everybody.
fn expect_one_author(lab: &Lab, ids: &[String], wish: Wish, denials: &[Value]) -> Result<()> {
    let path = wish.path();
    let mut denials = denials.iter().filter(|it| it["event"]["path"] == path);
    let denial = denials.next().context("nobody was denied it")?;
    ensure!(denials.next().is_none(), "{path} was denied twice");
    let event = &denial["event"];
    let loser = ids.iter().position(|id| event["id"] == **id);
    let loser = loser.context("somebody else was denied it")?;
    let (winner, holder) = (1 - loser, &ids[1 - loser]);
    let why = json!({"denial": "leased", "by": holder});
    ensure!(event["why"] == why, "{path} was denied because {event}");
    ensure!(event["tool"] == wish.tool(), "{path} was denied to {event}");

    let stream = Stream::of(lab, &ids[loser])?;
    let told = format!("held by assignment {holder}");
    let told = stream.errors(&told)?;
    let told = told.iter().find(|it| it.text.contains(path));
    let told = told.context("its stream does not name the holder")?;
    ensure!(
        told.text.contains(&format!("Want {winner}")),
        "it does not say what the holder does: {}",
        told.text
    );
    ensure!(
        stream.denied().contains(&wish.tool()),
        "its result names as denied: {:?}",
        stream.denied()
    );
    let recorded = denial["at"].as_i64().context("when?")?;
    println!(
        "     {path}: on the board {} ms after it was in the stream",
        recorded - told.at
    );
    for (n, mark) in [(winner, true), (loser, false)] {
        let branch = format!("issue-{}-want-{n}", n + 1);
        let text = lab.repo.remote_file(&branch, path).unwrap_or_default();
        let found = (0..2).any(|n| text.contains(&Wish::mark(n)));
        ensure!(found == mark, "{path} of {branch} holds {text:?}");
        let own = lab.repo.remote_file(&branch, &format!("own-{n}.txt"));
        ensure!(own.is_some(), "{branch} lacks what only its worker did");
    }
    Ok(())
}
