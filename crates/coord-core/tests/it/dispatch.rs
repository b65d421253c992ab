//! `assign`: the rules in their order, waiting, and what is dispatched.

use coord_core::Command;
use coord_core::assignment::{AssignmentState, Goal, WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, ClaimEvidence, Rule, WhenBlocked};
use coord_core::effect::{CommentEvent, DispatchSpec, Outcome};
use coord_core::failure::FailureClass;
use coord_core::issue::IssueState;
use coord_core::verdict::TestResult;

use crate::world::{World, comment, id, kinds, policy, request, success};

fn spec(world: &World, n: u64) -> DispatchSpec {
    world.spec(n)
}

#[test]
fn a_request_is_written_down_before_the_agent_hears_of_it() {
    let mut world = World::new();
    let decision = world.assign(request(1, "lib", 1, &["src/"]));
    assert_eq!(
        kinds(&decision),
        ["assignment_requested", "effect_queued", "effect_queued"]
    );
    assert_eq!(world.get(1).state, AssignmentState::Requested);
    assert_eq!(world.get(1).machine.as_str(), "rack", "the most free slots");
    assert_eq!(
        world.open(),
        ["comment:briefing:000000000001", "dispatch:000000000001"]
    );
    let spec = spec(&world, 1);
    assert_eq!(spec.branch, "issue-1-do-thing-1");
    assert_eq!(spec.briefing, "Please do thing 1.");
    assert_eq!(spec.scope.forbidden, ["CHANGELOG.md"]);
    assert_eq!(
        world.get(1).scope.forbidden,
        [""; 0],
        "the policy's globs are not the person's"
    );
    insta::assert_snapshot!(comment(&world, CommentEvent::Briefing, 1), @r"
    A worker starts on this issue on `rack`, branch `issue-1-do-thing-1`. Its briefing:

    ```text
    Please do thing 1.
    ```
    ");
}

#[test]
fn the_same_request_twice_is_one() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let again = world.assign(request(1, "lib", 1, &[]));
    assert_eq!((again.events, again.refusal), (Vec::new(), None));
    world.refused(request(1, "lib", 2, &[]), Rule::State);
}

#[test]
fn without_a_briefing_the_issue_is_the_task() {
    let mut world = World::new();
    let mut blank = request(1, "lib", 1, &[]);
    blank.briefing = Some(" \n".into());
    blank.issue.body = "\t".into();
    world.assigned(blank);
    assert_eq!(spec(&world, 1).briefing, "Do thing 1");
    assert_eq!(
        spec(&world, 1).issue_body,
        None,
        "nobody but the issue has said a word"
    );

    let mut own_words = request(2, "lib", 2, &[]);
    own_words.briefing = Some("My words".into());
    world.assigned(own_words);
    assert_eq!(spec(&world, 2).briefing, "My words");
    assert_eq!(
        spec(&world, 2).issue_body.as_deref(),
        Some("Please do thing 2.")
    );
}

#[test]
fn names_that_the_configuration_does_not_know_are_refused_first() {
    let mut world = World::new();
    let on = |machine: &str, repo: &str| {
        let mut request = request(1, repo, 1, &[]);
        request.machine = Some(machine.into());
        request.issue.state = IssueState::Closed;
        request
    };
    let mut sentences = vec![
        world.refused(on("rack", "nowhere"), Rule::Configuration),
        world.refused(on("cellar", "lib"), Rule::Configuration),
    ];
    world.policy.machines.get_mut(&"rack".into()).unwrap().repos = vec!["app".into()];
    sentences.push(world.refused(on("rack", "lib"), Rule::Configuration));
    world.policy.machines.clear();
    sentences.push(world.refused(request(1, "lib", 1, &[]), Rule::Configuration));
    insta::assert_snapshot!(sentences.join("\n"), @r"
    no repository is called nowhere (`coord config` lists the repositories)
    no machine is called cellar (`coord config` lists the machines)
    rack may not work on lib (add the repository to `repos` of the machine)
    no machine may work on lib (add it to `repos` of a machine)
    ");
}

#[test]
fn an_issue_has_one_worker() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let second = request(2, "lib", 1, &[]);
    insta::assert_snapshot!(world.refused(second.clone(), Rule::Claimed), @"lib#1 is claimed by assignment 000000000001 on rack, which is requested (`coord stop 000000000001` first)");

    // Not even one that would wait.
    let mut waiting = second.clone();
    waiting.when_blocked = WhenBlocked::Wait;
    world.refused(waiting, Rule::Claimed);

    world.work(1, &["a"]);
    insta::assert_snapshot!(world.refused(second.clone(), Rule::Claimed), @"lib#1 is claimed by assignment 000000000001 on rack, which is done and on its way to the merge (`coord why lib#1` says what it waits for)");
    let _ = world.tested(1, TestResult::Passed);
    world.all_green();
    world.refused(second.clone(), Rule::Claimed);

    let commit = "f".repeat(40).as_str().into();
    let key = format!("merge:{}:1", id(1));
    let _ = world.answer(
        &key,
        Outcome::Merged {
            commit,
            warning: None,
        },
    );
    insta::assert_snapshot!(world.refused(second, Rule::Claimed), @"lib#1 is claimed by assignment 000000000001 on rack, which is merged (its issue is about to be closed)");
}

#[test]
fn an_issue_whose_worker_failed_is_free_again() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let class = FailureClass::Work;
    let error = "no".into();
    let _ = world.answer(
        &format!("dispatch:{}", id(1)),
        Outcome::Failed { class, error },
    );
    assert_eq!(world.get(1).state, AssignmentState::Failed);

    let mut again = request(2, "lib", 1, &[]);
    again.evidence = ClaimEvidence::branches(vec!["issue-1-do-thing-1".into()]);
    world.assigned(again);
}

#[test]
fn the_forge_knows_of_others() {
    let mut world = World::new();
    let with = |evidence| {
        let mut request = request(1, "lib", 1, &[]);
        request.evidence = evidence;
        request
    };
    let theirs = ClaimEvidence::branches(vec!["issue-1-theirs".into()]);
    insta::assert_snapshot!(world.refused(with(theirs), Rule::Claimed), @"lib#1 is claimed by the branch issue-1-theirs, which is not ours (merge or delete the branch first)");

    let unknown = ClaimEvidence::Unknown {
        error: "timed out".into(),
    };
    let mut request = with(unknown);
    insta::assert_snapshot!(world.refused(request.clone(), Rule::ClaimUnknown), @"whether somebody else works on lib#1 is unknown: timed out (try again, or pass --accept-unknown when nobody does)");
    request.waivers.accept_unknown = true;
    world.assigned(request);
}

#[test]
fn a_closed_issue_is_refused() {
    let mut world = World::new();
    let mut closed = request(1, "lib", 1, &[]);
    closed.issue.state = IssueState::Closed;
    insta::assert_snapshot!(world.refused(closed, Rule::IssueClosed), @"lib#1 is closed (open it again first)");
}

#[test]
fn work_upstream_comes_first() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let mut downstream = request(2, "app", 1, &[]);
    insta::assert_snapshot!(world.refused(downstream.clone(), Rule::Dependency), @"app depends on lib, where assignment 000000000001 (lib#1) is not finished (wait for it, or pass --ignore-deps)");
    downstream.waivers.ignore_deps = true;
    world.assigned(downstream);
    world.assigned(request(3, "lib", 2, &[]));
}

#[test]
fn declared_files_are_leased_until_the_merge() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/*.rs"]));
    let overlapping = request(2, "lib", 2, &["docs/", "src/lib.rs"]);
    insta::assert_snapshot!(world.refused(overlapping.clone(), Rule::FileOverlap), @"its files overlap with assignment 000000000001 (lib#1): src/*.rs (wait for it, narrow the files, or pass --allow-overlap)");
    world.assigned(request(3, "lib", 3, &["docs/"]));

    world.work(1, &["src/a.rs"]);
    world.refused(overlapping.clone(), Rule::FileOverlap);
    let _ = world.tested(1, TestResult::Passed);
    world.refused(overlapping, Rule::FileOverlap);
    world.merged(1, 1);
    world.assigned(request(4, "lib", 4, &["src/lib.rs"]));
}

#[test]
fn what_waits_for_a_person_after_failed_tests_holds_no_lease() {
    let mut world = World::new();
    world.policy.pipeline.max_iterations = 0;
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.work(1, &["src/a.rs"]);
    let _ = world.tested(1, TestResult::Failed);
    world.assigned(request(2, "lib", 2, &["src/"]));
}

#[test]
fn what_a_worker_was_seen_to_change_is_leased_too() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let overlapping = request(2, "lib", 2, &["src/"]);
    let paths = vec!["src/seen.rs".into()];
    let _ = world.report(1, AgentReport::Files { paths });
    insta::assert_snapshot!(world.refused(overlapping.clone(), Rule::FileOverlap), @"its files overlap with assignment 000000000001 (lib#1): src/seen.rs (wait for it, narrow the files, or pass --allow-overlap)");

    let mut waived = overlapping;
    waived.waivers.allow_overlap = true;
    world.assigned(waived);

    // Whoever declares nothing is told what to leave alone.
    world.assigned(request(3, "lib", 3, &[]));
    assert_eq!(spec(&world, 3).do_not_touch, ["src/", "src/seen.rs"]);
    assert_eq!(spec(&world, 2).do_not_touch, [""; 0]);
}

#[test]
fn slots_are_counted_per_machine() {
    let mut world = World::new();
    let on = |n, machine: Option<&str>| {
        let mut request = request(n, "lib", n, &[]);
        request.machine = machine.map(Into::into);
        request
    };
    world.assigned(on(1, Some("desk")));
    insta::assert_snapshot!(world.refused(on(2, Some("desk")), Rule::Slots), @"every slot of desk is taken (wait for a worker to end, or raise max_workers)");
    world.assigned(on(2, None));
    world.assigned(on(3, None));
    insta::assert_snapshot!(world.refused(on(4, None), Rule::Slots), @"no machine that may work on lib has a free slot (wait for a worker to end, or raise max_workers)");
}

#[test]
fn a_machine_that_does_not_answer_is_the_last_choice() {
    let mut world = World::new();
    let (machine, error) = ("rack".into(), "refused".into());
    let _ = world.run(&Command::AgentUnreachable { machine, error });
    assert_eq!(
        world.assigned(request(1, "lib", 1, &[])).machine.as_str(),
        "desk"
    );
    assert_eq!(
        world.assigned(request(2, "lib", 2, &[])).machine.as_str(),
        "rack"
    );
}

#[test]
fn budgets_are_used_up() {
    let mut world = World::new();
    world.policy.budgets.assignment_usd = Some(5.0);
    world.policy.budgets.issue_usd = Some(6.0);
    world.policy.budgets.day_usd = Some(6.5);
    let failed = |cost_usd| WorkerEnd {
        cost_usd,
        ..WorkerEnd::unreported(WorkerResult::Failed(FailureClass::Work), None)
    };
    world.assigned(request(1, "lib", 1, &[]));
    assert_eq!(spec(&world, 1).max_budget_usd, Some(5.0));
    let _ = world.finish(1, failed(4.0));

    world.assigned(request(2, "lib", 1, &[]));
    assert_eq!(
        spec(&world, 2).max_budget_usd,
        Some(2.0),
        "what is left for the issue"
    );
    let _ = world.finish(2, failed(2.0));
    insta::assert_snapshot!(world.refused(request(3, "lib", 1, &[]), Rule::Budget), @"the budget of lib#1 is used up: $6.00 of $6.00 (raise budgets.issue_usd)");

    world.assigned(request(3, "lib", 2, &[]));
    let _ = world.finish(3, failed(1.0));
    let mut tomorrow = request(4, "lib", 3, &[]);
    insta::assert_snapshot!(world.refused(tomorrow.clone(), Rule::Budget), @"the budget of the day is used up: $7.00 of $6.50 (wait for tomorrow (UTC), or raise budgets.day_usd)");
    tomorrow.when_blocked = WhenBlocked::Wait;
    world.assigned(tomorrow);
    assert_eq!(world.get(4).state, AssignmentState::Waiting);
    world.sleep(86_400);
    let _ = world.run(&Command::Tick);
    assert_eq!(world.get(4).state, AssignmentState::Requested);
}

#[test]
fn a_cost_that_is_no_number_costs_nothing() {
    let mut world = World::new();
    for (n, cost_usd) in [(1, f64::NAN), (2, f64::INFINITY), (3, -5.0)] {
        world.assigned(request(n, "lib", n, &[]));
        let _ = world.finish(
            n,
            WorkerEnd {
                cost_usd,
                ..success(n, &[])
            },
        );
    }
    assert_eq!(world.board.cost_by_day.values().sum::<f64>(), 0.0);
    world.assigned(request(4, "lib", 4, &[]));
    let cost_usd = f64::MAX;
    let _ = world.finish(
        4,
        WorkerEnd {
            cost_usd,
            ..success(4, &[])
        },
    );
    assert!(world.board.cost_by_day.values().sum::<f64>() <= 1e6);
}

#[test]
fn starts_on_one_machine_are_staggered() {
    let mut world = World::new();
    let start = |world: &mut World, n| {
        let mut request = request(n, "lib", n, &[]);
        request.machine = Some("rack".into());
        world.assigned(request);
        world.outbox[&coord_core::key::dispatch(&id(n))].not_before
    };
    world
        .policy
        .machines
        .get_mut(&"rack".into())
        .unwrap()
        .max_workers = 9;
    let now = world.now;
    assert_eq!(start(&mut world, 1), None);
    assert_eq!(start(&mut world, 2), Some(now.plus_secs(10)));
    assert_eq!(start(&mut world, 3), Some(now.plus_secs(20)));

    let resets_at = now.plus_secs(3600);
    let _ = world.report(1, AgentReport::RateLimited { resets_at });
    assert_eq!(start(&mut world, 4), Some(resets_at));
    world.sleep(7200);
    assert_eq!(start(&mut world, 5), None);
}

#[test]
fn what_waits_starts_in_the_order_in_which_it_was_requested() {
    let mut world = World::new();
    let waiting = |n, files: &[&str]| {
        let mut request = request(n, "lib", n, files);
        request.when_blocked = WhenBlocked::Wait;
        request
    };
    world.assigned(waiting(5, &["src/"]));
    world.sleep(1);
    world.assigned(waiting(4, &["src/", "docs/"]));
    world.sleep(1);
    // Nobody at work touches docs, but assignment 4 was first.
    world.assigned(waiting(3, &["docs/"]));
    world.sleep(1);
    world.assigned(waiting(2, &["ci/"]));
    let states = |world: &World| [5, 4, 3, 2].map(|n| world.get(n).state);
    use AssignmentState::{Failed, Requested, Waiting};
    assert_eq!(states(&world), [Requested, Waiting, Waiting, Requested]);

    let _ = world.finish(
        5,
        WorkerEnd::unreported(WorkerResult::Failed(FailureClass::Work), None),
    );
    assert_eq!(states(&world), [Failed, Requested, Waiting, Requested]);
}

#[test]
fn what_waits_for_any_slot_takes_the_first_that_is_free() {
    let mut policy = policy();
    policy.machines.get_mut(&"rack".into()).unwrap().max_workers = 1;
    let mut world = World::with(policy);
    for n in 1..=3 {
        let mut request = request(n, "lib", n, &[]);
        request.when_blocked = WhenBlocked::Wait;
        world.assigned(request);
    }
    assert_eq!(world.get(3).state, AssignmentState::Waiting);
    let freed = if world.get(3).machine == world.get(1).machine {
        2
    } else {
        1
    };
    let machine = world.get(freed).machine.clone();
    let _ = world.finish(freed, WorkerEnd::unreported(WorkerResult::Cancelled, None));
    assert_eq!(world.get(3).state, AssignmentState::Requested);
    assert_eq!(world.get(3).machine, machine);
}

#[test]
fn a_goal_of_worked_leaves_the_rest_to_people() {
    let mut world = World::new();
    let mut request = request(1, "lib", 1, &["src/"]);
    request.goal = Goal::Worked;
    world.assigned(request);
    world.work(1, &["src/a.rs"]);
    assert_eq!(world.open(), [""; 0]);
    assert!(!world.get(1).holds_lease());
}
