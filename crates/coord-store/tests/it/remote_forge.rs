//! What is kept of forges on the network.

use std::sync::Arc;

use coord_core::issue::{Issue, IssueState};
use coord_store::{
    CachedAnswer, ForgeCache, Mirror, MirroredComment, RateLimit, SubIssuePlace, SyncReport,
};

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
async fn the_order_of_sub_issues_is_the_last_that_was_seen() {
    let home = Home::new();
    let store = home.store().await;
    let mirror = Mirror::new(store.clone(), "api".into());
    let other = Mirror::new(store, "web".into());
    let list = |numbers: std::ops::Range<u64>| numbers.map(|it| issue(it, "t")).collect();
    mirror.replace_open(list(1..8), at(1)).await.unwrap();
    mirror.set_sub_issues(1, vec![3, 2, 4, 99]).await.unwrap();
    other.set_sub_issues(1, vec![4, 3]).await.unwrap();
    let before = async |number| mirror.siblings_before(number).await.unwrap();
    assert_eq!(before(4).await, [3, 2]);
    assert_eq!(before(3).await, [0; 0]);
    assert_eq!(before(7).await, [0; 0]);
    let place = SubIssuePlace {
        parent: 1,
        position: 2,
    };
    assert_eq!(mirror.place(4).await.unwrap(), Some(place));

    // Nothing else of the mirror changes it, and a closed one holds up nobody.
    let open = vec![issue(2, "renamed"), issue(4, "t"), issue(5, "t")];
    mirror.replace_open(open, at(2)).await.unwrap();
    assert_eq!(before(4).await, [2]);
    assert_eq!(mirror.state(3).await.unwrap(), Some(IssueState::Closed));
    assert_eq!(mirror.state(4).await.unwrap(), Some(IssueState::Open));
    assert_eq!(mirror.state(99).await.unwrap(), None);
    assert_eq!(mirror.parents_of_open().await.unwrap(), [1]);

    // One moves to another parent, whichever of the two lists comes first.
    mirror.set_sub_issues(5, vec![4, 2]).await.unwrap();
    mirror.set_sub_issues(1, vec![3]).await.unwrap();
    assert_eq!(before(2).await, [4]);
    mirror.set_sub_issues(1, vec![2, 3]).await.unwrap();
    mirror.set_sub_issues(5, vec![4]).await.unwrap();
    assert_eq!(before(2).await, [0; 0]);
    assert_eq!(mirror.parents_of_open().await.unwrap(), [1, 5]);
    mirror.set_sub_issues(5, vec![]).await.unwrap();
    assert_eq!(mirror.place(4).await.unwrap(), None);
    assert_eq!(other.place(4).await.unwrap().unwrap().position, 0);
}

#[tokio::test]
async fn an_opening_without_an_end_is_gone_on_with_for_a_day() {
    let home = Home::new();
    let [here, there] = [home.store().await, home.store().await];
    let [here, there] = [here, there].map(|store| ForgeCache::new(store, "api"));
    let first = here.begin_opening("/r", "t", "one", at(1)).await.unwrap();
    assert_eq!((first.key.as_str(), first.is_old), ("one", false));
    let again = there.begin_opening("/r", "t", "two", at(2)).await.unwrap();
    assert_eq!((again.key.as_str(), again.is_old), ("one", true));
    assert_eq!(again.since, at(1));
    for (route, issue) in [("/r", "u"), ("/s", "t")] {
        let other = there.begin_opening(route, issue, issue, at(2)).await;
        assert!(!other.unwrap().is_old, "{route} {issue}");
    }
    there.end_opening(&again).await.unwrap();
    let third = here.begin_opening("/r", "t", "three", at(3)).await.unwrap();
    assert_eq!((third.key.as_str(), third.is_old), ("three", false));
    let day = 24 * 3600;
    let late = here.begin_opening("/r", "t", "four", at(3 + day)).await;
    assert!(late.unwrap().is_old);
    let later = here.begin_opening("/r", "t", "five", at(4 + day)).await;
    assert!(!later.unwrap().is_old);
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
