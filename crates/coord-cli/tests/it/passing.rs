//! `coord notify` and `coord drive`: the loop, one pass of it and for as long as one wants.

use rustix::process::Signal;
use serde_json::json;

use crate::bench::{Bench, Special};

#[test]
fn one_pass_hears_the_agents_and_does_what_is_due() {
    let bench = Bench::with_agent(Special {
        goal: "merged",
        ..Special::default()
    });
    insta::assert_snapshot!(bench.says(&["notify"]), @"nothing new");
    let id = bench.running("a.txt");
    bench.run(&["notify"]).ok();
    bench.open_gate();
    // The worker ends in its own time, and nobody but the next pass looks at the board.
    let passed = crate::program::until(|| {
        let pass = bench.json(&["notify"]);
        (pass["unfinished"] == json!(0)).then_some(pass)
    });
    assert!(passed.is_some());
    insta::assert_snapshot!(bench.why(&id), @"shop#1: merged as [commit]; pull request #2");
    let shown = bench.json(&["issue", "show", "--repo", "shop", "1"]);
    assert_eq!(shown["issue"]["state"], json!("closed"), "{shown:#}");
    assert_eq!(bench.json(&["notify"])["events"], json!([]));
}

#[test]
fn a_pass_without_agents_says_so() {
    let bench = Bench::new(Special::default());
    let ran = bench.run(&["notify"]).ok();
    assert!(ran.err.contains("does not answer"), "{ran:?}");
}

#[test]
fn driving_takes_everything_as_far_as_it_goes() {
    let bench = Bench::with_agent(Special {
        goal: "merged",
        ..Special::default()
    });
    let mut drive = bench.start(&["drive"]);
    drive.says("every agent is followed");
    bench.assign(&bench.small_issue("a.txt"));
    drive.says("shop#1 closed");
    drive.signal(Signal::INT);
    drive.end().ok();
    insta::assert_snapshot!(bench.why("1"), @"shop#1: merged as [commit]; pull request #2");
}

/// Whoever watches the loop is told when it is their turn, once.
#[test]
fn the_loop_says_what_waits_for_a_person() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    let mut drive = bench.start(&["drive"]);
    drive.says("every agent is followed");
    bench.open_gate();
    let line = drive.says("waits for you");
    insta::assert_snapshot!(bench.redact(&line), @"[time]  shop#1 waits for you: it is not merged: its head has not been tested (`coord test [id]`)");
    bench.run(&["test", &id]).ok();
    drive.says("nobody asked for the merge");
    drive.signal(Signal::INT);
    let said = drive.end().ok().err;
    assert_eq!(said.matches("waits for you").count(), 2, "{said}");
}
