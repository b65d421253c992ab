//! Two processes on one board.

use crate::world::{World, drive};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_drive_at_once_carry_out_every_effect_once() {
    let mut world = World::new().await;
    world
        .test_env
        .push(("RUNS".to_owned(), world.path("runs").display().to_string()));
    world.commands = vec!["git rev-parse HEAD >> $RUNS".to_owned()];
    let (one, two) = (world.engine().await, world.engine().await);
    let mut ids = Vec::new();
    for title in ["a", "b", "c", "d"] {
        ids.push(world.assigned(&one, title).await);
    }
    let done = |board: &coord_core::Board| board.assignments.is_empty();
    tokio::join!(drive(&one, done), drive(&two, done));
    for id in &ids {
        world.all_is_done_once(id).await;
    }
    assert_eq!(world.agent.seen(|seen| seen.assigns.len()), ids.len());
    let runs = std::fs::read_to_string(world.path("runs")).unwrap();
    for id in &ids {
        let it = world.assignment(id).await;
        let head = it.deliverable().unwrap().head.as_str();
        assert_eq!(runs.lines().filter(|run| *run == head).count(), 1);
    }
    assert_eq!(world.main_length(), 1 + ids.len());
}
