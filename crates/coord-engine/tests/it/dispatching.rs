//! Handing work to an agent that does not answer, answers late, or says no.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use coord_core::assignment::{AssignmentState, WorkerResult};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, Timestamp};
use coord_core::key::EffectKind;
use coord_core::{Board, BoardEvent};
use coord_engine::{Carried, Engine, Progress, now};
use coord_protocol::EndResult;

use crate::agent::{Answer, ended};
use crate::world::{World, drive, drive_and_see, drive_to_the_end, is_kind};

fn refuse(status: u16, retry_after: Option<u64>) -> Answer {
    Answer::Refuse {
        status,
        retry_after,
    }
}

/// Drives until the dispatch has been postponed so often, and answers until when.
async fn drive_until_postponed(engine: &Engine, times: usize) -> Vec<Timestamp> {
    let postponed = RefCell::new(Vec::new());
    let show = |progress: Progress| {
        if let Progress::Carried(Carried::Postponed { key, until, .. }) = progress
            && is_kind(&key, EffectKind::Dispatch)
        {
            postponed.borrow_mut().push(until);
        }
    };
    drive_and_see(engine, |_| postponed.borrow().len() >= times, show).await;
    postponed.into_inner()
}

async fn silences(world: &World) -> Vec<&'static str> {
    world
        .history(|event| match event {
            BoardEvent::AgentSilent { .. } => Some("silent"),
            BoardEvent::AgentBack { .. } => Some("back"),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_dispatch_that_timed_out_is_repeated_under_the_same_id() {
    let mut world = World::new().await;
    world.request_timeout = Duration::from_secs(1);
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    world
        .agent
        .workers_do(std::sync::Arc::new(|_| ended(EndResult::Done)));
    world.agent.answer_next([Answer::DoneButSilent]);
    // Only the answer to the dispatch may tell: nobody follows the agent here.
    let key = world.open(EffectKind::Dispatch).await[0].key.clone();
    let first = engine
        .carry_out_now(std::slice::from_ref(&key))
        .await
        .unwrap();
    assert!(!first[0].is_settled());
    assert_eq!(world.agent.seen(|seen| seen.workers.len()), 1);
    drive_to_the_end(&engine, &id).await;
    assert_eq!(world.agent.seen(|seen| seen.workers.clone()), [id]);
}

#[tokio::test]
async fn an_agent_that_answers_the_second_time_is_not_silent_any_more() {
    let mut world = World::with_idle_workers().await;
    world.request_timeout = Duration::from_secs(1);
    let engine = world.engine().await;
    world.assigned(&engine, "Solve it").await;
    world.agent.answer_next([Answer::DoneButSilent]);
    let key = world.open(EffectKind::Dispatch).await[0].key.clone();
    let _ = engine
        .carry_out_now(std::slice::from_ref(&key))
        .await
        .unwrap();
    assert_eq!(silences(&world).await, ["silent"]);
    while engine
        .carry_out_now(std::slice::from_ref(&key))
        .await
        .unwrap()
        .is_empty()
    {
        let due = world.store.next_due().await.unwrap().unwrap().as_millis() - now().as_millis();
        tokio::time::sleep(Duration::from_millis(due.try_into().unwrap_or(0))).await;
    }
    assert_eq!(silences(&world).await, ["silent", "back"]);
}

#[tokio::test]
async fn an_agent_that_is_down_gets_its_work_when_it_comes_up() {
    let world = World::new().await;
    let engine = world.engine().await;
    world.agent.down();
    let id = world.assigned(&engine, "Solve it").await;
    let postponed = drive_until_postponed(&engine, 2).await;
    assert!(postponed[0] < postponed[1]);
    assert_eq!(silences(&world).await, ["silent"]);
    assert_eq!(
        world.assignment(&id).await.state,
        AssignmentState::Requested
    );
    world.agent.up();
    drive_to_the_end(&engine, &id).await;
    assert_eq!(silences(&world).await, ["silent", "back"]);
    world.all_is_done_once(&id).await;
}

#[tokio::test]
async fn silence_changes_nothing_of_what_runs() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "Solve it").await;
    let before = world.assignment(&id).await;
    world.agent.down();
    let silent = |board: &Board| board.machines[&"m1".into()].silent_since.is_some();
    drive(&engine, silent).await;
    assert_eq!(world.assignment(&id).await, before);
    world.agent.up();
    drive(&engine, |board| !silent(board)).await;
    assert_eq!(world.assignment(&id).await, before);
    world
        .agent
        .worker_ends(&id, world.solved(&before.branch, "issue-1.txt", "solved\n"));
    drive_to_the_end(&engine, &id).await;
    world.all_is_done_once(&id).await;
    assert_eq!(silences(&world).await, ["silent", "back"]);
}

#[tokio::test]
async fn a_full_agent_is_asked_again_when_it_said() {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    world.agent.answer_next([refuse(429, Some(3))]);
    let before = now();
    let postponed = drive_until_postponed(&engine, 1).await;
    assert!(
        postponed[0] >= before.plus_secs(3),
        "the back-off of 1 s was taken instead"
    );
    drive_to_the_end(&engine, &id).await;
    world.all_is_done_once(&id).await;
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), 2);
    assert!(silences(&world).await.is_empty());
}

async fn fails_for_good(status: u16) -> (World, AssignmentId) {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    world.agent.answer_next([refuse(status, None)]);
    drive_to_the_end(&engine, &id).await;
    let it = world.assignment(&id).await;
    assert_eq!(it.state, AssignmentState::Failed, "{status}");
    let failed = WorkerResult::Failed(FailureClass::Configuration);
    assert_eq!(it.end.unwrap().result, failed, "{status}");
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), 1);
    (world, id)
}

#[tokio::test]
async fn what_an_agent_refuses_is_not_tried_again() {
    for status in [400, 401, 409, 422] {
        fails_for_good(status).await;
    }
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_kept_and_posted() {
    use coord_core::effect::CommentEvent;

    let (world, id) = fails_for_good(400).await;
    let end = world.assignment(&id).await.end.unwrap();
    assert_eq!(
        end.error.as_deref(),
        Some("the agent refused (400): the script says no")
    );
    let posted = world.comments(1).await;
    assert_eq!(posted, [CommentEvent::Briefing, CommentEvent::Failure]);
}

#[tokio::test]
async fn an_agent_that_has_the_id_with_another_body_refuses() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    let foreign = coord_protocol::AssignBody {
        id: Some(id.clone()),
        ..coord_protocol::AssignBody::default()
    };
    let client = engine.agents().get(&"m1".into()).unwrap();
    client.assign(&foreign).await.unwrap();
    let refused = Cell::new(false);
    let show = |progress: Progress| {
        let settled = matches!(progress, Progress::Carried(Carried::Settled { key, .. })
            if is_kind(&key, EffectKind::Dispatch));
        refused.set(refused.get() || settled);
    };
    drive_and_see(&engine, |_| refused.get(), show).await;
    assert_eq!(world.assignment(&id).await.state, AssignmentState::Failed);
}
