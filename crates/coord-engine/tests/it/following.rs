//! What agents say: events, and the status that makes up for the events that were missed.

use std::sync::Arc;

use coord_core::assignment::AssignmentState;
use coord_core::effect::CommentEvent;
use coord_core::key::EffectKind;
use coord_core::{Board, BoardEvent};
use coord_protocol::{AgentEventKind, Feature};
use tokio::sync::Notify;

use crate::agent::Answer;
use crate::world::{World, drive, drive_to_the_end, has_open};

#[tokio::test]
async fn what_happens_while_the_stream_is_cut_is_in_the_status() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    let end = world.solved(
        &world.assignment(&id).await.branch,
        "issue-1.txt",
        "solved\n",
    );
    let missed = async {
        let followed = world.agent.seen(|seen| seen.subscriptions);
        world
            .agent
            .until(|seen| seen.subscriptions > followed)
            .await;
        world.agent.worker_ends_unheard(&id, end);
        world.agent.cut_streams();
    };
    tokio::join!(drive_to_the_end(&engine, &id), missed);
    world.all_is_done_once(&id).await;
}

#[tokio::test]
async fn a_resync_makes_up_for_missed_events_too() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    let end = world.solved(
        &world.assignment(&id).await.branch,
        "issue-1.txt",
        "solved\n",
    );
    let missed = async {
        let looks = world.agent.seen(|seen| seen.looks);
        // Subscribed, and has looked: what is not told from here on is not known.
        world.agent.until(|seen| seen.looks > looks).await;
        world.agent.worker_ends_unheard(&id, end);
        world.agent.tell(None, AgentEventKind::Resync);
    };
    tokio::join!(drive_to_the_end(&engine, &id), missed);
    world.all_is_done_once(&id).await;
}

#[tokio::test]
async fn what_is_told_twice_changes_nothing() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    let end = world.solved(
        &world.assignment(&id).await.branch,
        "issue-1.txt",
        "solved\n",
    );
    let twice = async {
        let followed = world.agent.seen(|seen| seen.subscriptions);
        world
            .agent
            .until(|seen| seen.subscriptions > followed)
            .await;
        for _ in 0..2 {
            world.agent.worker_starts(&id);
            world.agent.worker_changes(&id, &["issue-1.txt"]);
        }
        for _ in 0..2 {
            world.agent.worker_ends(&id, end.clone());
        }
    };
    tokio::join!(drive_to_the_end(&engine, &id), twice);
    world.all_is_done_once(&id).await;
    let told = world.history(|event| match event {
        BoardEvent::WorkerStarted { .. } => Some("started"),
        BoardEvent::FilesObserved { .. } => Some("files"),
        BoardEvent::AssignmentEnded { .. } => Some("ended"),
        _ => None,
    });
    assert_eq!(told.await, ["started", "files", "ended"]);
}

#[tokio::test]
async fn a_question_is_posted_once() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    world.agent.worker_asks(&id, "which colour?");
    drive(&engine, |board| board.assignments[&id].stuck.is_some()).await;
    world.agent.worker_asks(&id, "which colour?");
    drive(&engine, |board| board.open_effects.is_empty()).await;
    let posted = world.comments(1).await;
    assert_eq!(posted, [CommentEvent::Briefing, CommentEvent::Stuck]);
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Running);
}

#[tokio::test]
async fn a_usage_limit_holds_for_the_machine() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    let resets_at = coord_engine::now().plus_secs(3600);
    let limited = |board: &Board| board.machines[&"m1".into()].limited_until == Some(resets_at);
    let told = async {
        let followed = world.agent.seen(|seen| seen.subscriptions);
        world
            .agent
            .until(|seen| seen.subscriptions > followed)
            .await;
        let resets_at = Some(resets_at.as_secs_f64());
        world
            .agent
            .tell(Some(&id), AgentEventKind::RateLimited { resets_at });
    };
    tokio::join!(drive(&engine, limited), told);
    let second = world.assigned(&engine, "Wait for it").await;
    let dispatch = world.open(EffectKind::Dispatch).await;
    assert_eq!(dispatch[0].not_before, resets_at, "{second} starts at once");
}

#[tokio::test]
async fn accepted_and_then_unknown_is_lost() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    world.agent.forget(&id);
    drive_to_the_end(&engine, &id).await;
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Lost);
    let posted = world.comments(1).await;
    assert_eq!(posted, [CommentEvent::Briefing, CommentEvent::Failure]);
}

#[tokio::test]
async fn unknown_while_the_dispatch_is_on_its_way_is_not_lost() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    let go = Arc::new(Notify::new());
    world.agent.answer_next([Answer::Held(go.clone())]);
    let meanwhile = async {
        world.agent.until(|seen| seen.assigns.len() == 1).await;
        // Somebody asks for the status twice while the agent has not taken it on yet.
        for _ in 0..2 {
            let _ = engine.look(None).await.unwrap();
        }
        go.notify_one();
    };
    let accepted = |board: &Board| !has_open(board, EffectKind::Dispatch);
    tokio::join!(drive(&engine, accepted), meanwhile);
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Running);
}

#[tokio::test]
async fn a_worker_of_work_that_was_given_up_is_found_in_the_status_and_stopped() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    let stop = coord_core::Command::Stop { id: id.clone() };
    engine.command(stop).await.unwrap();
    drive_to_the_end(&engine, &id).await;
    let late = coord_protocol::AssignBody {
        id: Some(id.clone()),
        ..coord_protocol::AssignBody::default()
    };
    engine
        .agents()
        .get(&"m1".into())
        .unwrap()
        .assign(&late)
        .await
        .unwrap();
    world.agent.worker_starts(&id);
    let cancels = world.agent.seen(|seen| seen.cancels.len());
    tokio::select! {
        () = drive(&engine, |_| false) => {}
        () = world.agent.until(|seen| seen.cancels.len() > cancels) => {}
    }
    assert_eq!(
        world.assignment(&id).await.state,
        AssignmentState::Cancelled
    );
}

#[tokio::test]
async fn an_agent_without_events_is_polled() {
    let world = World::new().await;
    world.agent.can(&[Feature::IdempotentAssign]);
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive_to_the_end(&engine, &id).await;
    world.all_is_done_once(&id).await;
    assert_eq!(world.agent.seen(|seen| seen.subscriptions), 0);
}

#[tokio::test]
async fn what_a_worker_uses_is_told_when_it_rose() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    let tells = async {
        let looks = world.agent.seen(|seen| seen.looks);
        world.agent.until(|seen| seen.looks > looks).await;
        for cost_usd in [0.5, 0.5, 0.25, 0.75] {
            let spent = AgentEventKind::Spent { cost_usd };
            world.agent.tell(Some(&id), spent);
        }
    };
    let has_used = |board: &Board| board.assignments[&id].spent_usd > 0.7;
    tokio::join!(drive(&engine, has_used), tells);
    let spent = world.history(|event| match event {
        BoardEvent::SpendingObserved { cost_usd, .. } => Some(*cost_usd),
        _ => None,
    });
    assert_eq!(spent.await, [0.5, 0.75]);
}
