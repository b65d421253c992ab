//! `coord pr`: the pull request of a finished branch, its text, and its review.

use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit, write};

/// An assignment whose pull request a worker has a text for, and whose reviewers answer `verdict`.
fn finished(bench: &Bench, verdict: &str) -> String {
    let work = [write("a.txt"), commit()];
    let text = [json!({"answer": {"title": "Add a.txt", "body": "It was missing."}})];
    let review = [
        json!({"answer": {"verdict": verdict, "summary": "I have read it.", "findings": [
            {"path": "a.txt", "line": 1, "severity": "nit", "rule": "style", "text": "so so"}]}}),
    ];
    let scripts: [(&str, &[Value]); 3] = [("", &work), ("pr", &text), ("review", &review)];
    let issue = bench.issue_for("Write a.txt", &scripts);
    let id = bench.assign(&issue.to_string());
    bench.run(&["wait", &id]).ok();
    id
}

#[test]
fn from_a_template_and_without_a_review() {
    let bench = Bench::with_agent(Special::default());
    let id = finished(&bench, "approve");
    insta::assert_snapshot!(bench.says(&["pr", &id, "--no-worker", "--no-review", "--dry-run"]), @r"
    → [id] is to get a pull request
    → dry run: nothing was done
    ");
    let ran = bench.run(&["pr", &id, "--no-worker", "--no-review"]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @"pull request #2 of shop#1");
    insta::assert_snapshot!(bench.redact(&ran.err), @"[time]  [id] pull request #2 is open");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a.txt  laptop  done  [span]  done: 1 commit on issue-1-write-a-txt at [commit]; pull request #2

    waits for you
      shop#1 Write a.txt: it is not merged: its head has not been tested (`coord test [id]`)
    ");
}

#[test]
fn written_by_a_worker_and_reviewed() {
    let bench = Bench::with_agent(Special::default());
    let id = finished(&bench, "comment");
    let ran = bench.run(&["pr", &id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    pull request #2 of shop#1
    commented by [id] at [commit], 1 finding
    I have read it.
    a.txt:1 nit: so so (style)
    ");
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    [time]  [id] worker started
    [time]  [id] answered
    [time]  [id] pull request written: Add a.txt
    [time]  [id] pull request #2 is open
    [time]  [id] shop#1 requested on laptop: review of [id] at [commit]
    [time]  [id] worker started
    [time]  [id] answered
    [time]  [id] commented by [id] at [commit], 1 finding
    ");
    let again = bench.run(&["pr", &id, "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let again = again.json();
    assert_eq!(again["text"]["title"], json!("Add a.txt"));
    assert_eq!(again["review"]["result"], json!("comment"));
    assert_eq!(again["address"], Value::Null);
}

#[test]
fn an_objection_is_an_exit_code() {
    let bench = Bench::with_agent(Special::default());
    let id = finished(&bench, "request_changes");
    let ran = bench.run(&["pr", &id, "--no-worker"]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    pull request #2 of shop#1
    changes requested by [id] at [commit], 1 finding
    I have read it.
    a.txt:1 nit: so so (style)
    ");
}

#[test]
fn what_is_red_is_opened_and_not_reviewed() {
    let bench = Bench::with_agent(Special::default());
    let id = finished(&bench, "approve");
    bench
        .run(&["test", &id, "--fail", "--reason", "it smells"])
        .code(1);
    let ran = bench.run(&["pr", &id, "--no-worker"]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @"pull request #2 of shop#1");
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    [time]  [id] pull request #2 is open
    error: not reviewed: its tests failed: it smells
    hint: `coord fix [id]`
    ");
}

#[test]
fn what_has_no_pull_request_says_why() {
    let bench = Bench::with_agent(Special::default());
    insta::assert_snapshot!(bench.complains(2, &["pr", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
    let issue = bench.issue("Nothing", &[json!({"say": "nothing to do"})]);
    let id = bench.assign(&issue.to_string());
    bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.complains(1, &["pr", &id]), @"error: assignment [id] has no commits");
}
