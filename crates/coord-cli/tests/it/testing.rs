//! `coord test`: verdicts by running, and by a person's word.

use rustix::process::Signal;
use serde_json::json;

use crate::bench::{Bench, Special, commit, write};

#[test]
fn a_branch_is_tested_in_a_place_of_its_own() {
    let bench = Bench::with_agent(Special {
        repo: "    build_command: echo built\n    test_command: cat ok.txt a.txt\n",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    let ran = bench.run(&["test", &id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.out), @"tests passed for [commit]: echo built && cat ok.txt a.txt in [span] s");
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    $ echo built
    built
    $ cat ok.txt a.txt
    ok
    a.txt
    [time]  [id] tests passed for [commit]: echo built && cat ok.txt a.txt in [span] s
    the whole output is in [dir]/coord/tests/[id]-[commit].log
    ");
    let answer = bench.json(&["test", &id]);
    let log = std::fs::read_to_string(answer["output"].as_str().unwrap()).unwrap();
    assert_eq!(log, "$ echo built\nbuilt\n$ cat ok.txt a.txt\nok\na.txt\n");
}

#[test]
fn red_is_an_exit_code_too() {
    let bench = Bench::with_agent(Special {
        repo: "    test_command: echo looking; test -e b.txt\n",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    let ran = bench.run(&["test", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @"tests failed for [commit]: `echo looking; test -e b.txt` ended with code 1: looking");
    let refused = bench.complains(1, &["merge"]);
    insta::assert_snapshot!(refused, @r"
    error: assignment [id] cannot be merged: its tests failed
    hint: `coord test [id]`
    ");
}

#[test]
fn a_verdict_by_hand() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    let says = |args: &[&str]| bench.says(&[&["test", &id], args].concat());
    insta::assert_snapshot!(says(&["--passed"]), @"tests passed for [commit]: recorded by hand");
    insta::assert_snapshot!(says(&["--skipped", "--reason", "only words"]), @"tests skipped for [commit]: only words");
    std::fs::write(bench.path("out.txt"), "one\ntwo\n").unwrap();
    let fail = [
        "test",
        &id,
        "--fail",
        "--reason",
        "it smells",
        "--output",
        "out.txt",
    ];
    let ran = bench.run(&fail).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @"tests failed for [commit]: it smells");
    let verdict = &bench.only_assignment()["verdict"];
    assert_eq!(verdict["note"], json!("it smells"));
    assert_eq!(verdict["output"], json!("one\ntwo\n"));

    for wrong in [
        &["--passed", "--fail"][..],
        &["--output", "out.txt"],
        &["--reason", "it smells"],
    ] {
        bench.run(&[&["test", &id], wrong].concat()).code(2);
    }
}

#[test]
fn what_cannot_be_tested_says_why() {
    let bench = Bench::with_agent(Special {
        repo: "",
        ..Special::default()
    });
    insta::assert_snapshot!(bench.complains(2, &["test", "abc"]), @r"
    error: there is no assignment `abc`
    hint: `coord status` shows the ids
    ");
    let id = bench.running("a.txt");
    insta::assert_snapshot!(bench.complains(1, &["test", &id]), @r"
    error: assignment [id] is running
    hint: `coord wait [id]`
    ");
    bench.open_gate();
    bench.run(&["wait", &id]).ok();
    // Without any command there is nothing that could be red.
    let ran = bench.run(&["test", &id]);
    insta::assert_snapshot!(bench.redact(&format!("{:?} {}{}", ran.code, ran.out, ran.err)), @r"
    Some(0) tests skipped for [commit]: no test_command is configured
    [time]  [id] tests skipped for [commit]: no test_command is configured
    ");
}

/// Whatever gives access to the forge stays with the coordinator and the agent.
#[test]
fn neither_workers_nor_tests_see_a_token() {
    const TOKENS: [&str; 3] = ["COORD_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];
    let mut bench = Bench::new(Special {
        repo: "    test_command: env\n",
        ..Special::default()
    });
    let token = |name: &'static str| (name, format!("secret-of-{name}"));
    bench.start_agent_with(&TOKENS.map(token));
    let seen = bench.path("worker-env");
    let look = json!({"run": format!("env > '{}'", seen.display())});
    let issue = bench.issue("Look around", &[look, write("a.txt"), commit()]);
    let id = bench.assign(&issue.to_string());
    bench.run(&["wait", &id]).ok();
    let mut test = bench.command(&["test", &id, "--json"]);
    let answer = bench.launch(test.envs(TOKENS.map(token))).end().ok().json();
    let log = std::fs::read_to_string(answer["output"].as_str().unwrap()).unwrap();
    let worker = std::fs::read_to_string(seen).unwrap();
    for env in [&worker, &log] {
        assert!(env.contains("PATH="), "{env}");
        assert!(
            !env.contains("secret-of") && !env.contains("TOKEN="),
            "{env}"
        );
    }
}

/// A test that could not be run says nothing about the branch.
#[test]
fn what_keeps_a_test_from_an_answer_is_no_verdict() {
    let bench = Bench::with_agent(Special {
        repo: "    test_command: no-such-tool-anywhere\n",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    let ran = bench.run(&["test", &id]).code(1);
    assert_eq!(ran.out, "");
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    $ no-such-tool-anywhere
    sh: 1: no-such-tool-anywhere: not found
    [time]  [id] no test verdict for [commit]: `no-such-tool-anywhere` cannot be run here (code 127): sh: 1: no-such-tool-anywhere: not found
    error: no verdict for [commit]: `no-such-tool-anywhere` cannot be run here (code 127): sh: 1: no-such-tool-anywhere: not found
    hint: put that right, then `coord test [id]`; the output is in [dir]/coord/tests/[id]-[commit].log
    ");
    insta::assert_snapshot!(bench.why("1"), @"shop#1: its test could not be run: `no-such-tool-anywhere` cannot be run here (code 127): sh: 1: no-such-tool-anywhere: not found");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  shop#1  Write a.txt  laptop  done  [span]  done: 1 commit on issue-1-write-a-txt at [commit]; no test verdict: `no-such-tool-anywhere` cannot be run here (code 127): sh: 1: no-such-tool-anywhere: not found

    waits for you
      shop#1 Write a.txt: its test could not be run: `no-such-tool-anywhere` cannot be run here (code 127): sh: 1: no-such-tool-anywhere: not found (`coord test [id]`)
    ");
}

#[test]
fn what_a_red_test_said_goes_with_the_verdict_as_far_as_it_is_its_end() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    let fail = ["test", &id, "--fail", "--output"];
    let missing = [&fail[..], &["none.txt"]].concat();
    insta::assert_snapshot!(bench.complains(1, &missing), @"error: cannot use `none.txt`: No such file or directory (os error 2)");
    assert!(bench.only_assignment()["verdict"].is_null());
    let long = format!("{}the end\n", "much ado\n".repeat(10_000));
    std::fs::write(bench.path("long.txt"), &long).unwrap();
    bench.run(&[&fail[..], &["long.txt"]].concat()).code(1);
    let verdict = &bench.only_assignment()["verdict"];
    assert_eq!(
        verdict["output"].as_str().unwrap(),
        &long[long.len() - 4096..]
    );
    // `-` is stdin, which is empty here.
    let answer = bench
        .run(&[&fail[..], &["-", "--json"]].concat())
        .code(1)
        .json();
    assert_eq!(answer["verdict"]["output"], json!(""));
}

/// Nothing that was not run has an output, whatever an earlier run has left.
#[test]
fn the_output_is_that_of_a_run() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    for verdict in [&["--passed"][..], &[], &["--skipped"]] {
        let answer = bench.json(&[&["test", &id], verdict].concat());
        assert_eq!(answer["output"].is_string(), verdict.is_empty(), "{answer}");
    }
}

#[test]
fn what_nobody_runs_any_more_or_somebody_else_runs_is_gone_on_with() {
    let bench = Bench::with_agent(Special {
        repo: "    test_command: 'echo begun; while [ ! -e ~/gate ]; do sleep 0.02; done'\n",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    let mut left = bench.start(&["test", &id]);
    left.says("begun");
    left.signal(Signal::INT);
    left.end().code(130);
    let mut first = bench.start(&["test", &id]);
    first.says("under way already");
    first.says("begun");
    let mut second = bench.start(&["test", &id]);
    second.says("under way already");
    std::fs::write(bench.sandbox.home().join("gate"), "").unwrap();
    for ran in [first, second] {
        let ran = ran.end().ok();
        assert!(ran.out.starts_with("tests passed"), "{ran:?}");
    }
    assert_eq!(bench.only_assignment()["test_runs"], json!(1));
}

/// Anybody may push to a finished branch: what is said about it then is said about that commit.
#[test]
fn a_push_is_seen_before_anything_is_said() {
    let bench = Bench::with_agent(Special {
        repo: "    test_command: test -e b.txt\n",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    bench.run(&["test", &id]).code(1);
    bench.pushes("issue-1-write-a-txt", "b.txt");
    let ran = bench.run(&["merge", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    [time]  [id] branch moved to [commit]: it is judged anew
    error: assignment [id] cannot be merged: its head has not been tested
    hint: `coord test [id]`
    ");
    bench.pushes("issue-1-write-a-txt", "c.txt");
    let ran = bench.run(&["test", &id]).ok();
    insta::assert_snapshot!(bench.redact(&ran.err), @r"
    [time]  [id] branch moved to [commit]: it is judged anew
    $ test -e b.txt
    [time]  [id] tests passed for [commit]: test -e b.txt in [span] s
    the whole output is in [dir]/coord/tests/[id]-[commit].log
    ");
    bench.pushes("issue-1-write-a-txt", "d.txt");
    insta::assert_snapshot!(bench.says(&["notify"]), @"[time]  [id] branch moved to [commit]: it is judged anew");
    insta::assert_snapshot!(bench.why("1"), @"shop#1: it is not merged: its head has not been tested");
    bench.run(&["test", &id]).ok();
    bench.run(&["merge", &id]).ok();
}

/// A run that came to nothing takes no verdict back.
#[test]
fn a_verdict_stands_although_a_later_run_came_to_nothing() {
    let bench = Bench::with_agent(Special {
        repo: "    test_command: no-such-tool-anywhere\n",
        ..Special::default()
    });
    let id = bench.worked("a.txt");
    bench.run(&["test", &id, "--passed"]).ok();
    bench.run(&["test", &id]).code(1);
    let status = bench.says(&["status"]);
    let row = status.lines().find(|line| line.contains("laptop  done"));
    insta::assert_snapshot!(row.unwrap_or(&status), @"[id]  shop#1  Write a.txt  laptop  done  [span]  done: 1 commit on issue-1-write-a-txt at [commit]; tests passed for [commit]: recorded by hand; the last run came to no verdict: `no-such-tool-anywhere` cannot be run here (code 127): sh: 1: no-such-tool-anywhere: not found");
}

#[test]
fn whoever_only_looks_has_no_branch_to_test() {
    let bench = Bench::with_agent(Special::default());
    let review = json!({"verdict": "approve", "summary": "fine", "findings": []});
    let id = bench.to_review(&review);
    let review = bench.json(&["review", &id])["by"]
        .as_str()
        .unwrap()
        .to_owned();
    for command in ["test", "merge"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(bench.complains(1, &[command, &review]), @r"
            error: assignment [id] is a review of [id]
            hint: name assignment [id]
            ");
        }
    }
}
