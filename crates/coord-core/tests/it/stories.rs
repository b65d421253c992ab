//! End-to-end histories, as somebody would read them in the log.

use coord_core::assignment::{WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, WhenBlocked};
use coord_core::effect::{CombinedResult, Outcome};
use coord_core::failure::FailureClass;
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command};

use crate::world::{START, World, commit, green, id, kind, request, success};

fn merged_but_for_its_issue(world: &mut World, n: u64) {
    let key = world.key("merge", n);
    let (commit, warning) = (commit(0xface_0000 + n), None);
    let _ = world.answer(&key, Outcome::Merged { commit, warning });
    let key = world.key("close", n);
    let _ = world.answer(&key, Outcome::IssueClosed);
    world.post_comments();
}

/// The log, one line an event: seconds, kind, whose, and what else tells it from others.
fn history(world: &World) -> String {
    let line = |event: &BoardEvent| {
        let mut value = serde_json::to_value(event).unwrap();
        let whose = whose(&mut value);
        let detail = match event {
            BoardEvent::AssignmentWaits { why, .. } => format!(" ({})", why.why),
            BoardEvent::AssignmentRequested { assignment } => {
                format!(" on {}", assignment.machine)
            }
            BoardEvent::EffectQueued { key, .. } | BoardEvent::EffectSettled { key, .. } => {
                format!(" {key}")
            }
            BoardEvent::AssignmentSuperseded { by, cause, .. } => {
                format!(" by {by}, because {}", cause.as_str())
            }
            BoardEvent::MergeConflicted { paths, .. } => format!(" in {paths:?}"),
            BoardEvent::TestRecorded { verdict, .. } => format!(" {:?}", verdict.result),
            BoardEvent::AssignmentEnded { end, .. } => format!(" {:?}", end.result),
            BoardEvent::IssueClosed { issue } => format!(" {issue}"),
            _ => String::new(),
        };
        format!("{}{whose}{detail}", kind(event))
    };
    let lines = world.log.iter().map(|recorded| {
        let seconds = (recorded.at.as_millis() - START.as_millis()) / 1000;
        format!("{seconds:>3}s {}\n", line(&recorded.event))
    });
    lines.collect()
}

fn whose(value: &mut serde_json::Value) -> String {
    let id = match &value["id"] {
        serde_json::Value::String(id) => id.clone(),
        _ => match &value["assignment"]["id"] {
            serde_json::Value::String(id) => id.clone(),
            _ => return String::new(),
        },
    };
    format!(" {}", id.trim_start_matches('0'))
}

#[test]
fn one_issue_from_request_to_archive() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.sleep(1);
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    let (at, base) = (world.now, None);
    let _ = world.report(1, AgentReport::Started { at, base });
    world.sleep(60);
    let paths = vec!["src/lib.rs".into()];
    let _ = world.report(1, AgentReport::Files { paths });
    let _ = world.finish(1, success(1, &["src/lib.rs", "src/new.rs"]));
    world.post_comments();
    world.sleep(5);
    let _ = world.tested(1, TestResult::Passed);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
    insta::assert_snapshot!(history(&world));
}

#[test]
fn the_second_of_an_overlapping_pair_starts_when_the_first_is_merged() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/lib.rs"]));
    let mut second = request(2, "lib", 2, &["src/*.rs"]);
    second.when_blocked = WhenBlocked::Wait;
    world.assigned(second);
    world.work(1, &["src/lib.rs"]);
    world.sleep(5);
    let _ = world.tested(1, TestResult::Passed);
    world.merged(1, 1);
    world.sleep(20);
    world.work(2, &["src/lib.rs"]);
    let _ = world.tested(2, TestResult::Passed);
    world.merged(2, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
    insta::assert_snapshot!(history(&world));
}

#[test]
fn two_that_overlap_against_advice_and_conflict() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/"]));
    let mut second = request(2, "lib", 2, &["src/"]);
    second.waivers.allow_overlap = true;
    world.assigned(second);
    world.work(1, &["src/lib.rs"]);
    world.work(2, &["src/lib.rs"]);
    for n in [1, 2] {
        let _ = world.tested(n, TestResult::Passed);
        let _ = world.pull_opened(n);
    }
    let _ = world.combined(1, &[green()]);
    merged_but_for_its_issue(&mut world, 1);
    let paths = vec!["src/lib.rs".to_owned()];
    let _ = world.combined(2, &[CombinedResult::Conflict { paths }]);
    let rebased = world.next_of(2);
    let end = WorkerEnd {
        base: Some(world.tip("lib")),
        ..success(3, &["src/lib.rs"])
    };
    let _ = world.ends(rebased, end);
    let key = world.key("test", rebased);
    let (result, note) = (TestResult::Passed, String::new());
    let _ = world.answer(
        &key,
        Outcome::Tested {
            result,
            note,
            output: None,
        },
    );
    world.merged(rebased, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
    insta::assert_snapshot!(history(&world));
}

#[test]
fn a_worker_fails_and_another_one_manages() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    let failed = WorkerResult::Failed(FailureClass::Work);
    let _ = world.finish(1, WorkerEnd::unreported(failed, Some("no idea".into())));
    world.post_comments();
    world.sleep(30);
    world.assigned(request(2, "lib", 1, &[]));
    let _ = world.run(&Command::Stop { id: id(2) });
    let _ = world.answer("cancel:000000000002:13", Outcome::CancelDelivered);
    world.sleep(30);
    world.assigned(request(3, "lib", 1, &[]));
    world.work(3, &["a"]);
    let _ = world.tested(3, TestResult::Passed);
    world.merged(3, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
    insta::assert_snapshot!(history(&world));
}
