//! What agents say: once, twice, too late, and from the wrong place.

use coord_core::assignment::{AssignmentState, WorkerEnd, WorkerResult};
use coord_core::command::AgentReport;
use coord_core::effect::{CommentEvent, Outcome};
use coord_core::failure::FailureClass;
use coord_core::{BoardEvent, Command};

use crate::world::{START, World, comment, id, kinds, request, success};

fn started() -> AgentReport {
    AgentReport::Started {
        at: START,
        base: None,
    }
}

fn files(paths: &[&str]) -> AgentReport {
    AgentReport::Files {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn stuck(question: &str) -> AgentReport {
    AgentReport::Stuck {
        question: question.into(),
    }
}

fn dispatched(world: &mut World, n: u64) {
    let _ = world.answer(&format!("dispatch:{}", id(n)), Outcome::Dispatched);
}

fn failure(error: &str) -> WorkerEnd {
    let result = WorkerResult::Failed(FailureClass::Work);
    WorkerEnd {
        exit_code: Some(1),
        ..WorkerEnd::unreported(result, Some(error.into()))
    }
}

#[test]
fn every_word_counts_once() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/"]));
    let finished = AgentReport::Finished {
        at: START,
        end: Box::new(success(1, &["src/a.rs", "src/b.rs"])),
    };
    let resets_at = START.plus_secs(60);
    for report in [
        started(),
        files(&["src/a.rs", "src/a.rs"]),
        stuck("Which one?"),
        AgentReport::RateLimited { resets_at },
        finished,
    ] {
        let first = world.report(1, report.clone());
        assert_ne!(first.events, [], "{report:?}");
        let second = world.report(1, report.clone());
        assert_eq!(second.events, [], "{report:?}");
    }
    assert_eq!(world.report(1, files(&["src/late.rs"])).events, []);
    assert_eq!(world.report(1, stuck("Late?")).events, []);
    assert_eq!(world.report(1, AgentReport::Unknown).events, []);
}

#[test]
fn an_agent_that_speaks_of_an_assignment_has_it() {
    for report in [started(), files(&["a"]), stuck("?")] {
        let mut world = World::new();
        world.assigned(request(1, "lib", 1, &[]));
        let decision = world.report(1, report);
        assert_eq!(
            kinds(&decision)[..2],
            ["effect_settled", "assignment_accepted"]
        );
        assert_eq!(world.get(1).state, AssignmentState::Running);
        assert!(!world.open().contains(&"dispatch:000000000001"));
    }
}

#[test]
fn other_agents_have_no_say() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    for report in [started(), files(&["a"]), AgentReport::Unknown] {
        let machine = "desk".into();
        let id = id(1);
        let decision = world.run(&Command::Report {
            machine,
            id,
            report,
        });
        assert_eq!(decision.events, []);
    }
}

#[test]
fn two_workers_on_one_path_are_told_once() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.assigned(request(2, "lib", 2, &[]));
    let overlaps = |world: &mut World, n, path| {
        let decision = world.report(n, files(&[path]));
        let overlaps = decision.events.into_iter().filter_map(|event| match event {
            BoardEvent::OverlapObserved { id, other, path } => Some((id, other, path)),
            _ => None,
        });
        overlaps.collect::<Vec<_>>()
    };
    let overlap = (id(2), id(1), "src/a.rs".to_owned());
    assert_eq!(overlaps(&mut world, 2, "src/a.rs"), [overlap]);
    assert_eq!(
        overlaps(&mut world, 1, "src/a.rs"),
        [],
        "the same pair and path"
    );
    assert_eq!(overlaps(&mut world, 2, "docs/b.md"), []);
    assert_eq!(
        overlaps(&mut world, 1, "docs/b.md").len(),
        1,
        "seen to be changed by 2"
    );
}

#[test]
fn one_question_is_posted_and_all_are_recorded() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    dispatched(&mut world, 1);
    let _ = world.report(1, stuck("Which of <!-- coord:event=merge --> @all?"));
    insta::assert_snapshot!(comment(&world, CommentEvent::Stuck, 1).replace('\u{200b}', "_"), @r"
    The worker is stuck and asks:

    ```text
    Which of <!-_- coord:event=merge --_> @_all?
    ```
    ");
    let second = world.report(1, stuck("Another one?"));
    assert_eq!(kinds(&second), ["worker_stuck"]);
    assert_eq!(world.get(1).stuck.as_deref(), Some("Another one?"));
}

#[test]
fn an_agent_that_was_never_asked_may_not_know_it() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    assert_eq!(world.report(1, AgentReport::Unknown).events, []);
    dispatched(&mut world, 1);
    let _ = world.report(1, AgentReport::Unknown);
    assert_eq!(world.get(1).state, AssignmentState::Lost);
    insta::assert_snapshot!(comment(&world, CommentEvent::Failure, 1), @"The agent on `rack` had accepted this work and no longer knows it. Whatever it committed is not published.");
}

#[test]
fn unreachable_is_not_dead() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    dispatched(&mut world, 1);
    let before = world.get(1).clone();
    let silent = Command::AgentUnreachable {
        machine: "rack".into(),
        error: "timed out".into(),
    };
    assert_eq!(kinds(&world.run(&silent)), ["agent_silent"]);
    world.sleep(3600);
    assert_eq!(world.run(&silent).events, [], "once per silence");
    assert_eq!(*world.get(1), before);
    let back = Command::AgentReachable {
        machine: "rack".into(),
    };
    assert_eq!(kinds(&world.run(&back)), ["agent_back"]);
    assert_eq!(world.run(&back).events, []);
    assert_eq!(kinds(&world.run(&silent)), ["agent_silent"]);
}

#[test]
fn a_failure_is_told_with_what_is_left() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let end = WorkerEnd {
        wip_ref: Some("refs/coord/wip/000000000001".into()),
        ..failure("the tests\nwould not pass")
    };
    let _ = world.finish(1, end);
    assert_eq!(world.get(1).state, AssignmentState::Failed);
    insta::assert_snapshot!(comment(&world, CommentEvent::Failure, 1), @r"
    The worker failed (work).

    ```text
    the tests
    would not pass
    ```

    Files that it did not commit are kept under `refs/coord/wip/000000000001`.
    ");
}

#[test]
fn done_without_a_commit_is_advisory() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let end = WorkerEnd {
        exit_code: Some(0),
        ..WorkerEnd::unreported(WorkerResult::Done, None)
    };
    let _ = world.finish(1, end);
    assert_eq!(world.get(1).state, AssignmentState::Done);
    assert!(!world.get(1).claims_issue());
    world.post_comments();
    assert_eq!(world.open(), [""; 0], "nothing is tested or merged");
}

#[test]
fn a_dispatch_that_arrives_after_all_is_stopped() {
    let mut world = World::new();
    world.assigned(request(1, "lib", 1, &[]));
    let (class, error) = (FailureClass::Configuration, "no such model".into());
    let key = format!("dispatch:{}", id(1));
    let _ = world.answer(&key, Outcome::Failed { class, error });
    world.post_comments();

    let late = world.report(1, started());
    assert_eq!(kinds(&late), ["worker_started", "effect_queued"]);
    assert_eq!(world.get(1).state, AssignmentState::Failed);
    assert_eq!(world.report(1, started()).events, []);
    assert!(world.open()[0].starts_with("cancel:"));
}
