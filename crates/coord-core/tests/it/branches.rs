//! Branches that somebody has pushed to, seen outside the merge queue.

use coord_core::assignment::MergeState;
use coord_core::effect::CombinedResult;
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command, Decision};

use crate::world::{World, head, id, request};

fn pushed(world: &mut World, n: u64, to: u64) -> Decision {
    let head = head(to);
    world.run(&Command::BranchSeen { id: id(n), head })
}

#[test]
fn what_failed_is_judged_anew() {
    let mut world = World::new();
    world.policy.pipeline.max_iterations = 0;
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Failed);
    assert_eq!(pushed(&mut world, 1, 1).events, [], "it is where it was");
    let seen = pushed(&mut world, 1, 0xbeef);
    assert!(matches!(seen.events[0], BoardEvent::BranchMoved { .. }));
    assert!(world.find_key("test", 1).is_some());
    let _ = world.tested(1, TestResult::Passed);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn what_conflicted_is_queued_again_and_who_goes_on_with_it_is_left_alone() {
    let mut world = World::new();
    let conflict = || CombinedResult::Conflict {
        paths: vec!["a".into()],
    };
    world.delivered(1, &["a"]);
    let _ = world.combined(1, &[conflict()]);
    let rebase = world.next_of(1);
    for at_work in [1, rebase] {
        assert_eq!(pushed(&mut world, at_work, 0xbeef).events, []);
    }
    world.work(rebase, &["a"]);
    let _ = world.tested(rebase, TestResult::Passed);
    let _ = world.combined(rebase, &[conflict()]);
    let state = |world: &World| world.get(rebase).merge.clone().unwrap().state;
    assert!(matches!(state(&world), MergeState::Conflict { .. }));
    let _ = pushed(&mut world, rebase, 0xbeef);
    assert_eq!(state(&world), MergeState::Queued);
    assert!(world.find_key("test", rebase).is_some());
}
