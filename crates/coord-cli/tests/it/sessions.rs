//! `coord done` and `coord session`: hooks, housekeeping, and what it all came to.

use coord_test_support::processes;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::{Bench, Special};
use crate::program::{PATIENCE, until};

const HOOKS: &str = r#"hooks:
  on_round_complete: [{command: "cat > round.json"}]
  on_session_end:
    - summary_report
    - command: "cat > event.json; echo told"
    - {command: "echo 'no such host' >&2; exit 7"}
housekeeping:
  pull: true
  commands: ["cat ok.txt"]
"#;

/// A text without the number of the session, which depends on how often a worker was heard of.
fn unnumbered(text: &str) -> String {
    let numbered =
        |word: &str| word.ends_with(':') && word.trim_end_matches(':').parse::<u32>().is_ok();
    let line = |line: &str| {
        let words = line
            .split(' ')
            .map(|word| if numbered(word) { "[n]:" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn read(bench: &Bench, file: &str) -> Value {
    let text = std::fs::read_to_string(bench.path(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn without_anything_to_close() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.complains(1, &["session"]), @r"
    error: no session has been closed yet
    hint: `coord done` closes the one that is going on
    ");
    let ran = bench.run(&["done", "--force"]).code(1);
    let last = ran.err.lines().rev().nth(1).unwrap().to_owned();
    assert_eq!(
        last,
        "error: nothing has happened since the last session was closed"
    );
}

#[test]
fn done_runs_the_hooks_and_tells_what_it_came_to() {
    let bench = Bench::with_agent(Special {
        more: HOOKS,
        ..Special::default()
    });
    let merged = bench.worked("a.txt");
    let round = read(&bench, "round.json");
    assert_eq!(round["event"], "round_complete");
    assert_eq!(round["summary"]["assignments"][0]["id"], json!(merged));
    bench.run(&["test", &merged]).ok();
    bench.run(&["merge"]).ok();
    bench.worked("b.txt");

    let dry = unnumbered(&bench.says(&["done", "--dry-run"]));
    insta::assert_snapshot!(dry, @r"
    # Session [n]: [date] [time] to [date] [time]

    2 assignments (2 done); 1 issue merged; $0.00, $0.00 for each merged issue.

    ## Assignments

    - [id] work shop#1 Write a.txt: done, $0.00
    - [id] work shop#3 Write b.txt: done, $0.00

    ## Merged

    - shop#1 Write a.txt: [commit] by [id]

    ## Waits for a person

    - shop#3 Write b.txt: it is not merged: its head has not been tested (`coord test [id]`)

    would run summary_report
    would run `cat > event.json; echo told`
    would run `echo 'no such host' >&2; exit 7`
    would run pull shop
    would run `cat ok.txt` in shop
    dry run: nothing was closed
    ");
    let done = bench.run(&["done"]).code(1);
    let said = unnumbered(&bench.redact(&done.out));
    // What was announced, and what has run then.
    let (announced, _) = dry.split_once("\n\nwould run").unwrap();
    let (told, ran) = said
        .split_once("\n\n## Hooks and housekeeping\n\n")
        .unwrap();
    assert_eq!(told, announced);
    insta::assert_snapshot!(ran, @r"
    - summary_report: 2 assignments (2 done); 1 issue merged; $0.00, $0.00 for each merged issue
    - `cat > event.json; echo told`: told
    - `echo 'no such host' >&2; exit 7`: FAILED: it ended with code [n]: no such host
    - pull shop: [commit] → [commit]
    - `cat ok.txt` in shop: ok
    ");
    let event = read(&bench, "event.json");
    assert_eq!(event["event"], "session_end");
    assert_eq!(event["summary"]["merged"][0]["id"], json!(merged));
    assert_eq!(event["summary"]["steps"][0]["step"], "summary_report");

    let shown = bench.run(&["session"]).ok();
    assert_eq!(shown.out, done.out);
    let session = bench.json(&["session"]);
    assert_eq!(session["seq"], event["seq"]);
    assert_eq!(session["steps"][2]["ok"], false);
    let report = session["steps"][0]["file"].as_str().unwrap();
    assert!(report.ends_with(&format!("sessions/session-{}.md", session["seq"])));
    assert!(
        std::fs::read_to_string(report)
            .unwrap()
            .contains("Write a.txt")
    );
    insta::assert_snapshot!(bench.complains(1, &["done"]), @r"
    error: nothing has happened since the last session was closed
    hint: `coord session` shows the last one
    ");
}

#[test]
fn what_runs_keeps_the_session_open_unless_forced() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["done"]), @r"
    error: still at work: [id] (shop#1, running)
    hint: `coord wait` or `coord stop` them; with --force they go on into the next session
    ");
    let forced = bench.json(&["done", "--force"]);
    assert_eq!(forced["assignments"][0]["state"], "running");
    assert_eq!(forced["steps"], json!([]));
    bench.open_gate();
    bench.run(&["wait", &id]).ok();
    let next = bench.json(&["done"]);
    assert_eq!(next["assignments"][0]["id"], json!(id));
    assert_eq!(next["assignments"][0]["state"], "done");
    assert_eq!(next["waiting"][0]["issue"]["number"], 1);
}

#[test]
fn of_two_at_once_one_closes_the_session_and_its_hooks_run_once() {
    let bench = Bench::with_agent(Special {
        more: "hooks: {on_session_end: [{command: \"echo x >> runs.txt\"}]}\n",
        ..Special::default()
    });
    for round in 1..=3 {
        bench.worked(&format!("{round}.txt"));
        let both = [0, 1].map(|_| bench.start(&["done", "--json"]));
        let mut ran = both.map(|it| it.end());
        ran.sort_by_key(|it| it.code);
        let [won, lost] = ran;
        assert_eq!(won.code(0).json()["steps"][0]["ok"], true);
        let error = lost.code(1).json()["error"].clone();
        assert!(
            error.as_str().unwrap().starts_with("nothing has happened"),
            "{error}"
        );
        let runs = std::fs::read_to_string(bench.path("runs.txt")).unwrap();
        assert_eq!(runs.lines().count(), round);
    }
}

#[test]
fn ctrl_c_in_the_middle_ends_the_hook_and_resume_goes_on() {
    let hook = "hooks: {on_session_end: [{command: 'echo $$ > up.txt; while [ ! -e gate ]; do sleep 0.02; done; \
                echo x >> runs.txt'}, summary_report]}\n";
    let bench = Bench::with_agent(Special {
        more: hook,
        ..Special::default()
    });
    bench.worked("a.txt");
    let done = bench.start(&["done"]);
    let up = bench.path("up.txt");
    let pid = until(|| {
        std::fs::read_to_string(&up)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    done.signal(Signal::INT);
    let said = done.end().code(130).err;
    assert!(said.contains("`coord resume` goes on from here"), "{said}");
    let pid = pid.unwrap().trim().parse().unwrap();
    processes::wait_gone(&[pid], PATIENCE).unwrap();

    let open = bench.run(&["session"]).ok();
    assert!(
        open.err
            .contains("2 hooks to go; `coord resume` goes on with them"),
        "{}",
        open.err
    );
    insta::assert_snapshot!(bench.complains(1, &["done"]), @r"
    error: nothing has happened since the last session was closed
    hint: `coord session` shows the last one; its hooks are not over, `coord resume` finishes them
    ");
    bench.open_gate();
    bench.run(&["resume"]).ok();
    let runs = std::fs::read_to_string(bench.path("runs.txt")).unwrap();
    assert_eq!(runs, "x\n");
    let session = bench.json(&["session"]);
    assert_eq!(session["steps"].as_array().unwrap().len(), 2);
}
