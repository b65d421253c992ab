//! Tests of what the base would be: who is tested with whom, and what a result is good for.

use coord_core::assignment::AssignmentKind;
use coord_core::command::ServeRequest;
use coord_core::effect::{CombinedResult, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, EffectKey};
use coord_core::policy::{Gate, MachinePolicy};
use coord_core::verdict::TestResult;
use coord_core::{Command, queue};

use crate::world::{World, commit, green, head, id, policy, request};

/// `lib#1` to `lib#N` are in the queue, in this order, and none has been tested with another.
fn queued(n: u64) -> World {
    let mut policy = policy();
    let roomy = MachinePolicy {
        max_workers: 20,
        ..policy.machines[&"rack".into()].clone()
    };
    policy.machines.insert("rack".into(), roomy);
    let mut world = World::with(policy);
    for n in 1..=n {
        world.done(n, &["src/a.rs"]);
        let _ = world.tested(n, TestResult::Passed);
        world.sleep(1);
    }
    // The first one's pull request comes last, so that all of them are tested together.
    let reviews = &mut world.policy.reviews;
    (reviews.enabled, reviews.require_approval) = (true, true);
    for n in 1..=n {
        let _ = world.pull_opened(n);
    }
    world.policy.reviews.enabled = false;
    let _ = world.run(&Command::Tick);
    world
}

fn ids_of(world: &World, n: u64) -> Vec<AssignmentId> {
    world.batch(n).into_iter().map(|it| it.id).collect()
}

fn red(with: Option<u64>) -> CombinedResult {
    CombinedResult::Red {
        with: with.map(id),
        note: "exit code 101".into(),
        output: Some("left != right".into()),
    }
}

/// The commit that the open merge of `n` expects the base at.
fn onto(world: &World, n: u64) -> Option<CommitId> {
    let key = EffectKey::from(world.key("merge", n).as_str());
    match &world.outbox[&key].effect {
        Effect::Merge { onto, .. } => onto.clone(),
        other => panic!("{other:?}"),
    }
}

fn landed(world: &mut World, n: u64) {
    let (commit, warning) = (commit(0xface_0000 + n), None);
    let _ = world.answer(&world.key("merge", n), Outcome::Merged { commit, warning });
}

fn merges(world: &World) -> Vec<&str> {
    let open = world.open().into_iter();
    open.filter(|key| key.starts_with("merge:")).collect()
}

#[test]
fn what_was_green_on_top_of_each_other_is_merged_so() {
    let mut world = queued(3);
    assert_eq!(ids_of(&world, 1), [id(1), id(2), id(3)]);
    assert!(world.batch(1).iter().all(|it| it.tested));
    let tree = Some("7".repeat(40));
    let last = CombinedResult::Green { tree: tree.clone() };
    let _ = world.combined_on(1, commit(0xb1), &[green(), green(), last]);
    let mut tips = Vec::new();
    for n in 1..=3 {
        assert_eq!(merges(&world).len(), 1, "one at a time");
        tips.push(onto(&world, n).unwrap());
        landed(&mut world, n);
    }
    assert_eq!(
        tips,
        [commit(0xb1), commit(0xface_0001), commit(0xface_0002)]
    );
    assert_eq!(
        world.find_key("combine", 1),
        None,
        "nothing is tested twice"
    );
}

#[test]
fn the_tree_that_was_tested_is_the_one_that_is_merged() {
    let mut world = queued(1);
    let tree = Some("7".repeat(40));
    let _ = world.combined(1, &[CombinedResult::Green { tree: tree.clone() }]);
    let key = EffectKey::from(world.key("merge", 1).as_str());
    let Effect::Merge {
        tree: tested,
        head: at,
        ..
    } = &world.outbox[&key].effect
    else {
        panic!("{key}");
    };
    assert_eq!((tested, at), (&tree, &head(1)));
}

#[test]
fn a_pair_that_is_red_together_is_taken_apart() {
    let mut world = queued(3);
    let _ = world.combined(1, &[green(), red(Some(1)), green()]);
    insta::assert_snapshot!(world.why("lib", 2), @"merging: its tests are red together with lib#1, which is merged first; then it is put right [turn]");
    assert!(world.get(2).claims_issue(), "its issue is not for others");
    landed(&mut world, 1);
    let fix = world.next_of(2);
    let spec = world.spec(fix);
    assert_eq!(world.get(fix).kind, AssignmentKind::Fix);
    assert_eq!(
        spec.start.onto,
        Some(commit(0xface_0001)),
        "the base with its partner"
    );
    insta::assert_snapshot!(spec.briefing, @r"
    The branch that you are on holds work on the issue, which is finished as far as its worker knew. Go on with it: keep what is good.

    The tests of the branch are green alone, and red together with what is in the base branch by now; what they said stands after the text of the issue. Both sides were meant: make them go together.

    First bring the branch up to the commit `00000000000000000000000000000000face0001` of the base branch, with `git merge 00000000000000000000000000000000face0001`. It is in your repository: nothing has to be fetched.
    ");
    insta::assert_snapshot!(spec.issue_body.unwrap(), @r"
    Please do thing 2.

    (Not part of the issue: the tests together with lib#1 (Do thing 1) said:)

    left != right
    ");
    assert_eq!(
        onto(&world, 3),
        Some(commit(0xface_0001)),
        "the others go on"
    );
}

#[test]
fn a_partner_that_does_not_land_speaks_against_nobody() {
    let mut world = queued(2);
    let _ = world.combined(1, &[green(), red(Some(1))]);
    let reason = "protected".into();
    let _ = world.answer(&world.key("merge", 1), Outcome::MergeRefused { reason });
    assert_eq!(ids_of(&world, 2), [id(2)], "it is tested without it");
    let _ = world.combined(2, &[green()]);
    landed(&mut world, 2);
}

#[test]
fn one_that_waits_for_its_partner_ends_so_where_a_person_is_asked() {
    let mut world = queued(2);
    world.policy.pipeline.max_iterations = 0;
    let _ = world.combined(1, &[green(), red(Some(1))]);
    world.merged(1, 1);
    assert!(!world.is_on_board(1));
    insta::assert_snapshot!(world.why("lib", 2), @"merging: its tests are red on top of the base: exit code 101 [person]");
    assert!(!world.get(2).claims_issue() && !world.get(2).holds_lease());
}

#[test]
fn what_is_red_on_top_of_the_base_alone_is_put_right_there() {
    let mut world = queued(1);
    let _ = world.combined_on(1, commit(0xb1), &[red(None)]);
    let fix = world.next_of(1);
    assert_eq!(world.spec(fix).start.onto, Some(commit(0xb1)));
    assert_eq!(world.get(fix).rounds, 1);
}

#[test]
fn a_base_that_moved_takes_every_result_back() {
    let mut world = queued(2);
    let _ = world.combined_on(1, commit(0xb1), &[green(), green()]);
    let base = commit(0xb2);
    let _ = world.answer(&world.key("merge", 1), Outcome::BaseMoved { base });
    assert_eq!(merges(&world), [""; 0]);
    assert_eq!(ids_of(&world, 1), [id(1), id(2)]);
    let _ = world.combined(1, &[green(), green()]);
    assert_eq!(onto(&world, 1), Some(commit(0xb2)));
    assert!(world.key("merge", 1).ends_with(":2"), "another attempt");
}

#[test]
fn a_branch_that_moved_is_tested_anew_alone_and_with_the_others() {
    for in_merge in [true, false] {
        let mut world = queued(2);
        if in_merge {
            let _ = world.combined(1, &[green(), green()]);
            let head = head(9);
            let _ = world.answer(&world.key("merge", 1), Outcome::HeadMoved { head });
        } else {
            let head = head(9);
            let moved = CombinedResult::HeadMoved { head };
            let _ = world.combined(1, &[moved, CombinedResult::Later]);
        }
        assert_eq!(world.get(1).verdict_for_head(), None);
        assert_eq!(merges(&world), [""; 0], "{in_merge}");
        assert_eq!(
            ids_of(&world, 2),
            [id(2)],
            "the other one goes on without it"
        );
        assert!(world.key("test", 1).contains(head(9).as_str()));
        let _ = world.tested(1, TestResult::Passed);
        let _ = world.combined(2, &[green()]);
        landed(&mut world, 2);
        assert_eq!(world.batch(1)[0].head, head(9));
    }
}

/// What was green on top of the old commits of a branch says nothing about the new ones.
#[test]
fn a_result_does_not_outlive_the_commits_that_it_was_on_top_of() {
    let mut world = queued(2);
    let _ = world.combined_on(1, commit(0xb1), &[green(), green()]);
    let moved = Outcome::HeadMoved { head: head(9) };
    let _ = world.answer(&world.key("merge", 1), moved);
    // The second one has to wait, and the new commits of the first are tested alone.
    let review = ServeRequest {
        id: id(7),
        kind: AssignmentKind::Review,
        about: id(2),
        machine: None,
        model: None,
    };
    world.policy.reviews.enabled = true;
    world.policy.reviews.require_approval = true;
    let _ = world.run(&Command::Serve(Box::new(review)));
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.merge_although(1, Gate::Review, "urgent");
    let _ = world.combined_on(2, commit(0xb1), &[CombinedResult::Later]);
    assert_eq!(ids_of(&world, 1), [id(1)]);
    let _ = world.combined_on(1, commit(0xb1), &[green()]);
    let _ = world.reviewed(7, coord_core::verdict::ReviewResult::Approve);
    landed(&mut world, 1);
    assert_eq!(merges(&world), [""; 0]);
    assert_eq!(ids_of(&world, 2), [id(2)]);
}

#[test]
fn who_was_tested_on_top_of_somebody_who_left_is_tested_anew() {
    let mut world = queued(2);
    let _ = world.combined(1, &[green(), green()]);
    let reason = "protected".into();
    let _ = world.answer(&world.key("merge", 1), Outcome::MergeRefused { reason });
    assert_eq!(merges(&world), [""; 0]);
    assert_eq!(ids_of(&world, 2), [id(2)]);
}

#[test]
fn an_order_that_a_person_gives_later_is_kept() {
    let mut world = queued(2);
    // The first is merged; a third comes in and is to be next.
    let _ = world.combined(1, &[green(), green()]);
    world.done(3, &["src/b.rs"]);
    let _ = world.tested(3, TestResult::Passed);
    let _ = world.pull_opened(3);
    let _ = world.merge(&[3], true);
    landed(&mut world, 1);
    assert_eq!(
        merges(&world),
        [""; 0],
        "the second was green without the third"
    );
    assert_eq!(ids_of(&world, 3), [id(3), id(2)]);
    let _ = world.combined(3, &[green(), green()]);
    landed(&mut world, 3);
    assert_eq!(onto(&world, 2), Some(commit(0xface_0003)));
}

#[test]
fn one_whose_gate_has_closed_holds_up_nobody() {
    let mut world = queued(2);
    let _ = world.combined(1, &[green(), green()]);
    world.policy.reviews.enabled = true;
    world.policy.reviews.require_approval = false;
    let review = ServeRequest {
        id: id(7),
        kind: AssignmentKind::Review,
        about: id(2),
        machine: None,
        model: None,
    };
    let _ = world.run(&Command::Serve(Box::new(review)));
    world.done(3, &["src/b.rs"]);
    let _ = world.tested(3, TestResult::Passed);
    let _ = world.pull_opened(3);
    landed(&mut world, 1);
    assert_eq!(ids_of(&world, 3), [id(3)]);
}

#[test]
fn a_combination_that_cannot_be_tested_is_a_persons() {
    let mut world = queued(2);
    let (class, error) = (FailureClass::Configuration, "no checkout".into());
    let _ = world.answer(&world.key("combine", 1), Outcome::Failed { class, error });
    insta::assert_snapshot!(world.why("lib", 1), @"merging: the merge was refused: it could not be tested with its base: no checkout [person]");
    assert_eq!(ids_of(&world, 2), [id(2)]);
    let _ = world.merge(&[1], false);
    let _ = world.combined(2, &[green()]);
    landed(&mut world, 2);
    assert_eq!(ids_of(&world, 1), [id(1)]);
}

#[test]
fn at_most_so_many_are_tested_at_once_and_the_rest_follows() {
    let mut world = queued(10);
    assert_eq!(world.batch(1).len(), 8);
    let _ = world.combined(1, &vec![green(); 8]);
    for n in 1..=8 {
        landed(&mut world, n);
    }
    assert_eq!(ids_of(&world, 9), [id(9), id(10)]);
}

#[test]
fn what_was_not_tried_waits_for_what_comes_first() {
    let mut world = queued(2);
    let _ = world.combined(1, &[green(), CombinedResult::Later]);
    assert_eq!(
        queue::combination(&world.board, &world.policy, world.get(2)),
        None
    );
    insta::assert_snapshot!(world.why("lib", 2), @"merging: lib#1 is merged before it [turn]");
    landed(&mut world, 1);
    assert_eq!(ids_of(&world, 2), [id(2)]);
}

#[test]
fn a_result_about_other_commits_is_passed_over() {
    let mut world = queued(1);
    let key = world.key("combine", 1);
    let other = coord_core::effect::Combined {
        id: id(1),
        head: head(9),
        result: green(),
    };
    let unknown = coord_core::effect::Combined {
        id: id(77),
        head: head(1),
        result: green(),
    };
    let (base, results) = (commit(0xb1), vec![unknown, other]);
    let _ = world.answer(&key, Outcome::Combined { base, results });
    assert_eq!(merges(&world), [""; 0]);
    assert_eq!(world.get(1).delivery.combination, None);
}

#[test]
fn repositories_are_tested_side_by_side_and_upstream_is_merged_first() {
    let mut world = World::new();
    let mut app = request(1, "app", 1, &[]);
    app.waivers.ignore_deps = true;
    world.assigned(app);
    world.work(1, &["a"]);
    world.done(2, &["a"]);
    for n in [1, 2] {
        let _ = world.tested(n, TestResult::Passed);
        let _ = world.pull_opened(n);
    }
    let _ = world.combined(1, &[green()]);
    let _ = world.combined(2, &[green()]);
    assert_eq!(merges(&world), [format!("merge:{}:1", id(2))]);
    landed(&mut world, 2);
    assert_eq!(merges(&world), [format!("merge:{}:1", id(1))]);
}

/// Who is merged onto whatever its base is then says nothing about those who were tested after it.
#[test]
fn without_its_test_gate_one_takes_the_results_after_it_back() {
    let mut world = queued(3);
    let _ = world.combined(1, &[green(), green(), green()]);
    let decision = world.merge_although(2, Gate::Test, "the test is wrong");
    assert_eq!(decision.refusal, None);
    landed(&mut world, 1);
    assert_eq!(onto(&world, 2), None);
    landed(&mut world, 2);
    assert_eq!(merges(&world), [""; 0]);
    assert_eq!(ids_of(&world, 3), [id(3)]);
}

#[test]
fn what_landed_otherwise_than_it_was_tested_takes_the_results_after_it_back() {
    let mut world = queued(2);
    let _ = world.combined(1, &[green(), green()]);
    let (commit, warning) = (commit(0xface_0001), Some("another tree".to_owned()));
    let _ = world.answer(&world.key("merge", 1), Outcome::Merged { commit, warning });
    assert_eq!(merges(&world), [""; 0]);
    assert_eq!(ids_of(&world, 2), [id(2)]);
}
