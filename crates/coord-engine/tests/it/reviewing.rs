//! The answers of reviewers: judged, and posted once.

use std::sync::Arc;

use coord_core::Command;
use coord_core::assignment::{AssignmentKind, Goal};
use coord_core::delivery::PullAuthor;
use coord_core::effect::{AnswerSpec, CommentEvent, Effect, Outcome};
use coord_core::ids::AssignmentId;
use coord_core::verdict::ReviewResult;
use coord_engine::{AssignInput, Engine};
use coord_forge::{Forge, ReviewVerdict, marks};
use coord_protocol::AssignmentType;
use coord_test_support::git_fixture::git;
use coord_test_support::github::{FakeGithub, Fault, When};
use serde_json::{Value, json};

use crate::github::{Town, wanted};
use crate::readers::{CHANGE, Desks, answered, finished, looked_at, review, world};
use crate::world::{World, carried, drive, outcome};

/// A branch with an open pull request.
async fn with_pull(world: &World, engine: &Engine) -> AssignmentId {
    let id = world.finished(engine).await;
    open_pull(engine, &id).await;
    id
}

async fn open_pull(engine: &Engine, id: &AssignmentId) {
    let open = Command::OpenPull {
        id: id.clone(),
        author: PullAuthor::Template,
        review: false,
    };
    assert_eq!(engine.command(open).await.unwrap().refusal, None);
    drive(engine, |board| {
        board.assignments[id].delivery.pull.is_some()
    })
    .await;
}

async fn reviews(world: &World, id: &AssignmentId) -> Vec<coord_forge::Review> {
    let pull = world.assignment(id).await.delivery.pull.unwrap();
    world.forge.reviews(pull).await.unwrap()
}

#[tokio::test]
async fn a_review_is_recorded_and_posted_on_its_pull_request() {
    let world = world().await;
    let engine = world.engine().await;
    let found = [
        ("src/count.txt", Some(2), "major"),
        ("src/count.txt", None, "nit"),
    ];
    world.workers(CHANGE, move |_| answered(review("request_changes", &found)));
    let id = with_pull(&world, &engine).await;
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;

    let it = world.assignment(&id).await;
    let verdict = it.delivery.review.unwrap();
    assert_eq!(verdict.result, ReviewResult::RequestChanges);
    assert_eq!(verdict.by, by);
    assert_eq!(verdict.findings.len(), 2);
    assert_eq!(verdict.findings[0].line, Some(2));
    let reviews = world
        .forge
        .reviews(it.delivery.pull.unwrap())
        .await
        .unwrap();
    assert_eq!(reviews.len(), 1);
    assert_eq!(reviews[0].verdict, ReviewVerdict::RequestChanges);
    assert_eq!(reviews[0].head, Some(verdict.head));
    assert!(marks(&reviews[0].body, CommentEvent::Review, &by));
    assert!(reviews[0].body.contains("**nit**") && !reviews[0].body.contains("**major**"));
    assert!(!world.comments(1).await.contains(&CommentEvent::Review));
}

#[tokio::test]
async fn without_a_pull_request_a_review_is_a_comment() {
    let world = world().await;
    let engine = world.engine().await;
    let found = [("src/count.txt", Some(2), "minor")];
    world.workers(CHANGE, move |_| answered(review("approve", &found)));
    let id = world.finished(&engine).await;
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;
    let verdict = world.assignment(&id).await.delivery.review.unwrap();
    assert_eq!(verdict.result, ReviewResult::Approve);
    let comments = world.forge.comments(1, None).await.unwrap();
    let ours = |body: &str| marks(body, CommentEvent::Review, &by);
    let posted: Vec<_> = comments.iter().filter(|it| ours(&it.body)).collect();
    assert_eq!(posted.len(), 1);
    assert!(
        posted[0].body.contains("`src/count.txt` line 2, **minor**"),
        "{}",
        posted[0].body
    );
}

/// Why the first of those answers was refused; nothing was posted.
async fn refused(answer: Value) -> String {
    let world = world().await;
    let engine = world.engine().await;
    world.workers(CHANGE, move |_| answered(answer.clone()));
    let id = with_pull(&world, &engine).await;
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;
    assert_eq!(world.assignment(&id).await.delivery.review, None);
    assert_eq!(reviews(&world, &id).await, []);
    assert!(!world.comments(1).await.contains(&CommentEvent::Review));
    world.assignment(&by).await.answer_refused.unwrap()
}

#[tokio::test]
async fn an_answer_of_no_use_says_why_and_nothing_is_posted() {
    let cases = [
        (json!({ "verdict": "lgtm" }), "it is not in the schema: "),
        (
            json!({ "verdict": "request_changes", "summary": "", "findings": [] }),
            "it asks for changes and does not say which",
        ),
        (
            review("approve", &[("src/count.txt", Some(2), "blocker")]),
            "it approves of the change and calls something in it a blocker",
        ),
        (
            review("comment", &[("src/other.txt", None, "nit")]),
            "`src/other.txt` is not in the diff",
        ),
        (
            review("comment", &[("src/count.txt", Some(99), "nit")]),
            "line 99 of `src/count.txt` is not in the diff",
        ),
    ];
    for (answer, why) in cases {
        let refused = refused(answer).await;
        assert!(refused.starts_with(why), "{refused}");
    }
}

#[tokio::test]
async fn lines_are_checked_without_a_pull_request_too() {
    let world = world().await;
    let engine = world.engine().await;
    let found = [("src/count.txt", Some(5), "nit")];
    world.workers(CHANGE, move |_| answered(review("comment", &found)));
    let id = world.finished(&engine).await;
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;
    let why = world.assignment(&by).await.answer_refused.unwrap();
    assert_eq!(why, "line 5 of `src/count.txt` is not in the diff");
}

/// A review is posted, and the process that did it is killed before it wrote that down: it is
/// judged again.
async fn judged_twice(pull: bool) -> (World, AssignmentId) {
    let world = world().await;
    let engine = world.engine().await;
    let found = review("request_changes", &[("src/count.txt", Some(2), "major")]);
    let answer = found.to_string();
    world.workers(CHANGE, move |_| answered(found.clone()));
    let id = match pull {
        true => with_pull(&world, &engine).await,
        false => world.finished(&engine).await,
    };
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;
    let it = world.assignment(&id).await;
    let (work, end) = (it.deliverable().unwrap(), it.end.as_ref().unwrap());
    let spec = AnswerSpec {
        id: by,
        kind: AssignmentKind::Review,
        machine: "m2".into(),
        about: id.clone(),
        issue: it.issue.clone(),
        branch: work.branch.to_owned(),
        head: work.head.clone(),
        base: end.base.clone(),
        pull: it.delivery.pull,
        answer,
    };
    // Whatever has become of the branch meanwhile.
    let branch = format!("refs/heads/{}", spec.branch);
    let remote = world.fixture.remote_path();
    git(&remote, &["update-ref", &branch, "refs/heads/main"]).unwrap();
    let again = Effect::JudgeAnswer(Box::new(spec));
    let again = outcome(carried(&engine, "judge:again", again).await);
    let Outcome::Reviewed { findings, .. } = again else {
        panic!("{again:?}");
    };
    assert_eq!(findings, it.delivery.review.unwrap().findings);
    (world, id)
}

#[tokio::test]
async fn a_review_that_is_posted_is_not_posted_again() {
    let (world, id) = judged_twice(true).await;
    assert_eq!(reviews(&world, &id).await.len(), 1);
    assert!(!world.comments(1).await.contains(&CommentEvent::Review));
}

#[tokio::test]
async fn a_comment_that_is_posted_is_not_posted_again() {
    let (world, _) = judged_twice(false).await;
    let comments = world.comments(1).await;
    let reviews = comments.iter().filter(|it| **it == CommentEvent::Review);
    assert_eq!(reviews.count(), 1);
}

#[tokio::test]
async fn a_review_of_a_commit_that_the_branch_has_left_is_a_comment() {
    let world = world().await;
    let engine = world.engine().await;
    world.workers(CHANGE, |_| panic!("nobody looks yet"));
    let id = with_pull(&world, &engine).await;
    let (desks, branch) = (world.writers_desks(), world.assignment(&id).await.branch);
    let found = [("src/count.txt", Some(2), "major")];
    world.workers(CHANGE, move |body| {
        // Somebody pushes while the reviewer reads.
        let more = coord_protocol::AssignBody {
            work_branch: Some(branch.clone()),
            start_branch: Some(branch.clone()),
            ..body.clone()
        };
        desks.write(&more, &[("src/more.txt", "more\n")]);
        answered(review("request_changes", &found))
    });
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;
    assert_eq!(reviews(&world, &id).await, []);
    let found = world.forge.find_comment(1, CommentEvent::Review, &by).await;
    let body = found.unwrap().unwrap().body;
    assert!(body.contains("`src/count.txt` line 2, **major**"), "{body}");
}

/// A GitHub on which a reviewer of the same account approves, once `faults` are on.
async fn approved_on_github(
    faults: impl FnOnce(&FakeGithub),
) -> (Vec<coord_forge::Review>, AssignmentId) {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let desks = Desks::new(&town.remote("api"), town.path("desks"));
    ann.agent.workers_do(Arc::new(move |body| match body.kind {
        AssignmentType::Work => desks.write(body, &[("a.txt", "a\n")]),
        AssignmentType::Review | AssignmentType::Smoke | AssignmentType::Pr => {
            answered(review("approve", &[("a.txt", Some(1), "nit")]))
        }
    }));
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "Please.", &[], "ann");
    let goal = Goal::Worked;
    let id = finished(
        &engine,
        AssignInput {
            goal,
            ..wanted(issue)
        },
    )
    .await;
    open_pull(&engine, &id).await;
    faults(&town.github);
    let by = looked_at(&engine, &id, AssignmentKind::Review).await;

    let board = engine.store().board().await.unwrap();
    let delivery = &board.assignments[&id].delivery;
    assert_eq!(
        delivery.review.as_ref().unwrap().result,
        ReviewResult::Approve
    );
    let forge = engine.forge(&"api".into()).unwrap();
    let reviews = forge.reviews(delivery.pull.unwrap()).await.unwrap();
    town.is_in_order();
    (reviews, by)
}

#[tokio::test]
async fn nobody_approves_of_their_own_pull_request_on_github() {
    let (reviews, by) = approved_on_github(|_| {}).await;
    assert_eq!(reviews.len(), 1);
    assert_eq!(reviews[0].verdict, ReviewVerdict::Comment);
    assert!(
        reviews[0].body.contains("approves of"),
        "{}",
        reviews[0].body
    );
    assert!(marks(&reviews[0].body, CommentEvent::Review, &by));
}

#[tokio::test]
async fn a_review_whose_answer_got_lost_is_there_once() {
    for fault in [
        Fault::StatusAfterEffect(502),
        Fault::ConnectionResetAfterEffect,
        Fault::Status(500),
    ] {
        let (reviews, _) = approved_on_github(|github| {
            // The first one is the approval, which is refused.
            github.schedule(fault, When::request("POST", "/reviews"));
            github.schedule(fault, When::request("POST", "/reviews"));
        })
        .await;
        assert_eq!(reviews.len(), 1, "{fault:?}");
    }
}
