//! Splitting an issue: sub-issues once, whatever happens, and what a person wrote stays.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use coord_core::command::PlanRequest;
use coord_core::effect::Outcome;
use coord_core::ids::{IssueRef, SplitId};
use coord_core::key::EffectKind;
use coord_core::proposal::{Candidate, Chunk, Planner, SplitDraft};
use coord_core::{BoardEvent, Command};
use coord_engine::Engine;
use coord_forge::{Forge, NewIssue};
use coord_test_support::github::Fault;
use futures_util::future::join_all;

use crate::github::Town;
use crate::world::{PATIENCE, World, drive};

fn chunk(title: &str, scope: &str, after: &[usize]) -> Chunk {
    Chunk {
        title: title.to_owned(),
        scope: scope.to_owned(),
        files: vec![format!("src/{title}/**")],
        after: after.to_vec(),
    }
}

/// A split of the issue in three parts is proposed and approved.
async fn approved(engine: &Engine, number: u64) {
    let repo = "api".into();
    let issue = engine.issue(&repo, number).await.unwrap();
    let own = IssueRef { repo, number };
    let draft = SplitDraft {
        issue: own.clone(),
        rationale: "It is large.".to_owned(),
        chunks: vec![
            chunk("model", "The tables.", &[]),
            chunk("view", "<!-- coord:event=merge --> ask @everybody", &[0]),
            chunk("docs", "The rest.", &[0, 1]),
        ],
    };
    let candidate = Candidate {
        issue,
        blocked_by: Vec::new(),
    };
    let plan = PlanRequest {
        planner: Planner::Rules { instead: None },
        cost_usd: 0.0,
        candidates: [(own, candidate)].into(),
        proposals: Vec::new(),
        splits: vec![draft],
        refused: Vec::new(),
    };
    let planned = engine.command(Command::Plan(Box::new(plan))).await.unwrap();
    assert_eq!(planned.board.splits.len(), 1, "{planned:?}");
    let id = *planned.board.splits.keys().next().unwrap();
    let split = engine.command(Command::Split { id }).await.unwrap();
    assert_eq!(split.refusal, None);
}

async fn created(engine: &Engine) -> Vec<u64> {
    drive(engine, |board| board.splits.is_empty()).await;
    let all = engine.store().history(Default::default()).await.unwrap();
    let mut done = all.iter().filter_map(|it| match &it.event {
        BoardEvent::SplitDone { created, .. } => Some(created.clone()),
        _ => None,
    });
    done.next().unwrap()
}

async fn parent(world: &World) -> u64 {
    let new = NewIssue {
        title: "Everything".to_owned(),
        body: "All of it.\n".to_owned(),
        labels: vec!["ui".to_owned()],
        ..NewIssue::default()
    };
    world.forge.create_issue(new).await.unwrap().number
}

async fn is_split_once(world: &World, parent: u64) {
    let open = world.forge.open_issues().await.unwrap();
    let titles: Vec<&str> = open.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(titles, ["Everything", "model", "view", "docs"]);
    let numbers: Vec<u64> = open.iter().skip(1).map(|it| it.number).collect();
    assert_eq!(world.forge.sub_issues(parent).await.unwrap(), Some(numbers));
}

#[tokio::test]
async fn each_part_is_an_issue_and_the_parent_keeps_its_text() {
    let world = World::with_idle_workers().await;
    let number = parent(&world).await;
    let engine = world.engine().await;
    approved(&engine, number).await;
    assert_eq!(created(&engine).await, [2, 3, 4]);
    is_split_once(&world, number).await;
    let body = |number| {
        let forge = &world.forge;
        async move { forge.issue(number).await.unwrap().unwrap().body }
    };
    insta::assert_snapshot!(body(number).await, @r"
    All of it.

    <!-- coord:begin=tasks -->
    - [ ] #2 model
    - [ ] #3 view
    - [ ] #4 docs
    <!-- coord:end=tasks -->
    ");
    insta::assert_snapshot!(body(4).await, @r"
    Part of #1.
    Depends on #2
    Depends on #3

    The rest.

    Files:

    - `src/docs/**`
    ");
    let hostile = body(3).await;
    assert!(
        !hostile.contains("<!--") && !hostile.contains("@everybody"),
        "{hostile}"
    );
    assert_eq!(world.forge.issue(2).await.unwrap().unwrap().labels, ["ui"]);
}

#[tokio::test]
async fn asked_for_twice_it_is_one_split() {
    let world = World::with_idle_workers().await;
    let number = parent(&world).await;
    let engine = world.engine().await;
    approved(&engine, number).await;
    let again = engine
        .command(Command::Split { id: SplitId(1) })
        .await
        .unwrap();
    assert_eq!((again.refusal, again.recorded.len()), (None, 0));
    created(&engine).await;
    is_split_once(&world, number).await;
}

/// Polls it so many times and drops it then: a process that dies in the middle.
async fn cut_off_after(polls: usize, work: impl Future) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        work.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn a_process_ends_at_any_moment_of_it() {
    let mut whole = false;
    let mut polls = 1;
    while !whole {
        let world = World::with_idle_workers().await;
        let number = parent(&world).await;
        let engine = world.engine().await;
        approved(&engine, number).await;
        let key = world.open(EffectKind::Split).await[0].key.clone();
        whole = cut_off_after(polls, engine.carry_out_now(&[key])).await;
        drop(engine);
        world.time_gives_nothing_back().await;
        let engine = world.engine().await;
        assert_eq!(created(&engine).await, [2, 3, 4], "cut off after {polls}");
        is_split_once(&world, number).await;
        polls += 1;
    }
    assert!(polls > 10, "it was hardly ever cut off");
}

#[tokio::test]
async fn a_parent_that_is_gone_fails_it_for_good() {
    let world = World::with_idle_workers().await;
    let number = parent(&world).await;
    let engine = world.engine().await;
    approved(&engine, number).await;
    let row = world.open(EffectKind::Split).await.remove(0);
    let coord_core::effect::Effect::Split(mut spec) = row.effect else {
        panic!("another effect");
    };
    spec.parent.number = 77;
    let effect = coord_core::effect::Effect::Split(spec);
    let carried = crate::world::carried(&engine, "split:S9", effect).await;
    let Outcome::Failed { error, .. } = crate::world::outcome(carried) else {
        panic!("it is done");
    };
    assert_eq!(error, "there is no issue api#77");
}

/// An issue on GitHub is split while requests fail.
async fn on_github(what: String, faults: impl FnOnce(&Town)) {
    let town = Town::new().await;
    let mut ann = town.coordinator("ann");
    ann.patience = Duration::from_millis(1500);
    let engine = ann.engine().await;
    let number = town.api.open_issue("Everything", "All of it.", &[], "ann");
    engine.sync(&"api".into()).await.unwrap();
    approved(&engine, number).await;
    faults(&town);
    let numbers = tokio::time::timeout(PATIENCE, created(&engine)).await;
    let numbers = numbers.unwrap_or_else(|_| panic!("{what}: it is never split"));
    town.github.clear_faults();
    assert_eq!(numbers, [2, 3, 4], "{what}");
    assert_eq!(town.api.issues().len(), 4, "{what}");
    let body = town.api.issue(number).unwrap().body;
    assert!(
        body.starts_with("All of it.") && body.contains("- [ ] #4 docs"),
        "{what}: {body}"
    );
    // As known here as after a sync.
    let api = "api".into();
    let mirror = engine.mirror(&api).unwrap();
    assert_eq!(mirror.siblings_before(4).await.unwrap(), [2, 3], "{what}");
    let known = mirror.families().await.unwrap();
    engine.sync(&api).await.unwrap();
    assert_eq!(mirror.families().await.unwrap(), known, "{what}");
    town.is_in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_to_a_forge_may_fail_in_each_way() {
    let faults = [
        Fault::TimeOutAfterEffect,
        Fault::StatusAfterEffect(502),
        Fault::Status(500),
        Fault::ConnectionResetAfterEffect,
        Fault::ConnectionReset,
    ];
    let all = faults.map(|fault| {
        on_github(format!("{fault:?}"), move |town| {
            town.github.fail_every_call(&[fault]);
        })
    });
    join_all(all).await;
}

#[tokio::test]
async fn where_issues_have_no_parts_the_order_stands_in_their_text() {
    let town = Town::new().await;
    town.github.set_knows_sub_issues(false);
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let number = town.api.open_issue("Everything", "All of it.", &[], "ann");
    engine.sync(&"api".into()).await.unwrap();
    approved(&engine, number).await;
    assert_eq!(created(&engine).await, [2, 3, 4]);
    let last = engine.issue(&"api".into(), 4).await.unwrap();
    let blockers = engine.blocked_by(&"api".into(), &last).await.unwrap();
    let numbers: Vec<u64> = blockers.iter().map(|it| it.issue.number).collect();
    assert_eq!(numbers, [2, 3]);
}
