//! Ctrl-C: workers go on, and it says so.

use rustix::process::Signal;
use serde_json::json;

use crate::bench::{Bench, Special};

/// A worker that says something again and again: whoever shows it listens to signals as well.
const CHATTY: &str = r#"read -r prompt
say() { printf '%s\n' '{"type":"assistant","session_id":"s","message":{"id":"m'$n'","model":"m","content":[{"type":"text","text":"STATUS: beat '$n'"}]}}'; }
printf '%s\n' '{"type":"system","subtype":"init","session_id":"s","model":"m","tools":[]}'
n=0
while [ ! -e "$GATE" ]; do n=$((n+1)); say; sleep 0.1; done
printf '%s\n' '{"type":"result","subtype":"success","is_error":false,"session_id":"s","num_turns":1,"result":"ok"}'
"#;

#[test]
fn waiting_watching_and_following_can_be_left() {
    let bench = Bench::new(Special::default());
    let script = CHATTY.replace("$GATE", &bench.gate().to_string_lossy());
    let bench = bench.with_worker(Some(json!(["sh", "-c", script])));
    bench.run(&["issue", "new", "Talk"]).ok();
    let id = bench.assign("1");
    for command in [&["watch"][..], &["log", "-f"], &["wait"], &["resume"]] {
        let args = if command == ["resume"] {
            command.to_vec()
        } else {
            [command, &[&id]].concat()
        };
        let mut left = bench.start(&args);
        left.says("beat");
        left.signal(Signal::INT);
        let last = left.end().code(130).err;
        let last = last.lines().last().unwrap().to_owned();
        assert!(
            last.starts_with("interrupted: workers that run go on"),
            "{args:?} {last}"
        );
    }
    assert_eq!(bench.only_assignment()["state"], json!("running"));
    bench.open_gate();
    insta::assert_snapshot!(bench.says(&["wait", &id]), @"[id] shop#1: done: no commits");
}

#[test]
fn up_ends_well_and_its_workers_go_on() {
    let bench = Bench::new(Special::default());
    let mut up = bench.start(&["up"]);
    up.says("listens on");
    let id = bench.running("a.txt");
    up.signal(Signal::INT);
    let ended = up.end().ok();
    let last = ended.last();
    insta::assert_snapshot!(bench.redact(last), @"interrupted: workers that run go on; `coord status` shows them, `coord stop ID` ends one, `coord resume` goes on from here");

    bench.open_gate();
    let mut up = bench.start(&["up"]);
    up.says(&format!("{id} done"));
    up.signal(Signal::TERM);
    up.end().ok();
    assert_eq!(bench.only_assignment()["state"], json!("done"));
}

#[test]
fn the_agent_ends_well_and_its_workers_go_on() {
    let mut bench = Bench::new(Special::default());
    let mut agent = bench.start(&["agent"]);
    agent.says("listening on");
    let id = bench.running("a.txt");
    agent.signal(Signal::TERM);
    insta::assert_snapshot!(bench.redact(agent.end().ok().last()), @"the agent has ended; workers that run go on, the next agent takes them over");
    bench.open_gate();
    bench.start_agent();
    bench.run(&["wait", &id]).ok();
}
