//! End-to-end histories, as somebody would read them in the log.

use coord_core::assignment::{TestResult, WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, WhenBlocked};
use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_core::{BoardEvent, Command};

use crate::world::{START, World, id, kind, request};

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
    let _ = world.finish(1, crate::world::success(1, &["src/lib.rs", "src/new.rs"]));
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
    let _ = world.tested(2, TestResult::Passed);
    let _ = world.tested(1, TestResult::Passed);
    let base = CommitId::new("b".repeat(40));
    let paths = vec!["src/lib.rs".to_owned()];
    let conflict = Outcome::MergeConflict { base, paths };
    let _ = world.answer(&format!("merge:{}:1", id(2)), conflict);
    world.merged(1, 1);
    world.merged(2, 2);
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
