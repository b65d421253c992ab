//! Nothing is posted, opened or merged twice, whatever happens to its request.

use coord_core::assignment::MergeMethod;
use coord_core::effect::CommentEvent;
use coord_core::ids::AssignmentId;
use coord_forge::{Forge, MergeOutcome, NewIssue, NewPull, NewReview, ReviewVerdict};
use coord_test_support::github::{Fault, When};

use crate::scene::{FAULTS, Scene, merge_of};

fn is_limit(fault: Fault) -> bool {
    matches!(fault, Fault::SecondaryLimit { .. })
}

#[tokio::test]
async fn one_call_opens_one_issue() {
    let scene = Scene::impatient().await;
    let new = || NewIssue {
        title: "t".to_owned(),
        body: "<!-- coord:issue=forged -->".to_owned(),
        labels: Vec::new(),
    };
    for (index, fault) in FAULTS.into_iter().enumerate() {
        scene.fake.schedule(fault, When::request("POST", "/issues"));
        match scene.forge.create_issue(new()).await {
            Ok(issue) => assert!(!is_limit(fault) && issue.trusted, "{fault:?}"),
            Err(error) => {
                assert!(is_limit(fault), "{fault:?} {error:?}");
                scene.pass(error);
                scene.forge.create_issue(new()).await.unwrap();
            }
        }
        assert_eq!(scene.repo.issues().len(), index + 1, "{fault:?}");
    }
    scene.end();
}

#[tokio::test]
async fn the_look_for_an_issue_may_fail_too() {
    let scene = Scene::impatient().await;
    let list = || When::request("GET", "/issues");
    scene.fake.schedule(
        Fault::StatusAfterEffect(502),
        When::request("POST", "/issues"),
    );
    scene.fake.schedule(Fault::TimeOutBeforeEffect, list());
    scene.fake.schedule(Fault::ConnectionReset, list());
    let new = NewIssue {
        title: "t".to_owned(),
        ..NewIssue::default()
    };
    let opened = scene.forge.create_issue(new).await.unwrap();
    assert_eq!(scene.repo.issues().len(), 1);
    assert_eq!(scene.repo.issues()[0].number, opened.number);
    scene.end();
}

#[tokio::test]
async fn a_call_that_could_not_look_leaves_that_to_the_next() {
    let scene = Scene::new().await;
    let limit = Fault::SecondaryLimit {
        retry_after_secs: 30,
    };
    let new = |title: &str| NewIssue {
        title: title.to_owned(),
        ..NewIssue::default()
    };
    scene.fake.schedule(
        Fault::StatusAfterEffect(502),
        When::request("POST", "/issues"),
    );
    scene.fake.schedule(limit, When::request("GET", "/issues"));
    let error = scene.forge.create_issue(new("t")).await.unwrap_err();
    scene.pass(error);
    let numbers = [
        scene.forge.create_issue(new("other")).await.unwrap().number,
        scene.forge.create_issue(new("t")).await.unwrap().number,
        scene.forge.create_issue(new("t")).await.unwrap().number,
    ];
    assert_eq!(numbers, [2, 1, 3]);
    scene.end();
}

#[tokio::test]
async fn an_issue_that_cannot_be_opened_is_given_up() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        scene
            .fake
            .schedule(Fault::Status(502), When::request("POST", "/issues"));
    }
    let new = NewIssue {
        title: "t".to_owned(),
        ..NewIssue::default()
    };
    let error = scene.forge.create_issue(new).await.unwrap_err();
    scene.pass(error);
    assert_eq!(scene.repo.issues().len(), 0);
    assert_eq!(scene.count("POST", "/issues"), 3);
    scene.end();
}

#[tokio::test]
async fn a_comment_is_found_before_it_is_posted_again() {
    let scene = Scene::impatient().await;
    let number = scene.repo.open_issue("t", "", &[], "acme");
    for (index, fault) in (0u64..).zip(FAULTS) {
        let id = AssignmentId::from_bits(index);
        let body =
            format!("Hi\n\n<!-- coord:event=stuck assignment={id} machine=m repo=r issue=1 -->");
        scene
            .fake
            .schedule(fault, When::request("POST", "/comments"));
        let error = scene.forge.create_comment(number, &body).await.unwrap_err();
        scene.pass(error);
        let found = scene
            .forge
            .find_comment(number, CommentEvent::Stuck, &id)
            .await;
        if found.unwrap().is_none() {
            scene.forge.create_comment(number, &body).await.unwrap();
        }
        let count = usize::try_from(index).unwrap() + 1;
        assert_eq!(scene.repo.comments(number).len(), count, "{fault:?}");
    }
    scene.end();
}

#[tokio::test]
async fn a_pull_request_is_opened_once() {
    let scene = Scene::impatient().await;
    for (index, fault) in FAULTS.into_iter().enumerate() {
        let branch = format!("issue-{index}-a");
        scene.branch(&branch, "a");
        let new = || NewPull {
            title: "t".to_owned(),
            body: String::new(),
            branch: branch.clone(),
            base: "main".to_owned(),
        };
        scene.fake.schedule(fault, When::request("POST", "/pulls"));
        let pull = match scene.forge.open_pull(new()).await {
            Ok(pull) => pull,
            Err(error) => {
                scene.pass(error);
                scene.forge.open_pull(new()).await.unwrap()
            }
        };
        assert_eq!(pull.branch, branch);
        assert_eq!(scene.repo.pulls().len(), index + 1, "{fault:?}");
    }
    scene.end();
}

#[tokio::test]
async fn a_merge_is_made_once() {
    let scene = Scene::impatient().await;
    scene.fake.set_lazy_mergeability(false);
    for (index, fault) in FAULTS.into_iter().enumerate() {
        let branch = format!("issue-{index}-a");
        let head = scene.branch(&branch, &format!("file {index}"));
        let number = scene.pull(&branch).await.number;
        let merge = merge_of(&head, MergeMethod::Squash);
        scene.fake.schedule(fault, When::request("PUT", "/merge"));
        let outcome = match scene.forge.merge_pull(number, &merge).await {
            Ok(outcome) => outcome,
            Err(error) => {
                scene.pass(error);
                scene.forge.merge_pull(number, &merge).await.unwrap()
            }
        };
        let tip = scene.repo.branch("main").unwrap().unwrap();
        let MergeOutcome::Merged { commit } = outcome else {
            panic!("{fault:?}: {outcome:?}");
        };
        assert_eq!(commit.as_str(), tip, "{fault:?}");
    }
    scene.end();
}

#[tokio::test]
async fn a_review_is_found_before_it_is_posted_again() {
    let scene = Scene::impatient().await;
    let head = scene.branch("issue-1-a", "a");
    let number = scene
        .repo
        .open_pull("t", "issue-1-a", "main", "anna")
        .unwrap();
    for (index, fault) in FAULTS.into_iter().enumerate() {
        let review = NewReview {
            head: head.clone(),
            verdict: ReviewVerdict::Approve,
            body: format!("review {index}"),
            comments: Vec::new(),
        };
        scene
            .fake
            .schedule(fault, When::request("POST", "/reviews"));
        let error = scene
            .forge
            .create_review(number, &review)
            .await
            .unwrap_err();
        scene.pass(error);
        let reviews = scene.forge.reviews(number).await.unwrap();
        if !reviews
            .iter()
            .any(|it| it.trusted && it.body == review.body)
        {
            scene.forge.create_review(number, &review).await.unwrap();
        }
        assert_eq!(scene.repo.pulls()[0].reviews.len(), index + 1, "{fault:?}");
    }
    scene.end();
}

#[tokio::test]
async fn an_issue_is_closed_with_one_note() {
    let scene = Scene::impatient().await;
    for fault in FAULTS {
        for (method, path) in [("POST", "/comments"), ("PATCH", "/issues/")] {
            let number = scene.repo.open_issue("t", "", &[], "acme");
            scene.fake.schedule(fault, When::request(method, path));
            if let Err(error) = scene.forge.close_issue(number, Some("Done.")).await {
                scene.pass(error);
                scene
                    .forge
                    .close_issue(number, Some("Done."))
                    .await
                    .unwrap();
            }
            assert!(!scene.repo.issue(number).unwrap().open, "{fault:?} {path}");
            assert_eq!(scene.repo.comments(number).len(), 1, "{fault:?} {path}");
        }
    }
    scene.end();
}

#[tokio::test]
async fn sections_labels_and_reviewers_may_be_repeated() {
    let scene = Scene::impatient().await;
    let number = scene.repo.open_issue("t", "Please.", &["old"], "acme");
    scene.branch("issue-1-a", "a");
    let pull = scene
        .repo
        .open_pull("t", "issue-1-a", "main", "anna")
        .unwrap();
    scene.fake.add_user("bert", "bert");
    let labels = ["new".to_owned()];
    let (old, bert) = (["old".to_owned()], ["bert".to_owned()]);
    for fault in [
        Fault::Status(500),
        Fault::StatusAfterEffect(502),
        Fault::ConnectionResetAfterEffect,
    ] {
        for (method, path) in [
            ("PATCH", "/issues/"),
            ("POST", "/labels"),
            ("DELETE", "/labels/"),
            ("POST", "/requested_reviewers"),
        ] {
            scene.fake.schedule(fault, When::request(method, path));
            let text = format!("{fault:?} {path}");
            let again = async || {
                scene.forge.write_section(number, "plan", &text).await?;
                scene.forge.label_issue(number, &labels, &old).await?;
                scene.forge.request_reviewers(pull, &bert).await
            };
            if let Err(error) = again().await {
                scene.pass(error);
                again().await.unwrap();
            }
            let body = scene.repo.issue(number).unwrap().body;
            assert_eq!(body.matches(&text).count(), 1);
            assert_eq!(body.matches("coord:begin").count(), 1);
        }
    }
    assert_eq!(scene.repo.issue(number).unwrap().labels, labels);
    scene.end();
}
