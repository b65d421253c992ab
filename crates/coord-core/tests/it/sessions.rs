//! Rounds and sessions: when they are over, what runs then, and what they came to.

use std::collections::BTreeMap;

use coord_core::command::Rule;
use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::policy::{CheckoutCommand, HousekeepingPolicy};
use coord_core::session::{EndedStep, Occasion, Since, Step, StepResult, Summary};
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command, Decision};
use insta::assert_snapshot;

use crate::world::{World, id, kinds, refusal_of, request, success};

fn close(world: &mut World, force: bool) -> Decision {
    let checkouts = vec!["lib".into(), "app".into()];
    world.run(&Command::CloseSession { force, checkouts })
}

fn shell(command: &str) -> Step {
    Step::Command {
        command: command.to_owned(),
        timeout_seconds: 60,
    }
}

fn ended(ok: bool) -> Outcome {
    Outcome::StepEnded {
        result: StepResult {
            ok,
            note: "said".into(),
            file: None,
        },
    }
}

fn rounds(world: &World) -> usize {
    let is_end = |event: &BoardEvent| matches!(event, BoardEvent::RoundCompleted { .. });
    world.log.iter().filter(|it| is_end(&it.event)).count()
}

#[test]
fn a_session_without_anything_in_it_is_not_closed() {
    let mut world = World::new();
    let first = close(&mut world, true);
    assert_snapshot!(refusal_of(&first, Rule::State), @"nothing has happened since the last session was closed (`coord session` shows the last one)");

    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    world.merged(1, 1);
    assert_eq!(close(&mut world, false).refusal, None);
    let again = close(&mut world, false);
    assert_eq!(again.refusal.unwrap().rule, Rule::State);
    let third = close(&mut world, true);
    assert!(
        third.refusal.is_some(),
        "a refusal is nothing that happened"
    );
}

#[test]
fn what_is_at_work_keeps_a_session_open_unless_forced() {
    let mut world = World::new();
    world.policy.pipeline.max_iterations = 0;
    world.assigned(request(1, "lib", 1, &["a"]));
    let refused = close(&mut world, false);
    assert_snapshot!(refusal_of(&refused, Rule::State), @"still at work: 000000000001 (lib#1, requested) (`coord wait` or `coord stop` them; with --force they go on into the next session)");
    world.work(1, &["a"]);
    let tested = close(&mut world, false).refusal.unwrap();
    assert_snapshot!(tested.why, @"still at work: 000000000001 (lib#1, done)");

    let forced = close(&mut world, true);
    let BoardEvent::SessionClosed { period } = &forced.events[0] else {
        panic!("{forced:?}");
    };
    assert_eq!(period.at_work, [id(1)]);
    assert!(world.board.session.is_none());
    let _ = world.tested(1, TestResult::Failed);
    assert!(world.board.session.is_some(), "it goes on in the next one");
    assert_eq!(close(&mut world, false).refusal, None);
}

#[test]
fn hooks_then_housekeeping_run_one_after_the_other_and_none_stops_the_others() {
    let mut world = World::new();
    world.policy.on_session_end = vec![shell("one"), Step::SummaryReport];
    let only_app = CheckoutCommand {
        command: "tidy".into(),
        repos: vec!["app".into()],
        timeout_seconds: 5,
    };
    world.policy.housekeeping = HousekeepingPolicy {
        pull: true,
        commands: vec![only_app],
    };
    world.assigned(request(1, "lib", 1, &[]));
    let failed = Outcome::Failed {
        class: FailureClass::Configuration,
        error: "no such machine".into(),
    };
    let _ = world.answer("dispatch:000000000001", failed.clone());
    world.post_comments();
    let closed = close(&mut world, false);
    assert_eq!(kinds(&closed), ["session_closed"]);
    let seq = world.board.seq;

    let mut order = Vec::new();
    for outcome in [
        ended(false),
        failed,
        ended(true),
        ended(true),
        Outcome::IssueClosed,
    ] {
        let [key] = world.open()[..] else {
            panic!("one at a time: {:?}", world.open());
        };
        let key = key.to_owned();
        let decision = world.answer(&key, outcome.clone());
        let BoardEvent::StepEnded { what, result, .. } = &decision.events[0] else {
            panic!("{decision:?}");
        };
        order.push(format!("{key} {what} {} {}", result.ok, result.note));
        let again = world.run(&Command::Outcome {
            key: key.as_str().into(),
            outcome,
        });
        assert_eq!(again.events, []);
    }
    assert_eq!(world.open(), [""; 0]);
    let order = order.join("\n").replace(&format!("step:{seq}"), "step:SEQ");
    assert_snapshot!(order, @"
    step:SEQ:0 `one` false said
    step:SEQ:1 summary_report false no such machine
    step:SEQ:2 pull lib true said
    step:SEQ:3 pull app true said
    step:SEQ:4 `tidy` in app false the answer was of another kind: IssueClosed
    ");
}

#[test]
fn a_round_is_over_once_when_the_last_of_it_is_merged() {
    let mut world = World::new();
    world.policy.pipeline.max_iterations = 0;
    world.policy.on_round_complete = vec![Step::SummaryReport];
    world.assigned(request(1, "lib", 1, &["a"]));
    world.assigned(request(2, "lib", 2, &["b"]));
    for n in [1, 2] {
        world.work(n, &[if n == 1 { "a" } else { "b" }]);
        let _ = world.tested(n, TestResult::Passed);
        assert_eq!(rounds(&world), 0, "it is being merged");
        world.merged(n, 1);
    }
    assert_eq!(rounds(&world), 1);

    let _ = world.run(&Command::Tick);
    let seq = world.board.step_runs.keys().copied().next().unwrap();
    let _ = world.answer(&format!("step:{seq}:0"), ended(true));
    assert_eq!(rounds(&world), 1);
    world.assigned(request(3, "lib", 3, &["a"]));
    world.work(3, &["a"]);
    let _ = world.tested(3, TestResult::Failed);
    assert_eq!(rounds(&world), 2, "what waits for a person is not at work");
    // A test by hand is no round.
    let _ = world.run(&Command::Test { id: id(3) });
    let open = world.open().into_iter();
    let key: String = open.filter(|key| key.starts_with("test:")).collect();
    let note = String::new();
    let result = TestResult::Failed;
    let _ = world.answer(
        &key,
        Outcome::Tested {
            result,
            note,
            output: None,
        },
    );
    assert_eq!(rounds(&world), 2);
}

#[test]
fn the_summary_tells_outcomes_merges_cost_and_what_waits() {
    let mut world = World::new();
    world.policy.on_session_end = vec![shell("make report")];
    world.assigned(request(1, "lib", 1, &["a"]));
    world.assigned(request(2, "lib", 2, &["b"]));
    world.assigned(request(3, "lib", 3, &["c"]));
    let mut known: BTreeMap<_, _> = world.board.assignments.clone();
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    world.merged(1, 1);
    let mut failed = success(2, &[]);
    failed.result = coord_core::assignment::WorkerResult::Failed(FailureClass::Work);
    failed.error = Some("exit\n\u{1b}[2J code 3".into());
    let _ = world.answer("dispatch:000000000002", Outcome::Dispatched);
    let _ = world.finish(2, failed);
    world.post_comments();
    world.sleep(3600);
    let closed = close(&mut world, true);
    let BoardEvent::SessionClosed { period } = &closed.events[0] else {
        panic!("{closed:?}");
    };
    let until = Since {
        seq: world.board.seq,
        at: world.now,
    };
    known.extend(world.board.assignments.clone());
    let of = |known| Summary::of(Occasion::SessionEnd, period, until, &world.log, known);
    let mut summary = of(&known);
    summary.steps.push(EndedStep {
        step: shell("make report"),
        result: StepResult {
            ok: false,
            note: "ended with code 2".into(),
            file: None,
        },
    });
    assert_snapshot!(summary.report(&|at| at.as_millis().to_string()), @r"
    # Session 45: 1767225600000 to 1767229200000

    3 assignments (1 done, 1 failed, 1 requested); 1 issue merged; $0.20, $0.10 for each merged issue.

    ## Assignments

    - 000000000001 work lib#1 Do thing 1: done, $0.10
    - 000000000002 work lib#2 Do thing 2: failed, $0.10: exit [2J code 3
    - 000000000003 work lib#3 Do thing 3: requested, $0.00

    ## Merged

    - lib#1 Do thing 1: 0000000000 by 000000000001

    ## Waits for a person

    - lib#2 Do thing 2: its last assignment is failed: exit [2J code 3 (read `coord log 000000000002`, then `coord retry 000000000002`)

    ## Hooks and housekeeping

    - `make report`: FAILED: ended with code 2
    ");
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    for kind in Summary::KINDS {
        let event = serde_json::json!({"kind": kind});
        let error = serde_json::from_value::<BoardEvent>(event)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("missing field"), "{kind}: {error}");
    }
    assert_eq!(
        of(&BTreeMap::new()).assignments,
        [],
        "unknown ones are left out"
    );
}

#[test]
fn whoever_puts_something_right_belongs_to_the_round_of_that() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    world.work(1, &["a"]);
    let round = world.board.round;
    let _ = world.tested(1, TestResult::Failed);
    assert!(world.get(1).superseded_by.is_some());
    assert!(round.is_some());
    assert_eq!(world.board.round, round);
}
