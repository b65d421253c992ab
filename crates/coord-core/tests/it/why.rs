//! Stage and sentence of an issue at every point of its way.

use coord_core::assignment::{TestResult, WorkerEnd, WorkerResult};
use coord_core::command::{AgentReport, WhenBlocked};
use coord_core::effect::Outcome;
use coord_core::ids::CommitId;
use coord_core::{Command, why};

use crate::world::{START, World, id, issue_ref, request};

fn explain(world: &World, repo: &str, number: u64) -> String {
    let why = why(
        &world.board,
        &world.policy,
        &issue_ref(repo, number),
        world.now,
    );
    let waits_for = serde_json::to_value(&why.waits_for).unwrap();
    let waits_for = waits_for["for"].as_str().unwrap_or("nothing").to_owned();
    format!("{}: {} [{waits_for}]", why.stage.as_str(), why.sentence)
}

#[test]
fn from_new_to_merged() {
    let mut world = World::new();
    let mut lines = Vec::new();
    let mut say = |world: &World| lines.push(explain(world, "lib", 1));
    say(&world);
    world.assigned(request(1, "lib", 1, &["src/"]));
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
    world.policy.reviews_enabled = true;
    let (result, note) = (TestResult::Skipped, String::new());
    let id_1 = id(1);
    let _ = world.run(&Command::RecordVerdict {
        id: id_1,
        result,
        note,
    });
    say(&world);
    world.policy.reviews_enabled = false;
    say(&world);
    let _ = world.run(&Command::Tick);
    say(&world);
    let base = CommitId::new("b".repeat(40));
    let paths = vec!["src/a.rs".into()];
    let _ = world.answer(
        &format!("merge:{}:1", id(1)),
        Outcome::MergeConflict { base, paths },
    );
    say(&world);
    let _ = world.merge(&[1], false);
    let reason = "protected".into();
    let _ = world.answer(
        &format!("merge:{}:2", id(1)),
        Outcome::MergeRefused { reason },
    );
    say(&world);
    let _ = world.merge(&[1], false);
    let commit = CommitId::new("c".repeat(40));
    let _ = world.answer(&format!("merge:{}:3", id(1)), Outcome::Merged { commit });
    say(&world);
    insta::assert_snapshot!(lines.join("\n"), @r"
    new: no assignment on the board is for lib#1 [nothing]
    claimed: it is to be dispatched to rack [agent]
    claimed: the agent on rack cannot be reached; whether it has the assignment is unknown [agent]
    working: its agent on rack cannot be reached; its worker may still run [worker]
    working: its worker runs on rack [worker]
    working: its worker on rack is stuck: left or right? [person]
    testing: 0000000000 is being tested [test]
    testing: it is not merged: its tests failed [person]
    reviewing: it waits in the merge queue: its head has no approving review [gate]
    merging: it is next in the merge queue [nothing]
    merging: the forge was asked to merge it [forge]
    merging: it conflicts with bbbbbbbbbb in src/a.rs; it is tried again when the base moves [base]
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
