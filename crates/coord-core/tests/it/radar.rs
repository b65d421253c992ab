//! What the radar saw, and what follows from it.

use coord_core::assignment::{AssignmentKind, Goal};
use coord_core::effect::{Effect, Outcome};
use coord_core::radar::{Seen, Sighting};
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command, queue};

use crate::world::{World, commit, head, id, kinds, policy, request};

fn sighting(heads: &[u64], conflicts: &[(u64, Option<u64>, &[&str])]) -> Command {
    Command::RadarSeen(Box::new(Sighting {
        repo: "lib".into(),
        base: commit(0),
        heads: heads.iter().map(|n| (id(*n), head(*n))).collect(),
        conflicts: conflicts
            .iter()
            .map(|(one, other, paths)| Seen {
                one: id(*one),
                other: other.map(id),
                paths: paths.iter().map(|it| (*it).to_owned()).collect(),
            })
            .collect(),
    }))
}

/// Two workers that run, the second since longer.
fn two_workers() -> World {
    workers(&[2, 1])
}

/// Workers that run, the first since longest.
fn workers(numbers: &[u64]) -> World {
    let mut policy = policy();
    policy.machines.get_mut(&"rack".into()).unwrap().max_workers = 5;
    let mut world = World::with(policy);
    for &n in numbers {
        world.assigned(request(n, "lib", n, &[]));
        let _ = world.answer(&format!("dispatch:{}", id(n)), Outcome::Dispatched);
        world.sleep(60);
    }
    world
}

#[test]
fn the_later_one_is_told_once() {
    let mut world = two_workers();
    let clash = sighting(&[1, 2], &[(2, Some(1), &["src/a.rs"])]);
    let decision = world.run(&clash);
    assert_eq!(kinds(&decision), ["conflict_foreseen", "effect_queued"]);
    let Effect::Tell { id: told, text, .. } = &decision.effects[0].effect else {
        panic!("{:?}", decision.effects);
    };
    assert_eq!(*told, id(1), "2 began before it");
    assert!(
        text.contains("\"src/a.rs\"") && text.contains("lib#2"),
        "{text}"
    );
    let key = decision.effects[0].key.as_str().to_owned();
    let _ = world.answer(&key, Outcome::Told);

    assert!(world.run(&clash).events.is_empty(), "nothing is new");
    let fewer = world.run(&sighting(&[1, 2], &[(1, Some(2), &["src/a.rs"])]));
    assert!(fewer.events.is_empty(), "the same pair the other way round");
    let more = world.run(&sighting(&[1, 2], &[(2, Some(1), &["src/a.rs", "b"])]));
    assert_eq!(kinds(&more), ["conflict_foreseen", "effect_queued"]);
    let less = world.run(&sighting(&[1, 2], &[(2, Some(1), &["b"])]));
    assert_eq!(
        kinds(&less),
        ["conflict_foreseen"],
        "no news for the worker"
    );
    let gone = world.run(&sighting(&[1, 2], &[]));
    assert_eq!(kinds(&gone), ["conflict_gone"]);
    assert!(world.board.conflicts.is_empty());
}

#[test]
fn what_nobody_looked_at_is_nothing() {
    let mut world = two_workers();
    for nonsense in [
        sighting(&[1], &[(1, Some(2), &["a"])]),
        sighting(&[1, 2], &[(1, Some(1), &["a"])]),
        sighting(&[1, 2, 9], &[(9, Some(1), &["a"]), (9, None, &["a"])]),
    ] {
        assert!(world.run(&nonsense).events.is_empty(), "{nonsense:?}");
    }
}

#[test]
fn a_conflict_with_the_base_is_told_too() {
    let mut world = two_workers();
    let decision = world.run(&sighting(&[1, 2], &[(1, None, &["a\u{1b}[2J\nb"])]));
    let Effect::Tell { text, .. } = &decision.effects[0].effect else {
        panic!("{:?}", decision.effects);
    };
    assert!(!text.contains(['\u{1b}', '\n']), "{text}");
    assert!(matches!(
        &decision.events[0],
        BoardEvent::ConflictForeseen { with: None, .. }
    ));
}

#[test]
fn who_began_later_is_merged_later() {
    let mut world = two_workers();
    let order = |world: &World| -> Vec<u64> {
        let queue = queue::in_order(&world.board, &world.policy);
        queue.iter().map(|it| crate::world::bits(&it.id)).collect()
    };
    for (n, files) in [(2, &["a", "b"][..]), (1, &["c"])] {
        let _ = world.finish(n, crate::world::success(n, files));
        assert_eq!(world.get(n).goal, Goal::Merged);
        let _ = world.tested(n, TestResult::Passed);
    }
    let merge = Command::Merge {
        ids: Vec::new(),
        repo: None,
        method: coord_core::assignment::MergeMethod::Squash,
        ordered: false,
        set_aside: None,
    };
    let _ = world.run(&merge);
    assert_eq!(order(&world), [1, 2], "small ones first");
    let _ = world.run(&sighting(&[1, 2], &[(1, Some(2), &["a"])]));
    assert_eq!(order(&world), [2, 1], "1 gives way");
}

#[test]
fn a_reader_has_no_branch() {
    let mut world = World::new();
    world.policy.reviews.enabled = true;
    world.policy.reviews.auto_dispatch = true;
    world.delivered(1, &["a"]);
    let reader = world.looks_at(1, AssignmentKind::Review);
    let _ = world.answer(&format!("dispatch:{}", id(reader)), Outcome::Dispatched);
    let heads = [1, reader];
    for conflicts in [(reader, Some(1), &["a"][..]), (reader, None, &["a"])] {
        let decision = world.run(&sighting(&heads, &[conflicts]));
        assert_eq!(decision.events, [], "{conflicts:?}");
    }
}

#[test]
fn a_pair_that_is_named_twice_is_one() {
    let mut world = two_workers();
    let twice = sighting(&[1, 2], &[(1, Some(2), &["a"]), (2, Some(1), &["b"])]);
    let decision = world.run(&twice);
    assert_eq!(kinds(&decision), ["conflict_foreseen", "effect_queued"]);
    let paths: Vec<&str> = world
        .board
        .conflicts
        .iter()
        .flat_map(|it| it.paths.iter().map(String::as_str))
        .collect();
    assert_eq!(paths, ["a", "b"]);
    assert!(world.run(&twice).events.is_empty(), "nothing is new");
}

#[test]
fn only_who_can_still_heed_it_is_told() {
    let foreseen = |world: &mut World| {
        let clash = sighting(&[1, 2], &[(2, Some(1), &["a"])]);
        kinds(&world.run(&clash))
    };
    let mut stopped = two_workers();
    let _ = stopped.run(&Command::Stop { id: id(1) });
    assert_eq!(foreseen(&mut stopped), ["conflict_foreseen"]);

    let mut ended = two_workers();
    let _ = ended.finish(1, crate::world::success(1, &["a"]));
    assert_eq!(foreseen(&mut ended), ["conflict_foreseen"]);

    let mut not_begun = World::new();
    for n in [2, 1] {
        not_begun.assigned(request(n, "lib", n, &[]));
        not_begun.sleep(60);
    }
    assert_eq!(foreseen(&mut not_begun), ["conflict_foreseen"]);
}

#[test]
fn another_repository_is_another_matter() {
    let mut world = two_workers();
    let _ = world.run(&sighting(&[1, 2], &[(2, Some(1), &["a"])]));
    let Command::RadarSeen(mut elsewhere) = sighting(&[1, 2], &[(2, Some(1), &["b"])]) else {
        panic!("it is a sighting");
    };
    elsewhere.repo = "app".into();
    let decision = world.run(&Command::RadarSeen(elsewhere));
    assert!(decision.events.is_empty(), "{:?}", decision.events);
    assert_eq!(world.board.conflicts.len(), 1);
}

#[test]
fn who_puts_a_branch_right_is_as_early_as_the_branch() {
    let mut world = two_workers();
    let _ = world.finish(2, crate::world::success(2, &["a"]));
    let _ = world.tested(2, TestResult::Failed);
    let fix = world.next_of(2);
    let _ = world.answer(&format!("dispatch:{}", id(fix)), Outcome::Dispatched);
    let decision = world.run(&sighting(&[1, fix], &[(fix, Some(1), &["a"])]));
    let Effect::Tell { id: told, .. } = &decision.effects[0].effect else {
        panic!("{:?}", decision.effects);
    };
    assert_eq!(*told, id(1), "the branch of 2 began before it");
}

#[test]
fn a_conflict_leaves_with_its_branch() {
    let mut world = World::new();
    for n in [1, 2] {
        world.delivered(n, &["a"]);
    }
    let clashes = [(2, Some(1), &["a"][..]), (1, None, &["b"])];
    let _ = world.run(&sighting(&[1, 2], &clashes));
    assert_eq!(world.board.conflicts.len(), 2);
    world.merged(1, 1);
    assert!(!world.is_on_board(1));
    assert!(world.board.conflicts.is_empty());
}

#[test]
fn long_lists_are_cut() {
    let mut world = two_workers();
    let names: Vec<String> = (0..250).rev().map(|n| format!("f{n:03}")).collect();
    let paths: Vec<&str> = names.iter().map(String::as_str).collect();
    let seen = sighting(&[1, 2], &[(2, Some(1), &paths)]);
    let decision = world.run(&seen);
    let Effect::Tell { text, .. } = &decision.effects[0].effect else {
        panic!("{:?}", decision.effects);
    };
    assert!(
        text.contains("\"f009\" and 190 more") && !text.contains("f010"),
        "{text}"
    );
    let clash = world.board.conflicts.first().unwrap();
    assert_eq!(
        (clash.paths.len(), clash.paths[199].as_str()),
        (200, "f199")
    );
    assert!(world.run(&seen).events.is_empty());
}

#[test]
fn who_gives_way_to_nobody_in_the_queue_keeps_its_place() {
    let mut world = workers(&[3, 2, 1]);
    for n in [1, 2] {
        let _ = world.finish(n, crate::world::success(n, &["a", "b", "c"][..n as usize]));
        let _ = world.tested(n, TestResult::Passed);
    }
    let _ = world.merge(&[1, 2], false);
    // It conflicts with the base, which is nobody's turn, and with somebody who is still at work.
    let conflicts = [(1, None, &["a"][..]), (3, Some(1), &["a"])];
    let _ = world.run(&sighting(&[1, 2, 3], &conflicts));
    let first = queue::in_order(&world.board, &world.policy)[0].id.clone();
    assert_eq!(first, id(1), "small ones first");
}
