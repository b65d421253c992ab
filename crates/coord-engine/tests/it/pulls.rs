//! Pull requests: opened once, with a text of a worker's or without.

use coord_core::Command;
use coord_core::delivery::PullAuthor;
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_engine::Engine;
use coord_forge::{Forge, NewPull, Pull, PullState};
use coord_protocol::AssignmentType;
use serde_json::{Value, json};

use crate::readers::{CHANGE, answered, world};
use crate::world::{World, drive};

async fn want(engine: &Engine, id: &AssignmentId, author: PullAuthor) {
    let open = Command::OpenPull {
        id: id.clone(),
        author,
        review: false,
    };
    assert_eq!(engine.command(open).await.unwrap().refusal, None);
}

/// The pull request of the branch, once the board knows it.
async fn opened(world: &World, engine: &Engine, id: &AssignmentId) -> Pull {
    drive(engine, |board| {
        board.assignments[id].delivery.pull.is_some()
    })
    .await;
    let number = world.assignment(id).await.delivery.pull.unwrap();
    world.forge.pull(number).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_pull_request_closes_its_issue() {
    let world = world().await;
    let engine = world.engine().await;
    world.workers(CHANGE, |_| panic!("nobody is to look at it"));
    let id = world.finished(&engine).await;
    want(&engine, &id, PullAuthor::Template).await;
    let pull = opened(&world, &engine, &id).await;
    let branch = world.assignment(&id).await.branch;
    assert_eq!((pull.branch, pull.base), (branch, "main".to_owned()));
    assert_eq!(pull.state, PullState::Open);
    assert!(pull.body.ends_with("Closes #1."), "{}", pull.body);
}

#[tokio::test]
async fn the_pull_request_is_open_and_nobody_wrote_that_down() {
    let world = world().await;
    let engine = world.engine().await;
    world.workers(CHANGE, |_| panic!("nobody is to look at it"));
    let id = world.finished(&engine).await;
    want(&engine, &id, PullAuthor::Template).await;
    drop(engine);
    let new = NewPull {
        title: "Mine".to_owned(),
        body: String::new(),
        branch: world.assignment(&id).await.branch,
        base: "main".to_owned(),
    };
    let first = world.forge.open_pull(new).await.unwrap();
    world.held_by_the_dead(EffectKind::Pull).await;
    let pull = opened(&world, &world.engine().await, &id).await;
    assert_eq!((pull.number, pull.title.as_str()), (first.number, "Mine"));
}

/// The pull request whose author gives that answer.
async fn written(answer: Value) -> (World, Pull) {
    let world = world().await;
    let engine = world.engine().await;
    world.workers(CHANGE, move |_| answered(answer.clone()));
    let id = world.finished(&engine).await;
    want(&engine, &id, PullAuthor::Worker).await;
    let pull = opened(&world, &engine, &id).await;
    (world, pull)
}

#[tokio::test]
async fn a_worker_writes_title_and_text() {
    let answer = json!({ "title": "Count in German", "body": "Two is *zwei*, fixes #9. @all" });
    let (world, pull) = written(answer).await;
    assert_eq!(pull.title, "Count in German");
    let body = pull.body.replace('\u{200b}', "_");
    assert_eq!(body, "Two is *zwei*, fixes #_9. @_all\n\nCloses #1.");

    let requests = world.requests(AssignmentType::Pr);
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert!(request.briefing.contains("+zwei"), "{}", request.briefing);
    let schema = request.output_schema.as_ref().unwrap();
    assert_eq!(schema["required"], json!(["title", "body"]));
    let context = request.context.as_ref().unwrap();
    assert!(context.contains("Write tests in `tests/`."), "{context}");
}

#[tokio::test]
async fn a_text_of_no_use_is_not_taken() {
    let (_, pull) = written(json!({ "title": " ", "body": "" })).await;
    assert!(!pull.title.trim().is_empty());
}
