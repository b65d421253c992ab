//! One issue, one worker: what the board, and the branches on the forge, say about claims.

use coord_core::Refusal;
use coord_core::assignment::MergeMethod;
use coord_core::command::Rule;
use coord_core::ids::AssignmentId;
use coord_engine::{Engine, EngineError};
use coord_forge::{Forge, MergeOutcome, NewPull, PullMerge};

use crate::world::{World, input};

async fn refusal(engine: &Engine, issue: u64) -> Option<Refusal> {
    engine.assign(input(issue)).await.unwrap().refusal
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_the_same_instant_one_is_refused_and_told_of_the_other() {
    let world = World::new().await;
    let (one, two) = (world.engine().await, world.engine().await);
    for title in ["a", "b", "c", "d"] {
        let issue = world.issue(title).await.number;
        let (one, two) = tokio::join!(one.assign(input(issue)), two.assign(input(issue)));
        let (one, two) = (one.unwrap().refusal, two.unwrap().refusal);
        let board = world.store.board().await.unwrap();
        let first = board
            .assignments
            .values()
            .find(|it| it.issue.number == issue)
            .unwrap();
        let mut refusals = [one, two].into_iter().flatten();
        let refusal = refusals.next().unwrap();
        assert_eq!(
            (refusal.rule, refusal.assignment),
            (Rule::Claimed, Some(first.id.clone()))
        );
        assert_eq!(refusals.next(), None);
    }
}

#[tokio::test]
async fn a_foreign_branch_is_a_claim() {
    let world = World::new().await;
    let engine = world.engine().await;
    let issue = world.issue("Solve it").await.number;
    world.solved("issue-1-mine", "a.txt", "a\n");
    let refused = refusal(&engine, issue).await.unwrap();
    assert_eq!(refused.rule, Rule::Claimed);
    assert!(refused.why.contains("issue-1-mine"), "{}", refused.why);
}

#[tokio::test]
async fn the_branch_of_another_issue_is_none() {
    let world = World::new().await;
    let engine = world.engine().await;
    let issue = world.issue("Solve it").await.number;
    world.solved("issue-10-theirs", "a.txt", "a\n");
    world.solved("issue-1x", "b.txt", "b\n");
    assert_eq!(refusal(&engine, issue).await, None);
}

#[tokio::test]
async fn the_branch_of_a_merged_pull_is_none() {
    let world = World::new().await;
    let engine = world.engine().await;
    let issue = world.issue("Solve it").await.number;
    let head = world
        .solved("issue-1-first-half", "a.txt", "a\n")
        .head
        .unwrap();
    let new = NewPull {
        title: "the first half".to_owned(),
        body: String::new(),
        branch: "issue-1-first-half".to_owned(),
        base: "main".to_owned(),
    };
    let pull = world.forge.open_pull(new).await.unwrap();
    assert_eq!(refusal(&engine, issue).await.unwrap().rule, Rule::Claimed);
    let merge = PullMerge {
        head: head.into(),
        method: MergeMethod::Merge,
        message: "the first half".to_owned(),
        assignment: AssignmentId::from_bits(1),
        onto: None,
    };
    let merged = world.forge.merge_pull(pull.number, &merge).await.unwrap();
    assert!(matches!(merged, MergeOutcome::Merged { .. }), "{merged:?}");
    assert_eq!(refusal(&engine, issue).await, None);
}

#[tokio::test]
async fn a_forge_that_cannot_be_asked_is_a_question_to_the_person() {
    let world = World::new().await;
    let engine = world.engine().await;
    let issue = world.issue("Solve it").await.number;
    world.remote_is_at("http://127.0.0.1:1/api.git");
    let refused = refusal(&engine, issue).await.unwrap();
    assert_eq!(refused.rule, Rule::ClaimUnknown);
    let mut accepted = input(issue);
    accepted.waivers.accept_unknown = true;
    assert_eq!(engine.assign(accepted).await.unwrap().refusal, None);
}

#[tokio::test]
async fn a_forge_that_is_set_up_wrongly_is_an_error_that_cannot_be_waived() {
    let world = World::new().await;
    let engine = world.engine().await;
    let mut input = input(world.issue("Solve it").await.number);
    input.waivers.accept_unknown = true;
    world.remote_is_at("/nowhere");
    let error = engine.assign(input).await.unwrap_err();
    assert!(matches!(error, EngineError::Forge { .. }), "{error:?}");
    assert_eq!(world.store.board().await.unwrap().seq, 0);
}

#[tokio::test]
async fn an_issue_that_is_not_there_is_an_error() {
    let world = World::new().await;
    let engine = world.engine().await;
    let error = engine.assign(input(7)).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no issue #7 in `api`");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let world = World::new().await;
    let engine = world.engine().await;
    let issue = world.issue("Solve it").await.number;
    let decision = engine.assign_dry(input(issue)).await.unwrap();
    assert_eq!(decision.refusal, None);
    assert_eq!(decision.effects.len(), 2);
    assert_eq!(world.store.board().await.unwrap().seq, 0);
}
