//! Repositories as people have them: each simply works, or the error says what is wrong with it.

use std::path::Path;

use coord_test_support::git_fixture::git;
use serde_json::json;

use crate::bench::{Bench, Special, identify};

/// A desk where assignments go all the way.
fn merging(special: Special) -> Bench {
    Bench::with_agent(Special {
        goal: "merged",
        ..special
    })
}

/// The branch of the remote has the work.
fn merges(bench: &Bench) {
    bench.worked("a.txt");
    let branch = bench.repo.branch();
    assert_eq!(
        bench.repo.remote_file(branch, "a.txt").as_deref(),
        Some("a.txt")
    );
    assert_eq!(bench.json(&["issue", "list"]), json!([]));
}

/// Assigns an issue whose worker cannot start, and returns what `coord wait` says.
fn fails(bench: &Bench) -> String {
    let id = bench.assign(&bench.small_issue("a.txt"));
    let ran = bench.run(&["wait", &id]).code(1);
    let failure = &bench.only_assignment()["end"];
    assert_eq!(
        failure["result"],
        json!({"failed": "configuration"}),
        "{failure}"
    );
    bench.redact(&format!("{}{}", ran.out, ran.last()))
}

fn empty(repo: &Path) {
    std::fs::remove_dir_all(repo).unwrap();
    std::fs::create_dir(repo).unwrap();
}

/// What a person would miss: branch, index, files, stashes.
fn belongings(repo: &Path) -> String {
    let ask = |args: &[&str]| git(repo, args).unwrap();
    let read = |name: &str| std::fs::read_to_string(repo.join(name)).unwrap();
    [
        ask(&["status", "--porcelain", "--ignored"]),
        ask(&["rev-parse", "--symbolic-full-name", "HEAD"]),
        ask(&["rev-parse", "HEAD"]),
        ask(&["diff"]),
        ask(&["diff", "--cached"]),
        ask(&["stash", "list"]),
        read("ok.txt"),
        read("a.txt"),
    ]
    .join("\n")
}

fn make_dirty(repo: &Path) {
    std::fs::write(repo.join("ok.txt"), "half an idea\n").unwrap();
    std::fs::write(repo.join("a.txt"), "the worker writes this name too\n").unwrap();
    std::fs::write(repo.join("staged.txt"), "staged\n").unwrap();
    git(repo, &["add", "staged.txt"]).unwrap();
}

#[test]
fn a_dirty_checkout_is_never_touched() {
    let bench = merging(Special::default());
    let repo = bench.repo.clone_path();
    make_dirty(&repo);
    let before = belongings(&repo);
    merges(&bench);
    assert_eq!(belongings(&repo), before);
}

#[test]
fn a_dirty_checkout_that_the_merge_would_change_stands_in_its_way() {
    let bench = merging(Special::default());
    let repo = bench.repo.clone_path();
    git(&repo, &["remote", "remove", "origin"]).unwrap();
    make_dirty(&repo);
    let before = belongings(&repo);
    let id = bench.assign(&bench.small_issue("a.txt"));
    let refused = bench.run(&["wait", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&refused.out), @"[id] shop#1: not merged: `[dir]/code/clone` has `main` checked out with uncommitted changes: commit or stash them first; pull request #2");
    insta::assert_snapshot!(refused.last().replace(&id, "[id]"), @"hint: solve it, then `coord merge [id]`");
    assert_eq!(belongings(&repo), before);

    for name in ["a.txt", "staged.txt"] {
        git(
            &repo,
            &["rm", "-q", "-f", "--cached", "--ignore-unmatch", name],
        )
        .unwrap();
        std::fs::remove_file(repo.join(name)).unwrap();
    }
    git(&repo, &["checkout", "-q", "ok.txt"]).unwrap();
    bench.run(&["merge"]).ok();
    assert_eq!(
        std::fs::read_to_string(repo.join("a.txt")).unwrap(),
        "a.txt\n"
    );
}

#[test]
fn blanks_and_umlauts_in_the_path() {
    merges(&merging(Special {
        folder: "größe und mehr",
        ..Special::default()
    }));
}

#[test]
fn another_default_branch() {
    merges(&merging(Special {
        branch: "trunk",
        ..Special::default()
    }));
}

#[test]
fn no_remote_at_all() {
    let bench = merging(Special::default());
    let repo = bench.repo.clone_path();
    git(&repo, &["remote", "remove", "origin"]).unwrap();
    bench.worked("a.txt");
    assert_eq!(git(&repo, &["show", "main:a.txt"]).unwrap(), "a.txt");
    assert_eq!(git(&repo, &["status", "--porcelain"]).unwrap(), "");
}

#[test]
fn a_detached_head() {
    let bench = merging(Special::default());
    let repo = bench.repo.clone_path();
    git(&repo, &["checkout", "-q", "--detach", "HEAD~1"]).unwrap();
    let before = git(&repo, &["rev-parse", "HEAD"]).unwrap();
    merges(&bench);
    assert_eq!(git(&repo, &["rev-parse", "HEAD"]).unwrap(), before);
}

#[test]
fn without_commits() {
    let mut bench = Bench::new(Special::default());
    let repo = bench.repo.clone_path();
    empty(&repo);
    git(&repo, &["init", "-q", "-b", "main"]).unwrap();
    bench.start_agent();
    insta::assert_snapshot!(fails(&bench), @r"
    [id] shop#1: failed (configuration): `[dir]/code/clone` has no commit yet; no commits
    hint: put that right, then `coord retry [id]`
    ");
}

#[test]
fn in_the_other_object_format() {
    let bench = Bench::new(Special::default());
    let repo = bench.repo.clone_path();
    empty(&repo);
    git(
        &repo,
        &["init", "-q", "-b", "main", "--object-format=sha256"],
    )
    .unwrap();
    identify(&repo);
    git(&repo, &["commit", "-q", "--allow-empty", "-m", "one"]).unwrap();
    bench.small_issue("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["assign", "laptop", "shop", "1"]), @r"
    error: the forge of `shop` failed: the git repository of `shop` cannot be used: `[dir]/code/clone` uses the object format `sha256`; only `sha1` is supported
    hint: use a clone with the object format sha1 (the default of `git init`)
    ");
}

#[test]
fn not_there_or_no_repository() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let repo = bench.repo.clone_path();
    empty(&repo);
    insta::assert_snapshot!(bench.complains(1, &["assign", "laptop", "shop", "1"]), @r"
    error: the forge of `shop` failed: the git repository of `shop` cannot be used: `[dir]/code/clone` is not a git repository
    hint: clone the repository to `[dir]/code/clone` first
    ");
    std::fs::remove_dir(&repo).unwrap();
    insta::assert_snapshot!(bench.complains(1, &["assign", "laptop", "shop", "1"]), @r"
    error: the forge of `shop` failed: the git repository of `shop` cannot be used: `[dir]/code/clone` does not exist
    hint: check the path in coordinator.yml
    ");
}
