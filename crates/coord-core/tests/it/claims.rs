//! Repositories on which other coordinators work too: the claim comes before the worker.

use coord_core::assignment::AssignmentState;
use coord_core::command::{ClaimEvidence, Rule};
use coord_core::effect::{Effect, EffectRequest, ForeignClaim, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::EffectKey;
use coord_core::{BoardEvent, Command};

use crate::world::{World, id, policy, request};

fn shared() -> World {
    let mut policy = policy();
    for repo in policy.repos.values_mut() {
        repo.shared = true;
    }
    World::with(policy)
}

fn theirs(comment: u64) -> ForeignClaim {
    ForeignClaim {
        comment,
        author: "ben".into(),
        assignment: id(0xfe),
        machine: "tower".into(),
        at: crate::world::START,
    }
}

fn keys(world: &World) -> Vec<&str> {
    world.outbox.keys().map(EffectKey::as_str).collect()
}

fn claim_key() -> EffectKey {
    EffectKey::new(format!("claim:{}", id(1)))
}

fn answer(world: &mut World, key: EffectKey, outcome: Outcome) -> Vec<BoardEvent> {
    world.run(&Command::Outcome { key, outcome }).events
}

#[test]
fn nothing_is_dispatched_before_the_claim_stands() {
    let mut world = shared();
    world.assigned(request(1, "lib", 1, &[]));
    assert_eq!(keys(&world), [claim_key().as_str()]);
    let events = answer(&mut world, claim_key(), Outcome::Claimed);
    assert!(events.contains(&BoardEvent::ClaimWon { id: id(1) }));
    assert_eq!(keys(&world), [format!("dispatch:{}", id(1))]);
}

#[test]
fn whoever_loses_never_starts_a_worker() {
    let mut world = shared();
    world.assigned(request(1, "lib", 1, &[]));
    let lost = Outcome::ClaimLost {
        to: Some(theirs(7)),
    };
    answer(&mut world, claim_key(), lost);
    let it = &world.board.assignments[&id(1)];
    assert_eq!(it.state, AssignmentState::Cancelled);
    insta::assert_snapshot!(
        it.end.as_ref().unwrap().error.as_ref().unwrap(),
        @"claimed before by assignment 0000000000fe of another coordinator on tower (comment 7 by ben)"
    );
    assert!(keys(&world).iter().all(|key| key.starts_with("release:")));
}

#[test]
fn a_stop_while_the_claim_is_on_its_way_takes_it_back() {
    let mut world = shared();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.run(&Command::Stop { id: id(1) });
    let cancel = keys(&world)[0].to_owned();
    assert!(cancel.starts_with("cancel:"), "{cancel}");
    answer(&mut world, EffectKey::new(cancel), Outcome::CancelDelivered);
    let state = |world: &World| world.board.assignments[&id(1)].state;
    assert_eq!(state(&world), AssignmentState::Requested);
    answer(&mut world, claim_key(), Outcome::Claimed);
    assert_eq!(state(&world), AssignmentState::Cancelled);
    let left: Vec<&Effect> = world.outbox.values().map(|it| &it.effect).collect();
    assert!(
        matches!(left[..], [Effect::ReleaseClaim { .. }]),
        "{left:?}"
    );
}

#[test]
fn a_claim_that_is_given_up_for_a_stop_is_no_failure() {
    let mut world = shared();
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.run(&Command::Stop { id: id(1) });
    let given_up = Outcome::Failed {
        class: FailureClass::Configuration,
        error: "it was stopped".into(),
    };
    answer(&mut world, claim_key(), given_up);
    assert_eq!(
        world.board.assignments[&id(1)].state,
        AssignmentState::Cancelled
    );
    let posted = |it: &&EffectRequest| matches!(it.effect, Effect::PostComment(_));
    assert_eq!(world.outbox.values().find(posted), None);
}

#[test]
fn a_foreign_claim_refuses_until_a_person_takes_over() {
    let mut world = shared();
    let mut wanted = request(1, "lib", 1, &[]);
    wanted.evidence = ClaimEvidence::Known {
        branches: Vec::new(),
        claims: vec![theirs(7), theirs(9)],
    };
    let refused = world.run(&Command::Assign(Box::new(wanted.clone())));
    let refusal = refused.refusal.unwrap();
    assert_eq!(refusal.rule, Rule::Claimed);
    assert!(refusal.hint.unwrap().contains("--take-over"));

    wanted.waivers.take_over = true;
    world.assigned(wanted);
    let above = world.outbox.values().find_map(|it| match &it.effect {
        Effect::Claim { above, .. } => *above,
        _ => None,
    });
    assert_eq!(above, Some(9));
}

#[test]
fn an_issue_of_a_stranger_waits_for_a_person() {
    let mut world = World::new();
    let mut wanted = request(1, "lib", 1, &[]);
    wanted.issue.trusted = false;
    let refused = world.run(&Command::Assign(Box::new(wanted.clone())));
    let refusal = refused.refusal.unwrap();
    assert_eq!(refusal.rule, Rule::Untrusted);
    assert!(refusal.hint.unwrap().contains("--trust"));
    wanted.waivers.trust = true;
    world.assigned(wanted);
    assert!(world.board.assignments.contains_key(&id(1)));
}
