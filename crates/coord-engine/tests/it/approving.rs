//! Approving what is proposed: an assignment with the proposal's fields, once.

use coord_core::assignment::{FreshnessRule, Goal, Waivers};
use coord_core::command::{Rule, WhenBlocked};
use coord_core::ids::ProposalId;
use coord_core::ladder::{Tally, TrackRecord};
use coord_core::policy::ModelPolicy;
use coord_core::proposal::Size;
use coord_engine::{ApproveInput, Engine, EngineError, PlanInput, PlanWith};
use coord_forge::Forge;
use serde_json::json;

use crate::scripted_brain::{ScriptedBrain, proposal, proposals};
use crate::world::{World, assign, drive_to_the_end};

fn yes() -> ApproveInput {
    ApproveInput {
        briefing: None,
        when_blocked: WhenBlocked::Refuse,
        waivers: Waivers::default(),
        goal: Goal::Merged,
        freshness: FreshnessRule::Tell,
    }
}

/// The first proposals of a world.
async fn planned(engine: &Engine, answer: serde_json::Value) {
    let brain = ScriptedBrain::new().answers(&[answer]);
    let input = PlanInput {
        with: PlanWith::Brain(Box::new(brain.settings.clone())),
        repos: Vec::new(),
        sync: false,
        dry_run: false,
    };
    let outcome = engine.plan(input, |_| {}).await.unwrap();
    assert_eq!(outcome.refused, []);
}

#[tokio::test]
async fn the_worker_gets_what_was_proposed() {
    let mut world = World::with_idle_workers().await.with_second_machine();
    world.policy.models = ModelPolicy {
        default: Some("sonnet".to_owned()),
        sizes: [(Size::Large, "opus".to_owned())].into(),
        ..ModelPolicy::default()
    };
    let issue = world.issue("Solve it").await;
    let engine = world.engine().await;
    let mut said = proposal(issue.number, "m2", &["src/**"]);
    said["notes"] = json!("Look at src/lib.rs first.");
    said["size"] = json!("large");
    planned(&engine, proposals(&[said])).await;
    let dry = engine.approve_dry(ProposalId(1), yes()).await.unwrap();
    assert_eq!((dry.refusal, dry.effects.is_empty()), (None, false));
    let committed = engine.approve(ProposalId(1), yes()).await.unwrap();
    assert_eq!(committed.refusal, None);
    assert!(committed.board.proposals.is_empty());
    let it = committed.board.assignments.values().next().unwrap();
    assert_eq!(
        (it.machine.as_str(), it.model.as_deref()),
        ("m2", Some("opus"))
    );
    assert_eq!(it.scope.allowed, ["src/**"]);
    assert!(it.briefing.contains("Please do it.") && it.briefing.contains("src/lib.rs first"));

    let again = engine.approve(ProposalId(1), yes()).await;
    assert!(
        matches!(again, Err(EngineError::UnknownProposal(_))),
        "{again:?}"
    );
}

#[tokio::test]
async fn a_person_s_briefing_comes_first() {
    let world = World::with_idle_workers().await;
    let issue = world.issue("Solve it").await;
    let engine = world.engine().await;
    planned(&engine, proposals(&[proposal(issue.number, "m1", &[])])).await;
    let input = ApproveInput {
        briefing: Some("Only the docs.".to_owned()),
        ..yes()
    };
    let committed = engine.approve(ProposalId(1), input).await.unwrap();
    let it = committed.board.assignments.values().next().unwrap();
    assert_eq!(it.briefing, "Only the docs.");
}

#[tokio::test]
async fn of_two_who_approve_at_once_one_does() {
    let world = World::with_idle_workers().await;
    let issue = world.issue("Solve it").await;
    let engines = [world.engine().await, world.engine().await];
    planned(&engines[0], proposals(&[proposal(issue.number, "m1", &[])])).await;
    let both = engines
        .each_ref()
        .map(|engine| engine.approve(ProposalId(1), yes()));
    let [one, other] = both;
    let (one, other) = tokio::join!(one, other);
    let done = |it: &Result<coord_store::Committed, EngineError>| {
        it.as_ref()
            .is_ok_and(|committed| committed.refusal.is_none())
    };
    assert!(done(&one) != done(&other), "{one:?} {other:?}");
    let board = world.store.board().await.unwrap();
    assert_eq!((board.assignments.len(), board.proposals.len()), (1, 0));
}

#[tokio::test]
async fn what_has_changed_since_it_was_proposed_is_seen() {
    let world = World::with_idle_workers().await;
    let (one, two) = (world.issue("One").await, world.issue("Two").await);
    let engine = world.engine().await;
    let all = [
        proposal(one.number, "m1", &["a"]),
        proposal(two.number, "m1", &["b"]),
    ];
    planned(&engine, proposals(&all)).await;
    world.forge.close_issue(one.number, None).await.unwrap();
    assign(&engine, two.number).await;
    for (id, rule) in [(1, Rule::IssueClosed), (2, Rule::Claimed)] {
        let refused = engine.approve(ProposalId(id), yes()).await.unwrap();
        assert_eq!(refused.refusal.unwrap().rule, rule);
        assert!(
            refused.board.proposals.contains_key(&ProposalId(id)),
            "it may pass later"
        );
    }
}

#[tokio::test]
async fn earlier_work_is_told_to_those_who_choose_the_model() {
    let world = World::new().await;
    let engine = world.engine().await;
    let id = world.assigned(&engine, "Solve it").await;
    drive_to_the_end(&engine, &id).await;
    let record = world.store.track_record(&"api".into()).await.unwrap();
    let TrackRecord(tallies) = &record;
    let [
        Tally {
            issues: 1,
            at_first_try: 1,
            ..
        },
    ] = tallies.as_slice()
    else {
        panic!("{record:?}");
    };
}
