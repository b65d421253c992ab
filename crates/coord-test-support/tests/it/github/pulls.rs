//! Pull requests and merges, which are looked at with git.

use coord_test_support::git_fixture::git;
use serde_json::{Value, json};

use super::{Stage, at};

impl Stage {
    /// A pull request from a branch with these files, one commit each.
    fn pull(&self, branch: &str, files: &[(&str, &str)]) -> (u64, String) {
        let mut sha = String::new();
        for (path, content) in files {
            sha = self.repo.push_file(branch, path, content).unwrap();
        }
        let body = json!({"title": branch, "head": branch, "base": "main", "body": "Fixes #1."});
        let pull = self.client.call("POST", &at("/pulls"), &body).expect(201);
        (pull["number"].as_u64().unwrap(), sha)
    }

    fn merge(&self, number: u64, body: &Value) -> super::client::Answer {
        self.client
            .call("PUT", &at(&format!("/pulls/{number}/merge")), body)
    }

    fn git(&self, args: &[&str]) -> String {
        git(&self.repo.git_path(), args).unwrap()
    }

    fn get_pull(&self, number: u64) -> Value {
        self.client
            .get(&at(&format!("/pulls/{number}")))
            .expect(200)
    }
}

#[test]
fn what_cannot_be_opened_is_422() {
    let stage = Stage::new();
    let (number, _) = stage.pull("one", &[("a", "a")]);
    stage.repo.open_issue("t", "", &[], "u");
    stage.git(&["update-ref", "refs/heads/same", "refs/heads/main"]);
    for (head, base, message) in [
        (
            "one",
            "main",
            Some("A pull request already exists for acme:one."),
        ),
        ("same", "main", Some("No commits between main and same")),
        ("none", "main", None),
        ("one", "none", None),
        ("other:one", "main", None),
    ] {
        let body = json!({"title": "t", "head": head, "base": base});
        let refused = stage.client.call("POST", &at("/pulls"), &body).expect(422);
        assert_eq!(refused["message"], "Validation Failed");
        assert_eq!(
            refused["errors"][0]["message"].as_str(),
            message,
            "{head} {base}"
        );
    }
    let found = stage
        .client
        .get(&at("/pulls?head=acme:one&state=all"))
        .expect(200);
    assert_eq!(found[0]["number"], number);
    let found = stage
        .client
        .get(&at("/pulls?head=acme:two&state=all"))
        .expect(200);
    assert_eq!(found, json!([]));
    stage.assert_valid();
}

#[test]
fn mergeability_is_known_at_the_second_look() {
    let stage = Stage::new();
    let (number, _) = stage.pull("one", &[("README.md", "one\n")]);
    let look = || {
        let pull = stage.get_pull(number);
        (pull["mergeable"].clone(), pull["mergeable_state"].clone())
    };
    let unknown = (Value::Null, json!("unknown"));
    assert_eq!(look(), unknown);
    assert_eq!(look(), (json!(true), json!("clean")));
    stage
        .repo
        .push_file("main", "README.md", "other\n")
        .unwrap();
    assert_eq!(look(), unknown);
    assert_eq!(look(), (json!(false), json!("dirty")));
    stage.github.set_lazy_mergeability(false);
    let sha = stage.repo.push_file("one", "README.md", "other\n").unwrap();
    assert_eq!(look(), (json!(true), json!("clean")));
    stage
        .repo
        .set_check(&sha, "optional", "completed", Some("failure"));
    assert_eq!(look(), (json!(true), json!("unstable")));
    stage.repo.protect("main", &["build"]);
    assert_eq!(look(), (json!(true), json!("blocked")));
    assert_eq!(stage.get_pull(number)["head"]["sha"], sha);
    stage.assert_valid();
}

#[test]
fn files_and_diff_are_what_the_branch_changes() {
    let stage = Stage::new();
    let (number, _) = stage.pull(
        "one",
        &[("README.md", "# fixture\nmore\n"), ("ü b.txt", "x")],
    );
    stage.repo.push_file("main", "c.txt", "c\n").unwrap();
    let pull = stage.get_pull(number);
    assert_eq!(
        (&pull["changed_files"], &pull["commits"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&pull["additions"], &pull["deletions"]),
        (&json!(2), &json!(0))
    );
    let files = stage
        .client
        .get(&at(&format!("/pulls/{number}/files")))
        .expect(200);
    assert_eq!(files[0]["filename"], "README.md");
    assert_eq!(files[0]["patch"], "@@ -1 +1,2 @@\n # fixture\n+more");
    assert_eq!(
        (&files[1]["filename"], &files[1]["status"]),
        (&json!("ü b.txt"), &json!("added"))
    );
    let diff = stage.client.with("accept", "application/vnd.github.diff");
    let diff = diff.get(&at(&format!("/pulls/{number}")));
    assert_eq!(diff.status, 200);
    assert!(
        diff.text
            .starts_with("diff --git a/README.md b/README.md\n"),
        "{}",
        diff.text
    );
    assert!(
        !diff.text.contains("c.txt"),
        "what the base has done is not part of it"
    );
    stage.assert_valid();
}

#[test]
fn a_merge_is_a_merge() {
    for (method, parents, subject) in [
        ("merge", 2, "Merge pull request #2 from acme/one"),
        ("squash", 1, "one (#2)"),
        ("rebase", 1, "Change b"),
    ] {
        let stage = Stage::new();
        stage.repo.open_issue("t", "", &[], "u");
        let (number, sha) = stage.pull("one", &[("a", "a"), ("b", "b")]);
        let before = stage.repo.push_file("main", "c", "c").unwrap();
        let merged = stage
            .merge(number, &json!({"sha": sha, "merge_method": method}))
            .expect(200);
        let tip = merged["sha"].as_str().unwrap();
        assert_eq!(stage.git(&["rev-parse", "main"]), tip);
        assert_eq!(
            stage.git(&["ls-tree", "--name-only", "main"]),
            "README.md\na\nb\nc"
        );
        assert_eq!(stage.git(&["log", "-1", "--format=%s", "main"]), subject);
        let line = stage.git(&["log", "-1", "--format=%P", "main"]);
        assert_eq!(line.split(' ').count(), parents, "{method}");
        let made = stage.git(&[
            "rev-list",
            "--count",
            "--first-parent",
            &format!("{before}..main"),
        ]);
        assert_eq!(made, if method == "rebase" { "2" } else { "1" });
        let pull = stage.get_pull(number);
        assert_eq!(
            (&pull["merged"], &pull["state"]),
            (&json!(true), &json!("closed"))
        );
        assert_eq!(pull["merge_commit_sha"], tip);
        assert_eq!(pull["changed_files"], 2, "it shows what it has merged");
        assert!(!stage.repo.issue(1).unwrap().open, "its body closes #1");
        assert_eq!(stage.merge(number, &json!({})).status, 405);
        stage.assert_valid();
    }
}

#[test]
fn titles_and_messages_are_honoured() {
    let stage = Stage::new();
    let (number, _) = stage.pull("one", &[("a", "a")]);
    let body = json!({"merge_method": "squash", "commit_title": "T", "commit_message": "M\n\nN"});
    stage.merge(number, &body).expect(200);
    assert_eq!(
        stage.git(&["log", "-1", "--format=%B", "main"]),
        "T\n\nM\n\nN"
    );
    stage.assert_valid();
}

#[test]
fn a_merge_is_refused_in_the_wrong_state() {
    let stage = Stage::new();
    let main = stage.repo.branch("main").unwrap();
    let (number, old) = stage.pull("one", &[("README.md", "one\n")]);
    let new = stage.repo.push_file("one", "README.md", "two\n").unwrap();
    let moved = stage.merge(number, &json!({"sha": old})).expect(409);
    let message = "Head branch was modified. Review and try the merge again.";
    assert_eq!(moved["message"], message);
    stage.repo.protect("main", &["build"]);
    let blocked = stage.merge(number, &json!({"sha": new})).expect(405);
    assert_eq!(
        blocked["message"],
        "Required status check \"build\" is expected."
    );
    assert_eq!(stage.repo.branch("main").unwrap(), main);
    stage
        .repo
        .set_check(&new, "build", "completed", Some("success"));
    stage
        .repo
        .push_file("main", "README.md", "other\n")
        .unwrap();
    for method in ["merge", "squash", "rebase"] {
        let conflict = stage
            .merge(number, &json!({"sha": new, "merge_method": method}))
            .expect(405);
        assert_eq!(
            conflict["message"], "Pull Request is not mergeable",
            "{method}"
        );
    }
    let close = json!({"state": "closed"});
    let path = at(&format!("/issues/{number}"));
    stage.client.call("PATCH", &path, &close).expect(200);
    assert_eq!(stage.merge(number, &json!({"sha": new})).status, 405);
    stage.assert_valid();
}

#[test]
fn the_head_follows_its_branch_until_the_pull_request_is_closed() {
    let stage = Stage::new();
    let (number, _) = stage.pull("one", &[("a", "a")]);
    let second = stage.repo.push_file("one", "a", "b").unwrap();
    assert_eq!(stage.get_pull(number)["head"]["sha"], second);
    stage.repo.close_issue(number, "coord");
    stage.repo.push_file("one", "a", "c").unwrap();
    let pull = stage.get_pull(number);
    assert_eq!(
        (&pull["head"]["sha"], &pull["merged"]),
        (&json!(second), &json!(false))
    );
    let (other, _) = stage.pull("two", &[("b", "b")]);
    stage.repo.delete_branch("two").unwrap();
    assert_eq!(stage.get_pull(other)["state"], "closed");
    stage.assert_valid();
}
