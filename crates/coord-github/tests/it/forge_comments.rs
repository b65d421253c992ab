//! Comments: of an issue, of the whole repository, and the coordinator's own.

use coord_core::effect::CommentEvent;
use coord_core::ids::{AssignmentId, Timestamp};
use coord_forge::{Forge, ForgeError};

use crate::scene::{NASTY, Scene, instant};

#[tokio::test]
async fn every_comment_is_listed_the_earliest_first() {
    let scene = Scene::new().await;
    let number = scene.repo.seed(1, 250, "mallory");
    scene.repo.comment(number, "acme", "ours");
    let comments = scene.forge.comments(number, None).await.unwrap();
    assert_eq!(comments.len(), 251);
    assert!(comments.is_sorted_by_key(|comment| (comment.at, comment.id)));
    assert!(!comments[0].trusted && comments[250].trusted);
    assert_eq!(comments[0].author, "mallory");
    let error = scene.forge.comments(999, None).await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    scene.end();
}

#[tokio::test]
async fn since_takes_what_was_changed_in_its_second() {
    let scene = Scene::new().await;
    let number = scene.repo.seed(1, 10, "acme");
    let stamps = scene.repo.comments(number);
    let at = instant(&stamps[6].created_at);
    for millis in [0, 999] {
        let since = Timestamp::from_millis(at.as_millis() + millis);
        let found = scene.forge.comments(number, Some(since)).await.unwrap();
        let ids: Vec<u64> = found.iter().map(|it| it.id).collect();
        let expected: Vec<u64> = stamps[6..].iter().map(|it| it.id).collect();
        assert_eq!(ids, expected);
    }
    for (since, count) in [(i64::MIN, 10), (i64::MAX, 0)] {
        let since = Timestamp::from_millis(since);
        let found = scene.forge.comments(number, Some(since)).await.unwrap();
        assert_eq!(found.len(), count);
    }
    scene.end();
}

#[tokio::test]
async fn recent_comments_of_the_repository_come_latest_first() {
    let scene = Scene::new().await;
    let first = scene.repo.seed(6, 50, "acme");
    let all = scene.forge.recent_comments(None, 1000).await.unwrap();
    assert_eq!(all.len(), 300);
    let stamps = scene.repo.comments(first + 5);
    assert_eq!(all[0].0, first + 5);
    assert_eq!(all[0].1.id, stamps[49].id);
    assert_eq!(all[299].0, first);
    let since = instant(&stamps[10].updated_at);
    scene.fake.clear_requests();
    let some = scene
        .forge
        .recent_comments(Some(since), 1000)
        .await
        .unwrap();
    assert_eq!(some.len(), 40);
    assert_eq!(scene.count("GET", "/issues/comments"), 1);
    let queries = scene.fake.requests();
    assert!(queries.iter().all(|seen| !seen.query.contains("since")));
    assert_eq!(scene.forge.recent_comments(None, 7).await.unwrap().len(), 7);
    scene.end();
}

#[tokio::test]
async fn an_edit_makes_a_comment_recent() {
    let scene = Scene::new().await;
    let number = scene.repo.seed(1, 3, "acme");
    let old = scene.repo.comments(number)[0].id;
    scene.fake.advance_clock(60);
    scene.forge.edit_comment(old, "changed").await.unwrap();
    let recent = scene.forge.recent_comments(None, 1).await.unwrap();
    assert_eq!((recent[0].0, recent[0].1.id), (number, old));
    assert_eq!(recent[0].1.body, "changed");
    let error = scene.forge.edit_comment(1, "x").await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");
    scene.end();
}

#[tokio::test]
async fn any_text_arrives_as_it_is() {
    let scene = Scene::new().await;
    let number = scene.repo.open_issue("t", "", &[], "acme");
    let long = "🦀".repeat(65_536);
    for text in NASTY.into_iter().chain([long.as_str()]) {
        let posted = scene.forge.create_comment(number, text).await.unwrap();
        assert_eq!((posted.body.as_str(), posted.trusted), (text, true));
        let listed = scene.forge.comments(number, None).await.unwrap();
        assert_eq!(listed.last(), Some(&posted));
    }
    let long = "x".repeat(65_537);
    let id = scene.repo.comments(number)[0].id;
    let errors = [
        scene.forge.create_comment(number, &long).await.unwrap_err(),
        scene.forge.edit_comment(id, &long).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("65536"), "{error}");
    }
    scene.end();
}

#[tokio::test]
async fn markers_of_strangers_are_not_found() {
    let scene = Scene::new().await;
    let number = scene.repo.open_issue("t", "", &[], "acme");
    let id = AssignmentId::from_bits(0xab);
    let marker =
        format!("<!-- coord:event=merge assignment={id} machine=m repo=api issue={number} -->");
    scene.repo.comment(number, "mallory", &marker);
    let find = || scene.forge.find_comment(number, CommentEvent::Merge, &id);
    assert_eq!(find().await.unwrap(), None);
    let posted = scene.forge.create_comment(number, &marker).await.unwrap();
    assert_eq!(find().await.unwrap(), Some(posted));
    scene.end();
}
