//! The commands that look: `status`, `watch`, `log`, `history`, `why`.

use serde_json::{Value, json};

use crate::bench::{Bench, Special, write};
use crate::program::until;

#[test]
fn status_of_an_empty_board() {
    let bench = Bench::with_agent(Special::default());
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    no assignments; `coord assign MACHINE REPO ISSUE` makes one
    ");
}

#[test]
fn status_while_a_worker_runs_and_after() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    // The agent reads the log of the worker in its own time.
    let seen = until(|| {
        let live = bench.json(&["status"])["assignments"][0]["live"].clone();
        (live["last_tool"] == "Bash").then_some(())
    });
    assert!(seen.is_some());
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  19 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a.txt late  laptop  running  [span]  3 turns, $0.00, Bash, waiting
    ");
    let status = bench.json(&["status", "--machine", "laptop"]);
    assert_eq!(status["machines"][0]["reachable"], json!(true));
    assert_eq!(
        status["assignments"][0]["live"]["progress"]["updates"],
        json!(["waiting"])
    );
    insta::assert_snapshot!(bench.why("1"), @"shop#1: its worker runs on laptop");

    bench.open_gate();
    bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a.txt late  laptop  done  [span]  done: 1 commit on issue-1-write-a-txt-late at [commit]

    waits for you
      shop#1 Write a.txt late: it is not merged: its head has not been tested (`coord test [id]`)
    ");
}

#[test]
fn an_agent_that_is_away_is_unknown_and_since_when() {
    let mut bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    bench.kill_agent();
    bench.run(&["status"]).ok();
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  unknown for [span]: cannot reach the agent at http://127.0.0.1:[port]  ?  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a.txt late  laptop  running  [span]
    ");
    let machine = &bench.json(&["status"])["machines"][0];
    assert_eq!(machine["reachable"], json!(false));
    assert!(machine["silent_since"].is_u64(), "{machine}");
    // The board does not take silence for an end.
    assert_eq!(bench.only_assignment()["state"], json!("running"));
    insta::assert_snapshot!(bench.why(&id), @"shop#1: its agent on laptop cannot be reached; its worker may still run");
    insta::assert_snapshot!(bench.complains(1, &["log", &id]), @r"
    error: cannot reach the agent at http://127.0.0.1:[port]: Connection refused (os error 111)
    hint: start it there with `coord agent`, or check host and port
    ");
    insta::assert_snapshot!(bench.complains(2, &["status", "--machine", "tower"]), @r"
    error: there is no machine `tower` in the configuration
    hint: `coord config` shows the machines
    ");
}

#[test]
fn a_log_rendered_raw_and_from_disk() {
    let mut bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    let rendered = bench.says(&["log", &id[..4]]);
    insta::assert_snapshot!(without_header(&rendered), @r#"
    [init] simulated session [session]
    This is a simulation: no model is asked. STATUS lines and edits follow a script.
    [tool] Write [dir]/coord/agent/worktrees/clone-[commit]/1/a.txt
    [tool] Bash git add --all && git commit --quiet --message "$0"
    [result] success $0.00: the script of the issue is done
    "#);
    assert_eq!(bench.says(&["log", "-f", &id]), rendered);

    let raw = bench.run(&["log", "--raw", &id]).ok().out;
    let file = format!("agent/assignments/{id}/log.ndjson");
    let file = std::fs::read_to_string(bench.sandbox.coord_home().join(file)).unwrap();
    assert_eq!(raw, file);
    bench.kill_agent();
    assert_eq!(bench.says(&["log", "--local", &id]), rendered);
    assert_eq!(bench.run(&["log", "--local", "--raw", &id]).ok().out, file);
}

fn without_header(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() < log.lines().count(), "{log}");
    lines.join("\n")
}

#[test]
fn following_and_watching_end_with_the_worker() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    let mut follow = bench.start(&["log", "-f", &id]);
    let mut watch = bench.start(&["watch", &id]);
    follow.says("STATUS: waiting");
    watch.says("STATUS: waiting");
    bench.open_gate();
    let (follow, watch) = (follow.end().ok(), watch.end().ok());
    assert_eq!(follow.out, watch.out);
    assert_eq!(follow.out, bench.run(&["log", &id]).ok().out);
    insta::assert_snapshot!(bench.redact(watch.last()), @"[id] shop#1: done: 1 commit on issue-1-write-a-txt-late at [commit]");
}

#[test]
fn watching_begins_before_the_worker_does() {
    let mut bench = Bench::new(Special::default());
    let id = bench.assign(&bench.small_issue("a.txt"));
    let early = bench.complains(1, &["log", &id]);
    assert!(early.contains("cannot reach the agent"), "{early}");
    bench.start_agent();
    insta::assert_snapshot!(bench.complains(1, &["log", &id]), @r"
    error: assignment [id] has no log: it is requested and no worker was started
    hint: `coord why [id]` says what it waits for
    ");
    let watched = bench.run(&["watch", &id]).ok();
    assert!(watched.out.contains("[result] success"), "{watched:?}");
}

#[test]
fn watching_ends_where_the_worker_dies_without_a_word() {
    let bench = Bench::new(Special::default());
    let mute = Some(json!(["sh", "-c", "read -r prompt; kill -9 $$"]));
    let bench = bench.with_worker(mute);
    bench.run(&["issue", "new", "Mute"]).ok();
    let id = bench.assign("1");
    let watched = bench.run(&["watch", &id]).code(1);
    insta::assert_snapshot!(bench.redact(watched.last()), @"[id] shop#1: failed (environment): it was killed by signal 9; no commits");
    bench.run(&["log", "-f", &id]).ok();
}

#[test]
fn the_history_of_one_merge() {
    let bench = Bench::with_agent(Special {
        goal: "merged",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    let milestones = [
        "history",
        "--kind",
        "assignment_requested",
        "assignment_ended",
        "test_recorded",
        "merged",
        "issue_closed",
        "assignment_archived",
    ];
    insta::assert_snapshot!(bench.says(&milestones), @r"
    [date] [time]  [id] shop#1 requested on laptop: Write a.txt
    [date] [time]  [id] done: 1 commit on issue-1-write-a-txt at [commit]
    [date] [time]  [id] tests passed for [commit]: test -e ok.txt in [span] s
    [date] [time]  [id] merged as [commit]
    [date] [time]  shop#1 closed
    [date] [time]  [id] archived
    ");
    let all = bench.json(&["history"]);
    let told = bench.says(&["history"]);
    assert_eq!(told.lines().count(), all.as_array().unwrap().len());
    insta::assert_snapshot!(bench.why("shop#1"), @"shop#1: merged as [commit]; pull request #2");
    insta::assert_snapshot!(bench.why(&id[..5]), @"shop#1: merged as [commit]; pull request #2");
}

#[test]
fn the_history_by_assignment_issue_kind_and_time() {
    let bench = Bench::with_agent(Special::default());
    let one = bench.worked("a.txt");
    let two = bench.worked("b.txt");
    let of = |args: &[&str]| -> Vec<Value> {
        let answer = bench.json(&[&["history"], args].concat());
        answer.as_array().unwrap().clone()
    };
    let all = of(&[]);
    let (first, second) = (of(&["--issue", "1"]), of(&["--assignment", &two]));
    assert!(!first.is_empty() && !second.is_empty());
    assert_eq!(first.len() + second.len(), all.len());
    assert_eq!(of(&["--assignment", &one[..6]]), first);
    assert_eq!(of(&["--repo", "shop", "--since", "1h"]), all);
    assert_eq!(of(&["--until", "1h"]), Vec::<Value>::new());
    assert_eq!(of(&["--limit", "2"]), all[all.len() - 2..]);
    let kinds = of(&["--kind", "assignment_requested", "assignment_ended"]);
    assert_eq!(kinds.len(), 4);

    let complains = |args: &[&str]| bench.complains(2, &[&["history"], args].concat());
    insta::assert_snapshot!(complains(&["--since", "yesterday"]), @"error: `yesterday` is neither a date such as 2026-11-23T08:00 nor a span such as 2h or 7d");
    insta::assert_snapshot!(complains(&["--kind", "marged"]), @r"
    error: no event is of the kind `marged`
    hint: there are refused, assignment_waits, assignment_requested, claim_won, claim_lost, assignment_accepted, worker_started, files_observed, lease_granted, edit_denied, edit_unchecked, files_restored, conflict_foreseen, conflict_gone, planned, proposal_approved, proposal_rejected, split_rejected, split_started, split_done, split_failed, overlap_observed, worker_stuck, worker_guided, guidance_unheard, assignment_superseded, rate_limited, stop_requested, assignment_ended, assignment_lost, agent_silent, agent_back, test_started, test_recorded, test_broken, pull_wanted, pull_written, pull_opened, pull_refused, review_recorded, answer_refused, smoke_recorded, checks_recorded, gate_overridden, branch_moved, combination_green, combination_red, base_moved, spending_observed, budget_exceeded, merge_queued, merge_started, merged, merge_conflicted, merge_refused, issue_closed, effect_queued, effect_settled, assignment_archived, round_completed, session_closed, step_ended
    ");
    insta::assert_snapshot!(complains(&["--assignment", "ffff"]), @r"
    error: there is no assignment `ffff`
    hint: `coord status` shows the ids
    ");
}

#[test]
fn why_of_what_is_not_there_was_refused_or_is_unclear() {
    let bench = Bench::new(Special {
        repos: "  - name: other\n    forge: local\n",
        ..Special::default()
    });
    bench.small_issue("a.txt");
    insta::assert_snapshot!(bench.why("shop#1"), @"shop#1: no assignment on the board is for shop#1");
    bench.run(&["issue", "close", "--repo", "shop", "1"]).ok();
    bench.run(&["assign", "laptop", "shop", "1"]).code(1);
    insta::assert_snapshot!(bench.says(&["why", "shop#1"]), @r"
    shop#1: no assignment on the board is for shop#1
      #1  [date] [time]  refused: shop#1 is closed
    ");
    let why = bench.json(&["why", "shop#1"]);
    assert_eq!(why["issue"], json!({"repo": "shop", "number": 1}));
    insta::assert_snapshot!(bench.complains(2, &["why", "shoop#1"]), @r"
    error: there is no repository `shoop` in the configuration
    hint: `coord config` shows the repositories
    ");
    insta::assert_snapshot!(bench.complains(2, &["why", "shop#x"]), @"error: `shop#x` is not REPO#NUMBER");
    insta::assert_snapshot!(bench.complains(2, &["why", "#1"]), @r"
    error: there is more than one repository
    hint: name it with --repo, or as REPO#NUMBER
    ");
    insta::assert_snapshot!(bench.complains(2, &["why", "1"]), @r"
    error: there is more than one repository
    hint: name it with --repo, or as REPO#NUMBER
    ");
}

#[test]
fn a_stuck_worker_shows_everywhere() {
    let bench = Bench::with_agent(Special::default());
    let wait = format!(
        "while [ ! -e '{}' ]; do sleep 0.02; done",
        bench.gate().display()
    );
    let steps = [
        json!({"say": "STUCK: which colour?"}),
        json!({"run": wait}),
        write("a.txt"),
    ];
    bench.issue("Paint it", &steps);
    let id = bench.assign("1");
    let mut waiting = bench.start(&["wait", &id]);
    waiting.says("stuck");
    insta::assert_snapshot!(bench.why("1"), @"shop#1: its worker on laptop is stuck: which colour?");
    let status = bench.says(&["status"]);
    assert!(status.contains("stuck: which colour?"), "{status}");
    bench.open_gate();
    waiting.end();
}
