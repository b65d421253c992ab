//! Issues that wait for other issues.

use std::time::Duration;

use coord_core::assignment::AssignmentState;
use coord_core::command::{Rule, WhenBlocked};
use coord_core::key::EffectKind;
use coord_engine::{AssignInput, Engine, PlanInput, PlanWith};
use coord_forge::{Forge, NewIssue, SubIssueLink};
use coord_test_support::github::{Fault, When};

use crate::github::{Town, wanted};
use crate::world::{World, drive, input};

fn named(blockers: &[coord_engine::Blocker]) -> Vec<String> {
    blockers.iter().map(|it| it.issue.to_string()).collect()
}

async fn blockers(engine: &Engine, number: u64) -> Vec<String> {
    let repo = "api".into();
    let issue = engine.issue(&repo, number).await.unwrap();
    named(&engine.blocked_by(&repo, &issue).await.unwrap())
}

async fn open(world: &World, title: &str, body: &str) -> u64 {
    let new = NewIssue {
        title: title.to_owned(),
        body: body.to_owned(),
        ..NewIssue::default()
    };
    world.forge.create_issue(new).await.unwrap().number
}

/// 1 and 2 stand alone; 3 depends on both and on itself, on nothing that there is, and on #4, its part.
async fn family() -> World {
    let world = World::with_idle_workers().await;
    open(&world, "One", "").await;
    open(&world, "Two", "").await;
    open(&world, "Three", "Depends on #1, #2, #3 and #99").await;
    open(&world, "Four", "").await;
    open(&world, "Five", "").await;
    for child in [4, 5] {
        let link = world.forge.add_sub_issue(3, child).await.unwrap();
        assert_eq!(link, SubIssueLink::Linked);
    }
    world
}

#[tokio::test]
async fn open_ones_that_are_named_come_before_or_are_its_parts() {
    let world = family().await;
    let engine = world.engine().await;
    assert_eq!(
        blockers(&engine, 3).await,
        ["api#1", "api#2", "api#4", "api#5"]
    );
    assert_eq!(blockers(&engine, 5).await, ["api#4"]);
    assert_eq!(blockers(&engine, 4).await, [""; 0]);
    for number in [1, 4] {
        world.forge.close_issue(number, None).await.unwrap();
    }
    assert_eq!(blockers(&engine, 3).await, ["api#2", "api#5"]);
    assert_eq!(blockers(&engine, 5).await, [""; 0]);
}

#[tokio::test]
async fn what_waits_starts_when_the_last_of_them_is_closed() {
    let world = family().await;
    let engine = world.engine().await;
    let refused = engine.assign(input(5)).await.unwrap();
    assert_eq!(refused.refusal.unwrap().rule, Rule::Dependency);
    let mut ignoring = input(5);
    ignoring.waivers.ignore_deps = true;
    assert_eq!(engine.assign_dry(ignoring).await.unwrap().refusal, None);
    let waiting = AssignInput {
        when_blocked: WhenBlocked::Wait,
        ..input(5)
    };
    let committed = engine.assign(waiting).await.unwrap();
    assert_eq!(committed.refusal, None);
    let id = committed.board.assignments.keys().next().unwrap().clone();
    assert_eq!(
        committed.board.assignments[&id].state,
        AssignmentState::Waiting
    );
    // Somebody closes it, whoever that is.
    world.forge.close_issue(4, None).await.unwrap();
    drive(&engine, |board| {
        board.assignments[&id].state != AssignmentState::Waiting
    })
    .await;
    assert_eq!(world.open(EffectKind::Dispatch).await.len(), 1);
}

#[tokio::test]
async fn a_plan_leaves_out_what_has_to_wait() {
    let world = family().await;
    let plan = PlanInput {
        with: PlanWith::Rules,
        repos: Vec::new(),
        sync: false,
        dry_run: true,
    };
    let outcome = world.engine().await.plan(plan, |_| {}).await.unwrap();
    let mut proposed: Vec<u64> = outcome
        .proposals
        .iter()
        .map(|it| it.draft.issue.number)
        .collect();
    proposed.sort_unstable();
    assert_eq!(proposed, [1, 2, 4]);
}

#[tokio::test]
async fn one_that_nobody_can_ask_about_counts_as_open() {
    let town = Town::new().await;
    let mut ann = town.coordinator("ann");
    ann.patience = Duration::from_millis(1500);
    let engine = ann.engine().await;
    let first = town.lib.open_issue("First", "", &[], "ann");
    town.lib.close_issue(first, "ann");
    let body = format!("Blocked by lib#{first}");
    let number = town.api.open_issue("Then", &body, &[], "ann");
    let api = "api".into();
    let issue = engine.issue(&api, number).await.unwrap();
    let path = format!("/repos/acme/lib/issues/{first}");
    for _ in 0..10 {
        town.github
            .schedule(Fault::Status(502), When::request("GET", &path));
    }
    let found = engine.blocked_by(&api, &issue).await.unwrap();
    assert_eq!(named(&found), [format!("lib#{first}")]);
    assert!(found[0].unknown.is_some());
    town.github.clear_faults();
    assert_eq!(engine.blocked_by(&api, &issue).await.unwrap(), []);

    town.lib.hide_from("ann");
    let found = engine.blocked_by(&api, &issue).await.unwrap();
    assert!(found[0].unknown.is_some(), "{found:?}");
}

#[tokio::test]
async fn a_sync_tells_what_is_closed() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let first = town.api.open_issue("First", "Please.", &[], "ann");
    let number = town
        .api
        .open_issue("Then", &format!("Depends on #{first}"), &[], "ann");
    engine.sync(&"api".into()).await.unwrap();
    let waiting = AssignInput {
        when_blocked: WhenBlocked::Wait,
        ..wanted(number)
    };
    let committed = engine.assign(waiting).await.unwrap();
    assert_eq!(committed.refusal, None);
    let waits = |board: &coord_core::Board| {
        let it = board.assignments.values().next().unwrap();
        it.state == AssignmentState::Waiting
    };
    assert!(waits(&committed.board));
    town.api.close_issue(first, "ann");
    engine.sync(&"api".into()).await.unwrap();
    assert!(!waits(&engine.store().board().await.unwrap().clone()));
    town.is_in_order();
}
