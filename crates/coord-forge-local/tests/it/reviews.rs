//! Reviews, and what the local forge does not have.

use coord_core::ids::CommitId;
use coord_forge::{
    COORDINATOR, Forge, ForgeError, LineComment, NewReview, RequiredChecks, ReviewVerdict,
};

use crate::world::World;

fn review(head: &CommitId, verdict: ReviewVerdict) -> NewReview {
    NewReview {
        head: head.clone(),
        verdict,
        body: "looks --> good\r\n".to_owned(),
        comments: Vec::new(),
    }
}

fn on(path: &str, line: u32) -> LineComment {
    LineComment {
        path: path.to_owned(),
        line,
        body: "why?".to_owned(),
    }
}

#[tokio::test]
async fn reviews_are_listed_as_they_were_posted() {
    let world = World::new().await;
    let head = world.branch("issue-1-t", "a file", "one\ntwo\n");
    let pull = world.pull("issue-1-t").await.number;
    assert_eq!(world.forge.reviews(pull).await.unwrap(), []);
    let mut posted = Vec::new();
    for verdict in [
        ReviewVerdict::Comment,
        ReviewVerdict::RequestChanges,
        ReviewVerdict::Approve,
    ] {
        let mut new = review(&head, verdict);
        new.comments = vec![on("a file", 1), on("a file", 2)];
        let made = world.forge.create_review(pull, &new).await.unwrap();
        assert_eq!((made.author.as_str(), made.trusted), (COORDINATOR, true));
        assert_eq!((&made.body, made.verdict), (&new.body, verdict));
        assert_eq!(made.head, Some(head.clone()));
        posted.push(made);
    }
    assert_eq!(world.forge.reviews(pull).await.unwrap(), posted);
    let missing = world.forge.reviews(9).await;
    assert!(matches!(missing, Err(ForgeError::NotFound { .. })));
}

#[tokio::test]
async fn a_review_of_another_commit_or_of_other_lines_is_refused_whole() {
    let world = World::new().await;
    let other = world.branch("issue-2-t", "b", "b");
    let head = world.branch("issue-1-t", "a", "one\ntwo\n");
    let pull = world.pull("issue-1-t").await.number;
    let mut refused = vec![
        review(&other, ReviewVerdict::Approve),
        review(&head, ReviewVerdict::Dismissed),
    ];
    for comment in [on("a", 3), on("a", 0), on("b", 1), on("../a", 1)] {
        let mut new = review(&head, ReviewVerdict::Comment);
        new.comments = vec![on("a", 1), comment];
        refused.push(new);
    }
    for new in refused {
        let error = world.forge.create_review(pull, &new).await.unwrap_err();
        assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
    }
    assert_eq!(world.forge.reviews(pull).await.unwrap(), []);
}

#[tokio::test]
async fn there_are_no_checks_and_no_reviewers() {
    let world = World::alone().await;
    let head = world.branch("issue-1-t", "a", "a");
    let pull = world.pull("issue-1-t").await.number;
    assert_eq!(world.forge.checks(&head).await.unwrap(), []);
    assert_eq!(
        world.forge.required_checks("main").await.unwrap(),
        RequiredChecks::Known(Vec::new())
    );
    let accounts = ["anna".to_owned()];
    let error = world.forge.request_reviewers(pull, &accounts).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "the local forge has no reviewers"
    );
}
