//! `coord smoke`: the agent runs a command in a checkout of the branch.

use serde_json::json;

use crate::bench::{Bench, Special};

fn bench(more: &'static str) -> Bench {
    Bench::with_agent(Special {
        more,
        ..Special::default()
    })
}

#[test]
fn green_and_red_are_exit_codes() {
    let bench = bench("smoke_tests: {default_command: 'echo trying; test -e a.txt'}\n");
    let good = bench.worked("a.txt");
    let ran = bench.run(&["smoke", &good]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @"smoke test passed for [commit]: it ended with 0");
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    → laptop → shop#1: smoke test of [id] at [commit]
    → branch: issue-1-write-a-txt
    no other machine that answers can do it: it runs on laptop, as the work did
    [time]  [id] worker started
    [time]  [id] ended with 0
    [time]  [id] smoke test passed for [commit]: it ended with 0
    ");
    let bad = bench.worked("b.txt");
    let ran = bench.run(&["smoke", &bad]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    smoke test failed for [commit]: trying (exit code 1)
    trying
    ");
    let again = bench.run(&["smoke", &bad, "--json"]).code(1).json();
    assert_eq!(again["smoke"]["passed"], json!(false));
    insta::assert_snapshot!(bench.why("2"), @"shop#2: its smoke test failed: trying (exit code 1)");
}

#[test]
fn what_cannot_be_run_is_no_verdict() {
    let bench = bench("smoke_tests: {default_command: no-such-tool-anywhere}\n");
    let id = bench.worked("a.txt");
    let ran = bench.run(&["smoke", &id]).code(1);
    assert_eq!(ran.out, "");
    let complaint: Vec<&str> = ran.err.lines().rev().take(2).collect();
    insta::assert_snapshot!(bench.redact(&complaint.join("\n")), @r"
    hint: read `coord log [id]`, then `coord smoke [id]`
    error: no verdict: smoke [id] came to nothing: sh: 1: no-such-tool-anywhere: not found (exit code 127)
    ");
}

#[test]
fn a_machine_needs_what_the_change_needs() {
    let bench = bench(
        "smoke_tests: {default_command: 'true', \
         capability_rules: [{files: [a.txt], requires: [gpu]}]}\n",
    );
    let id = bench.worked("a.txt");
    insta::assert_snapshot!(bench.complains(2, &["smoke", &id]), @"error: no machine that has gpu may work on shop");
    insta::assert_snapshot!(bench.complains(2, &["smoke", &id, "--machine", "laptop"]), @"error: laptop has no gpu, which the change needs");
    insta::assert_snapshot!(bench.complains(2, &["smoke", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
}

#[test]
fn without_a_command_there_is_nothing_to_run() {
    let bench = bench("");
    let id = bench.worked("a.txt");
    insta::assert_snapshot!(bench.complains(2, &["smoke", &id]), @r"
    error: there is no command for smoke tests in the configuration
    hint: set `smoke_tests.default_command`
    ");
    bench.run(&["smoke", &id, "--model", "opus"]).code(2);
}
