//! `coord stop`: the whole family of the worker ends, and what it wrote is kept.

use coord_test_support::git_fixture::git;
use coord_test_support::processes;
use serde_json::json;

use crate::bench::{Bench, Special};
use crate::program::PATIENCE;

/// A worker that will not hear of ending, with a grandchild in a session of its own.
const DEAF: &str = r#"read -r prompt
trap '' TERM INT HUP
setsid sh -c 'trap "" TERM INT HUP; echo $$ > "$0"; while :; do sleep 600; done' "$PIDS" &
echo precious > unsaved.txt
printf '%s\n' '{"type":"system","subtype":"init","session_id":"s","model":"m","tools":[]}'
while :; do sleep 600; done
"#;

#[test]
fn a_worker_that_is_deaf_is_gone_with_its_grandchild() {
    let bench = Bench::new(Special::default());
    let pids = bench.path("pids");
    let script = DEAF.replace("$PIDS", &pids.to_string_lossy());
    let worker = Some(json!(["sh", "-c", script]));
    let bench = bench.with_worker(worker);
    bench.run(&["issue", "new", "Never ends"]).ok();
    let id = bench.assign("1");
    bench.appears(&pids);
    let grandchild: u32 =
        crate::program::until(|| std::fs::read_to_string(&pids).ok()?.trim().parse().ok()).unwrap();
    assert!(processes::is_alive(grandchild));

    insta::assert_snapshot!(bench.says(&["stop", &id]), @"[id] is being stopped; `coord wait [id]` waits for its end");
    let ended = bench.run(&["wait", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&ended.out), @"[id] shop#1: cancelled; nothing was published");
    processes::wait_only(bench.sandbox.path(), &[bench.agent_pid()], PATIENCE).unwrap();
    assert!(!processes::is_alive(grandchild));

    let kept = format!("refs/coord/wip/{id}:unsaved.txt");
    let kept = git(&bench.repo.clone_path(), &["cat-file", "blob", &kept]).unwrap();
    assert_eq!(kept, "precious");
    assert_eq!(bench.repo.remote_branches().unwrap(), ["main"]);
}

#[test]
fn what_has_not_started_is_withdrawn() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    bench.small_issue("b.txt");
    bench
        .run(&["assign", "laptop", "shop", "1", "--files", "src/**"])
        .ok();
    bench
        .run(&[
            "assign", "laptop", "shop", "2", "--files", "src/**", "--wait",
        ])
        .ok();
    let status = bench.json(&["status"]);
    let waiting = status["assignments"].as_array().unwrap().iter();
    let waiting = waiting
        .filter(|a| a["state"] == "waiting")
        .map(|a| a["id"].as_str().unwrap());
    let ids: Vec<&str> = waiting.collect();
    assert_eq!(ids.len(), 1, "{status}");
    insta::assert_snapshot!(bench.says(&["stop", ids[0]]), @"[id] is withdrawn; it had not started");
    let again = bench.complains(1, &["stop", ids[0]]);
    insta::assert_snapshot!(again, @"error: assignment [id] is cancelled");
}

#[test]
fn without_its_agent_the_stop_is_kept_for_later() {
    let mut bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    bench.kill_agent();
    let kept = bench.json(&["stop", &id]);
    assert_eq!(kept, json!({"id": id, "delivered": false, "ended": false}));
    insta::assert_snapshot!(bench.says(&["stop", &id]), @"[id] will be stopped as soon as its agent can be reached");
    bench.start_agent();
    bench.run(&["resume"]).code(1);
    assert_eq!(bench.only_assignment()["state"], json!("cancelled"));
    processes::wait_only(bench.sandbox.path(), &[bench.agent_pid()], PATIENCE).unwrap();
}

#[test]
fn what_is_not_there_or_over_cannot_be_stopped() {
    let bench = Bench::with_agent(Special {
        goal: "merged",
        ..Special::default()
    });
    insta::assert_snapshot!(bench.complains(2, &["stop", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
    let id = bench.worked("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["stop", &id]), @"error: assignment [id] is merged");
}
