//! Reviews: who reads where, what an answer comes to, and what becomes of those who give none.

use coord_core::assignment::{AssignmentKind, AssignmentState};
use coord_core::command::{AgentReport, Rule, ServeRequest};
use coord_core::effect::{CombinedResult, Outcome};
use coord_core::failure::FailureClass;
use coord_core::policy::{Gate, MachinePolicy, Policy};
use coord_core::verdict::{ReviewResult, TestResult};
use coord_core::{Command, Decision, gates};

use crate::world::{World, answered, bits, failed, head, id, policy, refusal_of, request};

fn reviewed_policy() -> Policy {
    let mut policy = policy();
    let rules = &mut policy.reviews;
    (rules.enabled, rules.auto_dispatch, rules.require_approval) = (true, true, true);
    rules.model = Some("critic".into());
    policy
}

/// `lib#1`, made on `rack`, with a reviewer.
fn in_review(policy: Policy) -> (World, u64) {
    let mut world = World::with(policy);
    let mut first = request(1, "lib", 1, &["src/"]);
    first.machine = Some("rack".into());
    world.assigned(first);
    world.work(1, &["src/a.rs"]);
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    (world, reviewer)
}

fn review_by_hand(world: &mut World, n: u64, about: u64) -> Decision {
    world.run(&Command::Serve(Box::new(ServeRequest {
        id: id(n),
        kind: AssignmentKind::Review,
        about: id(about),
        machine: None,
        model: None,
    })))
}

#[test]
fn another_machine_reads_an_idle_one_before_a_busy_one_before_the_same() {
    let machine = |max_workers| MachinePolicy {
        capabilities: Vec::new(),
        repos: vec!["lib".into()],
        max_workers,
        account: None,
    };
    // `busy` has a worker and more free slots than `idle`.
    let others: [(&[&str], &str); 4] = [
        (&["busy", "idle"], "idle"),
        (&["busy"], "busy"),
        (&["full"], "rack"),
        (&[], "rack"),
    ];
    for (names, expected) in others {
        let mut policy = reviewed_policy();
        policy.machines.retain(|name, _| name.as_str() == "rack");
        for name in names {
            let slots = if *name == "busy" { 5 } else { 1 };
            policy.machines.insert((*name).into(), machine(slots));
        }
        let mut world = World::with(policy);
        for (n, name) in (10..).zip(names.iter().filter(|name| **name != "idle")) {
            let mut other = request(n, "lib", n, &[]);
            other.machine = Some((*name).into());
            world.assigned(other);
        }
        let mut first = request(1, "lib", 1, &[]);
        first.machine = Some("rack".into());
        world.assigned(first);
        world.work(1, &["src/a.rs"]);
        let _ = world.tested(1, TestResult::Passed);
        let _ = world.pull_opened(1);
        let reviewer = world.looks_at(1, AssignmentKind::Review);
        assert_eq!(world.get(reviewer).machine.as_str(), expected, "{names:?}");
        let why = world.why("lib", 1);
        assert_eq!(
            why.contains("where it was made"),
            expected == "rack",
            "{why}"
        );
    }
}

#[test]
fn a_reviewer_is_told_what_it_reads_and_claims_nothing() {
    let (world, reviewer) = in_review(reviewed_policy());
    let it = world.get(reviewer);
    assert_eq!(
        (it.machine.as_str(), it.kind),
        ("desk", AssignmentKind::Review)
    );
    assert!(!it.holds_lease() && !it.claims_issue());
    let spec = world.spec(reviewer);
    assert_eq!(spec.model.as_deref(), Some("critic"));
    assert_eq!(spec.issue_body.as_deref(), Some("Please do thing 1."));
    let serving = spec.serving.unwrap();
    assert_eq!((serving.about, serving.head), (id(1), head(1)));
    assert_eq!(
        (serving.pull, serving.reviewed, serving.fixed_from),
        (Some(100), None, None)
    );
    let comments = world.open().into_iter();
    let comments = comments.filter(|key| key.starts_with("comment:"));
    assert_eq!(comments.count(), 0, "nothing is posted about a start");
}

#[test]
fn an_approval_counts_and_a_comment_only_where_none_is_demanded() {
    for (result, required, holds) in [
        (ReviewResult::Approve, true, true),
        (ReviewResult::Comment, true, false),
        (ReviewResult::Comment, false, true),
    ] {
        let mut policy = reviewed_policy();
        policy.reviews.require_approval = required;
        let (mut world, reviewer) = in_review(policy);
        let _ = world.reviewed(reviewer, result);
        let gates = gates(&world.board, &world.policy, world.get(1));
        assert_eq!(gates[1].holds, holds, "{result:?}");
        let queued = world.get(1).is_in_merge_queue();
        assert_eq!(queued, holds, "{result:?}: {}", world.why("lib", 1));
    }
}

#[test]
fn an_interruption_is_waited_out_on_whichever_machine_is_best_then() {
    let (mut world, first) = in_review(reviewed_policy());
    let retry_at = Some(world.now.plus_secs(600));
    let limit = FailureClass::Environmental { retry_at };
    let _ = world.ends(first, failed(limit, "usage limit"));
    let second = world.looks_at(1, AssignmentKind::Review);
    assert_eq!(world.get(second).state, AssignmentState::Waiting);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: it is being reviewed by assignment 2ffb71008410, which waits: what stopped its worker may be over in 600 s [rule]");
    let (machine, error) = ("desk".into(), "refused".into());
    let _ = world.run(&Command::AgentUnreachable { machine, error });
    world.sleep(600);
    let _ = world.run(&Command::Tick);
    let it = world.get(second);
    assert_eq!(
        (it.state, it.machine.as_str()),
        (AssignmentState::Requested, "rack")
    );
}

#[test]
fn what_never_ends_being_interrupted_is_a_persons() {
    let (mut world, mut reviewer) = in_review(reviewed_policy());
    let mut waits = Vec::new();
    loop {
        let overloaded = FailureClass::Environmental { retry_at: None };
        let _ = world.ends(reviewer, failed(overloaded, "overloaded"));
        let next = world.looks_at(1, AssignmentKind::Review);
        if next == reviewer {
            break;
        }
        reviewer = next;
        let until = world.get(next).start.not_before.unwrap();
        waits.push((until.as_millis() - world.now.as_millis()) / 1000);
        world.now = until;
        let _ = world.run(&Command::Tick);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: its review was interrupted 11 times [person]");
}

#[test]
fn an_answer_of_no_use_is_tried_once_more_and_then_shown() {
    let invalid = |why: &str| Outcome::AnswerInvalid { why: why.into() };
    let (mut world, first) = in_review(reviewed_policy());
    let _ = world.judged(first, invalid("src/b.rs is not in the diff"));
    let second = world.looks_at(1, AssignmentKind::Review);
    assert_ne!(world.get(first).machine, world.get(second).machine);
    let none = answered(None);
    let _ = world.ends(second, none);
    assert_eq!(world.active(), [0; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: its review (assignment 2ffb71008410) came to nothing: it gave no answer in its schema [person]");
    assert_eq!(world.get(1).review_of_head(), None);

    assert_eq!(review_by_hand(&mut world, 7, 1).refusal, None);
    let _ = world.reviewed(7, ReviewResult::Approve);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn a_reviewer_that_dies_is_tried_once_more_and_one_that_cannot_start_is_not() {
    let (mut world, first) = in_review(reviewed_policy());
    let _ = world.ends(first, failed(FailureClass::Work, "changed files"));
    let second = world.looks_at(1, AssignmentKind::Review);
    assert_ne!(first, second);
    let _ = world.answer(&format!("dispatch:{}", id(second)), Outcome::Dispatched);
    let _ = world.report(second, AgentReport::Unknown);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: its review (assignment 2ffb71008410) came to nothing: its agent no longer knew it [person]");

    let (mut world, first) = in_review(reviewed_policy());
    let _ = world.ends(first, failed(FailureClass::Configuration, "no such model"));
    assert_eq!(world.looks_at(1, AssignmentKind::Review), first);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: its review (assignment 2dec89025cc1) came to nothing: no such model [person]");
}

#[test]
fn a_review_that_a_person_stops_is_not_begun_again() {
    let (mut world, first) = in_review(reviewed_policy());
    let _ = world.run(&Command::Stop { id: id(first) });
    let _ = world.answer(&world.key("cancel", first), Outcome::CancelDelivered);
    assert_eq!(world.active(), [0; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: its review (assignment 2dec89025cc1) came to nothing: it was stopped [person]");
}

#[test]
fn a_reviewer_whose_agent_is_silent_for_too_long_is_replaced_and_not_heard_any_more() {
    let mut policy = reviewed_policy();
    policy.concurrency.auto_reassign = true;
    policy.concurrency.stale_seconds = 180;
    let (mut world, first) = in_review(policy);
    let _ = world.answer(&format!("dispatch:{}", id(first)), Outcome::Dispatched);
    let (machine, error) = ("desk".into(), "refused".into());
    let _ = world.run(&Command::AgentUnreachable { machine, error });
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: it is being reviewed by assignment 2dec89025cc1 on desk, whose agent cannot be reached [person]");
    world.sleep(180);
    let machine = "desk".into();
    let _ = world.run(&Command::AgentStale { machine });
    let second = world.looks_at(1, AssignmentKind::Review);
    assert_ne!(first, second);
    assert_eq!(world.get(second).machine.as_str(), "rack");
    let late = answered(Some("{}"));
    let _ = world.finish(first, late);
    assert_eq!(world.find_key("judge", first), None);
    let _ = world.reviewed(second, ReviewResult::Approve);
    assert!(world.get(1).is_in_merge_queue());
}

#[test]
fn a_word_about_an_old_tip_does_not_replace_one_about_the_new() {
    let (mut world, first) = in_review(reviewed_policy());
    let answer = answered(Some("{}"));
    let _ = world.ends(first, answer);
    let judge = world.key("judge", first);
    let _ = world.merge_although(1, Gate::Review, "it is urgent");
    let head = head(2);
    let _ = world.combined(1, &[CombinedResult::HeadMoved { head }]);
    let _ = world.tested(1, TestResult::Passed);
    let second = world.looks_at(1, AssignmentKind::Review);
    let _ = world.reviewed(second, ReviewResult::Approve);
    let late = Outcome::Reviewed {
        result: ReviewResult::RequestChanges,
        summary: "old".into(),
        findings: Vec::new(),
    };
    let _ = world.answer(&judge, late);
    let verdict = world.get(1).review_of_head().unwrap();
    assert_eq!(
        (verdict.result, bits(&verdict.by)),
        (ReviewResult::Approve, second)
    );
}

#[test]
fn who_cannot_be_reviewed() {
    let (mut world, reviewer) = in_review(reviewed_policy());
    let mut lines = vec![refusal_of(&review_by_hand(&mut world, 7, 1), Rule::State)];
    lines.push(refusal_of(
        &review_by_hand(&mut world, 7, reviewer),
        Rule::State,
    ));
    world.assigned(request(2, "lib", 2, &["docs/"]));
    lines.push(refusal_of(&review_by_hand(&mut world, 7, 2), Rule::State));
    refusal_of(&review_by_hand(&mut world, 7, 99), Rule::UnknownAssignment);
    let _ = world.reviewed(reviewer, ReviewResult::RequestChanges);
    lines.push(refusal_of(&review_by_hand(&mut world, 7, 1), Rule::State));
    let writer = world.next_of(1);
    let lines = lines.join("\n").replace(id(writer).as_str(), "FIX");
    let lines = lines.replace(id(reviewer).as_str(), "REVIEW");
    insta::assert_snapshot!(lines, @r"
    assignment 000000000001 is being looked at by assignment REVIEW (`coord wait REVIEW`)
    assignment REVIEW is a review of 000000000001 (name assignment 000000000001)
    assignment 000000000002 is requested (`coord wait 000000000002`)
    assignment 000000000001 was taken over by assignment FIX (name assignment FIX)
    ");
}

#[test]
fn the_same_wish_twice_is_one_review() {
    let mut world = World::new();
    world.policy.reviews.enabled = true;
    world.done(1, &["a"]);
    assert_eq!(review_by_hand(&mut world, 7, 1).refusal, None);
    let again = review_by_hand(&mut world, 7, 1);
    assert_eq!((again.refusal, again.events), (None, Vec::new()));
}

#[test]
fn without_a_reviewer_an_approval_that_is_demanded_is_waited_for_in_the_queue() {
    let mut policy = reviewed_policy();
    policy.reviews.auto_dispatch = false;
    let mut world = World::with(policy);
    world.delivered(1, &["a"]);
    insta::assert_snapshot!(world.why("lib", 1), @"reviewing: it waits in the merge queue: its head has not been reviewed [gate]");
    let _ = review_by_hand(&mut world, 7, 1);
    let _ = world.reviewed(7, ReviewResult::Approve);
    world.merged(1, 1);
}

#[test]
fn what_does_not_go_on_is_not_looked_at() {
    let mut world = World::new();
    world.policy.reviews.enabled = true;
    world.done(1, &["a"]);
    let _ = world.run(&Command::Stop { id: id(1) });
    insta::assert_snapshot!(refusal_of(&review_by_hand(&mut world, 7, 1), Rule::State), @"assignment 000000000001 was put aside (`coord merge 000000000001` takes it up again)");
}
