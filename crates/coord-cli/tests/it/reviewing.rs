//! `coord review`: a second worker that can only read, its answer, and what is shown of it.

use serde_json::{Value, json};

use crate::bench::{Bench, Special};

fn approval() -> Value {
    json!({"verdict": "approve", "summary": "It does what it should.", "findings": []})
}

fn objection(path: &str, line: u32) -> Value {
    json!({"verdict": "request_changes", "summary": "Not yet.\nSee below.", "findings": [
        {"path": path, "line": line, "severity": "major", "rule": "tests", "text": "no test for it"}]})
}

/// An event without its place in the log, which depends on how often the agent spoke.
fn without_place(line: &str) -> &str {
    let event = line.trim_start().strip_prefix('#');
    event.map_or(line, |event| {
        event.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ')
    })
}

#[test]
fn a_good_review_is_shown_and_counts() {
    let bench = Bench::with_agent(Special {
        more: "reviews: {enabled: true, auto_dispatch: false}\n",
        ..Special::default()
    });
    let id = bench.to_review(&approval());
    let dry = bench.says(&["review", &id, "--dry-run", "--model", "opus"]);
    insta::assert_snapshot!(dry, @r"
    → laptop → shop#1: review of [id] at [commit]
    → model: opus
    → branch: issue-1-write-a-txt
    → dry run: nothing was done
    ");
    let ran = bench.run(&["review", &id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    approved by [id] at [commit]
    It does what it should.
    ");
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    → laptop → shop#1: review of [id] at [commit]
    → model: sonnet
    → branch: issue-1-write-a-txt
    no other machine that answers can do it: it runs on laptop, as the work did
    [time]  [id] worker started
    [time]  [id] answered
    [time]  [id] approved by [id] at [commit]
    ");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a.txt  laptop  done  [span]  done: 1 commit on issue-1-write-a-txt at [commit]; approved by [id] at [commit]
    [id]  shop#1  review of [id] at [commit]  laptop  done  [span]  done

    waits for you
      shop#1 Write a.txt: it is not merged: its head has not been tested (`coord test [id]`)
    ");
    insta::assert_snapshot!(bench.says(&["usage", "--by", "stage"]), @r"
    2 assignments: $0.00, 5 turns

    STAGE  ENDED  DONE  FAILED  CANCELLED  LOST  MERGED  TURNS  COST
    work: under way  1  1  0  0  0  0  3  $0.00
    review: served  1  1  0  0  0  0  2  $0.00
    ");
}

#[test]
fn an_objection_has_its_places_and_an_exit_code() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.to_review(&objection("a.txt", 1));
    let ran = bench.run(&["review", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    changes requested by [id] at [commit], 1 finding
    Not yet.
    See below.
    a.txt:1 major: no test for it (tests)
    ");
    let ran = bench.run(&["review", &id, "--json"]).code(1).json();
    assert_eq!(ran["id"], json!(id));
    assert_eq!(ran["review"]["result"], json!("request_changes"));
    assert_eq!(ran["review"]["findings"][0]["path"], json!("a.txt"));
    let why = bench.says(&["why", "1"]);
    let lines: Vec<&str> = why.lines().map(without_place).collect();
    let (sentence, events) = lines.split_at(3);
    insta::assert_snapshot!(sentence.join("\n"), @r"
    shop#1: its reviewer asked for changes: 1 finding
      head [commit] of issue-1-write-a-txt
      base [commit]
    ");
    insta::assert_snapshot!(events.last().unwrap(), @"[date] [time]  [id] changes requested by [id] at [commit], 1 finding");
    let why = bench.json(&["why", "1"]);
    assert_eq!(why["commits"][0]["role"], json!("head"));
    assert_eq!(why["commits"][1]["role"], json!("base"));
    assert!(why["events"].as_array().unwrap().len() > 3, "{why:#}");
}

#[test]
fn an_answer_about_something_else_is_no_verdict() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.to_review(&objection("elsewhere.txt", 1));
    let ran = bench.run(&["review", &id]).code(1);
    assert_eq!(ran.out, "");
    let complaint: Vec<&str> = ran.err.lines().rev().take(2).collect();
    insta::assert_snapshot!(bench.redact(&complaint.join("\n")), @r"
    hint: read `coord log [id]`, then `coord review [id]`
    error: no verdict: review [id] came to nothing: `elsewhere.txt` is not in the diff
    ");
    insta::assert_snapshot!(bench.why("1"), @"shop#1: its review (assignment [id]) came to nothing: `elsewhere.txt` is not in the diff");
}

#[test]
fn nobody_has_to_wait_for_it() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.to_review(&approval());
    insta::assert_snapshot!(bench.says(&["review", &id, "--no-wait", "--machine", "laptop"]), @r"
    → laptop → shop#1: review of [id] at [commit]
    → model: sonnet
    → branch: issue-1-write-a-txt
    → dispatched (assignment [id])
    ");
    bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.says(&["history", "--kind", "review_recorded"]), @"[date] [time]  [id] approved by [id] at [commit]");
    // Whoever looks at a branch is nothing that could be looked at or tried again.
    let status = bench.json(&["status"]);
    let reviewer = status["assignments"][1]["id"].as_str().unwrap();
    insta::assert_snapshot!(bench.complains(1, &["review", reviewer]), @r"
    error: assignment [id] is a review of [id]
    hint: name assignment [id]
    ");
    insta::assert_snapshot!(bench.complains(1, &["retry", reviewer]), @r"
    error: assignment [id] is a review of [id], which nobody goes on with
    hint: `coord review [id]` begins another one
    ");
}

#[test]
fn what_cannot_be_reviewed_says_why() {
    let bench = Bench::with_agent(Special::default());
    insta::assert_snapshot!(bench.complains(2, &["review", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
    let id = bench.running("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["review", &id]), @r"
    error: assignment [id] is running
    hint: `coord wait [id]`
    ");
    insta::assert_snapshot!(bench.complains(1, &["review", &id, "--dry-run"]), @r"
    error: assignment [id] is running
    hint: `coord wait [id]`
    ");
    bench.open_gate();
    bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.complains(2, &["review", &id, "--machine", "tower"]), @r"
    error: no machine is called tower
    hint: `coord config` lists the machines
    ");
}
