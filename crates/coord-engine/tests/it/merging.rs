//! Merging into a base that moves.

use coord_core::assignment::{Assignment, AssignmentKind, AssignmentState};
use coord_core::ids::AssignmentId;
use coord_core::{Board, BoardEvent};
use coord_engine::{Engine, settled};
use coord_protocol::{EndReport, EndResult};
use coord_test_support::git_fixture::git;

use crate::agent::ended;
use crate::combining::tip;
use crate::world::{World, drive, drive_to_the_end};

/// A worker that rewrites the README, up to where it goes by itself.
async fn rewrites(world: &World, engine: &Engine, id: &AssignmentId, text: &str) {
    let branch = world.assignment(id).await.branch;
    let end = world.solved(&branch, "README.md", text);
    world.agent.worker_ends(id, end);
    drive_to_the_end(engine, id).await;
}

#[tokio::test]
async fn a_conflict_goes_to_a_worker_that_brings_the_branch_up_to_the_base() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let first = world.running(&engine, "one").await;
    let second = world.running(&engine, "two").await;
    let end = world.solved("issue-2-two", "README.md", "# two\n");
    rewrites(&world, &engine, &first, "# one\n").await;
    let base = tip(&world);

    world.agent.worker_ends(&second, end);
    let follows = |it: &&Assignment| it.follows.as_ref() == Some(&second);
    let mut rebase = None;
    drive(&engine, |board| {
        rebase = board.assignments.values().find(follows).cloned();
        rebase.is_some()
    })
    .await;
    let rebase = rebase.unwrap();
    assert_eq!(rebase.kind, AssignmentKind::Rebase);
    assert_eq!(rebase.branch, "issue-2-two");
    assert_eq!(rebase.start.onto.as_ref().unwrap().as_str(), base);

    let end = brought_up(&world, "issue-2-two");
    let works = async {
        world
            .agent
            .until(|seen| seen.workers.contains(&rebase.id))
            .await;
        world.agent.worker_starts(&rebase.id);
        world.agent.worker_ends(&rebase.id, end);
    };
    tokio::join!(works, drive(&engine, |board| board.assignments.is_empty()));
    assert_eq!(
        world.fixture.remote_file("main", "README.md").as_deref(),
        Some("# two")
    );
    let conflicts = world.history(|event| match event {
        BoardEvent::MergeConflicted { id, base, paths } => {
            Some((id.clone(), base.as_str().to_owned(), paths.clone()))
        }
        _ => None,
    });
    let paths = vec!["README.md".to_owned()];
    assert_eq!(conflicts.await, [(second, base, paths)]);
}

#[tokio::test]
async fn a_pair_that_is_red_together_sends_the_second_back_on_top_of_the_first() {
    let mut world = World::with_idle_workers().await;
    let both = "! { test -e a.txt && test -e b.txt; }";
    world.commands = vec![both.to_owned()];
    let engine = world.engine().await;
    let mut ids = Vec::new();
    for title in ["one", "two"] {
        ids.push(world.running(&engine, title).await);
    }
    for (id, file) in ids.iter().zip(["a.txt", "b.txt"]) {
        let branch = world.assignment(id).await.branch;
        world
            .agent
            .worker_ends(id, world.solved(&branch, file, "it\n"));
    }
    let mut fix = None;
    drive(&engine, |board| {
        let fixes = |it: &&Assignment| it.kind == AssignmentKind::Fix;
        fix = board.assignments.values().find(fixes).cloned();
        fix.is_some()
    })
    .await;
    let fix = fix.unwrap();
    let culprit = fix.follows.clone().unwrap();
    let landed = ids.iter().find(|id| **id != culprit).unwrap();
    assert!(world.assignment(landed).await.merged_as().is_some());
    assert_eq!(fix.start.onto.as_ref().unwrap().as_str(), tip(&world));
    let with = world.history(|event| match event {
        BoardEvent::CombinationRed { id, with, .. } => Some((id.clone(), with.clone())),
        _ => None,
    });
    let with = with.await;
    let [(red, with)] = with.as_slice() else {
        panic!("{with:?}");
    };
    assert_eq!(red, &culprit);
    // The first may have been in the base by then.
    assert!(with.as_ref().is_none_or(|with| with == landed), "{with:?}");
    let said = fix.issue_body.as_deref().unwrap();
    assert!(said.contains(both), "{said}");
    assert_eq!(world.main_length(), 2);
}

/// A worker takes the base in, and keeps what the branch has.
fn brought_up(world: &World, branch: &str) -> EndReport {
    let desk = world.path("desks").join(branch);
    let git = |args: &[&str]| git(&desk, args).unwrap();
    git(&["fetch", "--quiet"]);
    git(&[
        "merge",
        "--quiet",
        "--strategy-option",
        "ours",
        "origin/main",
    ]);
    git(&["push", "--quiet", "origin", branch]);
    EndReport {
        exit_code: Some(0),
        branch: Some(branch.to_owned()),
        head: Some(git(&["rev-parse", "HEAD"])),
        base: Some(git(&["rev-parse", "origin/main"])),
        commits: 2,
        pushed: true,
        files: vec!["README.md".to_owned()],
        ..ended(EndResult::Done)
    }
}

#[tokio::test]
async fn work_without_a_commit_is_not_merged() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let id = world.running(&engine, "advise").await;
    world.agent.worker_ends(&id, ended(EndResult::Done));
    drive_to_the_end(&engine, &id).await;
    let it = world.assignment(&id).await;
    assert_eq!(
        (it.state, it.merge, it.verdict),
        (AssignmentState::Done, None, None)
    );
    assert_eq!(world.main_length(), 1);
}

#[tokio::test]
async fn a_branch_that_moved_during_its_test_is_tested_anew() {
    let mut world = World::with_idle_workers().await;
    // While the tests run for the first time, somebody pushes to the branch.
    let desk = world.path("desks").join("issue-1-one");
    let runs = world.path("runs");
    world
        .test_env
        .push(("DESK".to_owned(), desk.display().to_string()));
    world
        .test_env
        .push(("RUNS".to_owned(), runs.display().to_string()));
    world.commands = vec![
        "git rev-parse HEAD >> $RUNS".to_owned(),
        "test $(wc -l < $RUNS) -gt 1 || { cd $DESK && git -c user.name=x \
         -c user.email=x@example.invalid commit --quiet --allow-empty --message more \
         && git push --quiet origin HEAD; }"
            .to_owned(),
    ];
    let engine = world.engine().await;
    let id = world.running(&engine, "one").await;
    rewrites(&world, &engine, &id, "# one\n").await;
    drive(&engine, |board| board.assignments.is_empty()).await;
    let newer = git(&desk, &["rev-parse", "HEAD"]).unwrap();
    let older = git(&desk, &["rev-parse", "HEAD~"]).unwrap();
    let runs = std::fs::read_to_string(runs).unwrap();
    assert_eq!(runs.lines().collect::<Vec<_>>(), [older, newer.clone()]);
    let it = world.assignment(&id).await;
    assert_eq!(it.verdict.as_ref().unwrap().head.as_str(), newer);
    assert!(it.merged_as().is_some());
    assert!(git(&world.fixture.clone_path(), &["fsck"]).is_ok());
    let at_rest = |board: &Board| settled(board, &id);
    assert!(at_rest(&engine.store().board().await.unwrap()));
}
