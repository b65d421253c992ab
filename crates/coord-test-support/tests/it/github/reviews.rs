//! Reviews, reviewers, checks and what a branch requires.

use serde_json::{Value, json};

use super::client::Client;
use super::{Stage, at};

/// A pull request #1 by `coord`, and `rev`, who reviews.
fn stage() -> (Stage, Client, String) {
    let stage = Stage::new();
    stage.github.add_user("rev", "token-of-rev");
    let rev = Client::new(&stage.github, "token-of-rev");
    let sha = stage
        .repo
        .push_file("one", "README.md", "# fixture\ntwo\nthree\n")
        .unwrap();
    let body = json!({"title": "t", "head": "one", "base": "main"});
    stage.client.call("POST", &at("/pulls"), &body).expect(201);
    (stage, rev, sha)
}

fn review(client: &Client, body: &Value) -> super::client::Answer {
    client.call("POST", &at("/pulls/1/reviews"), body)
}

#[test]
fn comments_stand_on_lines_of_the_diff() {
    let (stage, rev, sha) = stage();
    let comment = |line: u64| json!({"path": "README.md", "line": line, "body": "b"});
    let on = |comments: Value| json!({"event": "COMMENT", "body": "x", "comments": comments});
    let refused = review(&rev, &on(json!([comment(2), comment(9)]))).expect(422);
    let message = "Pull request review thread line must be part of the diff";
    assert_eq!(refused["errors"][0], message);
    let elsewhere = json!([{"path": "other", "line": 1, "body": "b"}]);
    assert_eq!(review(&rev, &on(elsewhere)).status, 422);
    assert!(
        stage.repo.pulls()[0].reviews.is_empty(),
        "all of it or nothing"
    );
    let lines = json!([comment(2), {
        "path": "README.md", "start_line": 2, "line": 3, "side": "RIGHT", "body": "both",
    }]);
    let made = review(&rev, &on(lines)).expect(200);
    assert_eq!(
        (&made["state"], &made["commit_id"]),
        (&json!("COMMENTED"), &json!(sha))
    );
    let both = &stage.repo.pulls()[0].reviews[0].comments[1];
    assert_eq!((both.start_line, both.line), (Some(2), 3));
    stage.assert_valid();
}

#[test]
fn states_follow_from_events_and_nobody_approves_themselves() {
    let (stage, rev, sha) = stage();
    let own = review(&stage.client, &json!({"event": "APPROVE"})).expect(422);
    assert_eq!(own["errors"][0], "Can not approve your own pull request");
    assert_eq!(
        review(&rev, &json!({"event": "REQUEST_CHANGES"})).status,
        422
    );
    let changes = json!({"event": "REQUEST_CHANGES", "body": "no", "commit_id": sha});
    review(&rev, &changes).expect(200);
    stage.repo.push_file("one", "b", "b").unwrap();
    review(&rev, &json!({"event": "APPROVE"})).expect(200);
    let unknown = json!({"event": "APPROVE", "commit_id": "f".repeat(40)});
    assert_eq!(review(&rev, &unknown).status, 422);
    let reviews = stage.client.get(&at("/pulls/1/reviews")).expect(200);
    assert_eq!(reviews[0]["state"], "CHANGES_REQUESTED");
    assert_eq!(reviews[0]["commit_id"], sha);
    assert_eq!(reviews[1]["state"], "APPROVED");
    assert_ne!(reviews[1]["commit_id"], sha);
    stage.assert_valid();
}

#[test]
fn reviewers_are_collaborators_and_not_the_author() {
    let (stage, rev, _) = stage();
    let ask = |login: &str| {
        let body = json!({"reviewers": [login]});
        stage
            .client
            .call("POST", &at("/pulls/1/requested_reviewers"), &body)
    };
    assert_eq!(ask("coord").status, 422);
    assert_eq!(ask("stranger").status, 422);
    let pull = ask("rev").expect(201);
    assert_eq!(pull["requested_reviewers"][0]["login"], "rev");
    review(&rev, &json!({"event": "APPROVE"})).expect(200);
    assert!(stage.repo.pulls()[0].reviewers.is_empty());
    stage.assert_valid();
}

#[test]
fn checks_and_statuses_are_told_apart() {
    let (stage, _, sha) = stage();
    let runs = || {
        stage
            .client
            .get(&at(&format!("/commits/{sha}/check-runs")))
            .expect(200)
    };
    let status = || {
        stage
            .client
            .get(&at(&format!("/commits/{sha}/status")))
            .expect(200)
    };
    assert_eq!(runs()["total_count"], 0);
    assert_eq!(
        (&status()["state"], &status()["total_count"]),
        (&json!("pending"), &json!(0))
    );
    stage.repo.set_check(&sha, "build", "in_progress", None);
    stage
        .repo
        .set_check(&sha, "build", "completed", Some("failure"));
    stage.repo.set_status(&sha, "lint", "pending");
    stage.repo.set_status(&sha, "lint", "success");
    assert_eq!(runs()["total_count"], 1);
    assert_eq!(runs()["check_runs"][0]["conclusion"], "failure");
    assert_eq!(status()["state"], "success");
    stage.repo.set_status(&sha, "docs", "error");
    assert_eq!(status()["state"], "failure");
    let unknown = format!("/commits/{}/status", "f".repeat(40));
    assert_eq!(stage.client.get(&at(&unknown)).status, 422);
    stage.assert_valid();
}

#[test]
fn what_a_branch_requires_can_be_read_or_hidden() {
    let (stage, _, _) = stage();
    let path = at("/branches/main/protection/required_status_checks");
    let required = || stage.client.get(&path);
    assert_eq!(required().expect(404)["message"], "Branch not protected");
    stage.repo.protect("main", &[]);
    assert_eq!(
        required().expect(404)["message"],
        "Required status checks not enabled"
    );
    stage.repo.protect("main", &["build"]);
    assert_eq!(required().expect(200)["contexts"], json!(["build"]));
    stage.repo.hide_protection();
    assert_eq!(required().status, 403);
    let rules = || stage.client.get(&at("/rules/branches/main")).expect(200);
    assert_eq!(rules(), json!([]));
    stage.repo.ruleset("main", &["lint"]);
    let checks = &rules()[0]["parameters"]["required_status_checks"];
    assert_eq!(checks[0]["context"], "lint");
    stage.assert_valid();
}
