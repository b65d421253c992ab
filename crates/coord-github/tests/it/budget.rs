//! Rate limits: nothing is sent that would be refused, and nobody sleeps.

use coord_core::ids::Timestamp;
use coord_forge::{Forge, ForgeError};
use coord_store::RateLimit;
use coord_test_support::github::{Fault, When};

use crate::scripted::{Reply, Scripted, raw};
use crate::world::{World, post, seven_issues};

fn retry_at<T: std::fmt::Debug>(result: Result<T, ForgeError>) -> Option<Timestamp> {
    match result.unwrap_err() {
        ForgeError::Transient { retry_at, .. } => retry_at,
        other => panic!("{other:?}"),
    }
}

async fn limit(world: &World, resource: &str) -> RateLimit {
    let limits = world.store.rate_limits().await.unwrap();
    let mut found = limits
        .into_iter()
        .filter(|(_, limit)| limit.resource == resource);
    found.next().unwrap().1
}

#[tokio::test]
async fn a_used_up_budget_is_waited_for_without_asking() {
    let (world, fake) = (World::new().await, seven_issues().await);
    let reset = world.now_secs() + 1800;
    let url = fake.url();
    let forge = world.forge(&url);
    fake.schedule(Fault::PrimaryLimit { reset }, When::Next);
    let until = Timestamp::from_millis(0).plus_secs(reset);
    assert_eq!(retry_at(forge.issue(1).await), Some(until));
    assert_eq!(retry_at(forge.issue(2).await), Some(until));
    assert_eq!(retry_at(post(&forge).await), Some(until));
    assert_eq!(fake.requests().len(), 1);
    assert_eq!(limit(&world, "core").await.parked_until, Some(until));
    world.wait_until(until);
    assert!(forge.issue(2).await.unwrap().is_some());
    assert_eq!(limit(&world, "core").await.parked_until, None);
}

#[tokio::test]
async fn the_last_request_of_a_budget_is_answered_and_the_next_waits() {
    let world = World::new().await;
    let reset = world.now_secs() + 60;
    let headers = format!(
        "x-ratelimit-limit: 60\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: {reset}\r\n"
    );
    let reply = Reply::with(200, &headers, r#"{"login":"anna"}"#);
    let server = Scripted::start(|_| vec![reply.clone()]).await;
    let github = world.github(server.url());
    assert_eq!(github.whoami().await.unwrap(), "anna");
    let until = Timestamp::from_millis(0).plus_secs(reset);
    assert_eq!(
        retry_at(github.repo("acme/api").issue(1).await),
        Some(until)
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_secondary_limit_holds_for_every_process() {
    let (world, fake) = (World::new().await, seven_issues().await);
    let until = world.now().plus_secs(90);
    fake.fail_next(Fault::SecondaryLimit {
        retry_after_secs: 90,
    });
    assert_eq!(retry_at(post(&world.forge(&fake.url())).await), Some(until));
    let another = world.forge(&fake.url());
    assert_eq!(retry_at(another.issue(1).await), Some(until));
    assert_eq!(fake.requests().len(), 1);
    world.wait_until(until);
    post(&another).await.unwrap();
    assert_eq!(fake.repo("acme/api").comments(7).len(), 1);
}

/// Both were on their way when the first of them was refused.
#[tokio::test]
async fn of_two_secondary_limits_the_longer_one_counts() {
    let limited = |seconds: u64| {
        let headers = format!("retry-after: {seconds}\r\n");
        Reply::Gated(raw(403, &headers, "{}"))
    };
    let server = Scripted::start(|_| vec![limited(90), limited(10)]).await;
    let world = World::new().await;
    let forge = world.forge(server.url());
    let read = |number: u64| {
        let forge = forge.clone();
        async move { forge.issue(number).await }
    };
    let first = tokio::spawn(read(1));
    server.arrived(1).await;
    let second = tokio::spawn(read(2));
    server.arrived(2).await;
    server.open();
    first.await.unwrap().unwrap_err();
    second.await.unwrap().unwrap_err();
    let until = world.now().plus_secs(90);
    assert_eq!(limit(&world, "secondary").await.parked_until, Some(until));
    assert_eq!(retry_at(forge.issue(3).await), Some(until));
}

#[tokio::test]
async fn what_a_wrong_clock_has_parked_is_not_parked() {
    let (world, fake) = (World::new().await, seven_issues().await);
    let now = world.now();
    world.wait_until(now.plus_secs(1_000_000));
    fake.fail_next(Fault::SecondaryLimit {
        retry_after_secs: 90,
    });
    retry_at(world.forge(&fake.url()).issue(1).await);
    world.wait_until(now);
    let forge = world.forge(&fake.url());
    assert!(forge.issue(1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_limit_without_a_date_is_a_minute() {
    let words = r#"{"message":"You have exceeded a secondary rate limit"}"#;
    for reply in [Reply::json(403, words), Reply::json(429, "{}")] {
        let world = World::new().await;
        let server = Scripted::start(|_| vec![reply.clone()]).await;
        let forge = world.forge(server.url());
        let until = world.now().plus_secs(60);
        assert_eq!(retry_at(forge.issue(1).await), Some(until));
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_names_no_limits_has_none() {
    let world = World::new().await;
    let server = Scripted::start(|_| vec![Reply::json(200, r#"{"login":"anna"}"#)]).await;
    world.github(server.url()).whoami().await.unwrap();
    assert_eq!(world.store.rate_limits().await.unwrap(), []);
}

#[tokio::test]
async fn the_count_is_kept_when_it_has_changed_enough() {
    let (world, fake) = (World::new().await, seven_issues().await);
    fake.set_rate_limit(5000, 5000, u64::MAX / 2);
    let forge = world.forge(&fake.url());
    // The first issue costs two: whose it is matters only to somebody who knows who they are.
    forge.issue(1).await.unwrap();
    forge.issue(2).await.unwrap();
    assert_eq!(limit(&world, "core").await.remaining, 4999);
    world.wait_until(world.now().plus_secs(10));
    forge.issue(3).await.unwrap();
    let kept = limit(&world, "core").await;
    assert_eq!(
        (kept.remaining, kept.limit, kept.seen_at),
        (4996, 5000, world.now())
    );
    fake.set_rate_limit(5000, 4987, u64::MAX / 2);
    forge.issue(4).await.unwrap();
    assert_eq!(limit(&world, "core").await.remaining, 4986);
}
