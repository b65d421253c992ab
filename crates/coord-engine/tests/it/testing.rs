//! Running the tests of a branch.

use std::time::Duration;

use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::effect::CommentEvent;
use coord_core::failure::FailureClass;
use coord_core::ids::AssignmentId;
use coord_core::policy::Gate;
use coord_core::verdict::TestResult;
use coord_engine::Engine;
use coord_test_support::git_fixture::git;
use coord_test_support::processes;

use crate::world::{World, drive_to_the_end};

/// One issue up to its end, with these commands as its tests.
async fn tested(commands: &[&str], limit: Duration) -> (World, Engine, AssignmentId) {
    let mut world = World::new().await;
    world.commands = commands.iter().map(|it| (*it).to_owned()).collect();
    world.test_limit = limit;
    // What is red stays as it is.
    world.policy.pipeline.max_iterations = 0;
    world
        .test_env
        .push(("SCRATCH".to_owned(), world.path("").display().to_string()));
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive_to_the_end(&engine, &id).await;
    (world, engine, id)
}

const MINUTE: Duration = Duration::from_secs(60);

fn log(engine: &Engine, it: &Assignment) -> String {
    let head = it.deliverable().unwrap().head;
    std::fs::read_to_string(engine.test_log(&it.id, head)).unwrap()
}

#[tokio::test]
async fn what_is_red_is_not_merged() {
    let (world, engine, id) = tested(&["echo sum is 5; exit 1", "echo never"], MINUTE).await;
    let it = world.assignment(&id).await;
    assert_eq!(it.state, AssignmentState::Done);
    assert_eq!(it.merge, None);
    let verdict = it.verdict.as_ref().unwrap();
    assert_eq!(verdict.result, TestResult::Failed);
    assert_eq!(
        verdict.note,
        "`echo sum is 5; exit 1` ended with code 1: sum is 5"
    );
    assert_eq!(log(&engine, &it), "$ echo sum is 5; exit 1\nsum is 5\n");
    let output = verdict.output.as_deref();
    assert_eq!(output, Some("$ echo sum is 5; exit 1\nsum is 5"));
    assert_eq!(world.main_length(), 1);
    let posted = world.comments(1).await;
    assert_eq!(posted, [CommentEvent::Briefing, CommentEvent::Completion]);
}

#[tokio::test]
async fn what_takes_too_long_is_ended_and_is_not_red() {
    let hang = "echo begins; sleep 1000 & echo $! >> $SCRATCH/pids; wait";
    let (world, engine, id) = tested(&[hang], Duration::from_secs(2)).await;
    let it = world.assignment(&id).await;
    assert_eq!((it.verdict.as_ref(), it.merge.as_ref()), (None, None));
    let failure = it.delivery.test_failure.as_ref().unwrap();
    assert_eq!(
        failure.class,
        FailureClass::Environmental { retry_at: None }
    );
    assert!(
        failure.why.ends_with("the limit of 2 s was up"),
        "{}",
        failure.why
    );
    assert!(log(&engine, &it).ends_with("begins\n"));
    let pids = std::fs::read_to_string(world.path("pids")).unwrap();
    let pids: Vec<u32> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2, "it is tried once more");
    processes::wait_gone(&pids, MINUTE).unwrap();
}

#[tokio::test]
async fn a_tool_that_is_missing_is_not_red_and_for_a_person() {
    let count = "echo run >> $SCRATCH/runs";
    let (world, _, id) = tested(&[count, "no-such-tool"], MINUTE).await;
    let it = world.assignment(&id).await;
    assert_eq!((it.verdict.as_ref(), it.merge.as_ref()), (None, None));
    let failure = it.delivery.test_failure.as_ref().unwrap();
    assert_eq!(failure.class, FailureClass::Configuration);
    assert!(failure.why.contains("code 127"), "{}", failure.why);
    let runs = std::fs::read_to_string(world.path("runs")).unwrap();
    assert_eq!(runs.lines().count(), 1);
}

#[tokio::test]
async fn without_a_test_command_the_test_is_skipped() {
    let (world, engine, id) = tested(&[], MINUTE).await;
    world.all_is_done_once(&id).await;
    assert!(engine.policy().gates.contains(&Gate::Test));
    let verdict = world.assignment(&id).await.verdict.unwrap();
    assert_eq!(verdict.result, TestResult::Skipped);
}

#[tokio::test]
async fn the_worktree_is_the_branch_and_is_gone_afterwards() {
    let look = "git rev-parse HEAD > $SCRATCH/head; pwd > $SCRATCH/where; touch left-behind";
    let (world, _, id) = tested(&[look], MINUTE).await;
    let it = world.assignment(&id).await;
    let read = |name| {
        std::fs::read_to_string(world.path(name))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(read("head"), it.deliverable().unwrap().head.as_str());
    assert!(!std::path::Path::new(&read("where")).exists());
    let clone = world.fixture.clone_path();
    assert_eq!(
        git(&clone, &["worktree", "list"]).unwrap().lines().count(),
        1
    );
    assert_eq!(git(&clone, &["status", "--porcelain"]).unwrap(), "");
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_nothing_else() {
    let (world, _, _) = tested(&["env > $SCRATCH/env"], MINUTE).await;
    let env = std::fs::read_to_string(world.path("env")).unwrap();
    // What a shell sets by itself.
    let own = ["PWD", "OLDPWD", "SHLVL", "_"];
    let mut names: Vec<_> = env
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    names.retain(|(name, _)| !own.contains(name));
    names.sort();
    let mut given = world.test_env.clone();
    given.push(("SCRATCH".to_owned(), world.path("").display().to_string()));
    given.sort();
    given.dedup();
    let given: Vec<_> = given
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(names, given);
}

#[tokio::test]
async fn a_process_that_ran_away_with_the_output_holds_nothing_up() {
    let run_away = "setsid sh -c 'echo $$ > $SCRATCH/pid; exec sleep 1000' & \
                    until test -s $SCRATCH/pid; do sleep 0.1; done";
    let (world, _, id) = tested(&[run_away], MINUTE).await;
    let pid = std::fs::read_to_string(world.path("pid"))
        .unwrap()
        .trim()
        .to_owned();
    let alive = processes::is_alive(pid.parse().unwrap());
    std::process::Command::new("kill")
        .arg(&pid)
        .status()
        .unwrap();
    assert!(alive, "it did not run away: this test shows nothing");
    world.all_is_done_once(&id).await;
}

#[tokio::test]
async fn a_command_that_closes_its_output_first_is_waited_for() {
    let silent = "exec >&- 2>&-; sleep 1; exit 4";
    let (world, _, id) = tested(&[silent], MINUTE).await;
    let verdict = world.assignment(&id).await.verdict.unwrap();
    assert_eq!(
        verdict.note,
        format!("`{silent}` ended with code 4: no output")
    );
}
