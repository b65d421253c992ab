//! Reviews, and who is asked for them.

use coord_core::ids::CommitId;
use coord_forge::{Forge, ForgeError, LineComment, NewReview, ReviewVerdict};

use crate::scene::{NASTY, Scene};

fn review(head: &CommitId, verdict: ReviewVerdict, body: &str) -> NewReview {
    NewReview {
        head: head.clone(),
        verdict,
        body: body.to_owned(),
        comments: Vec::new(),
    }
}

/// A pull request of somebody else.
fn of_anna(scene: &Scene) -> (u64, CommitId) {
    let head = scene.branch("issue-1-a", "dir/ü.txt");
    let number = scene
        .repo
        .open_pull("t", "issue-1-a", "main", "anna")
        .unwrap();
    (number, head)
}

#[tokio::test]
async fn reviews_are_posted_and_listed() {
    let scene = Scene::new().await;
    let (number, head) = of_anna(&scene);
    let verdicts = [
        ReviewVerdict::Approve,
        ReviewVerdict::RequestChanges,
        ReviewVerdict::Comment,
    ];
    let mut posted = Vec::new();
    for (text, verdict) in NASTY.into_iter().zip(verdicts.into_iter().cycle()) {
        let new = NewReview {
            comments: vec![LineComment {
                path: "dir/ü.txt".to_owned(),
                line: 1,
                body: text.to_owned(),
            }],
            ..review(&head, verdict, text)
        };
        let done = scene.forge.create_review(number, &new).await.unwrap();
        assert_eq!((done.verdict, done.body.as_str()), (verdict, text));
        assert_eq!((done.head.as_ref(), done.trusted), (Some(&head), true));
        assert_eq!(done.author, "coord");
        posted.push(done);
    }
    assert_eq!(scene.forge.reviews(number).await.unwrap(), posted);
    let line = &scene.repo.pulls()[0].reviews[0].comments[0];
    assert_eq!((line.line, line.side.as_str()), (1, "RIGHT"));
    assert_eq!(line.body, NASTY[0]);
    scene.end();
}

#[tokio::test]
async fn every_review_is_listed() {
    let scene = Scene::new().await;
    let (number, head) = of_anna(&scene);
    for index in 0..101 {
        let new = review(&head, ReviewVerdict::Comment, &index.to_string());
        scene.forge.create_review(number, &new).await.unwrap();
    }
    let reviews = scene.forge.reviews(number).await.unwrap();
    assert_eq!((reviews.len(), reviews[100].body.as_str()), (101, "100"));
    let error = scene.forge.reviews(999).await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    scene.end();
}

#[tokio::test]
async fn ones_own_pull_request_is_not_approved() {
    let scene = Scene::new().await;
    let head = scene.branch("issue-1-a", "a");
    let number = scene.pull("issue-1-a").await.number;
    for verdict in [ReviewVerdict::Approve, ReviewVerdict::RequestChanges] {
        let new = review(&head, verdict, "text");
        let error = scene.forge.create_review(number, &new).await.unwrap_err();
        assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
        assert!(
            error.hint().unwrap().contains("another account"),
            "{error:?}"
        );
    }
    let new = review(&head, ReviewVerdict::Comment, "text");
    scene.forge.create_review(number, &new).await.unwrap();
    scene.end();
}

#[tokio::test]
async fn what_github_does_not_take_is_refused() {
    let scene = Scene::new().await;
    let (number, head) = of_anna(&scene);
    let outside = NewReview {
        comments: vec![LineComment {
            path: "dir/ü.txt".to_owned(),
            line: 99,
            body: "b".to_owned(),
        }],
        ..review(&head, ReviewVerdict::Comment, "text")
    };
    let long = "x".repeat(65_537);
    for (new, words) in [
        (outside, "part of the diff"),
        (review(&head, ReviewVerdict::Dismissed, "text"), "dismissed"),
        (review(&head, ReviewVerdict::Comment, &long), "65536"),
    ] {
        let error = scene.forge.create_review(number, &new).await.unwrap_err();
        assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(scene.forge.reviews(number).await.unwrap(), []);
    scene.end();
}

#[tokio::test]
async fn reviewers_are_asked_and_the_author_is_not() {
    let scene = Scene::new().await;
    let (number, _) = of_anna(&scene);
    for login in ["anna", "bert"] {
        scene.fake.add_user(login, login);
    }
    let ask = |accounts: &[&str]| -> Vec<String> {
        accounts
            .iter()
            .map(|account| (*account).to_owned())
            .collect()
    };
    let accounts = ask(&["Anna", "bert"]);
    for _ in 0..2 {
        scene
            .forge
            .request_reviewers(number, &accounts)
            .await
            .unwrap();
    }
    assert_eq!(scene.repo.pulls()[0].reviewers, ["bert"]);
    scene.fake.clear_requests();
    scene
        .forge
        .request_reviewers(number, &accounts[..1])
        .await
        .unwrap();
    assert_eq!(scene.count("POST", ""), 0);
    let stranger = ask(&["mallory"]);
    let error = scene
        .forge
        .request_reviewers(number, &stranger)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("collaborator"), "{error}");
    scene.end();
}
