//! An agent of 0.1.0: no events, ids of its own, and little to say about the end.

use std::time::Duration;

use coord_core::Command;
use coord_core::assignment::AssignmentState;
use coord_core::effect::CommentEvent;
use coord_core::key::EffectKind;
use coord_core::lease::LeaseMode;
use coord_engine::Engine;
use coord_protocol::EndResult;

use crate::agent::{Answer, ended};
use crate::world::{World, assign, cancelled, drive, drive_to_the_end, has_open};

async fn old_world() -> (World, Engine) {
    let mut world = World::with_idle_workers().await;
    world.agent.can(&[]);
    world.request_timeout = Duration::from_secs(1);
    let engine = world.engine().await;
    (world, engine)
}

#[tokio::test]
async fn its_work_is_tested_and_merged() {
    let (world, engine) = old_world().await;
    let id = world.assigned(&engine, "Solve it").await;
    let works = async {
        world.agent.until(|seen| seen.workers.len() == 1).await;
        let theirs = world.agent.only_id();
        world.agent.worker_starts(&theirs);
        let end = world.solved("issue-1-solve-it", "issue-1.txt", "solved\n");
        world.agent.worker_ends(&theirs, end);
    };
    tokio::join!(drive_to_the_end(&engine, &id), works);
    assert_eq!(
        world.fixture.remote_file("main", "issue-1.txt").as_deref(),
        Some("solved")
    );
    let once = [
        CommentEvent::Briefing,
        CommentEvent::Completion,
        CommentEvent::Merge,
    ];
    assert_eq!(world.comments(1).await, once);
    assert!(
        world
            .agent
            .seen(|seen| seen.assigns.iter().all(|body| body.id.is_none()))
    );
}

#[tokio::test]
async fn it_gets_no_work_where_leases_are_strict() {
    let mut world = World::with_idle_workers().await;
    world.agent.can(&[]);
    world.policy.leases = LeaseMode::Strict;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive_to_the_end(&engine, &id).await;
    let error = world.assignment(&id).await.end.unwrap().error.unwrap();
    assert!(error.contains("`leases: strict`"), "{error}");
    assert!(world.agent.seen(|seen| seen.assigns.is_empty()));
}

#[tokio::test]
async fn it_gets_no_second_worker_after_a_time_out() {
    let (world, engine) = old_world().await;
    let id = world.assigned(&engine, "Solve it").await;
    world.agent.answer_next([Answer::DoneButSilent]);
    drive(&engine, |board| {
        board.assignments[&id].state == AssignmentState::Running
    })
    .await;
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), 1);
}

#[tokio::test]
async fn its_worker_is_stopped_under_its_own_name() {
    let (world, engine) = old_world().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive(&engine, |board| {
        board.assignments[&id].state == AssignmentState::Running
    })
    .await;
    let theirs = world.agent.only_id();
    engine
        .command(Command::Stop { id: id.clone() })
        .await
        .unwrap();
    drive(&engine, |board| !has_open(board, EffectKind::Cancel)).await;
    let last = world.agent.seen(|seen| seen.cancels.last().cloned());
    assert_eq!(last, Some(theirs.to_string()));
    world.agent.worker_ends(&theirs, cancelled());
    drive_to_the_end(&engine, &id).await;
    assert_eq!(
        world.assignment(&id).await.state,
        AssignmentState::Cancelled
    );
}

#[tokio::test]
async fn an_earlier_attempt_is_not_taken_for_the_next() {
    let (world, engine) = old_world().await;
    let first = world.assigned(&engine, "Solve it").await;
    drive(&engine, |board| {
        board.assignments[&first].state == AssignmentState::Running
    })
    .await;
    let theirs = world.agent.only_id();
    world.agent.worker_starts(&theirs);
    world.agent.worker_ends(&theirs, ended(EndResult::Failed));
    drive_to_the_end(&engine, &first).await;
    assert_eq!(
        world.assignment(&first).await.state,
        AssignmentState::Failed
    );
    let second = assign(&engine, 1).await;
    let _ = engine.look(None).await.unwrap();
    assert_eq!(
        world.assignment(&second).await.state,
        AssignmentState::Requested
    );
    drive(&engine, |board| !has_open(board, EffectKind::Dispatch)).await;
    assert_eq!(world.agent.seen(|seen| seen.workers.len()), 2);
    let _ = engine.look(None).await.unwrap();
    assert_eq!(
        world.assignment(&second).await.state,
        AssignmentState::Running
    );
}
