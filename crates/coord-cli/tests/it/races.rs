//! Many processes at once on one board.

use std::collections::BTreeSet;

use serde_json::json;

use crate::bench::{Bench, Special, commit, write};

#[test]
fn of_two_assigns_at_the_same_instant_one_wins_and_is_named() {
    let bench = Bench::with_agent(Special::default());
    let count = bench.path("starts");
    let script = [
        json!({"run": format!("echo x >> '{}'", count.display())}),
        write("a.txt"),
        commit(),
    ];
    for round in 1..=3_usize {
        let issue = bench.issue(&format!("Round {round}"), &script).to_string();
        let both = [0, 1].map(|_| bench.start(&["assign", "laptop", "shop", &issue, "--json"]));
        let mut ran = both.map(|it| it.end());
        ran.sort_by_key(|it| it.code);
        let [won, lost] = ran;
        let (won, lost) = (won.code(0), lost.code(1));
        let id = won.json()["assignment"]["id"].as_str().unwrap().to_owned();
        let error = lost.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(&id), "{error}");

        bench.run(&["wait", &id]).ok();
        let starts = std::fs::read_to_string(&count).unwrap();
        assert_eq!(starts.lines().count(), round);
    }
}

#[test]
fn twelve_dispatches_at_once_lose_none() {
    let bench = Bench::with_agent(Special::default());
    let issues: Vec<String> = (1..=12)
        .map(|n| bench.small_issue(&format!("file-{n}.txt")))
        .collect();
    let started: Vec<_> = issues
        .iter()
        .map(|issue| bench.start(&["assign", "laptop", "shop", issue, "--json"]))
        .collect();
    let ids: BTreeSet<String> = started
        .into_iter()
        .map(|it| {
            it.end().ok().json()["assignment"]["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 12);

    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.run(&[&["wait"], &ids[..]].concat()).ok();
    let branches = bench.repo.remote_branches().unwrap();
    assert_eq!(branches.len(), 13, "{branches:?}");
    let log = std::fs::read_dir(bench.sandbox.coord_home().join("agent/assignments")).unwrap();
    assert_eq!(log.count(), 12);
}
