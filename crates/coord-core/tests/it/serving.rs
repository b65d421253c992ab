//! Those who look at a branch: what they take, what they leave alone, and when they go.

use coord_core::Command;
use coord_core::assignment::{AssignmentKind, AssignmentState, WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, Rule, WhenBlocked};
use coord_core::effect::Outcome;
use coord_core::fate::Fate;
use coord_core::policy::RepoPolicy;
use coord_core::verdict::{ReviewResult, TestResult};

use crate::world::{World, again, id, issue_ref, policy, refusal_of, request};

/// `lib#1` with a reviewer that runs.
fn read() -> (World, u64) {
    let mut policy = policy();
    policy.reviews.enabled = true;
    policy.reviews.auto_dispatch = true;
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.work(1, &["src/a.rs"]);
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    let _ = world.answer(&format!("dispatch:{}", id(reviewer)), Outcome::Dispatched);
    (world, reviewer)
}

fn cancelled() -> WorkerEnd {
    WorkerEnd::unreported(WorkerResult::Cancelled, None)
}

#[test]
fn it_takes_a_slot_and_nothing_else() {
    let (mut world, reviewer) = read();
    let it = world.get(reviewer).clone();
    assert_eq!(
        coord_core::placement::free_slots(&world.board, &world.policy, &it.machine),
        0
    );
    let paths = vec!["docs/seen.md".into()];
    let _ = world.report(reviewer, AgentReport::Files { paths });
    world.assigned(request(2, "lib", 2, &["docs/"]));
    assert!(!world.get(reviewer).claims_issue());
    let leading = world.board.leading(&issue_ref("lib", 1)).unwrap();
    assert_eq!(leading.id, id(1), "the writer says where the issue stands");
}

#[test]
fn it_waits_for_a_slot_and_for_no_files() {
    let mut policy = policy();
    policy.reviews.enabled = true;
    policy.reviews.auto_dispatch = true;
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.work(1, &["src/a.rs"]);
    for n in [2, 3, 4] {
        world.assigned(request(n, "lib", n, &[]));
    }
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    assert_eq!(world.get(reviewer).state, AssignmentState::Waiting);
    insta::assert_snapshot!(world.why("lib", 1).replace(id(reviewer).as_str(), "REVIEW"), @"reviewing: it is being reviewed by assignment REVIEW, which waits: no machine that may work on lib has a free slot [rule]");
    let _ = world.finish(2, cancelled());
    let it = world.get(reviewer);
    assert_eq!(it.state, AssignmentState::Requested);
    assert_eq!(it.machine, world.get(2).machine);
}

#[test]
fn nothing_is_claimed_on_the_forge_for_it() {
    let mut policy = policy();
    let shared = RepoPolicy {
        shared: true,
        ..policy.repos[&"lib".into()].clone()
    };
    policy.repos.insert("lib".into(), shared);
    policy.reviews.enabled = true;
    policy.reviews.auto_dispatch = true;
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&world.key("claim", 1), Outcome::Claimed);
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    assert_eq!(world.find_key("claim", reviewer), None);
    let _ = world.run(&Command::Stop { id: id(reviewer) });
    let _ = world.answer(&world.key("cancel", reviewer), Outcome::CancelDelivered);
    assert_eq!(world.find_key("release", reviewer), None);
}

#[test]
fn it_is_stopped_when_nobody_needs_its_word_any_more() {
    // The branch is put aside, or somebody goes on with it.
    let (mut world, reviewer) = read();
    let _ = world.run(&Command::Stop { id: id(1) });
    assert!(world.get(reviewer).stop_requested);
    assert!(world.find_key("cancel", reviewer).is_some());

    let (mut world, reviewer) = read();
    let verdict = Command::RecordVerdict {
        id: id(1),
        result: TestResult::Failed,
        note: "by hand".into(),
        output: None,
    };
    let _ = world.run(&verdict);
    assert_eq!(world.get(world.next_of(1)).kind, AssignmentKind::Fix);
    assert!(world.get(reviewer).stop_requested);
    // What it says all the same is not looked at.
    let late = WorkerEnd {
        answer: Some("{}".into()),
        ..WorkerEnd::unreported(WorkerResult::Done, None)
    };
    let _ = world.finish(reviewer, late);
    assert_eq!(world.find_key("judge", reviewer), None);
}

#[test]
fn one_that_never_began_is_withdrawn() {
    let mut policy = policy();
    policy.reviews.enabled = true;
    policy.reviews.auto_dispatch = true;
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    for n in [2, 3, 4] {
        world.assigned(request(n, "lib", n, &[]));
    }
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    let _ = world.run(&Command::Stop { id: id(1) });
    assert_eq!(world.get(reviewer).state, AssignmentState::Cancelled);
}

#[test]
fn it_leaves_the_board_with_its_issue() {
    let (mut world, reviewer) = read();
    let _ = world.finish(
        reviewer,
        WorkerEnd {
            answer: Some("{}".into()),
            cost_usd: 0.25,
            ..WorkerEnd::unreported(WorkerResult::Done, None)
        },
    );
    let outcome = Outcome::Reviewed {
        result: ReviewResult::Approve,
        summary: String::new(),
        findings: Vec::new(),
    };
    let _ = world.answer(&world.key("judge", reviewer), outcome);
    assert_eq!(Fate::of(world.get(reviewer)), Some(Fate::Served));
    assert!((world.board.spent_on(&issue_ref("lib", 1)) - 0.35).abs() < 1e-9);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
}

#[test]
fn one_that_still_runs_when_the_work_is_merged_leaves_with_its_end() {
    let (mut world, reviewer) = read();
    let _ = world.merge_although(1, coord_core::policy::Gate::Review, "urgent");
    // Whoever sets the gate aside does not wait for the reviewer.
    let waits = world.find_key("combine", 1).is_none();
    assert!(!waits, "{}", world.why("lib", 1));
    world.merged(1, 1);
    assert!(!world.is_on_board(1));
    assert!(world.get(reviewer).stop_requested);
    let key = world.key("cancel", reviewer);
    let _ = world.answer(&key, Outcome::CancelDelivered);
    let _ = world.finish(reviewer, cancelled());
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
}

#[test]
fn nobody_goes_on_with_it() {
    let (mut world, reviewer) = read();
    let mut retry = again(7, reviewer, &issue_ref("lib", 1));
    retry.when_blocked = WhenBlocked::Wait;
    let refused = world.run(&Command::Retry(Box::new(retry)));
    let line = refusal_of(&refused, Rule::State).replace(id(reviewer).as_str(), "REVIEW");
    insta::assert_snapshot!(line, @"assignment REVIEW is a review of 000000000001, which nobody goes on with (`coord review 000000000001` begins another one)");
    let merge = world.merge(&[reviewer], false);
    refusal_of(&merge, Rule::State);
}

#[test]
fn the_end_of_it_is_told_to_nobody() {
    let (mut world, reviewer) = read();
    let _ = world.report(reviewer, AgentReport::Unknown);
    let comments = world.open().into_iter();
    let of_reviewer =
        comments.filter(|key| key.starts_with("comment:") && key.contains(id(reviewer).as_str()));
    assert_eq!(of_reviewer.count(), 0);
}

#[test]
fn it_asks_nobody_and_is_told_nothing() {
    let (mut world, reviewer) = read();
    let question = "what is right?".to_owned();
    let asked = world.report(reviewer, AgentReport::Stuck { question });
    assert_eq!(asked.events, []);
    let (id, guidance) = (id(reviewer), "left".to_owned());
    let told = world.run(&Command::Guide { id, guidance });
    refusal_of(&told, Rule::State);
}
