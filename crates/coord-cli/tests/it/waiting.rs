//! `coord wait`: its exit code is the answer.

use serde_json::json;

use crate::bench::{Bench, Special, write};

#[test]
fn zero_when_it_went_well() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    let waiting = bench.start(&["wait", &id]);
    bench.open_gate();
    insta::assert_snapshot!(bench.redact(&waiting.end().ok().out), @"");
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
    insta::assert_snapshot!(bench.redact(&ran.out), @"");
    let hint = ran.err.lines().last().unwrap();
    insta::assert_snapshot!(bench.redact(hint), @"");
}

#[test]
fn two_when_there_is_nothing_to_wait_for() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(2, &["wait", "abc"]), @"");
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
    insta::assert_snapshot!(bench.redact(&ran.err), @"");
    assert_eq!(bench.only_assignment()["state"], json!("running"));
    bench.open_gate();
    bench.run(&["wait", &id, "--timeout", "600"]).ok();
}
