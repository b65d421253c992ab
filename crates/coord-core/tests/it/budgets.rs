//! Money and usage limits while workers run: who is stopped, who waits, and what is said about it.

use coord_core::Command;
use coord_core::assignment::{AssignmentKind, AssignmentState, WorkerEnd, WorkerResult};
use coord_core::command::AgentReport;
use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::policy::BudgetPolicy;
use coord_core::proposal::Candidates;
use coord_core::verdict::TestResult;

use crate::world::{World, again, failed, id, issue_ref, kinds, policy, request, success};

fn with_budgets(assignment: Option<f64>, issue: Option<f64>, day: Option<f64>) -> World {
    let mut world = World::new();
    world.policy.budgets = BudgetPolicy {
        assignment_usd: assignment,
        issue_usd: issue,
        day_usd: day,
    };
    world
}

fn running(world: &mut World, n: u64) {
    world.assigned(request(n, "lib", n, &[]));
    let _ = world.answer(&format!("dispatch:{}", id(n)), Outcome::Dispatched);
}

fn spent(world: &mut World, n: u64, cost_usd: f64) -> Vec<String> {
    kinds(&world.report(n, AgentReport::Spent { cost_usd }))
}

fn stopped(world: &mut World, n: u64) -> bool {
    world.find_key("cancel", n).is_some()
}

#[test]
fn a_worker_that_has_used_up_its_own_budget_is_stopped_with_its_work_saved() {
    let mut world = with_budgets(Some(2.0), None, None);
    running(&mut world, 1);
    assert_eq!(spent(&mut world, 1, 1.5), ["spending_observed"]);
    let over = spent(&mut world, 1, 2.25);
    assert_eq!(
        over,
        ["spending_observed", "budget_exceeded", "effect_queued"]
    );
    assert_eq!(
        spent(&mut world, 1, 2.5),
        ["spending_observed"],
        "it is stopped once"
    );
    assert_eq!(spent(&mut world, 1, 2.0), [""; 0], "less is old news");
    insta::assert_snapshot!(world.why("lib", 1), @"working: its worker on rack was asked to stop: the budget of an assignment is used up: $2.25 of $2.00 [worker]");
    let end = WorkerEnd {
        cost_usd: 2.6,
        wip_ref: Some("refs/coord/wip/000000000001".into()),
        ..WorkerEnd::unreported(WorkerResult::Cancelled, None)
    };
    let _ = world.finish(1, end);
    insta::assert_snapshot!(world.why("lib", 1), @"new: its worker was stopped: the budget of an assignment is used up: $2.25 of $2.00; its work is kept as refs/coord/wip/000000000001 [person]");
    assert!((world.board.spent_on(&issue_ref("lib", 1)) - 2.6).abs() < 1e-9);
    assert_eq!(world.active(), [0; 0], "nobody goes on by himself");
}

#[test]
fn what_attempts_at_an_issue_cost_together_counts() {
    let mut world = with_budgets(None, Some(3.0), None);
    running(&mut world, 1);
    let end = WorkerEnd {
        cost_usd: 2.0,
        ..failed(FailureClass::Configuration, "no")
    };
    let _ = world.finish(1, end);
    world.assigned(request(2, "lib", 1, &[]));
    let _ = world.answer(&format!("dispatch:{}", id(2)), Outcome::Dispatched);
    running(&mut world, 3);
    let _ = spent(&mut world, 3, 2.5);
    assert!(!stopped(&mut world, 3), "that is another issue");
    let _ = spent(&mut world, 2, 1.0);
    assert!(stopped(&mut world, 2));
    insta::assert_snapshot!(world.get(2).over_budget.clone().unwrap(), @"the budget of lib#1 is used up: $3.00 of $3.00");
}

#[test]
fn the_budget_of_the_day_stops_everybody() {
    let mut world = with_budgets(None, None, Some(3.0));
    for n in [1, 2, 3] {
        running(&mut world, n);
    }
    let _ = spent(&mut world, 1, 1.0);
    let _ = spent(&mut world, 2, 1.0);
    assert!(!stopped(&mut world, 1) && !stopped(&mut world, 2));
    let _ = spent(&mut world, 3, 1.0);
    assert!([1, 2, 3].iter().all(|n| stopped(&mut world, *n)));
    insta::assert_snapshot!(world.get(1).over_budget.clone().unwrap(), @"the budget of the day is used up: $3.00 of $3.00");
}

#[test]
fn a_plan_that_uses_up_the_budget_of_the_day_stops_everybody_too() {
    let mut world = with_budgets(None, None, Some(1.0));
    running(&mut world, 1);
    let _ = spent(&mut world, 1, 0.8);
    // It costs a quarter of a dollar.
    let _ = world.plan(Candidates::new(), Vec::new(), Vec::new());
    assert!(stopped(&mut world, 1));
}

#[test]
fn a_worker_that_was_done_before_it_could_be_stopped_waits_for_a_person() {
    let mut world = with_budgets(Some(2.0), None, None);
    running(&mut world, 1);
    let _ = spent(&mut world, 1, 2.0);
    let _ = world.finish(1, success(1, &["a"]));
    world.post_comments();
    assert_eq!(world.find_key("test", 1), None);
    insta::assert_snapshot!(world.why("lib", 1), @"testing: its branch is finished and was put aside: the budget of an assignment is used up: $2.00 of $2.00 [person]");
}

#[test]
fn a_reviewer_without_a_budget_waits_or_is_stopped_and_the_sentence_says_so() {
    let mut world = with_budgets(None, Some(1.0), None);
    world.policy.reviews.enabled = true;
    world.policy.reviews.auto_dispatch = true;
    world.delivered(1, &["a"]);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    let _ = world.answer(&format!("dispatch:{}", id(reviewer)), Outcome::Dispatched);
    let _ = spent(&mut world, reviewer, 0.95);
    let over = world.get(reviewer).over_budget.clone();
    insta::assert_snapshot!(over.unwrap(), @"the budget of lib#1 is used up: $1.05 of $1.00");
    let end = WorkerEnd {
        cost_usd: 0.95,
        ..WorkerEnd::unreported(WorkerResult::Cancelled, None)
    };
    let _ = world.finish(reviewer, end);
    insta::assert_snapshot!(world.why("lib", 1).replace(id(reviewer).as_str(), "REVIEW"), @"reviewing: its review (assignment REVIEW) came to nothing: the budget of lib#1 is used up: $1.05 of $1.00 [person]");

    // One that never began.
    let mut world = with_budgets(None, Some(0.1), None);
    world.policy.reviews.enabled = true;
    world.policy.reviews.auto_dispatch = true;
    world.delivered(1, &["a"]);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    assert_eq!(world.get(reviewer).state, AssignmentState::Waiting);
    insta::assert_snapshot!(world.why("lib", 1).replace(id(reviewer).as_str(), "REVIEW"), @"reviewing: it is being reviewed by assignment REVIEW, which waits: the budget of lib#1 is used up: $0.10 of $0.10 [rule]");
}

#[test]
fn what_is_left_goes_with_the_dispatch() {
    let mut world = with_budgets(Some(5.0), Some(4.0), Some(1.0));
    running(&mut world, 1);
    let _ = spent(&mut world, 1, 0.75);
    world.assigned(request(2, "lib", 2, &[]));
    assert_eq!(world.spec(2).max_budget_usd, Some(0.25));
}

#[test]
fn a_session_that_goes_on_tells_the_cost_of_all_its_runs() {
    let mut world = with_budgets(Some(1.0), None, None);
    running(&mut world, 1);
    let retry_at = Some(world.now.plus_secs(60));
    let end = WorkerEnd {
        cost_usd: 0.75,
        session: Some("session".into()),
        ..failed(FailureClass::Environmental { retry_at }, "usage limit")
    };
    let _ = world.finish(1, end);
    world.sleep(60);
    let _ = world.run(&Command::Tick);
    let next = world.next_of(1);
    let _ = world.answer(&format!("dispatch:{}", id(next)), Outcome::Dispatched);
    let _ = spent(&mut world, next, 1.25);
    assert!((world.get(next).spent_usd - 0.5).abs() < 1e-9);
    assert!(
        !stopped(&mut world, next),
        "of its own it has half a dollar left"
    );
}

#[test]
fn a_usage_limit_parks_every_machine_of_the_account_and_the_session_goes_on_after_it() {
    let mut policy = policy();
    for machine in policy.machines.values_mut() {
        machine.account = Some("team".into());
    }
    let third = policy.machines[&"desk".into()].clone();
    let third = coord_core::policy::MachinePolicy {
        account: None,
        ..third
    };
    policy.machines.insert("spare".into(), third);
    assert!(!policy.concurrency.auto_reassign);
    let mut world = World::with(policy);
    let mut first = request(1, "lib", 1, &[]);
    first.machine = Some("rack".into());
    world.assigned(first);
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    let resets_at = world.now.plus_secs(3600);
    let limited = world.report(1, AgentReport::RateLimited { resets_at });
    assert_eq!(kinds(&limited), ["rate_limited", "rate_limited"]);
    let until = |name: &str| world.board.machines.get(&name.into())?.limited_until;
    assert_eq!(
        (until("rack"), until("desk")),
        (Some(resets_at), Some(resets_at))
    );
    assert_eq!(until("spare"), None, "an account of its own");

    let retry_at = Some(resets_at);
    let end = WorkerEnd {
        session: Some("session".into()),
        ..failed(FailureClass::Environmental { retry_at }, "usage limit")
    };
    let _ = world.finish(1, end);
    let next = world.next_of(1);
    insta::assert_snapshot!(world.why("lib", 1).replace(id(next).as_str(), "NEXT"), @"claimed: assignment NEXT waits: what stopped its worker may be over in 3600 s; it goes on with assignment 000000000001, which is failed [rule]");
    let mut other = request(2, "lib", 2, &[]);
    other.machine = Some("desk".into());
    world.assigned(other);
    let parked = world.outbox[&coord_core::key::dispatch(&id(2))].not_before;
    assert_eq!(parked, Some(resets_at));
    assert_eq!(
        world.assigned(request(3, "lib", 3, &[])).machine.as_str(),
        "spare"
    );

    world.sleep(3600);
    let _ = world.run(&Command::Tick);
    let spec = world.spec(next);
    assert_eq!(
        (spec.machine.as_str(), spec.start.session.as_deref()),
        ("rack", Some("session"))
    );
}

#[test]
fn an_interruption_that_nobody_knows_the_end_of_is_a_persons_without_auto_reassign() {
    let mut world = World::new();
    running(&mut world, 1);
    let overloaded = FailureClass::Environmental { retry_at: None };
    let _ = world.finish(1, failed(overloaded, "overloaded"));
    assert_eq!(world.active(), [0; 0]);
    let _ = world.run(&Command::Tick);
    assert_eq!(world.find_key("test", 1), None);
    let (id, result) = (id(1), TestResult::Passed);
    let note = String::new();
    let output = None;
    let verdict = Command::RecordVerdict {
        id,
        result,
        note,
        output,
    };
    assert!(
        world.run(&verdict).refusal.is_some(),
        "there is nothing to test"
    );
}

#[test]
fn what_a_lost_worker_has_used_counts_on_its_day_and_for_its_issue() {
    let mut world = with_budgets(None, None, Some(10.0));
    running(&mut world, 1);
    let _ = spent(&mut world, 1, 4.0);
    let _ = world.report(1, AgentReport::Unknown);
    let (today, issue) = (world.now, world.get(1).issue.clone());
    assert_eq!(world.board.spent_on_day(today), 4.0);
    assert_eq!(world.board.spent_on_day(today.plus_secs(86_400)), 0.0);
    assert_eq!(world.board.spent_on(&issue), 4.0);
}

#[test]
fn a_worker_that_its_own_agent_stopped_for_the_money_is_no_failure_at_the_work() {
    let mut world = with_budgets(Some(2.0), None, None);
    world.policy.concurrency.auto_reassign = true;
    world.policy.concurrency.max_retries = 3;
    running(&mut world, 1);
    let here = world.machine_of(1);
    let end = WorkerEnd {
        cost_usd: 2.1,
        session: Some("s".into()),
        ..failed(FailureClass::Work, "reached its budget of $2.00")
    };
    let _ = world.finish(1, end);
    insta::assert_snapshot!(world.why("lib", 1), @"new: its worker was stopped: the budget of an assignment is used up: $2.10 of $2.00 [person]");
    assert_eq!(world.active(), [0; 0], "it is not tried again one model up");

    // A person goes on with it: the same session, where it is.
    let again = Command::Retry(Box::new(again(2, 1, &issue_ref("lib", 1))));
    assert_eq!(world.run(&again).refusal, None);
    assert_eq!(world.get(2).start.session.as_deref(), Some("s"));
    assert_eq!(world.get(2).machine, here);
}
