//! Equal reads at the same time share one request; writes go one after another.

use std::time::Duration;

use coord_forge::Forge;

use crate::scripted::{Reply, Scripted, raw};
use crate::world::{World, post};

const REPOSITORY: &str = r#"{"default_branch":"main","full_name":"acme/api"}"#;
const COMMENT: &str = r#"{"id":1,"body":"a comment","user":{"login":"anna"},"author_association":"OWNER","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;

fn gated(body: &str) -> Reply {
    Reply::Gated(raw(200, "", body))
}

#[tokio::test]
async fn equal_reads_share_a_request_also_when_the_first_gives_up() {
    let server = Scripted::start(|_| vec![gated(REPOSITORY)]).await;
    let world = World::new().await;
    let forge = world.forge(server.url());
    let first = tokio::spawn({
        let forge = forge.clone();
        async move { forge.default_branch().await.unwrap() }
    });
    server.arrived(1).await;
    let read = || async { forge.default_branch().await.unwrap() };
    let others = async { tokio::join!(read(), read(), read()) };
    let release = async {
        // The others need no more than turns of this one thread to join.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        first.abort();
        let _ = first.await;
        server.open();
    };
    let (branches, ()) = tokio::join!(others, release);
    assert_eq!(branches, ["main", "main", "main"].map(str::to_owned).into());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_read_after_a_write_is_not_one_from_before() {
    let server = Scripted::start(|_| {
        vec![
            gated(REPOSITORY),
            Reply::json(201, COMMENT),
            gated(REPOSITORY),
        ]
    })
    .await;
    let world = World::new().await;
    let forge = world.forge(server.url());
    let before = tokio::spawn({
        let forge = forge.clone();
        async move { forge.default_branch().await.unwrap() }
    });
    server.arrived(1).await;
    // What it answers is of no interest, but it has ended.
    drop(post(&forge).await);
    let after = forge.default_branch();
    let release = async {
        server.arrived(3).await;
        server.open();
    };
    let (after, ()) = tokio::join!(after, release);
    assert_eq!(
        (before.await.unwrap(), after.unwrap()),
        ("main".to_owned(), "main".to_owned())
    );
    let reads = server
        .seen()
        .iter()
        .filter(|seen| seen.starts_with("GET"))
        .count();
    assert!(reads >= 2, "{reads}");
}

#[tokio::test]
async fn writes_wait_for_each_other() {
    let server = Scripted::start(|_| vec![Reply::Gated(raw(201, "", COMMENT))]).await;
    let world = World::new().await;
    let forge = world.forge(server.url());
    let write = || {
        let forge = forge.clone();
        tokio::spawn(async move { post(&forge).await })
    };
    let (one, two) = (write(), write());
    server.arrived(1).await;
    // As long as the first is not answered there is no second one, however long one looks.
    let second = tokio::time::timeout(Duration::from_millis(50), server.arrived(2)).await;
    assert!(second.is_err());
    server.open();
    let _ = (one.await.unwrap(), two.await.unwrap());
    server.arrived(2).await;
}
