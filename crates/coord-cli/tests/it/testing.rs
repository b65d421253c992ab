//! `coord test`: verdicts by running, and by a person's word.

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
    insta::assert_snapshot!(bench.redact(&ran.out), @"tests failed for [commit]: it smells one two");
    let verdict = &bench.only_assignment()["verdict"];
    assert_eq!(verdict["note"], json!("it smells\none\ntwo"));

    for wrong in [&["--passed", "--fail"][..], &["--output", "out.txt"]] {
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
