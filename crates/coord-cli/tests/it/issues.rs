//! `coord issue`: the work list of the local forge.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::bench::{Bench, Special};

#[test]
fn an_issue_from_its_opening_to_its_end() {
    let bench = Bench::new(Special::default());
    let empty = bench.run(&["issue", "list"]).ok();
    assert_eq!(empty.out, "");
    insta::assert_snapshot!(bench.redact(&empty.err), @"");
    let new = [
        "issue",
        "new",
        "Größe: fix it",
        "--body",
        "- all of it",
        "--label",
        "bug",
        "--label",
        "ui",
    ];
    insta::assert_snapshot!(bench.says(&new), @"");
    std::fs::write(bench.path("body.md"), "line one\nline two\n").unwrap();
    let second = bench.json(&["issue", "new", "Second", "--body-file", "body.md"]);
    assert_eq!(second["body"], json!("line one\nline two\n"));
    insta::assert_snapshot!(bench.says(&["issue", "list"]), @"");
    insta::assert_snapshot!(bench.says(&["issue", "show", "1"]), @"");
    insta::assert_snapshot!(bench.says(&["issue", "close", "1", "--comment", "done by hand"]), @"");
    insta::assert_snapshot!(bench.says(&["issue", "show", "1"]), @"");
    let shown = bench.json(&["issue", "show", "1"]);
    assert_eq!(shown["issue"]["state"], json!("closed"));
    assert_eq!(shown["comments"][0]["body"], json!("done by hand"));
    assert_eq!(bench.json(&["issue", "list"])[0]["number"], json!(2));
}

#[test]
fn the_body_can_come_through_a_pipe() {
    let bench = Bench::new(Special::default());
    let mut command = bench.command(&["issue", "new", "Piped", "--body", "-", "--json"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let new = bench.launch(command.stdin(Stdio::from(reader)));
    drop(command);
    writer.write_all("from a pipe: größe\n".as_bytes()).unwrap();
    drop(writer);
    assert_eq!(new.end().ok().json()["body"], json!("from a pipe: größe\n"));
}

#[test]
fn what_does_not_exist_is_wrong_usage() {
    let bench = Bench::new(Special {
        repos: "  - name: hub\n    github: acme/hub\n",
        ..Special::default()
    });
    let complains = |args: &[&str]| bench.complains(2, &[&["issue"], args].concat());
    insta::assert_snapshot!(complains(&["list"]), @"");
    insta::assert_snapshot!(complains(&["list", "--repo", "hub"]), @"");
    insta::assert_snapshot!(complains(&["list", "--repo", "nope"]), @"");
    insta::assert_snapshot!(complains(&["show", "7", "--repo", "shop"]), @"");
    insta::assert_snapshot!(complains(&["close", "7", "--repo", "shop"]), @"");
}

#[test]
fn hostile_text_cannot_steer_the_terminal() {
    let bench = Bench::new(Special::default());
    let hostile = "\u{1b}]0;gotcha\u{7}\u{1b}[2J\u{202e}evil\r";
    bench
        .run(&[
            "issue", "new", hostile, "--body", hostile, "--label", hostile,
        ])
        .ok();
    bench
        .run(&["issue", "close", "1", "--comment", hostile])
        .ok();
    bench
        .run(&["issue", "new", hostile, "--body", hostile])
        .ok();
    bench.run(&["assign", "laptop", "shop", "2"]).ok();
    // Colours are on: nothing but the program's own may be in the output.
    let looks: [&[&str]; 6] = [
        &["issue", "list"],
        &["issue", "show", "1"],
        &["status"],
        &["history"],
        &["why", "2"],
        &["assign", "laptop", "shop", "1"],
    ];
    for args in looks {
        let mut command = bench.command(args);
        command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
        let ran = bench.launch(&mut command).end();
        let said = ran.out + &ran.err;
        let steers = |c: char| (c.is_control() && c != '\n' && c != '\u{1b}') || c == '\u{202e}';
        assert!(!said.contains(steers), "{args:?} {said:?}");
        let sequences: Vec<&str> = said.split('\u{1b}').skip(1).collect();
        let own = |it: &&str| {
            it.starts_with('[')
                && it
                    .find(|c: char| c.is_alphabetic())
                    .is_some_and(|at| &it[at..=at] == "m")
        };
        assert!(sequences.iter().all(own), "{args:?} {said:?}");
    }
}
