//! `stop`, at each moment in the life of an assignment.

use coord_core::assignment::{AssignmentState, Goal, WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, Rule, WhenBlocked};
use coord_core::effect::{CombinedResult, Outcome};
use coord_core::failure::FailureClass;
use coord_core::verdict::TestResult;
use coord_core::{Command, Decision};

use crate::world::{START, World, green, id, kinds, refusal_of, request, success};

fn stop(world: &mut World, n: u64) -> Decision {
    world.run(&Command::Stop { id: id(n) })
}

fn cancel_key(world: &World) -> String {
    let keys = world.open();
    let key = keys.iter().find(|key| key.starts_with("cancel:")).unwrap();
    (*key).to_owned()
}

fn dispatch_key() -> String {
    format!("dispatch:{}", id(1))
}

#[test]
fn what_waits_is_withdrawn_at_once() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/"]));
    let mut waiting = request(2, "lib", 2, &["src/"]);
    waiting.when_blocked = WhenBlocked::Wait;
    world.assigned(waiting);
    assert_eq!(kinds(&stop(&mut world, 2)), ["assignment_ended"]);
    assert_eq!(world.get(2).state, AssignmentState::Cancelled);
}

#[test]
fn a_running_worker_ends_when_its_agent_says_so() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&dispatch_key(), Outcome::Dispatched);
    assert_eq!(
        kinds(&stop(&mut world, 1)),
        ["stop_requested", "effect_queued"]
    );
    assert_eq!(stop(&mut world, 1).events, [], "it is being asked");

    let key = cancel_key(&world);
    let _ = world.answer(&key, Outcome::CancelDelivered);
    assert_eq!(world.get(1).state, AssignmentState::Running);
    let _ = world.finish(1, WorkerEnd::unreported(WorkerResult::Cancelled, None));
    assert_eq!(world.get(1).state, AssignmentState::Cancelled);
}

#[test]
fn an_agent_that_could_not_be_told_is_told_again() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&dispatch_key(), Outcome::Dispatched);
    let _ = stop(&mut world, 1);
    let key = cancel_key(&world);
    let (class, error) = (FailureClass::Configuration, "401".into());
    let _ = world.answer(&key, Outcome::Failed { class, error });
    assert_eq!(kinds(&stop(&mut world, 1)), ["effect_queued"]);
    assert_ne!(cancel_key(&world), key);
}

#[test]
fn an_agent_that_has_no_worker_yet_never_gets_one() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = stop(&mut world, 1);
    assert_eq!(
        world.get(1).state,
        AssignmentState::Requested,
        "the agent may have it"
    );
    let key = cancel_key(&world);
    let _ = world.answer(&key, Outcome::CancelDelivered);
    assert_eq!(world.get(1).state, AssignmentState::Cancelled);
    assert!(!world.open().contains(&dispatch_key().as_str()));
}

#[test]
fn a_dispatch_that_is_given_up_after_the_stop_is_no_failure() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = stop(&mut world, 1);
    let (class, error) = (FailureClass::Work, "stopped".into());
    let _ = world.answer(&dispatch_key(), Outcome::Failed { class, error });
    assert_eq!(world.get(1).state, AssignmentState::Cancelled);
    let cancel = cancel_key(&world);
    assert!(
        world.open().contains(&cancel.as_str()),
        "an earlier try may have reached the agent"
    );
}

#[test]
fn a_dispatch_that_overtakes_the_stop_is_caught() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = stop(&mut world, 1);
    let key = cancel_key(&world);
    let _ = world.answer(&key, Outcome::CancelDelivered);
    let (at, base) = (START, None);
    let late = world.report(1, AgentReport::Started { at, base });
    assert_eq!(kinds(&late), ["worker_started", "effect_queued"]);
    assert_ne!(cancel_key(&world), key);
    assert_eq!(world.get(1).state, AssignmentState::Cancelled);
}

#[test]
fn a_worker_that_was_done_before_the_stop_keeps_its_work() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = stop(&mut world, 1);
    let _ = world.finish(1, success(1, &["a"]));
    let it = world.get(1);
    assert_eq!(it.state, AssignmentState::Done);
    assert!(
        !it.is_automated(Goal::Tested),
        "the person wanted it to stop"
    );
    assert!(!it.holds_lease());
    let _ = world.run(&Command::Test { id: id(1) });
    assert!(
        world
            .open()
            .contains(&format!("test:{}:{:040x}", id(1), 1).as_str())
    );
}

#[test]
fn what_has_ended_cannot_be_stopped() {
    let mut world = World::new();
    let mut by_hand = request(1, "lib", 1, &[]);
    by_hand.goal = Goal::Worked;
    world.assigned(by_hand);
    world.work(1, &["a"]);
    insta::assert_snapshot!(refusal_of(&stop(&mut world, 1), Rule::State), @"assignment 000000000001 is done");
    insta::assert_snapshot!(refusal_of(&stop(&mut world, 9), Rule::UnknownAssignment), @"no assignment on the board has the id 000000000009 (`coord status` lists the ids, `coord history` the finished ones)");
}

#[test]
fn a_finished_branch_is_put_aside_until_somebody_wants_it_merged() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.work(1, &["src/a.rs"]);
    assert_eq!(kinds(&stop(&mut world, 1)), ["stop_requested"]);
    refusal_of(&stop(&mut world, 1), Rule::State);
    assert!(
        !world.get(1).holds_lease(),
        "somebody else may have its files"
    );
    let _ = world.tested(1, TestResult::Passed);
    assert_eq!(world.open(), [""; 0], "nothing goes on by itself");
    insta::assert_snapshot!(world.why("lib", 1), @"merging: a person has put its branch aside [person]");

    assert_eq!(world.merge(&[1], false).refusal, None);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn an_entry_of_the_queue_can_be_put_aside_until_the_forge_is_asked() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    assert_eq!(kinds(&stop(&mut world, 1)), ["stop_requested"]);
    let _ = world.combined(1, &[green()]);
    assert_eq!(world.open(), [""; 0], "what came of its test is of no use");

    let _ = world.merge(&[1], false);
    world.all_green();
    refusal_of(&stop(&mut world, 1), Rule::State);
}

#[test]
fn what_was_put_aside_is_not_tried_again_when_the_base_moves() {
    let mut world = World::tested_by_hand(1);
    let _ = world.merge(&[1], false);
    let _ = world.pull_opened(1);
    let paths = vec!["a".into()];
    let _ = world.combined(1, &[CombinedResult::Conflict { paths }]);
    assert_eq!(kinds(&stop(&mut world, 1)), ["stop_requested"]);

    world.assigned(request(2, "lib", 2, &[]));
    world.delivered(2, &["b"]);
    world.all_green();
    world.merged(2, 1);
    assert!(world.get(1).stop_requested);
    assert_eq!(world.open(), [""; 0]);
}
