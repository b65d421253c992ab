//! The end of rounds and sessions: hooks and housekeeping run once, in order, with their limits,
//! whoever drives and whoever is killed.

use std::path::Path;
use std::time::Duration;

use coord_core::assignment::Goal;
use coord_core::ids::AssignmentId;
use coord_core::issue::IssueState;
use coord_core::key::EffectKind;
use coord_core::policy::{CheckoutCommand, HousekeepingPolicy};
use coord_core::session::{EndedStep, Step, Summary};
use coord_core::{Board, BoardEvent};
use coord_engine::{AssignInput, Engine};
use coord_forge::{Forge, MergeOutcome, NewPull, PullMerge};
use coord_test_support::git_fixture::git;
use coord_test_support::processes;
use serde_json::Value;

use crate::world::{PATIENCE, World, drive, drive_to_the_end, input};

fn shell(command: impl Into<String>) -> Step {
    Step::Command {
        command: command.into(),
        timeout_seconds: 60,
    }
}

/// Closes the session and has everything run that belongs to its end.
async fn close(engine: &Engine) -> Summary {
    let seq = begin_to_close(engine).await;
    drive(engine, |board| !board.step_runs.contains_key(&seq)).await;
    engine.summary(seq).await.unwrap().unwrap()
}

async fn begin_to_close(engine: &Engine) -> u64 {
    let closed = engine.command(engine.close_session(false)).await.unwrap();
    assert_eq!(closed.refusal, None);
    closed.board.seq
}

/// Something for a session: an issue that is worked on and not merged.
async fn worked(world: &World, engine: &Engine) -> AssignmentId {
    let number = world.issue("Do it").await.number;
    let input = AssignInput {
        goal: Goal::Worked,
        ..input(number)
    };
    let committed = engine.assign(input).await.unwrap();
    let mut assignments = committed.board.assignments.values();
    let it = assignments.find(|it| it.issue.number == number);
    let id = it.unwrap().id.clone();
    drive_to_the_end(engine, &id).await;
    id
}

fn notes(steps: &[EndedStep]) -> Vec<(bool, &str)> {
    let notes = steps
        .iter()
        .map(|it| (it.result.ok, it.result.note.as_str()));
    notes.collect()
}

async fn appears(file: &Path) -> String {
    let there = async {
        loop {
            match std::fs::read_to_string(file) {
                Ok(text) if text.ends_with('\n') => return text,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, there).await.unwrap()
}

fn lines(file: &Path) -> usize {
    std::fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .count()
}

#[tokio::test]
async fn the_hooks_of_a_round_run_once_although_two_drive() {
    let mut world = World::new().await;
    world.policy.on_round_complete = vec![shell("cat >> event.json; pwd"), shell("echo x >> runs")];
    let (one, two) = (world.engine().await, world.engine().await);
    let first = world.assigned(&one, "First").await;
    let second = world.assigned(&one, "Second").await;
    let over = |board: &Board| board.assignments.is_empty() && board.step_runs.is_empty();
    tokio::join!(drive(&one, over), drive(&two, over));

    assert_eq!(lines(&world.path("runs")), 1);
    let event = std::fs::read_to_string(world.path("event.json")).unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["event"], "round_complete");
    let merged = event["summary"]["merged"].as_array().unwrap();
    let ids: Vec<&str> = merged.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{event:#}");
    assert!(ids.contains(&first.as_str()) && ids.contains(&second.as_str()));
    assert_eq!(event["summary"]["assignments"][0]["state"], "done");
    let seq = event["seq"].as_u64().unwrap();
    let summary = one.summary(seq).await.unwrap().unwrap();
    let folder = world.path("").canonicalize().unwrap();
    assert_eq!(summary.steps[0].result.note, folder.display().to_string());
    let rounds =
        |event: &BoardEvent| matches!(event, BoardEvent::RoundCompleted { .. }).then_some(());
    assert_eq!(world.history(rounds).await.len(), 1);
}

#[tokio::test]
async fn who_waits_for_the_last_of_a_round_waits_for_its_hooks() {
    let mut world = World::new().await;
    world.policy.on_round_complete =
        vec![shell("sleep 0.2; echo x >> runs"), shell("echo y >> runs")];
    let engine = world.engine().await;
    worked(&world, &engine).await;
    assert_eq!(lines(&world.path("runs")), 2);
}

#[tokio::test]
async fn one_that_fails_or_takes_too_long_is_told_and_stops_no_other() {
    let mut world = World::new().await;
    let sleeper = world.path("sleeper");
    let hanging = format!("sleep 1000 & echo $! > '{}'; wait", sleeper.display());
    world.policy.on_session_end = vec![
        shell("echo oops >&2; exit 3"),
        Step::Command {
            command: hanging,
            timeout_seconds: 1,
        },
        shell("kill -9 $$"),
        shell("exec <&-; echo fine"),
        Step::SummaryReport,
    ];
    let engine = world.engine().await;
    worked(&world, &engine).await;
    let summary = close(&engine).await;
    assert_eq!(
        notes(&summary.steps)[..4],
        [
            (false, "it ended with code 3: oops"),
            (false, "it was stopped: the limit of 1 s was up"),
            (false, "it ended with a signal: no output"),
            (true, "fine"),
        ]
    );
    let pid = std::fs::read_to_string(sleeper).unwrap();
    let pid = pid.trim().parse().unwrap();
    processes::wait_gone(&[pid], PATIENCE).unwrap();
    let log = summary.steps[0].result.file.clone().unwrap();
    assert_eq!(std::fs::read_to_string(log).unwrap(), "oops\n");
    let report = summary.steps[4].result.file.clone().unwrap();
    let report = std::fs::read_to_string(report).unwrap();
    for part in [
        "1 assignment (1 done)",
        "FAILED: it ended with code 3: oops",
        "coord test",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(summary.has_failed_step());
}

#[tokio::test]
async fn one_that_was_cut_off_is_ended_and_runs_again() {
    let mut world = World::new().await;
    let (up, gate) = (world.path("up"), world.path("gate"));
    let waits = format!(
        "echo $$ > '{}'; while [ ! -e '{}' ]; do sleep 0.02; done; echo x >> runs",
        up.display(),
        gate.display()
    );
    world.policy.on_session_end = vec![shell(waits), shell("echo y >> runs")];
    let engine = world.engine().await;
    worked(&world, &engine).await;
    let seq = begin_to_close(&engine).await;
    let over = |board: &Board| !board.step_runs.contains_key(&seq);
    let pid = {
        let mut driving = std::pin::pin!(drive(&engine, over));
        tokio::select! {
            () = &mut driving => panic!("it ended although the gate is closed"),
            pid = appears(&up) => pid,
        }
    };
    let pid = pid.trim().parse().unwrap();
    let gone = tokio::task::spawn_blocking(move || processes::wait_gone(&[pid], PATIENCE));
    gone.await.unwrap().unwrap();
    std::fs::write(gate, "").unwrap();
    drive(&engine, over).await;
    assert_eq!(lines(&world.path("runs")), 2);
}

#[tokio::test]
async fn what_a_process_left_that_was_killed_is_finished_by_the_next() {
    let mut world = World::new().await;
    world.policy.on_session_end = vec![shell("echo x >> runs"), shell("echo y >> runs")];
    let engine = world.engine().await;
    worked(&world, &engine).await;
    let seq = begin_to_close(&engine).await;
    world.held_by_the_dead(EffectKind::Step).await;
    let next = world.engine().await;
    drive(&next, |board| !board.step_runs.contains_key(&seq)).await;
    assert_eq!(lines(&world.path("runs")), 2);
}

#[tokio::test]
async fn of_two_who_close_at_once_one_does() {
    let mut world = World::new().await;
    world.policy.on_session_end = vec![shell("echo x >> runs")];
    let (one, two) = (world.engine().await, world.engine().await);
    worked(&world, &one).await;
    let both = tokio::join!(
        one.command(one.close_session(false)),
        two.command(two.close_session(false))
    );
    let refused = [both.0.unwrap().refusal, both.1.unwrap().refusal];
    assert_eq!(refused.iter().flatten().count(), 1, "{refused:?}");
    let over = |board: &Board| board.step_runs.is_empty();
    tokio::join!(drive(&one, over), drive(&two, over));
    assert_eq!(lines(&world.path("runs")), 1);
}

/// Merges the branch of an assignment as a person would, behind the back of the board.
async fn merge_by_hand(world: &World, id: &AssignmentId) {
    let it = world.assignment(id).await;
    let work = it.deliverable().unwrap();
    let new = NewPull {
        title: "By hand".to_owned(),
        body: String::new(),
        branch: work.branch.to_owned(),
        base: "main".to_owned(),
    };
    let pull = world.forge.open_pull(new).await.unwrap();
    let merge = PullMerge {
        head: work.head.clone(),
        method: coord_core::assignment::MergeMethod::Squash,
        onto: None,
        message: "By hand".to_owned(),
        assignment: id.clone(),
    };
    let merged = world.forge.merge_pull(pull.number, &merge).await.unwrap();
    assert!(matches!(merged, MergeOutcome::Merged { .. }), "{merged:?}");
}

async fn is_open(world: &World, number: u64) -> bool {
    let issue = world.forge.issue(number).await.unwrap().unwrap();
    issue.state == IssueState::Open
}

#[tokio::test]
async fn only_what_is_proven_merged_is_closed() {
    let mut world = World::new().await;
    world.policy.on_session_end = vec![Step::CloseMergedIssues];
    let engine = world.engine().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(worked(&world, &engine).await);
    }
    merge_by_hand(&world, &ids[0]).await;
    let remote = world.fixture.remote_path();
    let before = git(&remote, &["rev-parse", "main"]).unwrap();
    merge_by_hand(&world, &ids[1]).await;
    git(&remote, &["update-ref", "refs/heads/main", &before]).unwrap();

    let summary = close(&engine).await;
    let note = &summary.steps[0].result.note;
    assert!(note.starts_with("closed api#1 (in "), "{note}");
    assert!(!note.contains("api#2") && !note.contains("api#3"), "{note}");
    assert_eq!(
        [
            is_open(&world, 1).await,
            is_open(&world, 2).await,
            is_open(&world, 3).await
        ],
        [false, true, true]
    );
}

#[tokio::test]
async fn housekeeping_brings_checkouts_up_to_date_and_leaves_what_is_in_them() {
    let mut world = World::new().await;
    world.policy.housekeeping = HousekeepingPolicy {
        pull: true,
        commands: vec![CheckoutCommand {
            command: "ls other.txt; exit 1".to_owned(),
            repos: Vec::new(),
            timeout_seconds: 60,
        }],
    };
    let engine = world.engine().await;
    worked(&world, &engine).await;
    let clone = world.fixture.clone_path();
    crate::world::publish(
        &world.fixture.remote_path(),
        &world.path("desks"),
        "other",
        "other.txt",
        "x\n",
    );
    let remote = world.fixture.remote_path();
    git(
        &remote,
        &["update-ref", "refs/heads/main", "refs/heads/other"],
    )
    .unwrap();
    let summary = close(&engine).await;
    let [(true, moved), (false, said)] = notes(&summary.steps)[..] else {
        panic!("{:?}", summary.steps);
    };
    assert!(moved.contains(" → "), "{moved}");
    assert_eq!(said, "it ended with code 1: other.txt");

    std::fs::write(clone.join("other.txt"), "mine\n").unwrap();
    git(
        &remote,
        &["update-ref", "refs/heads/main", "refs/heads/main~1"],
    )
    .unwrap();
    crate::world::publish(&remote, &world.path("desks"), "third", "other.txt", "y\n");
    git(
        &remote,
        &["update-ref", "refs/heads/main", "refs/heads/third"],
    )
    .unwrap();
    worked(&world, &engine).await;
    let summary = close(&engine).await;
    let note = notes(&summary.steps)[0];
    assert!(
        note.0 && note.1.starts_with("left as it is: it has "),
        "{note:?}"
    );
    assert_eq!(
        std::fs::read_to_string(clone.join("other.txt")).unwrap(),
        "mine\n"
    );
}
