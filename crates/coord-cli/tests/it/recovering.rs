//! `coord retry`, `coord resume-stuck` and `auto_reassign`: with real agents, one for each machine.

use std::path::PathBuf;

use coord_test_support::git_fixture::git;
use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit, identify, unused_port, write};
use crate::program::Program;

/// A desk with an agent for `laptop`, and a second machine `tower` with a clone of its own.
struct Fleet {
    bench: Bench,
    port: u16,
    tower: Option<Program>,
}

impl Fleet {
    fn new(special: Special) -> Self {
        let bench = Bench::with_agent(special);
        let clone = bench.path("tower");
        let remote = bench.repo.remote_path();
        let (from, to) = (remote.to_str().unwrap(), clone.to_str().unwrap());
        git(&bench.path(""), &["clone", "--quiet", from, to]).unwrap();
        identify(&clone);
        let text = std::fs::read_to_string(bench.config()).unwrap();
        let port = unused_port();
        let tower = format!(
            "  - name: tower\n    host: 127.0.0.1\n    port: {port}\n    repos: [shop]\n    \
             repo_paths: {}\nconcurrency:",
            json!({"shop": clone})
        );
        std::fs::write(bench.config(), text.replacen("concurrency:", &tower, 1)).unwrap();
        let mut fleet = Self {
            bench,
            port,
            tower: None,
        };
        fleet.start_tower();
        fleet
    }

    /// Starts the agent of `tower` on the port of the configuration.
    fn start_tower(&mut self) {
        let port = self.port.to_string();
        let args = ["agent", "--machine", "tower", "--port", &port];
        let mut command = self.bench.command(&args);
        command.env("COORD_HOME", self.tower_home());
        let mut agent = self.bench.launch(&mut command);
        agent.says("listening on");
        self.tower = Some(agent);
    }

    fn tower_home(&self) -> PathBuf {
        self.bench.path("tower-home")
    }

    fn assign_to(&self, machine: &str, issue: &str) -> String {
        let answer = self.bench.json(&["assign", machine, "shop", issue]);
        answer["assignment"]["id"].as_str().unwrap().to_owned()
    }
}

/// Fails with a commit the first time, and succeeds with another one the second time.
fn second_time_lucky(bench: &Bench) -> Vec<Value> {
    let mark = bench.path("mark");
    let run = format!(
        "if [ -e '{0}' ]; then echo more > more.txt; else touch '{0}'; echo one > one.txt; \
         git add -A; git commit -qm one; echo no idea >&2; exit 1; fi",
        mark.display()
    );
    vec![json!({"run": run}), commit()]
}

#[test]
fn a_retry_goes_on_elsewhere_with_the_branch() {
    let fleet = Fleet::new(Special::default());
    let bench = &fleet.bench;
    bench.issue("Twice", &second_time_lucky(bench));
    let id = fleet.assign_to("tower", "1");
    bench.run(&["wait", &id]).code(1);
    insta::assert_snapshot!(bench.says(&["retry", &id, "--dry-run"]), @r"
    → laptop → shop#1: Twice
    → model: opus
    → branch: issue-1-twice
    → dry run: nothing was done
    ");
    insta::assert_snapshot!(bench.says(&["retry", &id]), @r"
    → laptop → shop#1: Twice
    → model: opus
    → branch: issue-1-twice
    → dispatched (assignment [id])
    ");
    insta::assert_snapshot!(bench.complains(1, &["retry", &id]), @r"
    error: assignment [id] was taken over by assignment [id]
    hint: `coord retry [id]`
    ");
    // Whoever waits for the first attempt hears of the last.
    let ran = bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @"[id] shop#1: done: 2 commits on issue-1-twice at [commit]");
    let files = git(
        &bench.repo.remote_path(),
        &["ls-tree", "--name-only", "issue-1-twice"],
    )
    .unwrap();
    assert!(
        files.contains("one.txt") && files.contains("more.txt"),
        "{files}"
    );
    let history = bench.says(&["history", "--kind", "assignment_superseded"]);
    assert!(history.contains("a person wanted it"), "{history}");
}

#[test]
fn a_retry_says_what_is_not_as_expected() {
    let bench = Bench::with_agent(Special::default());
    bench.issue("Never", &[json!({"run": "exit 1"})]);
    let answer = bench.json(&["assign", "laptop", "shop", "1", "--model", "opus"]);
    let id = answer["assignment"]["id"].as_str().unwrap();
    bench.run(&["wait", id]).code(1);
    let ran = bench.run(&["retry", id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    no other machine that answers may work on shop: it stays on laptop
    opus is at the top of the ladder: the model stays
    the attempt before left no commits: it begins from the base
    ");
    insta::assert_snapshot!(bench.complains(2, &["retry", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
}

#[test]
fn a_retry_keeps_a_model_that_was_not_at_fault() {
    let bench = Bench::new(Special::default()).with_worker(Some(json!(["no-such-claude"])));
    let id = bench.assign(&bench.small_issue("a.txt"));
    bench.run(&["wait", &id]).code(1);
    let ran = bench.run(&["retry", &id]);
    let said = bench.redact(&ran.err);
    let model: Vec<&str> = said.lines().filter(|it| it.contains("model")).collect();
    insta::assert_snapshot!(model.join("\n"), @"the model was not at fault: it stays sonnet");
}

#[test]
fn failed_work_moves_by_itself_where_the_configuration_says_so() {
    let fleet = Fleet::new(Special {
        goal: "merged",
        ..Special::default()
    });
    let bench = &fleet.bench;
    let text = std::fs::read_to_string(bench.config()).unwrap();
    let text = text.replacen("concurrency: {", "concurrency: {auto_reassign: true, ", 1);
    std::fs::write(bench.config(), text).unwrap();
    bench.issue("Twice", &second_time_lucky(bench));
    let id = fleet.assign_to("tower", "1");
    bench.run(&["wait", &id]).ok();
    assert_eq!(
        bench.repo.remote_file("main", "more.txt").as_deref(),
        Some("more")
    );
    assert_eq!(
        bench.repo.remote_file("main", "one.txt").as_deref(),
        Some("one")
    );
    let finished = bench.json(&["status", "--finished", "9"])["finished"].clone();
    let machines: Vec<&Value> = finished
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["machine"])
        .collect();
    assert_eq!(machines.len(), 2, "{finished:#}");
    assert!(machines.contains(&&json!("laptop")) && machines.contains(&&json!("tower")));
}

#[test]
fn what_a_silent_machine_has_is_not_begun_again_before_its_time() {
    let mut fleet = Fleet::new(Special::default());
    let up = fleet.bench.path("up");
    let once = format!(
        "if [ ! -e '{0}' ]; then touch '{0}'; sleep 600; fi",
        up.display()
    );
    let steps = [json!({"run": once}), write("a.txt"), commit()];
    fleet.bench.issue("Long", &steps);
    let id = fleet.assign_to("tower", "1");
    fleet.bench.appears(&up);
    fleet.tower = None;
    fleet.bench.run(&["status"]).ok();
    insta::assert_snapshot!(fleet.bench.complains(1, &["retry", &id]), @r"
    error: assignment [id] is running
    hint: `coord stop [id]` ends it, `coord resume-stuck [id] --guidance TEXT` tells it something
    ");
    fleet.bench.json(&["stop", &id]);
    fleet.start_tower();
    fleet.bench.run(&["wait", &id]).code(1);
    fleet.bench.says(&["retry", &id]);
    let ran = fleet.bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(fleet.bench.redact(&ran.out), @"[id] shop#1: done: 1 commit on issue-1-long at [commit]");
}

#[test]
fn a_worker_that_runs_is_told() {
    let bench = Bench::with_agent(Special::default());
    let up = bench.path("up");
    let steps = [
        json!({"say": "STUCK: left or right?"}),
        json!({"run": format!("touch '{}'", up.display())}),
        json!({"hear": {"path": "answer.txt"}}),
        commit(),
    ];
    bench.issue("Ask", &steps);
    let id = bench.assign("1");
    bench.appears(&up);
    insta::assert_snapshot!(bench.says(&["resume-stuck", &id, "--guidance=-> left"]), @"→ told the worker that runs on laptop");
    bench.run(&["wait", &id]).ok();
    let answer = git(
        &bench.repo.remote_path(),
        &["show", "issue-1-ask:answer.txt"],
    )
    .unwrap();
    assert_eq!(answer, "-> left");
    let history = bench.says(&["history", "--kind", "worker_guided"]);
    assert!(history.contains("-> left"), "{history}");
}

#[test]
fn a_worker_that_ended_with_a_question_goes_on_in_its_session() {
    let bench = Bench::with_agent(Special {
        goal: "merged",
        ..Special::default()
    });
    let steps = [
        write("a.txt"),
        commit(),
        json!({"say": "STUCK: left or right?"}),
    ];
    bench.issue("Ask", &steps);
    let id = bench.assign("1");
    let asks = bench.run(&["wait", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&asks.out), @"[id] shop#1: done: 1 commit on issue-1-ask at [commit]; it asks: left or right?");
    insta::assert_snapshot!(bench.redact(asks.last()), @"hint: answer it with `coord resume-stuck [id] --guidance TEXT`, or `coord test [id]`");
    insta::assert_snapshot!(bench.why("1"), @"shop#1: its worker has committed and ended with a question: left or right?");
    let todo = format!(
        "left\n```simulate\n{}\n{}\n```",
        write("left.txt"),
        commit()
    );
    std::fs::write(bench.path("answer.md"), todo).unwrap();
    let args = ["resume-stuck", &id, "--guidance-file", "answer.md"];
    insta::assert_snapshot!(bench.says(&args), @r"
    → its session is continued on laptop
    → laptop → shop#1: Ask
    → model: sonnet
    → branch: issue-1-ask
    → dispatched (assignment [id])
    ");
    bench.run(&["wait", &id]).ok();
    assert_eq!(
        bench.repo.remote_file("main", "left.txt").as_deref(),
        Some("left.txt")
    );
    assert_eq!(
        bench.repo.remote_file("main", "a.txt").as_deref(),
        Some("a.txt")
    );
}

/// Has no session. Asks, and does it when it is told.
const FORGETFUL: &str = r#"read -r prompt
echo '{"type":"system","subtype":"init","model":"m"}'
case "$prompt" in
  *"go left"*) echo left > left.txt; git add -A; git commit -qm left ;;
  *) echo '{"type":"assistant","message":{"id":"m1","model":"m","content":[{"type":"text","text":"STUCK: left?"}]}}' ;;
esac
echo '{"type":"result","subtype":"success","is_error":false}'
"#;

#[test]
fn without_a_session_a_new_worker_gets_question_and_answer() {
    let bench = Bench::new(Special::default());
    let bench = bench.with_worker(Some(json!(["sh", "-c", FORGETFUL])));
    bench.run(&["issue", "new", "Ask"]).ok();
    let id = bench.assign("1");
    bench.run(&["wait", &id]).code(1);
    let ran = bench
        .run(&["resume-stuck", &id, "--guidance", "go left"])
        .ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @r"
    → a new worker begins anew on laptop
    → laptop → shop#1: Ask
    → model: sonnet
    → branch: issue-1-ask
    → dispatched (assignment [id])
    ");
    insta::assert_snapshot!(bench.redact(&ran.err), @"the attempt before left no commits: it begins from the base");
    bench.run(&["wait", &id]).ok();
    let left = git(&bench.repo.remote_path(), &["show", "issue-1-ask:left.txt"]).unwrap();
    assert_eq!(left, "left");
    let empty = bench.complains(2, &["resume-stuck", &id, "--guidance", " "]);
    insta::assert_snapshot!(empty, @"error: the guidance is empty");
}
