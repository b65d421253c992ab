//! Stopping work before it starts, while it runs, and when it is too late.

use std::sync::Arc;

use coord_core::assignment::AssignmentState;
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_core::{Board, Command};
use coord_engine::Engine;
use tokio::sync::Notify;

use crate::agent::Answer;
use crate::world::{World, cancelled, drive, drive_to_the_end, has_open};

async fn stop(engine: &Engine, id: &AssignmentId) {
    let committed = engine
        .command(Command::Stop { id: id.clone() })
        .await
        .unwrap();
    assert_eq!(committed.refusal, None);
}

#[tokio::test]
async fn what_is_stopped_before_its_dispatch_never_reaches_the_agent() {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    stop(&engine, &id).await;
    drive_to_the_end(&engine, &id).await;
    assert_eq!(
        world.assignment(&id).await.state,
        AssignmentState::Cancelled
    );
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), 0);
}

#[tokio::test]
async fn a_running_worker_is_cancelled_once_the_agent_says_so() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    stop(&engine, &id).await;
    drive(&engine, |board| !has_open(board, EffectKind::Cancel)).await;
    assert_eq!(
        world.agent.seen(|seen| seen.cancels.clone()),
        [id.to_string()]
    );
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Running);
    world.agent.worker_ends(&id, cancelled());
    drive_to_the_end(&engine, &id).await;
    assert_eq!(
        world.assignment(&id).await.state,
        AssignmentState::Cancelled
    );
}

#[tokio::test]
async fn a_stop_waits_for_an_agent_that_is_down() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    world.agent.down();
    stop(&engine, &id).await;
    drive(&engine, |board: &Board| {
        board.machines[&"m1".into()].silent_since.is_some()
    })
    .await;
    world.agent.up();
    drive(&engine, |board| !has_open(board, EffectKind::Cancel)).await;
    assert_eq!(world.agent.seen(|seen| seen.cancels.len()), 1);
}

#[tokio::test]
async fn an_agent_that_never_heard_of_it_has_nothing_to_stop() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    world.agent.forget(&id);
    stop(&engine, &id).await;
    drive_to_the_end(&engine, &id).await;
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Lost);
    assert_eq!(world.agent.seen(|seen| seen.cancels.len()), 1);
}

/// Waits until the board has it in this state, whoever brings it there.
async fn becomes(world: &World, id: &AssignmentId, state: AssignmentState) {
    let onlooker = world.engine().await;
    drive(&onlooker, |board| board.assignments[id].state == state).await;
}

#[tokio::test]
async fn a_dispatch_that_the_stop_has_overtaken_is_stopped_when_it_arrives() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    let go = Arc::new(Notify::new());
    world.agent.answer_next([Answer::Held(go.clone())]);
    let script = async {
        world.agent.until(|seen| seen.assigns.len() == 1).await;
        stop(&engine, &id).await;
        becomes(&world, &id, AssignmentState::Cancelled).await;
        go.notify_one();
        world.agent.until(|seen| seen.workers.len() == 1).await;
        world.agent.worker_starts(&id);
        world.agent.until(|seen| seen.cancels.len() == 2).await;
    };
    tokio::select! {
        () = drive(&engine, |_| false) => {}
        () = script => {}
    }
    let state = world.assignment(&id).await.state;
    assert_eq!(state, AssignmentState::Cancelled);
}

#[tokio::test]
async fn a_stop_that_came_just_before_its_dispatch_is_delivered_again() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    let (arrives, answered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let answers = [
        Answer::Held(arrives.clone()),
        Answer::DoneButHeld(answered.clone()),
    ];
    world.agent.answer_next(answers);
    let script = async {
        world.agent.until(|seen| seen.assigns.len() == 1).await;
        stop(&engine, &id).await;
        world.agent.until(|seen| seen.cancels.len() == 1).await;
        arrives.notify_one();
        becomes(&world, &id, AssignmentState::Running).await;
        answered.notify_one();
        world.agent.until(|seen| seen.cancels.len() == 2).await;
    };
    tokio::select! {
        () = drive(&engine, |_| false) => {}
        () = script => {}
    }
    let state = world.assignment(&id).await.state;
    assert_eq!(state, AssignmentState::Running);
}
