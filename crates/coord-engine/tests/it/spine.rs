//! One issue from the assignment to the merge.

use coord_core::BoardEvent;
use coord_core::key::EffectKind;

use crate::world::{World, drive, drive_to_the_end, has_open};

#[tokio::test]
async fn an_issue_becomes_a_tested_commit_on_the_default_branch() {
    let mut world = World::new().await;
    // Red unless it runs on the worker's commit, and not in anybody's checkout.
    world.commands = vec!["test -f issue-1.txt".to_owned()];
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive_to_the_end(&engine, &id).await;
    world.all_is_done_once(&id).await;
    assert_eq!(world.main_length(), 2);
    assert!(!world.fixture.clone_path().join("issue-1.txt").exists());
    assert_eq!(world.store.outbox().await.unwrap(), []);
}

#[tokio::test]
async fn the_worker_gets_what_was_asked_for() {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Größe ändern!").await;
    drive_to_the_end(&engine, &id).await;
    let body = world.agent.seen(|seen| seen.assigns[0].clone());
    assert_eq!(body.id.as_ref(), Some(&id));
    assert_eq!(body.work_branch.as_deref(), Some("issue-1-gr-e-ndern"));
    assert_eq!(body.repo_path, "/srv/api");
    assert_eq!(body.briefing, "Please do it.");
}

#[tokio::test]
async fn issues_are_worked_on_side_by_side_and_merged_one_after_the_other() {
    let world = World::new().await;
    let engine = world.engine().await;
    let mut ids = Vec::new();
    for title in ["one", "two", "three"] {
        ids.push(world.assigned(&engine, title).await);
    }
    drive(&engine, |board| board.assignments.is_empty()).await;
    for id in &ids {
        world.all_is_done_once(id).await;
    }
    assert_eq!(world.main_length(), 4);
}

#[tokio::test]
async fn nothing_is_done_before_somebody_drives() {
    let world = World::new().await;
    let engine = world.engine().await;
    world.assigned(&engine, "Solve it").await;
    assert!(has_open(
        &engine.store().board().await.unwrap(),
        EffectKind::Dispatch
    ));
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), 0);
    let started =
        |event: &BoardEvent| matches!(event, BoardEvent::WorkerStarted { .. }).then_some(());
    assert!(world.history(started).await.is_empty());
}
