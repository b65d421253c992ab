//! Rate limits, conditional requests and pages.

use serde_json::Value;

use super::{Stage, at};

#[test]
fn a_list_is_followed_to_its_end() {
    let stage = Stage::new();
    stage.repo.seed(250, 0, "u");
    let base = stage.github.url();
    let mut path = at("/issues?per_page=100&state=all&sort=created&direction=asc");
    let mut numbers = Vec::new();
    loop {
        let answer = stage.client.get(&path);
        let link = answer.header("link").to_owned();
        let page = answer.expect(200);
        numbers.extend(
            page.as_array()
                .unwrap()
                .iter()
                .map(|issue| issue["number"].as_u64()),
        );
        let next = link.split(", ").find(|link| link.ends_with("rel=\"next\""));
        let Some(next) = next else {
            assert!(
                link.contains("rel=\"first\"") && !link.contains("rel=\"last\""),
                "{link}"
            );
            break;
        };
        let address = next.strip_prefix('<').unwrap().split('>').next().unwrap();
        path = address.strip_prefix(&base).unwrap().to_owned();
    }
    assert_eq!(numbers, (1..=250).map(Some).collect::<Vec<_>>());
    assert_eq!(stage.github.requests().len(), 3);
    stage.assert_valid();
}

#[test]
fn what_has_not_changed_is_304_and_free() {
    let stage = Stage::new();
    stage.repo.seed(2, 2, "u");
    let first = stage.client.get(&at("/issues"));
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    let left = first.header("x-ratelimit-remaining").to_owned();
    let conditional = stage.client.with("if-none-match", &tag);
    let again = conditional.get(&at("/issues"));
    assert_eq!((again.status, &*again.text), (304, ""));
    assert_eq!(again.header("x-ratelimit-remaining"), left);
    assert_eq!(again.header("etag"), tag);
    stage.repo.comment(1, "u", "more");
    assert_eq!(conditional.get(&at("/issues")).status, 200);
    let seen = stage.github.requests();
    let statuses: Vec<_> = seen
        .iter()
        .map(|seen| (seen.status, seen.conditional))
        .collect();
    assert_eq!(statuses, [(200, false), (304, true), (200, true)]);
    stage.assert_valid();
}

#[test]
fn a_budget_ends_and_comes_back() {
    let stage = Stage::new();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    stage.github.set_rate_limit(5000, 1, now.as_secs() + 600);
    let last = stage.client.get(&at(""));
    assert_eq!(last.header("x-ratelimit-remaining"), "0");
    assert_eq!(last.header("x-ratelimit-used"), "5000");
    assert_eq!(last.header("x-ratelimit-resource"), "core");
    assert_eq!(last.expect(200)["name"], "widget");
    let over = stage.client.get(&at("")).expect(403);
    assert!(
        over["message"]
            .as_str()
            .unwrap()
            .starts_with("API rate limit exceeded")
    );
    stage.github.advance_clock(601);
    assert_eq!(stage.client.get(&at("")).status, 200);
    stage.assert_valid();
}

#[test]
fn twelve_hundred_issues_with_thirty_comments_each_are_there() {
    let stage = Stage::new();
    stage.repo.seed(1200, 30, "u");
    let answer = stage.client.get(&at("/issues?per_page=100&page=12"));
    assert_eq!(answer.expect(200).as_array().map(Vec::len), Some(100));
    let answer = stage
        .client
        .get(&at("/issues/comments?per_page=100&page=360"));
    assert!(!answer.header("link").contains("rel=\"next\""));
    let comments = answer.expect(200);
    let ids: Vec<_> = comments
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["id"].as_u64())
        .collect();
    assert_eq!(ids.len(), 100);
    assert!(ids.is_sorted());
    let newest = &comments[99];
    let since = newest["updated_at"].as_str().unwrap();
    let found = stage
        .client
        .get(&at(&format!("/issues/comments?since={since}")))
        .expect(200);
    assert_eq!(found, Value::Array(vec![newest.clone()]));
    stage.assert_valid();
}
