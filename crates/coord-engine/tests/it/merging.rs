//! Merging into a base that moves.

use coord_core::assignment::{AssignmentState, MergeState};
use coord_core::ids::AssignmentId;
use coord_core::{Board, BoardEvent};
use coord_engine::{Engine, settled};

use crate::world::{World, drive, drive_to_the_end};

/// A worker that rewrites the README, up to where it goes by itself.
async fn rewrites(world: &World, engine: &Engine, id: &AssignmentId, text: &str) {
    let branch = world.assignment(id).await.branch;
    let end = world.solved(&branch, "README.md", text);
    world.agent.worker_ends(id, end);
    drive_to_the_end(engine, id).await;
}

#[tokio::test]
async fn a_conflict_is_reported_and_tried_again_when_the_base_moves() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let first = world.running(&engine, "one").await;
    let second = world.running(&engine, "two").await;
    let text = world.solved("issue-2-two", "README.md", "# two\n");
    rewrites(&world, &engine, &first, "# one\n").await;

    world.agent.worker_ends(&second, text);
    drive_to_the_end(&engine, &second).await;
    let it = world.assignment(&second).await;
    assert_eq!(it.state, AssignmentState::Done);
    let conflict = it.merge.as_ref().unwrap();
    let MergeState::Conflict { paths, .. } = &conflict.state else {
        panic!("{conflict:?}");
    };
    assert_eq!(paths, &["README.md"]);

    let third = world.running(&engine, "undo it").await;
    rewrites(&world, &engine, &third, "# fixture\n").await;
    drive(&engine, |board| board.assignments.is_empty()).await;
    assert_eq!(
        world.fixture.remote_file("main", "README.md").as_deref(),
        Some("# two")
    );
    let queued = world.history(|event| match event {
        BoardEvent::MergeQueued { id, .. } if *id == second => Some(()),
        _ => None,
    });
    assert_eq!(queued.await.len(), 2);
}

#[tokio::test]
async fn work_without_a_commit_is_not_merged() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "advise").await;
    world
        .agent
        .worker_ends(&id, crate::agent::ended(coord_protocol::EndResult::Done));
    drive_to_the_end(&engine, &id).await;
    let it = world.assignment(&id).await;
    assert_eq!(
        (it.state, it.merge, it.verdict),
        (AssignmentState::Done, None, None)
    );
    assert_eq!(world.main_length(), 1);
}

#[tokio::test]
async fn a_branch_that_moved_after_its_test_is_refused() {
    use coord_test_support::git_fixture::git;

    let mut world = World::with_idle_workers().await;
    // While the tests run, somebody pushes to the branch.
    let desk = world.path("desks").join("issue-1-one");
    world
        .test_env
        .push(("DESK".to_owned(), desk.display().to_string()));
    world.commands = vec![
        "cd $DESK && git -c user.name=x -c user.email=x@example.invalid commit --quiet \
         --allow-empty --message more && git push --quiet origin HEAD"
            .to_owned(),
    ];
    let engine = world.engine().await;
    let id = world.running(&engine, "one").await;
    rewrites(&world, &engine, &id, "# one\n").await;
    let it = world.assignment(&id).await;
    let refused = |state: &MergeState| matches!(state, MergeState::Refused { .. });
    assert!(
        it.merge.as_ref().is_some_and(|entry| refused(&entry.state)),
        "{:?}",
        it.merge
    );
    assert_eq!(world.main_length(), 1);
    assert!(git(&world.fixture.clone_path(), &["fsck"]).is_ok());
    let at_rest = |board: &Board| settled(board, &id);
    assert!(at_rest(&engine.store().board().await.unwrap()));
}
