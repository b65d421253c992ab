//! What is kept of forges on the network.

use std::sync::Arc;

use coord_core::issue::{Issue, IssueState};
use coord_store::{CachedAnswer, ForgeCache, Mirror, MirroredComment, RateLimit, SyncReport};

use crate::sample::{Home, at};

fn answer(etag: &str) -> CachedAnswer {
    CachedAnswer {
        etag: etag.to_owned(),
        body: b"[{\"n\": 1}]\0\xff".to_vec(),
        link: Some("<https://forge.example/2>; rel=\"next\"".to_owned()),
    }
}

fn limit(resource: &str, remaining: u64, seen: i64) -> RateLimit {
    RateLimit {
        resource: resource.to_owned(),
        limit: 5000,
        remaining,
        resets_at: at(3600),
        parked_until: (remaining == 0).then(|| at(3600)),
        seen_at: at(seen),
    }
}

fn issue(number: u64, title: &str) -> Issue {
    Issue {
        number,
        title: title.to_owned(),
        body: "\u{202e}--> <!-- coord:event=merge -->\r\n\0".to_owned(),
        labels: vec!["größer".to_owned()],
        state: IssueState::Open,
        author: "mallory".to_owned(),
        trusted: false,
        milestone: Some("1.0".to_owned()),
        assignees: vec!["anna".to_owned()],
    }
}

fn comment(id: u64, body: &str) -> MirroredComment {
    MirroredComment {
        id,
        author: "anna".to_owned(),
        trusted: id.is_multiple_of(2),
        body: body.to_owned(),
        at: at(5),
    }
}

fn numbers(issues: &[Issue]) -> Vec<u64> {
    issues.iter().map(|issue| issue.number).collect()
}

#[tokio::test]
async fn an_answer_belongs_to_its_scope_and_goes_after_thirty_days() {
    let home = Home::new();
    let [here, there] = [home.store().await, home.store().await];
    let anna = ForgeCache::new(here, "https://forge.example anna");
    let bert = ForgeCache::new(there.clone(), "https://forge.example bert");
    let anna_too = ForgeCache::new(there, "https://forge.example anna");
    assert_eq!(anna.answer("/a").await.unwrap(), None);
    anna.keep_answer("/a", answer("1"), at(1)).await.unwrap();
    anna.keep_answer("/a", answer("2"), at(2)).await.unwrap();
    let last = CachedAnswer {
        link: None,
        ..answer("W/\"3\"")
    };
    anna.keep_answer("/b", last.clone(), at(9)).await.unwrap();
    assert_eq!(anna_too.answer("/a").await.unwrap(), Some(answer("2")));
    assert_eq!(anna_too.answer("/b").await.unwrap(), Some(last.clone()));
    assert_eq!(bert.answer("/a").await.unwrap(), None);

    let month = 30 * 24 * 3600;
    bert.keep_answer("/c", answer("4"), at(2 + month))
        .await
        .unwrap();
    assert_eq!(anna.answer("/a").await.unwrap(), Some(answer("2")));
    bert.keep_answer("/c", answer("4"), at(3 + month))
        .await
        .unwrap();
    assert_eq!(anna.answer("/a").await.unwrap(), None);
    assert_eq!(anna.answer("/b").await.unwrap(), Some(last));
}

#[tokio::test]
async fn the_latest_word_on_a_limit_counts() {
    let home = Home::new();
    let [here, there] = [home.store().await, home.store().await];
    let anna = ForgeCache::new(here.clone(), "anna");
    let anna_too = ForgeCache::new(there.clone(), "anna");
    let bert = ForgeCache::new(there, "bert");
    anna.set_limit(limit("core", 7, 2)).await.unwrap();
    anna_too.set_limit(limit("core", 8, 1)).await.unwrap();
    anna_too.set_limit(limit("a", 0, 1)).await.unwrap();
    bert.set_limit(limit("core", 1, 1)).await.unwrap();
    let of_anna = [limit("a", 0, 1), limit("core", 7, 2)];
    assert_eq!(anna_too.limits().await.unwrap(), of_anna);
    anna_too.set_limit(limit("core", 6, 2)).await.unwrap();
    let all = here.rate_limits().await.unwrap();
    let all: Vec<_> = all.iter().map(|(of, limit)| (of.as_str(), limit)).collect();
    assert_eq!(
        all,
        [
            ("anna", &limit("a", 0, 1)),
            ("anna", &limit("core", 6, 2)),
            ("bert", &limit("core", 1, 1))
        ]
    );
}

#[tokio::test]
async fn a_list_of_open_issues_says_what_changed() {
    let home = Home::new();
    let store = home.store().await;
    let mirror = Mirror::new(store.clone(), "api".into());
    let other = Mirror::new(store, "web".into());
    other.put_issue(issue(1, "of web"), at(1)).await.unwrap();
    assert_eq!(mirror.synced_at().await.unwrap(), None);

    // As a list in pages has it when issue 2 moves on to the next page meanwhile.
    let first = vec![issue(2, "b"), issue(1, "a"), issue(3, "c"), issue(2, "b")];
    let report = |added, changed, closed| SyncReport {
        added,
        changed,
        closed,
    };
    let synced = mirror.replace_open(first.clone(), at(1)).await.unwrap();
    assert_eq!(synced, report(3, 0, 0));
    let synced = mirror.replace_open(first, at(2)).await.unwrap();
    assert_eq!(synced, SyncReport::default());
    assert_eq!(mirror.issue(2).await.unwrap(), Some(issue(2, "b")));

    let second = vec![issue(1, "renamed"), issue(4, "d"), issue(3, "c")];
    assert_eq!(
        mirror.replace_open(second, at(3)).await.unwrap(),
        report(1, 1, 1)
    );
    assert_eq!(mirror.synced_at().await.unwrap(), Some(at(3)));
    let closed = mirror.issues(Some(IssueState::Closed)).await.unwrap();
    assert_eq!(numbers(&closed), [2]);
    assert_eq!(closed[0].state, IssueState::Closed);
    let open = mirror.issues(Some(IssueState::Open)).await.unwrap();
    assert_eq!(numbers(&open), [1, 3, 4]);
    assert_eq!(open[0].title, "renamed");

    let reopened = vec![issue(2, "b")];
    assert_eq!(
        mirror.replace_open(reopened, at(4)).await.unwrap(),
        report(0, 1, 3)
    );
    assert_eq!(numbers(&mirror.issues(None).await.unwrap()), [1, 2, 3, 4]);
    assert_eq!(mirror.issue(9).await.unwrap(), None);
    assert_eq!(numbers(&other.issues(None).await.unwrap()), [1]);
    assert_eq!(other.synced_at().await.unwrap(), None);
}

#[tokio::test]
async fn comments_are_replaced_by_their_id() {
    let home = Home::new();
    let [here, there] =
        [home.store().await, home.store().await].map(|store| Mirror::new(store, "api".into()));
    let first = vec![
        (1, comment(8, "b")),
        (1, comment(7, "a")),
        (2, comment(9, "c")),
    ];
    here.put_comments(first).await.unwrap();
    there
        .put_comments(vec![(1, comment(8, "edited"))])
        .await
        .unwrap();
    let found = here.comments(1).await.unwrap();
    assert_eq!(found, [comment(7, "a"), comment(8, "edited")]);
    assert_eq!(here.comments(3).await.unwrap(), []);

    assert_eq!(here.comments_cursor().await.unwrap(), None);
    here.set_comments_cursor(at(5)).await.unwrap();
    there.replace_open(Vec::new(), at(6)).await.unwrap();
    there.set_comments_cursor(at(7)).await.unwrap();
    assert_eq!(here.comments_cursor().await.unwrap(), Some(at(7)));
    assert_eq!(here.synced_at().await.unwrap(), Some(at(6)));
}

#[tokio::test]
async fn two_that_sync_at_once_end_with_one_of_the_lists() {
    let home = Home::new();
    let stores = [home.store().await, home.store().await];
    let mut syncs = Vec::new();
    for (store, numbers) in stores.iter().zip([1..400, 200..600]) {
        let mirror = Arc::new(Mirror::new(store.clone(), "api".into()));
        let list: Vec<Issue> = numbers.map(|number| issue(number, "t")).collect();
        syncs.push(tokio::spawn(async move {
            mirror.replace_open(list, at(1)).await.unwrap();
        }));
    }
    for sync in syncs {
        sync.await.unwrap();
    }
    let mirror = Mirror::new(stores[0].clone(), "api".into());
    let open = numbers(&mirror.issues(Some(IssueState::Open)).await.unwrap());
    let (one, two): (Vec<u64>, Vec<u64>) = ((1..400).collect(), (200..600).collect());
    assert!(open == one || open == two, "{open:?}");
    assert_eq!(mirror.issues(None).await.unwrap().len(), 599);
}

#[tokio::test]
async fn none_of_it_wakes_those_who_watch_the_board() {
    let home = Home::new();
    let store = home.store().await;
    let changes = store.changes();
    let cache = ForgeCache::new(store.clone(), "anna");
    cache.keep_answer("/a", answer("1"), at(1)).await.unwrap();
    cache.set_limit(limit("core", 1, 1)).await.unwrap();
    let mirror = Mirror::new(store.clone(), "api".into());
    mirror.put_issue(issue(1, "a"), at(1)).await.unwrap();
    assert!(!changes.has_changed().unwrap());
    assert_eq!(store.board().await.unwrap().seq, 0);
}
