//! Issues, labels and comments.

use serde_json::{Value, json};

use super::{Stage, at};

/// Everything that is easily lost on the way.
const HARD: &str = "a\r\nb <b>&amp;</b> --> `x` \u{202e}rtl 🦀 \u{0}\t é";

#[test]
fn texts_come_back_as_they_were_given() {
    let stage = Stage::new();
    let body = json!({"title": "t <!-- 🦀 \u{202e}", "body": HARD, "labels": ["ä/b c", "<i>"]});
    let issue = stage.client.call("POST", &at("/issues"), &body).expect(201);
    assert_eq!(issue["title"], body["title"]);
    assert_eq!(issue["body"], HARD);
    assert_eq!(issue["labels"][0]["name"], "ä/b c");
    let labels = stage
        .client
        .send("DELETE", &at("/issues/1/labels/%C3%A4%2Fb%20c"), "")
        .unwrap();
    assert_eq!(labels.expect(200)[0]["name"], "<i>");
    let gone = stage
        .client
        .send("DELETE", &at("/issues/1/labels/%C3%A4%2Fb%20c"), "")
        .unwrap();
    assert_eq!(gone.expect(404)["message"], "Label does not exist");
    let comment = json!({"body": HARD});
    let comment = stage
        .client
        .call("POST", &at("/issues/1/comments"), &comment)
        .expect(201);
    assert_eq!(comment["body"], HARD);
    assert_eq!(stage.repo.comments(1)[0].body, HARD);
    stage.assert_valid();
}

#[test]
fn what_is_too_long_or_empty_is_422() {
    let stage = Stage::new();
    let longest = "ä".repeat(65_536);
    let client = &stage.client;
    let post = |path: &str, body: &Value| client.call("POST", &at(path), body);
    post(
        "/issues",
        &json!({"title": "t".repeat(256), "body": longest}),
    )
    .expect(201);
    post("/issues/1/comments", &json!({"body": longest})).expect(201);
    let longer = format!("{longest}x");
    for (path, body) in [
        ("/issues", json!({"title": "t".repeat(257)})),
        ("/issues", json!({"title": ""})),
        ("/issues", json!({"title": "t", "body": longer})),
        ("/issues", json!({"title": "t", "milestone": 9})),
        ("/issues/1/comments", json!({"body": longer})),
        ("/issues/1/comments", json!({"body": ""})),
    ] {
        let refused = post(path, &body).expect(422);
        assert!(refused["errors"][0]["code"].is_string(), "{refused}");
    }
    assert_eq!(stage.repo.issues().len(), 1);
    assert_eq!(stage.repo.comments(1).len(), 1);
    stage.assert_valid();
}

#[test]
fn a_list_is_filtered_as_it_is_asked_for() {
    let stage = Stage::new();
    let repo = &stage.repo;
    let bug = repo.open_issue("bug", "", &["Bug", "p1"], "ann");
    let idea = repo.open_issue("idea", "", &["idea"], "bob");
    let done = repo.open_issue("done", "", &["bug"], "ann");
    repo.close_issue(done, "ann");
    repo.set_milestone(idea, "M1");
    repo.assign(bug, &["bob"]);
    repo.push_file("x", "x", "x").unwrap();
    let pull = repo.open_pull("pull", "x", "main", "ann").unwrap();
    let numbers = |query: &str| -> Vec<u64> {
        let listed = stage
            .client
            .get(&at(&format!("/issues?{query}")))
            .expect(200);
        let listed = listed.as_array().unwrap();
        listed
            .iter()
            .map(|issue| issue["number"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(""), [pull, idea, bug]);
    assert_eq!(numbers("state=all&direction=asc"), [bug, idea, done, pull]);
    assert_eq!(numbers("state=closed"), [done]);
    assert_eq!(numbers("labels=bug,p1"), [bug]);
    assert_eq!(numbers("creator=Ann"), [pull, bug]);
    assert_eq!(numbers("assignee=bob"), [bug]);
    assert_eq!(numbers("assignee=none"), [pull, idea]);
    assert_eq!(numbers("milestone=1"), [idea]);
    assert_eq!(numbers("milestone=none"), [pull, bug]);
    let listed = stage.client.get(&at("/issues")).expect(200);
    assert!(listed[0]["pull_request"]["url"].is_string());
    assert!(listed[1].get("pull_request").is_none());
    assert_eq!(listed[1]["milestone"]["title"], "M1");
    assert_eq!(listed[2]["assignees"][0]["login"], "bob");
    stage.github.advance_clock(100);
    repo.comment(bug, "bob", "again");
    let updated = repo.comments(bug)[0].updated_at.clone();
    assert_eq!(numbers(&format!("state=all&since={updated}")), [bug]);
    assert_eq!(numbers("sort=updated")[0], bug);
    stage.assert_valid();
}

#[test]
fn an_issue_is_changed_closed_and_opened_again() {
    let stage = Stage::new();
    let number = stage.repo.open_issue("t", "old", &["a"], "u");
    let path = at(&format!("/issues/{number}"));
    let changed = stage
        .client
        .call("PATCH", &path, &json!({"body": "new"}))
        .expect(200);
    assert_eq!(
        (&changed["body"], &changed["title"]),
        (&json!("new"), &json!("t"))
    );
    let close = json!({"state": "closed", "state_reason": "not_planned"});
    let closed = stage.client.call("PATCH", &path, &close).expect(200);
    assert_eq!(closed["state_reason"], "not_planned");
    assert_eq!(closed["closed_by"]["login"], "coord");
    assert!(closed["closed_at"].is_string());
    let opened = stage
        .client
        .call("PATCH", &path, &json!({"state": "open"}))
        .expect(200);
    assert_eq!(
        (&opened["state"], &opened["closed_at"]),
        (&json!("open"), &Value::Null)
    );
    assert_eq!(stage.repo.issue(number).unwrap().labels, ["a"]);
    assert_eq!(stage.client.get(&at("/issues/99")).status, 404);
    let absent = stage
        .client
        .call("POST", &at("/issues/99/comments"), &json!({"body": "b"}));
    assert_eq!(absent.status, 404);
    stage.assert_valid();
}

#[test]
fn ids_rise_over_everything() {
    let stage = Stage::new();
    stage.repo.seed(2, 1, "u");
    let one = stage.repo.comment(2, "u", "a");
    let body = json!({"body": "b"});
    let two = stage
        .client
        .call("POST", &at("/issues/1/comments"), &body)
        .expect(201);
    assert!(two["id"].as_u64().unwrap() > one);
    let path = at(&format!("/issues/comments/{one}"));
    let changed = stage
        .client
        .call("PATCH", &path, &json!({"body": "c"}))
        .expect(200);
    assert_eq!(
        changed["issue_url"],
        format!("{}{}", stage.github.url(), at("/issues/2"))
    );
    assert_eq!(stage.repo.comments(2)[1].body, "c");
    stage.assert_valid();
}
