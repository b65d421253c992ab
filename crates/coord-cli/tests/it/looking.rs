//! The commands that look: `status`, `watch`, `log`, `history`, `why`.

use serde_json::{Value, json};

use crate::bench::{Bench, Special, write};

#[test]
fn status_of_an_empty_board() {
    let bench = Bench::with_agent(Special::default());
    insta::assert_snapshot!(bench.says(&["status"]), @"");
}

#[test]
fn status_while_a_worker_runs_and_after() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    insta::assert_snapshot!(bench.says(&["status"]), @"");
    let status = bench.json(&["status", "--machine", "laptop"]);
    assert_eq!(status["machines"][0]["reachable"], json!(true));
    assert_eq!(
        status["assignments"][0]["live"]["progress"]["updates"],
        json!(["waiting"])
    );
    insta::assert_snapshot!(bench.says(&["why", "1"]), @"");

    bench.open_gate();
    bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.says(&["status"]), @"");
}

#[test]
fn an_agent_that_is_away_is_unknown_and_since_when() {
    let mut bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    bench.kill_agent();
    bench.run(&["status"]).ok();
    insta::assert_snapshot!(bench.says(&["status"]), @"");
    let machine = &bench.json(&["status"])["machines"][0];
    assert_eq!(machine["reachable"], json!(false));
    assert!(machine["silent_since"].is_u64(), "{machine}");
    // The board does not take silence for an end.
    assert_eq!(bench.only_assignment()["state"], json!("running"));
    insta::assert_snapshot!(bench.says(&["why", &id]), @"");
    insta::assert_snapshot!(bench.complains(1, &["log", &id]), @"");
    insta::assert_snapshot!(bench.complains(2, &["status", "--machine", "tower"]), @"");
}

#[test]
fn a_log_rendered_raw_and_from_disk() {
    let mut bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    let rendered = bench.says(&["log", &id[..4]]);
    insta::assert_snapshot!(without_header(&rendered), @"");
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
    insta::assert_snapshot!(bench.redact(&watch.err), @"");
}

#[test]
fn watching_ends_where_the_worker_dies_without_a_word() {
    let bench = Bench::new(Special::default());
    let mute = Some(json!(["sh", "-c", "cat > /dev/null; kill -9 $$"]));
    let bench = bench.with_worker(mute);
    bench.run(&["issue", "new", "Mute"]).ok();
    let id = bench.assign("1");
    let watched = bench.run(&["watch", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&watched.err), @"");
    bench.run(&["log", "-f", &id]).ok();
}

#[test]
fn the_history_of_one_merge() {
    let bench = Bench::with_agent(Special {
        goal: "merged",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    insta::assert_snapshot!(bench.says(&["history"]), @"");
    insta::assert_snapshot!(bench.says(&["why", "shop#1"]), @"");
    insta::assert_snapshot!(bench.says(&["why", &id[..5]]), @"");
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
    let kinds = of(&["--kind", "assignment_ended", "worker_started"]);
    assert_eq!(kinds.len(), 4);

    let complains = |args: &[&str]| bench.complains(2, &[&["history"], args].concat());
    insta::assert_snapshot!(complains(&["--since", "yesterday"]), @"");
    insta::assert_snapshot!(complains(&["--kind", "marged"]), @"");
    insta::assert_snapshot!(complains(&["--assignment", "ffff"]), @"");
}

#[test]
fn why_of_what_is_not_there_was_refused_or_is_unclear() {
    let bench = Bench::new(Special {
        repos: "  - name: other\n    forge: local\n",
        ..Special::default()
    });
    bench.small_issue("a.txt");
    insta::assert_snapshot!(bench.says(&["why", "shop#1"]), @"");
    bench.run(&["issue", "close", "--repo", "shop", "1"]).ok();
    bench.run(&["assign", "laptop", "shop", "1"]).code(1);
    insta::assert_snapshot!(bench.says(&["why", "shop#1"]), @"");
    let why = bench.json(&["why", "shop#1"]);
    assert_eq!(why["issue"], json!({"repo": "shop", "number": 1}));
    insta::assert_snapshot!(bench.complains(2, &["why", "shoop#1"]), @"");
    insta::assert_snapshot!(bench.complains(2, &["why", "shop#x"]), @"");
    insta::assert_snapshot!(bench.complains(2, &["why", "#1"]), @"");
    insta::assert_snapshot!(bench.complains(2, &["why", "1"]), @"");
}

#[test]
fn a_stuck_worker_shows_everywhere() {
    let bench = Bench::with_agent(Special::default());
    let up = bench.path("asked");
    let gate = bench.gate();
    let steps = [
        json!({"say": "STUCK: which colour?"}),
        json!({"run": format!("sleep 0.1; touch '{}'; while [ ! -e '{}' ]; do sleep 0.02; done",
            up.display(), gate.display())}),
        write("a.txt"),
    ];
    bench.issue("Paint it", &steps);
    let id = bench.assign("1");
    let mut waiting = bench.start(&["wait", &id]);
    waiting.says("stuck");
    insta::assert_snapshot!(bench.says(&["why", "1"]), @"");
    let status = bench.says(&["status"]);
    assert!(status.contains("stuck: which colour?"), "{status}");
    bench.open_gate();
    waiting.end();
}
