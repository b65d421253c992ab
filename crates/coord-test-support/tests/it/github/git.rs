//! Refs and comparisons come from the bare repository.

use coord_test_support::git_fixture::RepoFixture;
use serde_json::json;

use super::{Stage, at};

#[test]
fn refs_are_those_of_the_repository() {
    let stage = Stage::new();
    let names = ["issue-5-a", "issue-5-b/ü c", "issue-55-x"];
    for name in names.iter().filter(|name| !name.contains(' ')) {
        stage.repo.push_file(name, "x", "x").unwrap();
    }
    let odd = stage.repo.push_file("issue-5-b/ü#c", "x", "x").unwrap();
    let matching = stage
        .client
        .get(&at("/git/matching-refs/heads/issue-5-"))
        .expect(200);
    let found: Vec<_> = matching
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["ref"].clone())
        .collect();
    assert_eq!(found, ["refs/heads/issue-5-a", "refs/heads/issue-5-b/ü#c"]);
    for path in ["heads/issue-5-b%2F%C3%BC%23c", "heads/issue-5-b/%C3%BC%23c"] {
        let found = stage
            .client
            .get(&at(&format!("/git/ref/{path}")))
            .expect(200);
        assert_eq!(found["object"]["sha"], odd);
    }
    let branch = stage
        .client
        .get(&at("/branches/issue-5-b%2F%C3%BC%23c"))
        .expect(200);
    assert_eq!(branch["commit"]["sha"], odd);
    for absent in [
        "/git/ref/heads/issue-5",
        "/git/ref/heads/main~0",
        "/branches/none",
    ] {
        assert_eq!(stage.client.get(&at(absent)).status, 404, "{absent}");
    }
    let none = stage
        .client
        .get(&at("/git/matching-refs/heads/none"))
        .expect(200);
    assert_eq!(none, json!([]));
    stage.assert_valid();
}

#[test]
fn a_test_may_bring_its_own_repository() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = RepoFixture::create(folder.path()).unwrap();
    let stage = Stage::new();
    let own = Some(fixture.remote_path());
    stage.github.add_repo("acme/own", own).unwrap();
    let sha = fixture.commit("a.txt", "a\n", "a").unwrap();
    fixture.push().unwrap();
    let found = stage
        .client
        .get("/repos/acme/own/git/ref/heads/main")
        .expect(200);
    assert_eq!(found["object"]["sha"], sha);
    stage.assert_valid();
}

#[test]
fn a_comparison_says_who_is_ahead() {
    let stage = Stage::new();
    let repo = &stage.repo;
    let fork = repo.branch("main").unwrap().unwrap();
    repo.push_file("one", "a.txt", "a\n").unwrap();
    repo.push_file("one", "b.txt", "b\n").unwrap();
    let compare = |basehead: &str| stage.client.get(&at(&format!("/compare/{basehead}")));
    let ahead = compare("main...one").expect(200);
    assert_eq!(
        (&ahead["status"], &ahead["ahead_by"]),
        (&json!("ahead"), &json!(2))
    );
    assert_eq!(ahead["files"].as_array().unwrap().len(), 2);
    assert_eq!(ahead["commits"][1]["commit"]["message"], "Change b.txt");
    assert_eq!(compare("one...main").expect(200)["status"], "behind");
    assert_eq!(compare("main...main").expect(200)["status"], "identical");
    repo.push_file("main", "c.txt", "c\n").unwrap();
    let diverged = compare("main...acme:one").expect(200);
    assert_eq!(diverged["status"], "diverged");
    assert_eq!(diverged["behind_by"], 1);
    assert_eq!(diverged["merge_base_commit"]["sha"], fork);
    assert_eq!(compare("main...none").status, 404);
    stage.assert_valid();
}
