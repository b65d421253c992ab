//! A process ends at any moment without a word, and another one goes on: nothing is lost, nothing
//! is done twice.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use coord_core::effect::Effect;
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_core::marker::Marker;
use coord_engine::{Engine, settled};
use coord_forge::Forge;
use coord_git::{MergeReport, MergeSpec, Repo, merge_branch};

use crate::agent::Answer;
use crate::world::{World, drive, drive_to_the_end, has_open};

/// A world in which an issue has got as far as an open effect of this kind, and the process that
/// took it there is gone.
async fn stopped_before(kind: EffectKind) -> (World, AssignmentId) {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive(&engine, |board| has_open(board, kind)).await;
    drop(engine);
    (world, id)
}

/// Another process takes it from there to the end.
async fn goes_on(world: &World, id: &AssignmentId) {
    let engine = world.engine().await;
    drive_to_the_end(&engine, id).await;
    world.all_is_done_once(id).await;
}

#[tokio::test]
async fn a_process_ends_between_two_effects() {
    for kind in [
        EffectKind::Dispatch,
        EffectKind::Test,
        EffectKind::Merge,
        EffectKind::Close,
    ] {
        let (world, id) = stopped_before(kind).await;
        world.time_gives_nothing_back().await;
        goes_on(&world, &id).await;
    }
}

#[tokio::test]
async fn a_process_ends_with_an_effect_in_its_hands() {
    let kinds = [
        EffectKind::Dispatch,
        EffectKind::Comment,
        EffectKind::Test,
        EffectKind::Merge,
        EffectKind::Close,
    ];
    for kind in kinds {
        let (world, id) = stopped_before(kind).await;
        world.held_by_the_dead(kind).await;
        goes_on(&world, &id).await;
    }
}

#[tokio::test]
async fn what_a_dead_process_held_is_carried_out_by_a_single_pass_too() {
    let (world, id) = stopped_before(EffectKind::Dispatch).await;
    world.held_by_the_dead(EffectKind::Dispatch).await;
    let engine = world.engine().await;
    let key = world.open(EffectKind::Dispatch).await[0].key.clone();
    let carried = engine.carry_out_now(&[key]).await.unwrap();
    assert!(carried[0].is_settled());
    assert_eq!(world.agent.seen(|seen| seen.workers.clone()), [id]);
}

#[tokio::test]
async fn the_agent_has_it_and_nobody_wrote_that_down() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    world.agent.answer_next([Answer::DoneButSilent]);
    tokio::select! {
        () = drive(&engine, |_| false) => {}
        () = world.agent.until(|seen| seen.workers.len() == 1) => {}
    }
    drop(engine);
    world.time_gives_nothing_back().await;
    assert_eq!(world.open(EffectKind::Dispatch).await.len(), 1);
    let branch = world.assignment(&id).await.branch;
    world
        .agent
        .worker_ends(&id, world.solved(&branch, "issue-1.txt", "solved\n"));
    goes_on(&world, &id).await;
}

#[tokio::test]
async fn the_comment_is_there_and_nobody_wrote_that_down() {
    let (world, id) = stopped_before(EffectKind::Comment).await;
    for row in world.open(EffectKind::Comment).await {
        if let Effect::PostComment(comment) = &row.effect {
            let body = format!("{}\n\n{}", comment.text, Marker::from(comment));
            world
                .forge
                .create_comment(comment.issue.number, &body)
                .await
                .unwrap();
        }
    }
    world.held_by_the_dead(EffectKind::Comment).await;
    goes_on(&world, &id).await;
}

#[tokio::test]
async fn git_has_the_merge_and_nobody_wrote_that_down() {
    let (world, id) = stopped_before(EffectKind::Merge).await;
    let row = world.open(EffectKind::Merge).await.remove(0);
    let Effect::Merge {
        title,
        branch,
        head,
        method,
        ..
    } = row.effect
    else {
        panic!("{:?} is no merge", row.effect);
    };
    let spec = MergeSpec {
        branch,
        head,
        base_branch: "main".to_owned(),
        method,
        message: format!("{title} (#1)"),
        assignment: id.clone(),
        onto: None,
    };
    let repo = Repo::open(world.fixture.clone_path()).unwrap();
    let merged = merge_branch(&repo, &spec).unwrap();
    assert!(matches!(merged, MergeReport::Merged { .. }), "{merged:?}");
    world.held_by_the_dead(EffectKind::Merge).await;
    goes_on(&world, &id).await;
    assert_eq!(world.main_length(), 2);
}

#[tokio::test]
async fn the_issue_is_closed_and_nobody_wrote_that_down() {
    let (world, id) = stopped_before(EffectKind::Close).await;
    world.forge.close_issue(1, None).await.unwrap();
    world.held_by_the_dead(EffectKind::Close).await;
    goes_on(&world, &id).await;
}

#[tokio::test]
async fn somebody_who_lives_keeps_what_it_holds() {
    let (world, id) = stopped_before(EffectKind::Dispatch).await;
    let first = world.engine().await;
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    world.agent.answer_next([Answer::Held(go.clone())]);
    let held = async {
        world.agent.until(|seen| seen.assigns.len() == 1).await;
        let second = world.engine().await;
        let keys: Vec<_> = world.open(EffectKind::Dispatch).await;
        let carried = second.carry_out_now(&[keys[0].key.clone()]).await.unwrap();
        assert_eq!(carried, []);
        go.notify_one();
    };
    tokio::join!(drive_to_the_end(&first, &id), held);
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), 1);
}

/// Drives for so many turns of the loop; whether it got to the end.
async fn drive_for(engine: &Engine, id: &AssignmentId, turns: u32) -> bool {
    let enough = |board: &coord_core::Board| match settled(board, id) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let mut driven = pin!(engine.drive(enough, |_| {}));
    let mut left = turns;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        driven.as_mut().poll(context).map(|done| {
            done.unwrap();
            true
        })
    })
    .await
}

/// A little longer each time, so that every step is cut short somewhere and passed in the end.
const fn turns(interruptions: u32) -> u32 {
    1 + interruptions / 4
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drive_that_is_dropped_after_any_turn_is_taken_up_by_the_next() {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    let mut drops = 0;
    while !drive_for(&engine, &id, turns(drops)).await {
        drops += 1;
        world.time_gives_nothing_back().await;
    }
    assert!(drops > 10, "it was hardly ever dropped: {drops}");
    world.all_is_done_once(&id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_after_any_turn_is_replaced_by_the_next() {
    let world = World::new().await;
    let id = world.assigned(&world.engine().await, "Solve it").await;
    let mut deaths = 0;
    while !drive_for(&world.engine().await, &id, turns(deaths)).await {
        deaths += 1;
        world.time_gives_nothing_back().await;
    }
    assert!(deaths > 10, "it hardly ever died: {deaths}");
    world.all_is_done_once(&id).await;
}

#[tokio::test]
async fn closing_gives_back_what_is_held() {
    let (world, id) = stopped_before(EffectKind::Dispatch).await;
    let engine = world.engine().await;
    world.agent.answer_next([Answer::DoneButSilent]);
    tokio::select! {
        () = drive(&engine, |_| false) => {}
        () = world.agent.until(|seen| seen.assigns.len() == 1) => {}
    }
    // Whatever the drive was doing is dropped by the runtime, some time soon.
    tokio::time::timeout(Duration::from_secs(20), async {
        while world
            .store
            .outbox()
            .await
            .unwrap()
            .iter()
            .any(|row| row.lease.is_some())
        {
            engine.close().await;
        }
    })
    .await
    .unwrap();
    drop(engine);
    drop(id);
}
