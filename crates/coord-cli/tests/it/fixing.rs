//! `coord fix`: a branch goes back to a worker, with what was found wrong with it.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit, write};

/// A finished branch that lacks what its tests want, and that a second worker completes.
fn incomplete(bench: &Bench) -> String {
    let (work, fix) = ([write("a.txt"), commit()], [write("b.txt"), commit()]);
    let scripts: [(&str, &[Value]); 2] = [("", &work), ("fix", &fix)];
    let issue = bench.issue_for("Write a and b", &scripts);
    let id = bench.assign(&issue.to_string());
    bench.run(&["wait", &id]).ok();
    id
}

fn bench() -> Bench {
    Bench::with_agent(Special {
        repo: "    test_command: echo looking for b; test -e b.txt\n",
        ..Special::default()
    })
}

#[test]
fn red_tests_are_put_right_on_the_same_branch() {
    let bench = bench();
    let id = incomplete(&bench);
    bench.run(&["test", &id]).code(1);
    insta::assert_snapshot!(bench.says(&["fix", &id, "--dry-run"]), @r"
    → laptop → shop#1: fix: Write a and b
    → model: opus
    → branch: issue-1-write-a-and-b
    → dry run: nothing was done
    ");
    insta::assert_snapshot!(bench.says(&["fix", &id, "--guidance", "-> b is missing"]), @r"
    → laptop → shop#1: fix: Write a and b
    → model: opus
    → branch: issue-1-write-a-and-b
    → dispatched (assignment [id])
    ");
    insta::assert_snapshot!(bench.complains(1, &["fix", &id]), @r"
    error: assignment [id] was taken over by assignment [id]
    hint: name assignment [id]
    ");
    let ran = bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @"[id] shop#1: done: 2 commits on issue-1-write-a-and-b at [commit]");
    let fix = &bench.json(&["status"])["assignments"][1];
    assert_eq!(fix["kind"], json!("fix"));
    assert_eq!(fix["guidance"], json!(["-> b is missing"]));
    let fix = fix["id"].as_str().unwrap();
    bench.run(&["test", fix]).ok();
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a and b  laptop  done  [span]  taken over by [id]; tests failed for [commit]: `echo looking for b; test -e b.txt` ended with code 1: looking for b
    [id]  shop#1  fix: Write a and b  laptop  done  [span]  done: 2 commits on issue-1-write-a-and-b at [commit]

    waits for you
      shop#1 Write a and b: its branch is finished and nobody asked for the merge (`coord merge [id]`)
    ");
    insta::assert_snapshot!(bench.says(&["history", "--kind", "assignment_superseded"]), @"[date] [time]  [id] is taken over by [id]: a person wanted it");
}

#[test]
fn guidance_from_a_file_and_from_stdin() {
    let bench = bench();
    let id = incomplete(&bench);
    insta::assert_snapshot!(bench.complains(1, &["fix", &id, "--guidance-file", "none.md"]), @"error: cannot use `none.md`: No such file or directory (os error 2)");
    std::fs::write(bench.path("empty.md"), " \n").unwrap();
    insta::assert_snapshot!(bench.complains(2, &["fix", &id, "--guidance-file", "empty.md"]), @"error: the guidance is empty");
    let mut command = bench.command(&["fix", &id, "--guidance-file", "-", "--json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"mind the gap")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["assignment"]["guidance"], json!(["mind the gap"]));
    assert_eq!(answer["assignment"]["kind"], json!("fix"));
}

#[test]
fn what_cannot_be_fixed_says_why() {
    let bench = bench();
    insta::assert_snapshot!(bench.complains(2, &["fix", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
    let id = bench.running("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["fix", &id]), @r"
    error: assignment [id] is running
    hint: `coord wait [id]`
    ");
    bench.open_gate();
    bench.run(&["wait", &id]).ok();
    insta::assert_snapshot!(bench.complains(2, &["fix", &id, "--machine", "tower"]), @r"
    error: no machine is called tower
    hint: `coord config` lists the machines
    ");
}
