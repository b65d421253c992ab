//! Tests, gates and the merge queue.

use coord_core::assignment::{AssignmentState, Goal, MergeMethod, MergeState, WorkerEnd};
use coord_core::command::Rule;
use coord_core::effect::{CommentEvent, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_core::policy::Gate;
use coord_core::verdict::TestResult;
use coord_core::{Command, queue};

use crate::world::{World, comment, green, head, id, kinds, policy, refusal_of, request, success};

fn merge_state(world: &World, n: u64) -> MergeState {
    world.get(n).merge.clone().unwrap().state
}

/// Assigns and finishes, with a goal short of anything automatic.
fn finished(world: &mut World, n: u64, repo: &str, files: &[&str]) {
    let mut request = request(n, repo, n, &[]);
    request.goal = Goal::Worked;
    request.waivers.ignore_deps = true;
    world.assigned(request);
    world.work(n, files);
}

fn verdict(world: &mut World, n: u64, result: TestResult) {
    let note = "by hand".into();
    let id = id(n);
    let decision = world.run(&Command::RecordVerdict {
        id,
        result,
        note,
        output: None,
    });
    assert_eq!(decision.refusal, None);
}

/// The merges that run once every combination is green.
fn open_merges(world: &mut World) -> Vec<String> {
    world.all_green();
    let open = world.open();
    let merges = open.iter().filter(|key| key.starts_with("merge:"));
    merges.map(|key| (*key).to_owned()).collect()
}

/// Whether a review by a person's word is demanded, which nobody gives.
fn demand_reviews(world: &mut World, demanded: bool) {
    let rules = &mut world.policy.reviews;
    (rules.enabled, rules.require_approval) = (demanded, demanded);
}

fn conflict() -> Outcome {
    Outcome::MergeConflict {
        base: CommitId::new("b".repeat(40)),
        paths: vec!["src/a.rs".into()],
    }
}

#[test]
fn a_tested_branch_is_merged_and_leaves_the_board() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let tested = world.tested(1, TestResult::Passed);
    assert_eq!(
        kinds(&tested),
        ["effect_settled", "test_recorded", "effect_queued"]
    );
    let opened = world.pull_opened(1);
    assert_eq!(
        kinds(&opened),
        [
            "effect_settled",
            "pull_opened",
            "merge_queued",
            "effect_queued"
        ]
    );
    let combined = world.combined(1, &[green()]);
    assert_eq!(
        kinds(&combined),
        [
            "effect_settled",
            "combination_green",
            "merge_started",
            "effect_queued"
        ]
    );
    let commit = CommitId::new("c".repeat(40));
    let key = format!("merge:{}:1", id(1));
    let _ = world.answer(
        &key,
        Outcome::Merged {
            commit,
            warning: None,
        },
    );
    insta::assert_snapshot!(comment(&world, CommentEvent::Merge, 1), @"Merged as `cccccccccccccccccccccccccccccccccccccccc`.");
    world.post_comments();
    assert!(world.is_on_board(1), "its issue is still open");
    let last = world.answer(&format!("close:{}", id(1)), Outcome::IssueClosed);
    assert_eq!(
        kinds(&last),
        ["effect_settled", "issue_closed", "assignment_archived"]
    );
    assert!(!world.is_on_board(1));
}

#[test]
fn failed_attempts_leave_with_the_issue() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let (class, error) = (FailureClass::Configuration, "no".into());
    let _ = world.answer(
        &format!("dispatch:{}", id(1)),
        Outcome::Failed { class, error },
    );
    world.assigned(request(2, "lib", 1, &[]));
    world.work(2, &["a"]);
    let _ = world.tested(2, TestResult::Skipped);
    world.merged(2, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn a_red_test_stops_it_until_a_green_one() {
    let mut world = World::new();
    world.policy.pipeline.max_iterations = 0;
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let running = world.run(&Command::Test { id: id(1) });
    insta::assert_snapshot!(refusal_of(&running, Rule::State), @"assignment 000000000001 is being tested already (`coord wait 000000000001`)");
    let _ = world.tested(1, TestResult::Failed);
    assert_eq!(world.open(), [""; 0], "a person is asked at once");

    let _ = world.run(&Command::Test { id: id(1) });
    let again = format!("test:{}:{}:2", id(1), head(1));
    let (result, note) = (TestResult::Passed, String::new());
    let _ = world.answer(
        &again,
        Outcome::Tested {
            result,
            note,
            output: None,
        },
    );
    world.all_green();
    assert_eq!(merge_state(&world, 1), MergeState::Merging);
}

#[test]
fn a_test_that_could_not_run_is_no_verdict() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let (class, error) = (FailureClass::Configuration, "no worktree".into());
    let key = format!("test:{}:{}", id(1), head(1));
    let _ = world.answer(&key, Outcome::Failed { class, error });
    assert_eq!(world.get(1).verdict, None);
    assert!(
        world.get(1).holds_lease(),
        "its work is on its way all the same"
    );
}

#[test]
fn a_verdict_counts_for_its_own_commit() {
    let mut world = World::new();
    finished(&mut world, 1, "lib", &["a"]);
    verdict(&mut world, 1, TestResult::Passed);
    assert!(world.get(1).verdict_for_head().is_some());
    let mut moved = world.get(1).clone();
    moved.end = Some(success(2, &["a"]));
    assert_eq!(moved.verdict_for_head(), None);
    let gates = coord_core::gates(&world.board, &world.policy, &moved);
    assert!(gates.iter().any(|it| it.gate == Gate::Test && !it.holds));
}

#[test]
fn only_what_has_commits_is_tested() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let test = Command::Test { id: id(1) };
    insta::assert_snapshot!(refusal_of(&world.run(&test), Rule::State), @"assignment 000000000001 is requested (`coord wait 000000000001`)");
    let nothing = WorkerEnd {
        branch: None,
        head: None,
        ..success(1, &[])
    };
    let _ = world.finish(1, nothing);
    insta::assert_snapshot!(refusal_of(&world.run(&test), Rule::State), @"assignment 000000000001 has no commits");
}

#[test]
fn without_a_verdict_nothing_is_queued() {
    let mut world = World::new();
    insta::assert_snapshot!(refusal_of(&world.merge(&[], false), Rule::State), @"no finished assignment has commits that are not merged (`coord status` shows what is at work)");
    finished(&mut world, 1, "lib", &["a"]);
    insta::assert_snapshot!(refusal_of(&world.merge(&[1], false), Rule::Gate), @"assignment 000000000001 cannot be merged: its head has not been tested (`coord test 000000000001`)");
    refusal_of(&world.merge(&[], false), Rule::Gate);
    verdict(&mut world, 1, TestResult::Failed);
    insta::assert_snapshot!(refusal_of(&world.merge(&[1], false), Rule::Gate), @"assignment 000000000001 cannot be merged: its tests failed (`coord test 000000000001`)");

    // What is ready goes ahead of what is not.
    finished(&mut world, 2, "lib", &["b"]);
    verdict(&mut world, 2, TestResult::Skipped);
    assert_eq!(world.merge(&[], false).refusal, None);
    assert_eq!(open_merges(&mut world), ["merge:000000000002:1"]);
    insta::assert_snapshot!(refusal_of(&world.merge(&[2], false), Rule::State), @"assignment 000000000002 is being merged");
}

#[test]
fn where_no_test_is_demanded_none_is_needed() {
    let mut world = World::new();
    world.policy.gates.clear();
    finished(&mut world, 1, "lib", &["a"]);
    assert_eq!(world.merge(&[1], false).refusal, None);
    world.all_green();
    assert_eq!(merge_state(&world, 1), MergeState::Merging);
}

#[test]
fn a_gate_that_does_not_hold_keeps_the_entry_in_the_queue() {
    let mut world = World::new();
    demand_reviews(&mut world, true);
    finished(&mut world, 1, "lib", &["a"]);
    verdict(&mut world, 1, TestResult::Passed);
    let _ = world.merge(&[1], false);
    assert_eq!(merge_state(&world, 1), MergeState::Queued);
    assert_eq!(open_merges(&mut world), [""; 0]);

    verdict(&mut world, 1, TestResult::Failed);
    let reason = "its tests failed".to_owned();
    assert_eq!(merge_state(&world, 1), MergeState::Refused { reason });
}

#[test]
fn one_merge_at_a_time_and_small_diffs_first() {
    let mut world = World::new();
    demand_reviews(&mut world, true);
    finished(&mut world, 1, "lib", &["a", "b", "c"]);
    finished(&mut world, 2, "lib", &["a", "b"]);
    finished(&mut world, 3, "lib", &["a"]);
    for n in 1..=3 {
        verdict(&mut world, n, TestResult::Passed);
    }
    let _ = world.merge(&[], false);
    for n in 1..=3 {
        let _ = world.pull_opened(n);
    }
    demand_reviews(&mut world, false);
    let _ = world.run(&Command::Tick);
    for n in [3, 2, 1] {
        assert_eq!(open_merges(&mut world), [format!("merge:{}:1", id(n))]);
        world.merged(n, 1);
    }
}

#[test]
fn a_persons_order_comes_before_everything() {
    let mut world = World::new();
    finished(&mut world, 1, "lib", &["a"]);
    finished(&mut world, 2, "app", &["a", "b"]);
    finished(&mut world, 3, "lib", &["a", "b", "c"]);
    for n in 1..=3 {
        verdict(&mut world, n, TestResult::Passed);
    }
    let _ = world.merge(&[3, 2, 1], true);
    let order: Vec<_> = queue::in_order(&world.board, &world.policy)
        .iter()
        .map(|it| it.id.clone())
        .collect();
    assert_eq!(order, [id(3), id(2), id(1)]);
    for n in [3, 2, 1] {
        assert_eq!(open_merges(&mut world), [format!("merge:{}:1", id(n))]);
        world.merged(n, 1);
    }
}

#[test]
fn upstream_is_merged_before_downstream() {
    let mut world = World::new();
    demand_reviews(&mut world, true);
    finished(&mut world, 1, "app", &["a"]);
    finished(&mut world, 2, "lib", &["a", "b"]);
    verdict(&mut world, 1, TestResult::Passed);
    verdict(&mut world, 2, TestResult::Passed);
    let _ = world.merge(&[], false);
    demand_reviews(&mut world, false);
    let _ = world.run(&Command::Tick);
    assert_eq!(open_merges(&mut world), ["merge:000000000002:1"]);
    world.merged(2, 1);
    assert_eq!(open_merges(&mut world), ["merge:000000000001:1"]);
}

#[test]
fn a_conflict_is_tried_again_when_the_base_has_moved() {
    let mut world = World::new();
    for n in [1, 2] {
        finished(&mut world, n, "lib", &["a"]);
        verdict(&mut world, n, TestResult::Passed);
    }
    let _ = world.merge(&[1], false);
    world.all_green();
    let _ = world.answer(&format!("merge:{}:1", id(1)), conflict());
    assert!(matches!(
        merge_state(&world, 1),
        MergeState::Conflict { .. }
    ));
    assert!(!world.get(1).holds_lease());
    let _ = world.run(&Command::Tick);
    assert_eq!(open_merges(&mut world), [""; 0], "the base is where it was");

    let _ = world.merge(&[2], false);
    world.merged(2, 1);
    assert_eq!(open_merges(&mut world), ["merge:000000000001:2"]);
    let _ = world.answer(&format!("merge:{}:2", id(1)), conflict());
    assert_eq!(open_merges(&mut world), [""; 0], "once per base");

    // A person may try at any time.
    let _ = world.merge(&[1], false);
    assert_eq!(open_merges(&mut world), ["merge:000000000001:3"]);
}

#[test]
fn a_refusal_of_the_forge_waits_for_a_person() {
    let mut world = World::new();
    finished(&mut world, 1, "lib", &["a"]);
    verdict(&mut world, 1, TestResult::Passed);
    let _ = world.merge(&[1], false);
    let reason = "protected branch".to_owned();
    let outcome = Outcome::MergeRefused {
        reason: reason.clone(),
    };
    world.all_green();
    let _ = world.answer(&format!("merge:{}:1", id(1)), outcome);
    assert_eq!(merge_state(&world, 1), MergeState::Refused { reason });
    let _ = world.merge(&[], false);
    assert_eq!(open_merges(&mut world), ["merge:000000000001:2"]);
}

#[test]
fn an_answer_of_another_kind_leaves_nothing_hanging() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::CommentPosted);
    assert_eq!(world.get(1).state, AssignmentState::Failed);

    finished(&mut world, 2, "lib", &["a"]);
    verdict(&mut world, 2, TestResult::Passed);
    let _ = world.merge(&[2], false);
    world.all_green();
    let _ = world.answer(&format!("merge:{}:1", id(2)), Outcome::Dispatched);
    assert!(matches!(merge_state(&world, 2), MergeState::Refused { .. }));
}

#[test]
fn a_wish_is_granted_as_a_whole() {
    let mut world = World::new();
    for (n, repo) in [(1, "lib"), (2, "app")] {
        finished(&mut world, n, repo, &["a"]);
        verdict(&mut world, n, TestResult::Passed);
    }
    let wish = |ids: &[u64], repo: &str| Command::Merge {
        ids: ids.iter().map(|n| id(*n)).collect(),
        repo: Some(repo.into()),
        method: MergeMethod::Rebase,
        ordered: false,
        set_aside: None,
    };
    insta::assert_snapshot!(refusal_of(&world.run(&wish(&[1, 2], "lib")), Rule::State), @"assignment 000000000002 belongs to app");
    refusal_of(&world.merge(&[1, 7], false), Rule::UnknownAssignment);
    assert_eq!(world.get(1).merge, None);
    let _ = world.run(&wish(&[], "app"));
    assert_eq!(open_merges(&mut world), ["merge:000000000002:1"]);
}

#[test]
fn a_conflict_is_not_tried_again_once_somebody_else_solves_the_issue() {
    let mut world = World::new();
    for n in [1, 2] {
        finished(&mut world, n, "lib", &["a"]);
        verdict(&mut world, n, TestResult::Passed);
    }
    let _ = world.merge(&[1], false);
    world.all_green();
    let _ = world.answer(&format!("merge:{}:1", id(1)), conflict());
    world.assigned(request(3, "lib", 1, &[]));
    let _ = world.merge(&[2], false);
    world.merged(2, 1);
    assert_eq!(open_merges(&mut world), [""; 0]);
}

#[test]
fn of_two_attempts_at_an_issue_one_is_queued() {
    let mut world = World::new();
    for n in [1, 2] {
        let mut request = request(n, "lib", 7, &[]);
        request.goal = Goal::Worked;
        world.assigned(request);
        world.work(n, &["a"]);
        verdict(&mut world, n, TestResult::Passed);
    }
    let refused = world.merge(&[1, 2], false);
    insta::assert_snapshot!(refusal_of(&refused, Rule::State), @"assignment 000000000001 was taken over by assignment 000000000002 (`coord merge 000000000002`)");
    let _ = world.merge(&[], false);
    assert_eq!(world.get(1).merge, None);
    assert_eq!(merge_state(&world, 2), MergeState::Queued);
}

#[test]
fn what_was_taken_over_is_not_merged_after_the_one_that_was_merged() {
    let mut policy = policy();
    let rules = &mut policy.concurrency;
    (rules.auto_reassign, rules.max_retries, rules.stale_seconds) = (true, 1, 60);
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&world.key("dispatch", 1), Outcome::Dispatched);
    let machine = world.machine_of(1);
    let _ = world.run(&Command::AgentUnreachable {
        machine: machine.clone(),
        error: "refused".into(),
    });
    world.sleep(60);
    let _ = world.run(&Command::AgentStale { machine });
    let next = world.next_of(1);
    world.work(next, &["a"]);
    let _ = world.tested(next, TestResult::Passed);
    world.merged(next, 1);
    assert!(!world.is_on_board(next) && world.is_on_board(1));

    let _ = world.finish(1, success(1, &["a"]));
    let decision = world.merge_although(1, Gate::Test, "I know better");
    assert!(decision.refusal.is_some(), "{:?}", decision.events);
}
