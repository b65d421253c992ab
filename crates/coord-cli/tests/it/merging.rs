//! `coord merge`: what is tested goes into the default branch, in order; the rest says why not.

use coord_test_support::git_fixture::git;
use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit};

#[test]
fn without_anything_to_merge() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(1, &["merge"]), @"");
    insta::assert_snapshot!(bench.complains(2, &["merge", "abc"]), @"");
}

#[test]
fn untested_work_is_refused_with_the_next_step() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["merge"]), @"");
    insta::assert_snapshot!(bench.complains(1, &["merge", &id]), @"");
    insta::assert_snapshot!(bench.complains(1, &["merge", "--dry-run"]), @"");
}

#[test]
fn a_dry_run_merges_nothing() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    bench.run(&["test", &id, "--passed"]).ok();
    insta::assert_snapshot!(bench.says(&["merge", "--dry-run"]), @"");
    assert_eq!(bench.only_assignment()["merge"], Value::Null);
    insta::assert_snapshot!(bench.says(&["merge"]), @"");
    insta::assert_snapshot!(bench.complains(1, &["merge", &id]), @"");
    insta::assert_snapshot!(bench.says(&["status"]), @"");
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
    insta::assert_snapshot!(bench.redact(&conflict.out), @"");
    insta::assert_snapshot!(bench.says(&["why", "2"]), @"");
    insta::assert_snapshot!(bench.says(&["status"]), @"");
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
    insta::assert_snapshot!(bench.complains(1, &["merge", "--repo", "lib"]), @"");
    insta::assert_snapshot!(bench.complains(1, &["merge", "--repo", "lib", &id]), @"");
    insta::assert_snapshot!(bench.complains(2, &["merge", "--repo", "nope"]), @"");
    bench.run(&["merge", "--repo", "shop"]).ok();
}
