//! Going on with what came to nothing: other machines, silence, guidance, and crashes in between.

use std::sync::Arc;

use coord_core::assignment::{AssignmentState, Cause};
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_core::{Board, BoardEvent};
use coord_engine::{Engine, RetryInput, settled};
use coord_protocol::{AssignBody, EndReport, EndResult, FailureKind};
use coord_test_support::git_fixture::git;

use crate::agent::{Answer, ScriptedAgent, ended};
use crate::world::{World, cancelled, drive, drive_to_the_end, input};

/// Two machines on which nobody works yet.
async fn two_machines(auto_reassign: bool) -> World {
    let mut world = World::with_idle_workers().await.with_second_machine();
    let rules = &mut world.policy.concurrency;
    rules.auto_reassign = auto_reassign;
    (rules.max_retries, rules.stale_seconds) = (2, 1);
    world
}

impl World {
    fn other(&self) -> &ScriptedAgent {
        self.second.as_ref().unwrap()
    }

    /// Goes on with the branch of `body` in a clone of its own, as the next worker would.
    fn goes_on(&self, body: &AssignBody, file: &str) -> EndReport {
        let (remote, desk) = (self.fixture.remote_path(), self.path("second desk"));
        let (from, to) = (remote.to_str().unwrap(), desk.to_str().unwrap());
        git(remote.parent().unwrap(), &["clone", "--quiet", from, to]).unwrap();
        let branch = body.work_branch.as_deref().unwrap();
        match body.start_branch.as_deref() {
            Some(start) => {
                let start = format!("origin/{start}");
                git(&desk, &["checkout", "--quiet", "-B", branch, &start]).unwrap();
            }
            None => drop(git(&desk, &["checkout", "--quiet", "-b", branch]).unwrap()),
        }
        std::fs::write(desk.join(file), "more\n").unwrap();
        git(&desk, &["add", "--all"]).unwrap();
        git(&desk, &["commit", "--quiet", "--message", "more"]).unwrap();
        git(&desk, &["push", "--quiet", "origin", branch]).unwrap();
        EndReport {
            exit_code: Some(0),
            branch: Some(branch.to_owned()),
            head: Some(git(&desk, &["rev-parse", "HEAD"]).unwrap()),
            base: body.base_sha.clone(),
            commits: 2,
            pushed: true,
            files: vec![file.to_owned()],
            ..ended(EndResult::Done)
        }
    }

    async fn causes(&self) -> Vec<Cause> {
        let cause = |event: &BoardEvent| match event {
            BoardEvent::AssignmentSuperseded { cause, .. } => Some(*cause),
            _ => None,
        };
        self.history(cause).await
    }
}

/// An assignment on `m1` whose worker runs.
async fn running(world: &World, engine: &Engine) -> AssignmentId {
    world.issue("Solve it").await;
    let mut input = input(1);
    input.machine = Some("m1".into());
    let committed = engine.assign(input).await.unwrap();
    let id = committed.board.assignments.keys().next().unwrap().clone();
    let starts = async {
        world.agent.until(|seen| seen.workers.contains(&id)).await;
        world.agent.worker_starts(&id);
    };
    let runs = drive(engine, |board| board.assignments[&id].started_at.is_some());
    tokio::join!(starts, runs);
    id
}

fn failed_at(mut end: EndReport) -> EndReport {
    end.result = EndResult::Failed;
    end.class = Some(FailureKind::Work);
    end.error = Some("exit code 1".to_owned());
    end
}

pub(crate) fn retry(follows: &AssignmentId) -> RetryInput {
    let like = input(1);
    RetryInput {
        follows: follows.clone(),
        machine: None,
        model: None,
        guidance: None,
        resume: false,
        when_blocked: like.when_blocked,
        waivers: like.waivers,
    }
}

/// The assignment that goes on with `id`.
fn follower(board: &Board, id: &AssignmentId) -> Option<AssignmentId> {
    board.assignments.get(id)?.superseded_by.clone()
}

#[tokio::test]
async fn a_failure_is_retried_on_the_other_machine_and_its_branch_is_merged() {
    let world = Arc::new(two_machines(true).await);
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    let there = Arc::clone(&world);
    world
        .other()
        .workers_do(Arc::new(move |body| there.goes_on(body, "more.txt")));
    let branch = world.assignment(&id).await.branch;
    let first = world.solved(&branch, "issue-1.txt", "solved\n");
    world.agent.worker_ends(&id, failed_at(first.clone()));
    // Whoever waits for the first attempt waits for the last.
    drive(&engine, |board| board.assignments.is_empty()).await;

    let asked = world.other().seen(|seen| seen.assigns.clone());
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].start_branch.as_deref(), Some(branch.as_str()));
    assert_eq!(asked[0].work_branch.as_deref(), Some(branch.as_str()));
    assert_eq!(asked[0].base_sha, first.base);
    assert!(asked[0].steerable);
    for (file, text) in [("issue-1.txt", "solved"), ("more.txt", "more")] {
        assert_eq!(
            world.fixture.remote_file("main", file).as_deref(),
            Some(text)
        );
    }
    assert_eq!(world.causes().await, [Cause::Work]);
}

#[tokio::test]
async fn whoever_waits_for_an_attempt_waits_for_the_one_that_goes_on() {
    let world = two_machines(true).await;
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    world.agent.worker_ends(&id, failed_at(cancelled()));
    drive(&engine, |board| follower(board, &id).is_some()).await;
    let board = world.store.board().await.unwrap();
    assert!(!settled(&board, &id));
    let next = follower(&board, &id).unwrap();
    let last = |world: &World| world.other().worker_ends(&next, ended(EndResult::Done));
    drive(&engine, |board| {
        board.assignments[&next].state == AssignmentState::Running
    })
    .await;
    last(&world);
    drive_to_the_end(&engine, &id).await;
}

#[tokio::test]
async fn work_of_an_agent_that_stays_away_moves_and_is_stopped_when_it_returns() {
    let world = Arc::new(two_machines(true).await);
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    let there = Arc::clone(&world);
    world
        .other()
        .workers_do(Arc::new(move |body| there.goes_on(body, "issue-1.txt")));
    world.agent.down();
    let only_the_old_one = |board: &Board| board.assignments.keys().eq([&id]);
    let moved =
        |board: &Board| only_the_old_one(board) && board.assignments[&id].superseded_by.is_some();
    drive(&engine, moved).await;
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Running);
    let asked = world.other().seen(|seen| seen.assigns.clone());
    assert_eq!(asked[0].work_branch.as_deref(), Some("issue-1-solve-it-2"));
    assert_eq!(
        world.fixture.remote_file("main", "issue-1.txt").as_deref(),
        Some("more")
    );

    world.agent.up();
    let stopped = async {
        world.agent.until(|seen| !seen.cancels.is_empty()).await;
        world.agent.worker_ends(&id, cancelled());
    };
    let gone = drive(&engine, |board| board.assignments.is_empty());
    tokio::join!(stopped, gone);
    assert_eq!(world.causes().await, [Cause::Silence]);
    assert_eq!(
        world.main_length(),
        2,
        "one merge on top of the first commit"
    );
}

#[tokio::test]
async fn without_leave_silence_moves_nothing() {
    let world = two_machines(false).await;
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    world.agent.down();
    let silent = |board: &Board| board.machines.get(&"m1".into())?.silent_since;
    drive(&engine, |board| silent(board).is_some()).await;
    let late = coord_engine::now().plus_secs(2);
    drive(&engine, |_| coord_engine::now() > late).await;
    assert_eq!(world.assignment(&id).await.superseded_by, None);
    assert!(world.other().seen(|seen| seen.assigns.is_empty()));
}

#[tokio::test]
async fn a_retry_whose_process_was_killed_starts_one_worker() {
    let world = two_machines(false).await;
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    world.agent.worker_ends(&id, failed_at(cancelled()));
    drive_to_the_end(&engine, &id).await;
    let committed = engine.retry(retry(&id)).await.unwrap();
    assert_eq!(committed.refusal, None);
    let next = follower(&committed.board, &id).unwrap();
    drop(engine);
    world.held_by_the_dead(EffectKind::Dispatch).await;
    let engine = world.engine().await;
    world.other().answer_next([Answer::DoneButSilent]);
    drive(&engine, |board| {
        board.assignments[&next].state == AssignmentState::Running
    })
    .await;
    assert_eq!(world.other().seen(|seen| seen.workers.clone()), [next]);
}

#[tokio::test]
async fn an_agent_of_the_first_version_is_not_asked_to_go_on() {
    let world = two_machines(false).await;
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    let branch = world.assignment(&id).await.branch;
    let first = world.solved(&branch, "issue-1.txt", "solved\n");
    world.agent.worker_ends(&id, failed_at(first));
    drive_to_the_end(&engine, &id).await;
    world.other().can(&[]);
    engine.retry(retry(&id)).await.unwrap();
    drive_to_the_end(&engine, &id).await;
    assert!(world.other().seen(|seen| seen.assigns.is_empty()));
    let board = world.store.board().await.unwrap();
    let end = board.assignments[&follower(&board, &id).unwrap()]
        .end
        .clone()
        .unwrap();
    assert!(end.error.unwrap().contains("too old"));
}

#[tokio::test]
async fn guidance_whose_answer_is_lost_is_told_under_the_same_key() {
    let mut world = two_machines(false).await;
    world.request_timeout = std::time::Duration::from_secs(1);
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    world.agent.worker_asks(&id, "left or right?");
    drive(&engine, |board| board.assignments[&id].stuck.is_some()).await;
    world.agent.answer_next([Answer::DoneButSilent]);
    let told = engine.guide("left".to_owned(), retry(&id)).await.unwrap();
    assert_eq!(told.refusal, None);
    drive(&engine, |board| !board.has_open(&id, EffectKind::Guide)).await;
    let inputs = world.agent.seen(|seen| seen.inputs.clone());
    assert!(inputs.len() >= 2, "{inputs:?}");
    assert!(inputs.iter().all(|it| *it == inputs[0]), "{inputs:?}");
    assert_eq!(
        (inputs[0].0.as_str(), inputs[0].1.as_str()),
        (id.as_str(), "left")
    );
    assert!(inputs[0].2.is_some());
    assert_eq!(world.assignment(&id).await.stuck, None);
}

#[tokio::test]
async fn guidance_that_comes_too_late_goes_on_with_the_session() {
    let world = two_machines(false).await;
    let engine = world.engine().await;
    let id = running(&world, &engine).await;
    let end = EndReport {
        exit_code: Some(0),
        stuck: Some("left or right?".to_owned()),
        session: Some("0b5e".to_owned()),
        ..ended(EndResult::Done)
    };
    world.agent.worker_ends_unheard(&id, end);
    let told = engine.guide("left".to_owned(), retry(&id)).await.unwrap();
    assert_eq!(told.refusal, None);
    drive(&engine, |board| follower(board, &id).is_some()).await;
    drive(&engine, |board| {
        let next = follower(board, &id).unwrap();
        board.assignments[&next].state == AssignmentState::Running
    })
    .await;
    let asked = world
        .agent
        .seen(|seen| seen.assigns.last().cloned())
        .unwrap();
    assert_eq!(asked.resume_session.as_deref(), Some("0b5e"));
    assert!(asked.briefing.contains("left"), "{}", asked.briefing);
    assert_eq!(world.causes().await, [Cause::Guidance]);
}

#[tokio::test]
async fn a_worker_that_has_not_started_is_told_when_it_has() {
    let world = two_machines(false).await;
    let engine = world.engine().await;
    world.issue("Solve it").await;
    let mut input = input(1);
    input.machine = Some("m1".into());
    let committed = engine.assign(input).await.unwrap();
    let id = committed.board.assignments.keys().next().unwrap().clone();
    engine.guide("left".to_owned(), retry(&id)).await.unwrap();
    let starts = async {
        world
            .agent
            .until(|seen| !seen.inputs.is_empty() && seen.workers.contains(&id))
            .await;
        world.agent.worker_starts(&id);
    };
    let told = drive(&engine, |board| !board.has_open(&id, EffectKind::Guide));
    tokio::join!(starts, told);
    assert!(!world.assignment(&id).await.unheard);
}
