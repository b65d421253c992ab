//! Stage and sentence of an issue at every point of its way.

use coord_core::Command;
use coord_core::assignment::{AssignmentKind, Goal, WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, WhenBlocked};
use coord_core::delivery::PullAuthor;
use coord_core::effect::{CombinedResult, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_core::policy::CapabilityRule;
use coord_core::verdict::{ReviewResult, TestResult};

use crate::world::{START, World, answered, failed, id, issue_ref, request};

fn explain(world: &World, repo: &str, number: u64) -> String {
    world.why(repo, number)
}

#[test]
fn from_new_to_merged() {
    let mut world = World::new();
    let mut lines = Vec::new();
    let mut say = |world: &World| lines.push(explain(world, "lib", 1));
    say(&world);
    let mut by_hand = request(1, "lib", 1, &["src/"]);
    by_hand.goal = Goal::Tested;
    world.assigned(by_hand);
    say(&world);
    let silent = Command::AgentUnreachable {
        machine: "rack".into(),
        error: "refused".into(),
    };
    let _ = world.run(&silent);
    say(&world);
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    say(&world);
    let _ = world.run(&Command::AgentReachable {
        machine: "rack".into(),
    });
    let (at, base) = (START, None);
    let _ = world.report(1, AgentReport::Started { at, base });
    say(&world);
    let question = "left or right?".into();
    let _ = world.report(1, AgentReport::Stuck { question });
    say(&world);
    let _ = world.finish(1, crate::world::success(1, &["src/a.rs"]));
    say(&world);
    let _ = world.tested(1, TestResult::Failed);
    say(&world);
    let rules = &mut world.policy.reviews;
    (rules.enabled, rules.require_approval) = (true, true);
    let (result, note) = (TestResult::Skipped, String::new());
    let id_1 = id(1);
    let _ = world.run(&Command::RecordVerdict {
        id: id_1,
        result,
        note,
        output: None,
    });
    say(&world);
    let _ = world.merge(&[1], false);
    say(&world);
    let _ = world.pull_opened(1);
    say(&world);
    world.policy.reviews.enabled = false;
    say(&world);
    let _ = world.run(&Command::Tick);
    say(&world);
    world.all_green();
    say(&world);
    let base = CommitId::new("b".repeat(40));
    let paths = vec!["src/a.rs".into()];
    let _ = world.answer(
        &format!("merge:{}:1", id(1)),
        Outcome::MergeConflict { base, paths },
    );
    say(&world);
    let _ = world.merge(&[1], false);
    world.all_green();
    let reason = "protected".into();
    let _ = world.answer(
        &format!("merge:{}:2", id(1)),
        Outcome::MergeRefused { reason },
    );
    say(&world);
    let _ = world.merge(&[1], false);
    world.all_green();
    let commit = CommitId::new("c".repeat(40));
    let _ = world.answer(
        &format!("merge:{}:3", id(1)),
        Outcome::Merged {
            commit,
            warning: None,
        },
    );
    say(&world);
    insta::assert_snapshot!(lines.join("\n"), @r"
    new: no assignment on the board is for lib#1 [nothing]
    claimed: it is to be dispatched to rack [agent]
    claimed: the agent on rack cannot be reached; whether it has the assignment is unknown [agent]
    working: its agent on rack cannot be reached; its worker may still run [worker]
    working: its worker runs on rack [worker]
    working: its worker on rack is stuck: left or right? [person]
    testing: 0000000000 is being tested [test]
    testing: its tests failed: cargo test [person]
    reviewing: it is not merged: its head has not been reviewed [person]
    reviewing: its pull request is being opened [forge]
    reviewing: it waits in the merge queue: its head has not been reviewed [gate]
    merging: it is tested together with its base, and with what is merged before it [test]
    merging: it is tested together with its base, and with what is merged before it [test]
    merging: the forge was asked to merge it [forge]
    merging: it conflicts with bbbbbbbbbb in src/a.rs; it is tried again when the base moves [person]
    merging: the merge was refused: protected [person]
    merged: it is merged as cccccccccc [nothing]
    ");
}

#[test]
fn what_stands_in_the_way() {
    let mut world = World::new();
    let waiting = |n, repo, files: &[&str]| {
        let mut request = request(n, repo, n, files);
        request.when_blocked = WhenBlocked::Wait;
        request
    };
    world.assigned(waiting(1, "lib", &["src/"]));
    world.assigned(waiting(2, "lib", &["src/lib.rs"]));
    world.assigned(waiting(3, "app", &[]));
    let mut lines = vec![explain(&world, "lib", 2), explain(&world, "app", 3)];

    let nothing = WorkerEnd {
        exit_code: Some(0),
        ..WorkerEnd::unreported(WorkerResult::Done, None)
    };
    let _ = world.finish(1, nothing);
    lines.push(explain(&world, "lib", 1));
    lines.push(explain(&world, "lib", 2));
    let _ = world.run(&Command::Stop { id: id(3) });
    lines.push(explain(&world, "app", 3));
    insta::assert_snapshot!(lines.join("\n"), @r"
    claimed: assignment 000000000002 waits: its files overlap with assignment 000000000001 (lib#1): src/ [rule]
    claimed: assignment 000000000003 waits: app depends on lib, where assignment 000000000001 (lib#1) is not finished [rule]
    new: its worker ended well without a commit: there is nothing to merge [person]
    claimed: it is to be dispatched to rack [agent]
    new: its last assignment is cancelled: withdrawn before it started [person]
    ");
}

#[test]
fn what_its_issue_depends_on_comes_first() {
    let mut world = World::new();
    let mut lines = Vec::new();
    let mut say = |name: &str, world: &World| {
        lines.push(format!("{name}: {}", explain(world, "lib", 1)));
    };
    let mut blocked = request(1, "lib", 1, &["src/"]);
    blocked.blocked_by = vec![issue_ref("lib", 2), issue_ref("app", 3)];
    blocked.when_blocked = WhenBlocked::Wait;
    world.assigned(blocked);
    say("two are open", &world);
    let closed = |issue| Command::IssuesClosed {
        issues: vec![issue],
    };
    let _ = world.run(&closed(issue_ref("app", 3)));
    say("one is open", &world);
    world.sleep(1);
    world.assigned(request(2, "lib", 2, &["src/"]));
    let _ = world.run(&closed(issue_ref("lib", 2)));
    say("somebody has its files by now", &world);
    let _ = world.finish(2, failed(FailureClass::Work, "no idea"));
    say("nothing", &world);
    insta::assert_snapshot!(lines.join("\n"), @r"
    two are open: claimed: assignment 000000000001 waits: lib#1 depends on app#3 and 1 more, which are open [rule]
    one is open: claimed: assignment 000000000001 waits: lib#1 depends on lib#2, which is open [rule]
    somebody has its files by now: claimed: assignment 000000000001 waits: its files overlap with assignment 000000000002 (lib#2): src/ [rule]
    nothing: claimed: it is to be dispatched to rack [agent]
    ");
}

/// A state of the pipeline, by the name of what stands there.
fn state(name: &str, make: impl FnOnce(&mut World)) -> String {
    let mut world = World::new();
    make(&mut world);
    format!("{name}: {}", world.why("lib", 1))
}

fn shared(world: &mut World) {
    world.policy.repos.get_mut(&"lib".into()).unwrap().shared = true;
}

fn reviewed(world: &mut World) {
    let rules = &mut world.policy.reviews;
    (rules.enabled, rules.auto_dispatch, rules.require_approval) = (true, true, true);
}

fn asked_for_nothing(world: &mut World) {
    world.policy.pipeline.max_iterations = 0;
}

/// `lib#1` with a reviewer, and the reviewer.
fn in_review(world: &mut World) -> u64 {
    reviewed(world);
    world.delivered(1, &["a"]);
    world.looks_at(1, AssignmentKind::Review)
}

fn checked(world: &mut World, good: bool) {
    shared(world);
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&world.key("claim", 1), Outcome::Claimed);
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let _ = world.pull_opened(1);
    let note = "2 checks, 1 is red".into();
    let _ = world.answer(&world.key("checks", 1), Outcome::ChecksRead { good, note });
}

fn test_broken(world: &mut World) {
    world.done(1, &["a"]);
    let (class, error) = (FailureClass::Configuration, "no such tool: make".into());
    let _ = world.answer(&world.key("test", 1), Outcome::Failed { class, error });
}

fn pull_refused(world: &mut World) {
    world.done(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let (class, error) = (FailureClass::Configuration, "403".into());
    let _ = world.answer(&world.key("pull", 1), Outcome::Failed { class, error });
}

fn merge_refused(world: &mut World) {
    world.delivered(1, &["a"]);
    world.all_green();
    let reason = "a protected branch".into();
    let _ = world.answer(&world.key("merge", 1), Outcome::MergeRefused { reason });
}

fn smoke(world: &mut World, requires: &str) {
    world.policy.smoke.is_configured = true;
    world.policy.smoke.auto_queue = true;
    world.policy.smoke.rules = vec![CapabilityRule {
        files: vec!["a".into()],
        requires: vec![requires.into()],
    }];
    for machine in world.policy.machines.values_mut() {
        machine.capabilities = vec!["gpu".into()];
    }
    world.done(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
}

#[test]
fn every_state_between_the_worker_and_the_base_has_its_sentence() {
    let lines = [
        state("test runs", |world| world.done(1, &["a"])),
        state("test broken", test_broken),
        state("red, sent back", |world| {
            world.done(1, &["a"]);
            let _ = world.tested(1, TestResult::Failed);
        }),
        state("red, often enough", |world| {
            asked_for_nothing(world);
            world.done(1, &["a"]);
            let _ = world.tested(1, TestResult::Failed);
        }),
        state("tried out", |world| smoke(world, "gpu")),
        state("cannot be tried out", |world| smoke(world, "browser")),
        state("failed when tried out", |world| {
            asked_for_nothing(world);
            smoke(world, "gpu");
            let by = world.looks_at(1, AssignmentKind::Smoke);
            let _ = world.ends(by, failed(FailureClass::Work, "ended with code 3"));
        }),
        state("pull request written", |world| {
            world.policy.pipeline.pull_author = PullAuthor::Worker;
            world.done(1, &["a"]);
            let _ = world.tested(1, TestResult::Passed);
        }),
        state("pull request opened", |world| {
            world.done(1, &["a"]);
            let _ = world.tested(1, TestResult::Passed);
        }),
        state("pull request refused", pull_refused),
        state("reviewed", |world| {
            in_review(world);
        }),
        state("review judged", |world| {
            let by = in_review(world);
            let _ = world.ends(by, answered(Some("{}")));
        }),
        state("review of no use", |world| {
            let by = in_review(world);
            let _ = world.ends(by, failed(FailureClass::Configuration, "no such model"));
        }),
        state("changes asked for", |world| {
            asked_for_nothing(world);
            let by = in_review(world);
            let _ = world.reviewed(by, ReviewResult::RequestChanges);
        }),
        state("neither", |world| {
            let by = in_review(world);
            let _ = world.reviewed(by, ReviewResult::Comment);
        }),
        state("checks run", |world| {
            checked(world, false);
            let _ = world.merge(&[1], false);
        }),
        state("checks bad", |world| checked(world, false)),
        state("gate closed", |world| {
            reviewed(world);
            world.policy.reviews.auto_dispatch = false;
            world.delivered(1, &["a"]);
        }),
        state("combined", |world| world.delivered(1, &["a"])),
        state("combination not testable", |world| {
            world.delivered(1, &["a"]);
            let (class, error) = (FailureClass::Configuration, "no checkout".into());
            let _ = world.answer(&world.key("combine", 1), Outcome::Failed { class, error });
        }),
        state("red with the base", |world| {
            asked_for_nothing(world);
            world.delivered(1, &["a"]);
            let (with, note, output) = (None, "exit code 1".into(), None);
            let _ = world.combined(1, &[CombinedResult::Red { with, note, output }]);
        }),
        state("conflict, rebased", |world| {
            world.delivered(1, &["a"]);
            let paths = vec!["a".into()];
            let _ = world.combined(1, &[CombinedResult::Conflict { paths }]);
        }),
        state("merging", |world| {
            world.delivered(1, &["a"]);
            world.all_green();
        }),
        state("merge refused", merge_refused),
        state("put aside", |world| {
            world.delivered(1, &["a"]);
            let _ = world.run(&Command::Stop { id: id(1) });
        }),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    test runs: testing: 0000000000 is being tested [test]
    test broken: testing: its test could not be run: no such tool: make [person]
    red, sent back: claimed: it is to be dispatched to rack; it goes on with assignment 000000000001, because its tests are red [agent]
    red, often enough: testing: its tests failed: cargo test [person]
    tried out: merging: it is being tried out by assignment 2dec89025cc1 on desk [worker]
    cannot be tried out: merging: no machine that may try it out has browser [person]
    failed when tried out: testing: its smoke test failed: ended with code 3 [person]
    pull request written: merging: the text of its pull request is being written by assignment 2dec89025cc1 on desk [worker]
    pull request opened: merging: its pull request is being opened [forge]
    pull request refused: merging: the forge does not open its pull request: 403 [person]
    reviewed: reviewing: it is being reviewed by assignment 2dec89025cc1 on desk [worker]
    review judged: reviewing: it is being reviewed by assignment 2dec89025cc1 on desk [worker]
    review of no use: reviewing: its review (assignment 2dec89025cc1) came to nothing: no such model [person]
    changes asked for: reviewing: its reviewer asked for changes: 1 finding [person]
    neither: reviewing: its reviewer neither approved it nor asked for changes [person]
    checks run: merging: the forge's checks of it have not ended [forge]
    checks bad: merging: 2 checks, 1 is red [person]
    gate closed: reviewing: it waits in the merge queue: its head has not been reviewed [gate]
    combined: merging: it is tested together with its base, and with what is merged before it [test]
    combination not testable: merging: the merge was refused: it could not be tested with its base: no checkout [person]
    red with the base: merging: its tests are red on top of the base: exit code 1 [person]
    conflict, rebased: claimed: it is to be dispatched to rack; it goes on with assignment 000000000001, because it conflicts with its base [agent]
    merging: merging: the forge was asked to merge it [forge]
    merge refused: merging: the merge was refused: a protected branch [person]
    put aside: merging: a person has put its branch aside [person]
    ");
}
