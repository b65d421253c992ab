//! `coord wait`: its exit code is the answer.

use serde_json::json;

use crate::bench::{Bench, Special, write};

#[test]
fn zero_when_it_went_well() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    let waiting = bench.start(&["wait", &id]);
    bench.open_gate();
    insta::assert_snapshot!(bench.redact(&waiting.end().ok().out), @"[id] shop#1: done: 1 commit on issue-1-write-a-txt-late at [commit]");
    let answer = bench.json(&["wait", &id]);
    assert_eq!(answer["assignments"][0]["state"], json!("done"));
}

#[test]
fn one_when_any_of_them_failed() {
    let bench = Bench::with_agent(Special::default());
    let good = bench.worked("a.txt");
    bench.issue(
        "Broken",
        &[write("b.txt"), json!({"run": "echo oh no >&2; exit 1"})],
    );
    let bad = bench.assign("2");
    let ran = bench.run(&["wait", &good, &bad]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    [id] shop#1: done: 1 commit on issue-1-write-a-txt at [commit]
    [id] shop#2: failed (work): oh no; no commits
    ");
    let hint = ran.last();
    insta::assert_snapshot!(bench.redact(hint), @"hint: read `coord log [id]`, then `coord retry [id]`");
}

#[test]
fn two_when_there_is_nothing_to_wait_for() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(2, &["wait", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
    bench.run(&["wait"]).code(2);
    bench.small_issue("a.txt");
    bench.small_issue("b.txt");
    let ids = ["1", "2"].map(|issue| bench.assign(issue));
    // The empty beginning fits both.
    let both = bench.complains(2, &["wait", ""]);
    assert!(both.contains("several assignment ids"), "{both} {ids:?}");
}

#[test]
fn three_when_it_takes_too_long() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    let ran = bench.run(&["wait", &id, "--timeout", "0"]).code(3);
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    error: still at work after 0 s
    hint: the work goes on; `coord status` shows it
    ");
    assert_eq!(bench.only_assignment()["state"], json!("running"));
    bench.open_gate();
    bench.run(&["wait", &id, "--timeout", "600"]).ok();
}

#[test]
fn an_agent_that_comes_late_is_waited_for() {
    let bench = Bench::new(Special::default());
    let id = bench.assign(&bench.small_issue("a.txt"));
    let mut waiting = bench.start(&["wait", &id]);
    let line = waiting.says("will be tried again");
    insta::assert_snapshot!(bench.redact(&line), @"[time]  the dispatch of [id] will be tried again from [time] on: cannot reach the agent at http://127.0.0.1:[port]: Connection refused (os error 111)");
    let mut agent = bench.start(&["agent"]);
    agent.says("listening on");
    waiting.end().ok();
}
