//! Opening an issue once: with a key, after a crash, and among texts that hold the keys of others.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use coord_core::ids::Timestamp;
use coord_forge::{Forge, ForgeError, IssueKey, NewIssue};
use coord_github::GithubForge;
use coord_test_support::github::{Fault, When};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::scene::{FAULTS, NASTY, Scene};
use crate::scripted::{Reply, Scripted};
use crate::world::World;

fn keyed(word: &str, body: &str) -> NewIssue {
    NewIssue {
        title: "t".to_owned(),
        body: body.to_owned(),
        labels: Vec::new(),
        key: Some(IssueKey::new(word, Timestamp::from_millis(0))),
    }
}

fn unkeyed() -> NewIssue {
    NewIssue {
        key: None,
        ..keyed("", "Please.")
    }
}

async fn number(forge: &GithubForge, new: NewIssue) -> u64 {
    forge.create_issue(new).await.unwrap().number
}

/// Ends the call after GitHub has carried it out, and before it has answered.
async fn crash(scene: &Scene, new: NewIssue) {
    let before = scene.repo.issues().len();
    scene
        .fake
        .schedule(Fault::TimeOutAfterEffect, When::request("POST", "/issues"));
    let forge = scene.forge.clone();
    let call = tokio::spawn(async move { forge.create_issue(new).await });
    while scene.repo.issues().len() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn the_next_process_finds_what_the_last_one_opened() {
    let scene = Scene::new().await;
    crash(&scene, keyed("split=S3 chunk=0", "a")).await;
    crash(&scene, unkeyed()).await;
    let next = || scene.world.forge(&scene.fake.url());
    for _ in 0..2 {
        assert_eq!(number(&next(), keyed("split=S3 chunk=0", "b")).await, 1);
    }
    assert_eq!(number(&next(), unkeyed()).await, 2);
    // Now it is known, and the same again is another one.
    assert_eq!(number(&next(), unkeyed()).await, 3);
    // The key is in the issue itself: nothing else has to be left.
    let other = World::new().await;
    let forge = other.forge(&scene.fake.url());
    assert_eq!(number(&forge, keyed("split=S3 chunk=0", "c")).await, 1);
    assert_eq!(number(&forge, keyed("split=S3 chunk=1", "c")).await, 4);
    assert_eq!(scene.repo.issues().len(), 4);
    assert_eq!(
        scene.repo.issue(1).unwrap().body,
        "a\n\n<!-- coord:issue split=S3 chunk=0 -->"
    );
    scene.end();
}

#[tokio::test]
async fn every_fault_leaves_one_issue_for_a_key() {
    let scene = Scene::impatient(Duration::from_millis(1500)).await;
    for (index, fault) in FAULTS.into_iter().enumerate() {
        let word = format!("split=S1 chunk={index}");
        scene.fake.schedule(fault, When::request("POST", "/issues"));
        let opened = match scene.forge.create_issue(keyed(&word, "")).await {
            Ok(issue) => issue,
            Err(error) => {
                scene.pass(error);
                scene.forge.create_issue(keyed(&word, "")).await.unwrap()
            }
        };
        assert!(opened.trusted, "{fault:?}");
        assert_eq!(scene.repo.issues().len(), index + 1, "{fault:?}");
        assert_eq!(number(&scene.forge, keyed(&word, "")).await, opened.number);
    }
    scene.end();
}

#[tokio::test]
async fn only_our_own_issues_count() {
    let scene = Scene::new().await;
    let marker = "<!-- coord:issue split=S3 chunk=0 -->";
    scene.repo.open_issue("mine", marker, &[], "mallory");
    scene.repo.open_issue("an owner's", marker, &[], "acme");
    scene.branch("issue-1-a", "a");
    let pull = scene.repo.open_pull("ours", "issue-1-a", "main", "coord");
    scene.repo.edit_issue(pull.unwrap(), "ours", marker);
    assert_eq!(number(&scene.forge, keyed("split=S3 chunk=0", "")).await, 4);
    scene.repo.close_issue(4, "acme");
    scene.repo.open_issue("again", marker, &[], "mallory");
    assert_eq!(number(&scene.forge, keyed("split=S3 chunk=0", "")).await, 4);
    scene.end();
}

#[tokio::test]
async fn sections_and_what_people_add_do_not_hide_a_key() {
    let scene = Scene::new().await;
    let one = number(&scene.forge, keyed("chunk=1", NASTY[0])).await;
    let hostile = "- [ ] #2 <!-- coord:issue chunk=2 -->";
    scene
        .forge
        .write_section(one, "tasks", hostile)
        .await
        .unwrap();
    let body = scene.repo.issue(one).unwrap().body;
    let edited = format!("{}\r\n\r\nThanks!", body.replace('\n', "\r\n"));
    scene.repo.edit_issue(one, "renamed", &edited);
    assert_eq!(number(&scene.forge, keyed("chunk=1", "")).await, one);
    assert_ne!(number(&scene.forge, keyed("chunk=2", "")).await, one);
    scene.end();
}

/// Four issues, each of which may quote the keys of the others.
async fn four(scene: &Scene, round: usize, texts: &[String]) -> Vec<u64> {
    let mut numbers = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let text = text.replace("chunk=", &format!("split={round} chunk="));
        let new = NewIssue {
            title: format!("t {}", text.replace(['\r', '\n'], " ")),
            ..keyed(&format!("split={round} chunk={index}"), &text)
        };
        numbers.push(number(&scene.forge, new).await);
    }
    numbers
}

#[test]
fn no_title_and_no_body_takes_the_place_of_another_issue() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scene = runtime.block_on(Scene::new());
    let piece = prop_oneof![
        (0..4u8).prop_map(|it| format!("<!-- coord:issue chunk={it} -->")),
        Just("<!-- coord:issue ".to_owned()),
        Just("<!--".to_owned()),
        Just("-->".to_owned()),
        Just("\r\n".to_owned()),
        "[a-z<>-]{0,4}",
    ];
    let text = proptest::collection::vec(piece, 0..8).prop_map(|it| it.concat());
    let config = Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    };
    let round = Cell::new(0);
    let texts = proptest::collection::vec(text, 4);
    let outcome = TestRunner::new(config).run(&texts, |texts| {
        round.set(round.get() + 1);
        let four = || runtime.block_on(four(&scene, round.get(), &texts));
        let first = four();
        let distinct: BTreeSet<u64> = first.iter().copied().collect();
        prop_assert_eq!(distinct.len(), 4, "{:?}", &first);
        prop_assert_eq!(four(), first);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    scene.end();
}

#[tokio::test]
async fn no_older_issue_is_looked_at() {
    let scene = Scene::new().await;
    // One in 31 seconds, so that an hour, by which clocks may differ, is on two pages.
    scene.repo.seed(300, 30, "coord");
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let new = NewIssue {
        key: Some(IssueKey::new("chunk=0", now)),
        ..keyed("", "")
    };
    scene.forge.create_issue(new).await.unwrap();
    assert_eq!(scene.count("GET", "/issues"), 2);
    scene
        .forge
        .create_issue(keyed("chunk=1", ""))
        .await
        .unwrap();
    assert_eq!(scene.count("GET", "/issues"), 2 + 4);
    scene.end();
}

#[tokio::test]
async fn where_nobody_can_tell_no_issue_is_opened() {
    let page = |page: u64| {
        let issue = |number| {
            format!(
                r#"{{"number":{number},"title":"t","state":"open","created_at":"2026-01-01T00:00:00Z"}}"#
            )
        };
        let issues: Vec<String> = (page * 100..(page + 1) * 100).map(issue).collect();
        Reply::json(200, &format!("[{}]", issues.join(",")))
    };
    let me = Reply::json(200, r#"{"login":"coord"}"#);
    let server =
        Scripted::start(|_| [me.clone()].into_iter().chain((1..40).map(page)).collect()).await;
    let world = World::new().await;
    let error = world
        .forge(server.url())
        .create_issue(keyed("chunk=0", ""))
        .await;
    let error = error.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
    assert!(
        error.to_string().contains("more than 3000 later ones"),
        "{error}"
    );
    assert!(error.hint().is_some());
    let seen = server.seen();
    assert_eq!(seen.len(), 31);
    assert!(seen.iter().all(|request| request.starts_with("GET")));
}
