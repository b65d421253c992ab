//! `coord radar`: which branches are going to conflict.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit};

/// An assignment whose worker has committed this as `a.txt`.
fn writes(bench: &Bench, content: &str) -> String {
    let write = json!({"write": {"path": "a.txt", "content": content}});
    let issue = bench.issue(&format!("Write {content}"), &[write, commit()]);
    let id = bench.assign(&issue.to_string());
    bench.run(&["wait", &id]).ok();
    id
}

#[test]
fn branches_that_are_going_to_conflict() {
    let bench = Bench::with_agent(Special::default());
    insta::assert_snapshot!(bench.says(&["radar"]), @"no branch is being worked on, or waits for its merge");
    writes(&bench, "one");
    insta::assert_snapshot!(bench.says(&["radar"]), @r"
    shop at [commit]
      ID  ISSUE  TITLE  STATE  BASE  1
    1  [id]  shop#1  Write one  done  ·

    no conflicts are foreseen
    ");
    writes(&bench, "two");
    insta::assert_snapshot!(bench.says(&["radar", "--repo", "shop"]), @r"
    shop at [commit]
      ID  ISSUE  TITLE  STATE  BASE  1  2
    1  [id]  shop#1  Write one  done  ·  1
    2  [id]  shop#2  Write two  done  ·  1

    [id] shop#2 will conflict with [id] shop#1
      a.txt add/add: line 1 against line 1
    ");
    let data = bench.json(&["radar"]);
    let pair = &data[0]["pairs"][0];
    assert_eq!(
        pair["one"], data[0]["branches"][1]["id"],
        "the later one gives way"
    );
    assert_eq!(pair["other"], data[0]["branches"][0]["id"]);
    assert_eq!(pair["files"][0]["kind"], json!("add/add"));
    insta::assert_snapshot!(bench.complains(2, &["radar", "--repo", "nope"]), @r"
    error: there is no repository `nope` in the configuration
    hint: `coord config` shows the repositories
    ");
}

#[test]
fn changes_are_told_as_they_happen() {
    let bench = Bench::with_agent(Special::default());
    let first = writes(&bench, "one");
    let mut watch = bench.start(&["radar", "--watch"]);
    watch.says("no conflicts are foreseen");
    let mut drive = bench.start(&["drive"]);
    let id = writes(&bench, "two");
    watch.says(&format!("{id} shop#2 will conflict with"));
    drive.says(&format!("{id} will conflict with"));
    let status = bench.says(&["status"]);
    let section = status.split("conflicts to come").nth(1).unwrap();
    insta::assert_snapshot!(section.split("\n\n").next().unwrap(), @r"
    ; `coord radar` shows where
      [id] shop#2 will conflict with [id] shop#1 in a.txt
    ");
    let conflicts = &bench.json(&["status"])["conflicts"];
    assert_eq!(conflicts[0]["paths"], json!(["a.txt"]));
    bench.run(&["test", &first, "--passed"]).ok();
    bench.run(&["merge", &first]).ok();
    watch.says(&format!("{id} shop#2 no longer conflicts with"));
    watch.says(&format!("{id} shop#2 will conflict with the base in a.txt"));
    watch.signal(Signal::INT);
    watch.end().ok();
}

#[test]
fn changes_as_data_are_one_line_each() {
    let bench = Bench::with_agent(Special::default());
    let mut watch = bench.start(&["radar", "--watch", "--json"]);
    let first: Value = serde_json::from_str(&watch.says("[")).unwrap();
    assert_eq!(first[0]["branches"], json!([]));
    let id = bench.running("a.txt");
    let next: Value = serde_json::from_str(&watch.says(&id)).unwrap();
    assert_eq!(next[0]["branches"][0]["id"], json!(id));
}
