//! Gates that a person sets aside: for named assignments as they are, with a reason, in the log.

use coord_core::assignment::{AssignmentKind, MergeMethod};
use coord_core::command::{Rule, SetAside};
use coord_core::effect::{CombinedResult, Effect, Outcome};
use coord_core::ids::EffectKey;
use coord_core::policy::Gate;
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command, gates};

use crate::world::{World, head, id, policy, refusal_of, request};

fn unapproved() -> World {
    let mut world = World::new();
    let reviews = &mut world.policy.reviews;
    (reviews.enabled, reviews.require_approval) = (true, true);
    world.delivered(1, &["a"]);
    world
}

#[test]
fn a_gate_that_is_set_aside_is_in_the_log_and_in_every_answer() {
    let mut world = unapproved();
    let decision = world.merge_although(1, Gate::Review, "it is urgent");
    let BoardEvent::GateOverridden { id: of, set_aside } = &decision.events[0] else {
        panic!("{decision:?}");
    };
    assert_eq!(
        (of, &set_aside.head, set_aside.gate),
        (&id(1), &head(1), Gate::Review)
    );
    let statuses = gates(&world.board, &world.policy, world.get(1));
    insta::assert_snapshot!(statuses[1].why, @"a person has set it aside: it is urgent");
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn it_is_set_aside_for_these_commits_only() {
    let mut world = unapproved();
    let _ = world.merge_although(1, Gate::Review, "it is urgent");
    let head = head(2);
    let _ = world.combined(1, &[CombinedResult::HeadMoved { head }]);
    let _ = world.tested(1, TestResult::Passed);
    assert_eq!(world.find_key("combine", 1), None);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: it waits in the merge queue: its head has not been reviewed [gate]");
}

#[test]
fn names_and_a_reason_are_needed() {
    let mut world = unapproved();
    let all = Command::Merge {
        ids: Vec::new(),
        repo: None,
        method: MergeMethod::Squash,
        ordered: false,
        set_aside: Some(SetAside {
            gates: vec![Gate::Review],
            reason: "because".into(),
        }),
    };
    let mut lines = vec![refusal_of(&world.run(&all), Rule::Gate)];
    lines.push(refusal_of(
        &world.merge_although(1, Gate::Review, " "),
        Rule::Gate,
    ));
    insta::assert_snapshot!(lines.join("\n"), @r"
    a gate is only set aside for assignments that are named (`coord merge ID --override GATE`)
    a gate is only set aside with a reason (`--reason TEXT`)
    ");
    assert_eq!(world.get(1).delivery.overrides, []);
}

#[test]
fn without_the_test_gate_it_is_merged_as_it_is() {
    let mut world = World::new();
    world.policy.pipeline.max_iterations = 0;
    world.done(1, &["a"]);
    let _ = world.tested(1, TestResult::Failed);
    assert_eq!(
        world
            .merge_although(1, Gate::Test, "the test is wrong")
            .refusal,
        None
    );
    let _ = world.pull_opened(1);
    assert_eq!(world.find_key("combine", 1), None);
    let key = EffectKey::from(world.key("merge", 1).as_str());
    let Effect::Merge {
        onto,
        tree,
        head: at,
        ..
    } = &world.outbox[&key].effect
    else {
        panic!("{key}");
    };
    assert_eq!((onto, tree, at), (&None, &None, &head(1)));
}

#[test]
fn checks_that_are_set_aside_are_not_read() {
    let mut world = World::on_a_shared_forge(1);
    let _ = world.merge_although(1, Gate::Ci, "the runner is down");
    let _ = world.pull_opened(1);
    assert_eq!(world.find_key("checks", 1), None);
    world.merged(1, 1);
}

#[test]
fn a_refused_wish_sets_nothing_aside() {
    let mut world = World::new();
    let mut by_hand = request(1, "lib", 1, &[]);
    by_hand.goal = coord_core::assignment::Goal::Worked;
    world.assigned(by_hand);
    world.work(1, &["a"]);
    let refused = world.merge_although(1, Gate::Review, "it is urgent");
    refusal_of(&refused, Rule::Gate);
    assert_eq!(world.get(1).delivery.overrides, []);
}

#[test]
fn checks_that_never_end_hold_nothing_up_once_they_are_set_aside() {
    let mut world = World::on_a_shared_forge(1);
    let _ = world.pull_opened(1);
    let _ = world.key("checks", 1);
    let _ = world.merge_although(1, Gate::Ci, "nobody runs it");
    assert_eq!(world.find_key("checks", 1), None);
    world.merged(1, 1);
    assert!(!world.is_on_board(1));
}

#[test]
fn a_review_that_never_ends_holds_nothing_up_once_it_is_set_aside() {
    let mut policy = policy();
    policy.repos.get_mut(&"lib".into()).unwrap().shared = true;
    (policy.reviews.enabled, policy.reviews.auto_dispatch) = (true, true);
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&world.key("claim", 1), Outcome::Claimed);
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let _ = world.looks_at(1, AssignmentKind::Review);
    let _ = world.merge_although(1, Gate::Review, "its machine is gone");
    let (good, note) = (true, "good".into());
    let _ = world.answer(&world.key("checks", 1), Outcome::ChecksRead { good, note });
    world.merged(1, 1);
}
