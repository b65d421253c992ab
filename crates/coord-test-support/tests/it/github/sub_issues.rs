//! Issues below issues.

use serde_json::{Value, json};

use super::client::Client;
use super::{Stage, at};

/// Issues 1 to `count`.
fn stage(count: usize) -> Stage {
    let stage = Stage::new();
    for _ in 0..count {
        stage.repo.open_issue("t", "", &[], "coord");
    }
    stage
}

fn id(stage: &Stage, number: u64) -> u64 {
    stage.repo.issue(number).unwrap().id
}

fn numbers(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap().iter();
    list.map(|issue| issue["number"].as_u64().unwrap())
        .collect()
}

#[test]
fn parents_and_children_know_each_other() {
    let stage = stage(4);
    for child in [3, 2] {
        let link = json!({"sub_issue_id": id(&stage, child)});
        let answer = stage
            .client
            .call("POST", &at("/issues/1/sub_issues"), &link);
        assert_eq!(answer.expect(201)["number"], 1);
    }
    stage.repo.close_issue(3, "coord");
    let list = stage.client.get(&at("/issues/1/sub_issues")).expect(200);
    assert_eq!(numbers(&list), [3, 2]);
    assert!(
        list[0]["parent_issue_url"]
            .as_str()
            .unwrap()
            .ends_with("/repos/acme/widget/issues/1")
    );
    let parent = stage.client.get(&at("/issues/1")).expect(200);
    let summary = json!({"total": 2, "completed": 1, "percent_completed": 50});
    assert_eq!(parent["sub_issues_summary"], summary);
    assert_eq!(parent["parent_issue_url"], Value::Null);
    let second = stage
        .client
        .get(&at("/issues/1/sub_issues?per_page=1&page=2"))
        .expect(200);
    assert_eq!(numbers(&second), [2]);
    stage.assert_valid();
}

#[test]
fn an_issue_has_one_parent() {
    let stage = stage(103);
    let add = |parent: u64, child: u64| {
        let path = at(&format!("/issues/{parent}/sub_issues"));
        stage
            .client
            .call("POST", &path, &json!({"sub_issue_id": child}))
    };
    let [first, second] = [1, 2].map(|number| id(&stage, number));
    add(1, second).expect(201);
    for (parent, child, words) in [
        (
            1,
            second,
            "may not contain duplicate sub-issues and Sub issue may only have one parent",
        ),
        (3, second, "issue. Sub issue may only have one parent"),
        (1, first, "cannot be the same as the parent issue"),
    ] {
        let refused = add(parent, child).expect(422);
        let message = refused["message"].as_str().unwrap();
        assert!(message.ends_with(words), "{message}");
    }
    add(1, 9).expect(404);
    add(999, second).expect(404);
    let moved = json!({"sub_issue_id": second, "replace_parent": true});
    stage
        .client
        .call("POST", &at("/issues/3/sub_issues"), &moved)
        .expect(201);
    assert_eq!(
        (stage.repo.sub_issues(1), stage.repo.sub_issues(3)),
        (vec![], vec![2])
    );

    stage.repo.set_sub_issues(1, &(4..104).collect::<Vec<_>>());
    let refused = add(1, id(&stage, 3)).expect(422);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("more than 100"), "{message}");
    stage.assert_valid();
}

#[test]
fn whoever_may_only_read_links_nothing_and_old_servers_know_nothing() {
    let stage = stage(2);
    stage
        .github
        .add_user_with_permissions("eve", "token-of-eve", &[("issues", "read")]);
    let eve = Client::new(&stage.github, "token-of-eve");
    let link = json!({"sub_issue_id": id(&stage, 2)});
    eve.get(&at("/issues/1/sub_issues")).expect(200);
    eve.call("POST", &at("/issues/1/sub_issues"), &link)
        .expect(403);
    stage.github.set_knows_sub_issues(false);
    stage.client.get(&at("/issues/1/sub_issues")).expect(404);
    stage
        .client
        .call("POST", &at("/issues/1/sub_issues"), &link)
        .expect(404);
    let issue = stage.client.get(&at("/issues/1")).expect(200);
    assert_eq!(issue.get("sub_issues_summary"), None);
    stage.assert_valid();
}
