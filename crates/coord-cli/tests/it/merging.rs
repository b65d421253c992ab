//! `coord merge`: what is tested goes into the default branch, in order; the rest says why not.

use coord_test_support::git_fixture::git;
use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit, write};

#[test]
fn without_anything_to_merge() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(1, &["merge"]), @r"
    error: no finished assignment has commits that are not merged
    hint: `coord status` shows what is at work
    ");
    insta::assert_snapshot!(bench.complains(2, &["merge", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
}

#[test]
fn untested_work_is_refused_with_the_next_step() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["merge"]), @r"
    error: assignment [id] cannot be merged: its head has not been tested
    hint: `coord test [id]`
    ");
    insta::assert_snapshot!(bench.complains(1, &["merge", &id]), @r"
    error: assignment [id] cannot be merged: its head has not been tested
    hint: `coord test [id]`
    ");
    insta::assert_snapshot!(bench.complains(1, &["merge", "--dry-run"]), @r"
    error: assignment [id] cannot be merged: its head has not been tested
    hint: `coord test [id]`
    ");
}

#[test]
fn a_dry_run_merges_nothing() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    bench.run(&["test", &id, "--passed"]).ok();
    insta::assert_snapshot!(bench.says(&["merge", "--dry-run"]), @r"
    1. [id] shop#1 Write a.txt
      test holds: its tests passed
      ready
    dry run: nothing was merged
    ");
    assert_eq!(bench.only_assignment()["merge"], Value::Null);
    insta::assert_snapshot!(bench.says(&["merge"]), @"[id] shop#1: merged as [commit]; pull request #2");
    insta::assert_snapshot!(bench.complains(1, &["merge", &id]), @"error: assignment [id] is merged");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    no assignments; `coord assign MACHINE REPO ISSUE` makes one

    lately finished
      [id] shop#1 Write a.txt: merged as [commit]; pull request #2
    ");
    assert_eq!(bench.json(&["issue", "list"]), json!([]));
}

#[test]
fn a_persons_order_counts() {
    let bench = Bench::with_agent(Special::default());
    let [one, two] = ["a.txt", "b.txt"].map(|path| {
        let id = bench.worked(path);
        bench.run(&["test", &id]).ok();
        id
    });
    let order = format!("{two},{one}");
    bench
        .run(&["merge", "--order", &order, "--method", "merge"])
        .ok();
    let merged = bench.json(&["history", "--kind", "merged"]);
    let merged: Vec<&Value> = merged
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["event"]["id"])
        .collect();
    assert_eq!(merged, [&json!(two), &json!(one)]);
    let parents = ["log", "-1", "--format=%p", "main"];
    let parents = git(&bench.repo.remote_path(), &parents).unwrap();
    assert_eq!(parents.split(' ').count(), 2, "{parents}");
}

#[test]
fn a_conflict_names_its_files_and_is_tried_again() {
    let bench = Bench::with_agent(Special::default());
    let [one, two] = ["one", "two"].map(|text| {
        let write = json!({"write": {"path": "same.txt", "content": format!("{text}\n")}});
        let issue = bench
            .issue(&format!("Say {text}"), &[write, commit()])
            .to_string();
        let id = bench.assign(&issue);
        bench.run(&["wait", &id]).ok();
        bench.run(&["test", &id, "--passed"]).ok();
        id
    });
    bench.run(&["merge", &one]).ok();
    let conflict = bench.run(&["merge", &two]).code(1);
    insta::assert_snapshot!(bench.redact(&conflict.out), @"[id] shop#2: conflicts in same.txt; pull request #4");
    insta::assert_snapshot!(bench.why("2"), @"shop#2: it conflicts with [commit] in same.txt; it is tried again when the base moves");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#2  Say two  laptop  done  [span]  conflicts in same.txt; pull request #4

    merge queue
      [id] shop#2 conflicts in same.txt; pull request #4

    waits for you
      shop#2 Say two: it conflicts with [commit] in same.txt; it is tried again when the base moves (`coord fix [id]`)

    conflicts to come; `coord radar` shows where
      [id] shop#2 will conflict with the base in same.txt

    lately finished
      [id] shop#1 Say one: merged as [commit]; pull request #3
    ");
    assert_eq!(
        bench.repo.remote_file("main", "same.txt").as_deref(),
        Some("one")
    );
}

#[test]
fn only_of_one_repository() {
    let bench = Bench::with_agent(Special {
        repos: "  - name: lib\n    forge: local\n",
        works_on: "shop, lib",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    bench.run(&["test", &id, "--passed"]).ok();
    insta::assert_snapshot!(bench.complains(1, &["merge", "--repo", "lib"]), @r"
    error: no finished assignment has commits that are not merged
    hint: `coord status` shows what is at work
    ");
    insta::assert_snapshot!(bench.complains(1, &["merge", "--repo", "lib", &id]), @"error: assignment [id] belongs to shop");
    insta::assert_snapshot!(bench.complains(2, &["merge", "--repo", "nope"]), @r"
    error: there is no repository `nope` in the configuration
    hint: `coord config` shows the repositories
    ");
    let merged = bench.json(&["merge", "--repo", "shop"]);
    assert!(
        merged["assignments"][0]["merge"]["state"]["commit"].is_string(),
        "{merged:#}"
    );
}

#[test]
fn what_failed_before_is_not_what_became_of_the_issue() {
    let bench = Bench::with_agent(Special::default());
    let gate = format!("test -e '{}'", bench.gate().display());
    let steps = [json!({"run": gate}), write("a.txt"), commit()];
    let issue = bench.issue("Second try", &steps).to_string();
    let failed = [(); 3].map(|()| {
        let id = bench.assign(&issue);
        bench.run(&["wait", &id]).code(1);
        id
    });
    bench.open_gate();
    let id = bench.assign(&issue);
    bench.run(&["wait", &id]).ok();
    bench.run(&["test", &id]).ok();
    bench.run(&["merge"]).ok();
    insta::assert_snapshot!(bench.why(&issue), @"shop#1: merged as [commit]; pull request #2");
    insta::assert_snapshot!(bench.why(&failed[0]), @"shop#1: merged as [commit]; pull request #2");
}
