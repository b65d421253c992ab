//! Finished branches, and workers that look at them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coord_core::Command;
use coord_core::assignment::{AssignmentKind, AssignmentState, Goal};
use coord_core::command::ServeRequest;
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_engine::{AssignInput, Engine};
use coord_protocol::{AssignBody, AssignmentType, EndReport, EndResult};
use coord_test_support::git_fixture::git;
use serde_json::{Value, json};

use crate::agent::{ScriptedAgent, ended};
use crate::world::{World, drive, input, pushed};

/// Paths with what is written there.
pub(crate) type Files = &'static [(&'static str, &'static str)];

/// What a branch of these tests changes: ten lines before and one of them is another one after.
pub(crate) const CHANGE: Files = &[("src/count.txt", "one\nzwei\nthree\nfour\n")];

/// A world with a second machine, and rules of its own at the base.
pub(crate) async fn world() -> World {
    let world = World::with_idle_workers().await.with_second_machine();
    let base: Files = &[
        ("src/count.txt", "one\ntwo\nthree\nfour\n"),
        ("CLAUDE.md", "Write tests in `tests/`.\n"),
    ];
    for (path, text) in base {
        world.fixture.commit(path, text, "base").unwrap();
    }
    world.fixture.push().unwrap();
    world
}

/// Where workers of a test have their clones.
#[derive(Clone)]
pub(crate) struct Desks {
    remote: PathBuf,
    folder: PathBuf,
}

impl Desks {
    pub(crate) fn new(remote: &Path, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            remote: remote.to_owned(),
            folder,
        }
    }

    /// Does the work of a writer: commits the files on its branch and pushes it.
    pub(crate) fn write(&self, body: &AssignBody, files: Files) -> EndReport {
        let id = body.id.as_ref().unwrap();
        let desk = self.folder.join(id.as_str());
        let branch = body.work_branch.as_deref().unwrap();
        let (from, to) = (self.remote.to_str().unwrap(), desk.to_str().unwrap());
        git(&self.folder, &["clone", "--quiet", from, to]).unwrap();
        let start = body.start_branch.as_deref().unwrap_or("main");
        let start = format!("origin/{start}");
        git(&desk, &["checkout", "--quiet", "-B", branch, &start]).unwrap();
        let base = || git(&desk, &["rev-parse", "HEAD"]).unwrap();
        let base = body.base_sha.clone().unwrap_or_else(base);
        pushed(&desk, branch, base, files)
    }
}

/// What a worker that was given a schema ends with.
pub(crate) fn answered(answer: Value) -> EndReport {
    EndReport {
        exit_code: Some(0),
        answer: Some(answer),
        ..ended(EndResult::Done)
    }
}

/// A review with these findings: path, line, severity.
pub(crate) fn review(verdict: &str, findings: &[(&str, Option<u32>, &str)]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|(path, line, severity)| {
            json!({ "path": path, "line": line, "severity": severity, "rule": "tests", "text": "Not so." })
        })
        .collect();
    json!({ "verdict": verdict, "summary": "So so.", "findings": findings })
}

impl World {
    pub(crate) fn agents(&self) -> impl Iterator<Item = &ScriptedAgent> {
        [&self.agent].into_iter().chain(&self.second)
    }

    pub(crate) fn writers_desks(&self) -> Desks {
        Desks::new(&self.fixture.remote_path(), self.path("desks"))
    }

    /// Writers of both machines make this change, and who looks at it ends like that.
    pub(crate) fn workers(
        &self,
        files: Files,
        looks: impl Fn(&AssignBody) -> EndReport + Send + Sync + 'static,
    ) {
        let (desks, looks) = (self.writers_desks(), Arc::new(looks));
        for agent in self.agents() {
            let (desks, looks) = (desks.clone(), Arc::clone(&looks));
            agent.workers_do(Arc::new(move |body| match body.kind {
                AssignmentType::Work => desks.write(body, files),
                AssignmentType::Review | AssignmentType::Smoke | AssignmentType::Pr => looks(body),
            }));
        }
    }

    /// A branch whose worker on `m1` has ended well; nobody goes on with it by himself.
    pub(crate) async fn finished(&self, engine: &Engine) -> AssignmentId {
        let issue = self.issue("Count in German").await.number;
        let wanted = AssignInput {
            machine: Some("m1".into()),
            goal: Goal::Worked,
            ..input(issue)
        };
        finished(engine, wanted).await
    }

    /// Every request of this kind, of both agents.
    pub(crate) fn requests(&self, kind: AssignmentType) -> Vec<AssignBody> {
        let of = |agent: &ScriptedAgent| agent.seen(|seen| seen.assigns.clone());
        let all = self.agents().flat_map(of);
        all.filter(|body| body.kind == kind).collect()
    }
}

/// Assigns, and waits for the worker's end.
pub(crate) async fn finished(engine: &Engine, wanted: AssignInput) -> AssignmentId {
    let committed = engine.assign(wanted).await.unwrap();
    assert_eq!(committed.refusal, None);
    let mut ids = committed.board.assignments.keys();
    let id = ids.next().unwrap().clone();
    drive(engine, |board| {
        board.assignments[&id].state == AssignmentState::Done
    })
    .await;
    id
}

/// A person wants somebody to look at the branch.
pub(crate) async fn ask(
    engine: &Engine,
    about: &AssignmentId,
    kind: AssignmentKind,
) -> AssignmentId {
    let board = engine.store().board().await.unwrap();
    let id = AssignmentId::from_bits(0xa5c + board.assignments.len() as u64);
    let request = ServeRequest {
        id: id.clone(),
        kind,
        about: about.clone(),
        machine: None,
        model: None,
    };
    let committed = engine.command(Command::Serve(Box::new(request))).await;
    assert_eq!(committed.unwrap().refusal, None);
    id
}

/// Waits until that has ended and its answer was looked at.
pub(crate) async fn ends(engine: &Engine, id: &AssignmentId) {
    drive(engine, |board| {
        let ended = board
            .assignments
            .get(id)
            .is_none_or(|it| !it.state.is_active());
        ended && !board.has_open(id, EffectKind::Judge)
    })
    .await;
}

/// Has somebody look at the branch, to the end.
pub(crate) async fn looked_at(
    engine: &Engine,
    about: &AssignmentId,
    kind: AssignmentKind,
) -> AssignmentId {
    let id = ask(engine, about, kind).await;
    ends(engine, &id).await;
    id
}
