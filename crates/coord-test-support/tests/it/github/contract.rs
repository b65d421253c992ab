//! What the description refuses is refused and recorded; what we answer is valid.

use std::collections::BTreeSet;

use coord_test_support::github::{FakeGithub, OPERATIONS};
use serde_json::json;

use super::client::Client;
use super::{Stage, at};

/// Every operation once, over a pull request from its opening to its merge.
#[test]
fn a_tour_of_every_operation_violates_nothing() {
    let stage = Stage::new();
    let Stage {
        github,
        repo,
        client,
    } = &stage;
    github.add_user("rev", "token-of-rev");
    let rev = Client::new(github, "token-of-rev");
    let parent = client
        .call("POST", &at("/issues"), &json!({"title": "parent"}))
        .expect(201);
    let body = json!({"title": "child", "body": "b", "labels": ["a"], "assignees": ["rev"]});
    let child = client.call("POST", &at("/issues"), &body).expect(201);
    repo.set_milestone(2, "M1");
    assert_eq!(
        (&parent["number"], &child["number"]),
        (&json!(1), &json!(2))
    );
    let link = json!({"sub_issue_id": child["id"]});
    client
        .call("POST", &at("/issues/1/sub_issues"), &link)
        .expect(201);
    client.get(&at("/issues/1/sub_issues")).expect(200);
    client
        .call("POST", &at("/issues/1/labels"), &json!({"labels": ["x y"]}))
        .expect(200);
    client
        .send("DELETE", &at("/issues/1/labels/x%20y"), "")
        .unwrap()
        .expect(200);
    let comment = client
        .call("POST", &at("/issues/1/comments"), &json!({"body": "c"}))
        .expect(201);
    let path = at(&format!("/issues/comments/{}", comment["id"]));
    client
        .call("PATCH", &path, &json!({"body": "d"}))
        .expect(200);
    client
        .call(
            "PATCH",
            &at("/issues/1"),
            &json!({"body": "new", "state": "open"}),
        )
        .expect(200);

    let sha = repo.push_file("issue-1-x", "a.txt", "one\ntwo\n").unwrap();
    repo.set_check(&sha, "build", "completed", Some("success"));
    repo.set_check(&sha, "slow", "in_progress", None);
    repo.set_status(&sha, "lint", "success");
    repo.protect("main", &["build"]);
    repo.ruleset("main", &["lint"]);
    let body = json!({"title": "P", "head": "issue-1-x", "base": "main", "body": "Closes #1"});
    assert_eq!(
        client.call("POST", &at("/pulls"), &body).expect(201)["number"],
        3
    );
    let asked = json!({"reviewers": ["rev"]});
    client
        .call("POST", &at("/pulls/3/requested_reviewers"), &asked)
        .expect(201);
    let review = json!({
        "commit_id": sha, "event": "APPROVE", "body": "good",
        "comments": [{"path": "a.txt", "line": 2, "side": "RIGHT", "body": "nice"}],
    });
    rev.call("POST", &at("/pulls/3/reviews"), &review)
        .expect(200);
    for path in [
        String::new(),
        "/issues?state=all&per_page=2&labels=a&sort=updated&direction=asc".to_owned(),
        "/issues/2".to_owned(),
        "/issues/3".to_owned(),
        "/issues/1/comments?since=2020-01-01T00:00:00Z".to_owned(),
        "/issues/comments?sort=updated&direction=desc".to_owned(),
        "/git/matching-refs/heads/issue-1-".to_owned(),
        "/git/ref/heads/issue-1-x".to_owned(),
        "/compare/main...issue-1-x".to_owned(),
        "/pulls?head=acme:issue-1-x&state=open&base=main".to_owned(),
        "/pulls/3".to_owned(),
        "/pulls/3".to_owned(),
        "/pulls/3/files".to_owned(),
        "/pulls/3/reviews".to_owned(),
        format!("/commits/{sha}/check-runs?filter=latest"),
        format!("/commits/{sha}/status"),
        "/branches/main".to_owned(),
        "/branches/main/protection/required_status_checks".to_owned(),
        "/rules/branches/main".to_owned(),
    ] {
        client.get(&at(&path)).expect(200);
    }
    let merge = json!({"sha": sha, "merge_method": "squash"});
    client
        .call("PUT", &at("/pulls/3/merge"), &merge)
        .expect(200);
    client.get(&at("/pulls/3")).expect(200);
    client.get(&at("/issues/1")).expect(200);
    client.get("/user").expect(200);
    github.add_app(7, 8, "coord-app");
    let app = Client::new(github, &super::access::jwt(7, 0, 300));
    app.get("/app").expect(200);
    app.send("POST", "/app/installations/8/access_tokens", "")
        .unwrap()
        .expect(201);
    stage.assert_valid();
    let seen = stage.github.requests();
    let seen: BTreeSet<_> = seen.iter().filter_map(|seen| seen.operation).collect();
    assert_eq!(seen, OPERATIONS.iter().copied().collect());
}

#[test]
fn what_is_not_described_is_refused_and_recorded() {
    let stage = Stage::new();
    let client = &stage.client;
    let issue = stage.repo.open_issue("t", "b", &[], "u");
    let comments = at(&format!("/issues/{issue}/comments"));
    for (method, path, body, status) in [
        ("GET", "/repos/acme/widget/stargazers", "", 404),
        ("DELETE", "/repos/acme/widget", "", 404),
        ("GET", "/repos/acme/widget/issues?colour=red", "", 422),
        ("GET", "/repos/acme/widget/issues?per_page=101", "", 422),
        ("GET", "/repos/acme/widget/issues?since=yesterday", "", 422),
        ("GET", "/repos/acme/widget/issues/one", "", 404),
        ("POST", &*comments, "", 422),
        ("POST", &*comments, "{\"body\": 1}", 422),
        (
            "POST",
            &*comments,
            "{\"body\": \"b\", \"in_reply_to\": 1}",
            422,
        ),
        ("POST", &*comments, "{\"body\": ", 400),
    ] {
        let before = stage.github.violations().len();
        let answer = client.send(method, path, body).unwrap();
        assert_eq!(
            answer.status, status,
            "{method} {path} {body}: {}",
            answer.text
        );
        let violations = stage.github.violations();
        assert_eq!(
            violations.len(),
            before + 1,
            "{method} {path} {body}: {violations:?}"
        );
    }
    assert!(
        stage.repo.comments(issue).is_empty(),
        "nothing was carried out"
    );
}

/// GitHub's description does not know this conclusion, so our answer with it is wrong.
#[test]
fn an_answer_that_is_not_as_described_is_recorded() {
    let stage = Stage::new();
    let sha = stage.repo.branch("main").unwrap().unwrap();
    stage
        .repo
        .set_check(&sha, "c", "completed", Some("splendid"));
    stage
        .client
        .get(&at("/commits/main/check-runs"))
        .expect(200);
    let violations = stage.github.violations();
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(violations[0].contains("splendid"), "{violations:?}");
}

#[test]
fn a_client_says_who_it_is_and_what_it_speaks() {
    let stage = Stage::new();
    let nameless = stage.client.with("user-agent", "").get(&at(""));
    assert_eq!(nameless.status, 403);
    let known = stage.client.with("x-github-api-version", "2022-11-28");
    assert_eq!(known.get(&at("")).status, 200);
    let unknown = stage.client.with("x-github-api-version", "2001-01-01");
    assert_eq!(unknown.get(&at("")).status, 400);
    assert_eq!(stage.github.violations().len(), 2);
}

#[test]
fn an_enterprise_server_answers_below_its_prefix_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let github = runtime.block_on(FakeGithub::start_enterprise()).unwrap();
    assert!(github.url().ends_with("/api/v3"));
    github.add_user("coord", "t");
    let repo = github.add_repo("acme/widget", None).unwrap();
    repo.seed(3, 0, "u");
    let client = Client::new(&github, "t");
    let answer = client.get(&at("/issues?per_page=2"));
    let next = format!(
        "<{}{}?page=2&per_page=2>; rel=\"next\"",
        github.url(),
        at("/issues")
    );
    assert!(
        answer.header("link").contains(&next),
        "{}",
        answer.header("link")
    );
    assert_eq!(answer.header("x-github-enterprise-version"), "3.18.0");
    assert_eq!(github.violations(), [""; 0]);
}
