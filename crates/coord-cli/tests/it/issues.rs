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
    insta::assert_snapshot!(bench.redact(&empty.err), @"there are no open issues; `coord issue new TITLE` opens one");
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
    insta::assert_snapshot!(bench.says(&new), @"#1 Größe: fix it");
    std::fs::write(bench.path("body.md"), "line one\nline two\n").unwrap();
    let second = bench.json(&["issue", "new", "Second", "--body-file", "body.md"]);
    assert_eq!(second["body"], json!("line one\nline two\n"));
    insta::assert_snapshot!(bench.says(&["issue", "list"]), @r"
    ISSUE  TITLE  LABELS  AUTHOR
    #1  Größe: fix it  bug, ui  someone
    #2  Second  someone
    ");
    insta::assert_snapshot!(bench.says(&["issue", "show", "1"]), @r"
    #1 Größe: fix it (open)
    - all of it
    ");
    insta::assert_snapshot!(bench.says(&["issue", "close", "1", "--comment", "done by hand"]), @"#1 is closed");
    insta::assert_snapshot!(bench.says(&["issue", "show", "1"]), @r"
    #1 Größe: fix it (closed)
    - all of it

    someone · [date] [time]
    done by hand
    ");
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
    insta::assert_snapshot!(complains(&["list"]), @r"
    error: there is more than one repository
    hint: name it with --repo, or as REPO#NUMBER
    ");
    insta::assert_snapshot!(complains(&["list", "--repo", "nope"]), @r"
    error: there is no repository `nope` in the configuration
    hint: `coord config` shows the repositories
    ");
    insta::assert_snapshot!(complains(&["show", "7", "--repo", "shop"]), @r"
    error: there is no issue #7 in `shop`
    hint: `coord issue list --repo shop` shows the open ones
    ");
    insta::assert_snapshot!(complains(&["close", "7", "--repo", "shop"]), @r"
    error: there is no issue #7 in `shop`
    hint: `coord issue list --repo shop` shows the open ones
    ");
}

#[test]
fn hostile_text_cannot_steer_the_terminal() {
    let bench = Bench::with_agent(Special::default());
    let hostile = "\u{1b}]0;gotcha\u{7}\u{1b}[2J\u{202e}evil\r";
    insta::assert_snapshot!(bench.complains(1, &["issue", "new", hostile]), @r"
    error: the forge of `shop` failed: the title holds a line break or another control character
    hint: write it in one line
    ");
    let steps = [
        json!({"say": format!("STUCK: {hostile}")}),
        json!({"say": hostile}),
        json!({"run": format!("echo '{hostile}' >&2; exit 1")}),
    ];
    bench.issue("gotcha \u{202e}evil", &steps);
    let id = bench.assign("1");
    bench.run(&["wait", &id]).code(1);
    let close = ["issue", "close", "1", "--comment", hostile];
    bench.run(&close).ok();

    let looks: [&[&str]; 8] = [
        &["issue", "show", "1"],
        &["status"],
        &["history"],
        &["why", "1"],
        &["wait", &id],
        &["watch", &id],
        &["log", &id],
        &["assign", "laptop", "shop", "1"],
    ];
    for args in looks {
        cannot_steer(&bench, args);
    }
    assert!(in_colour(&bench, &["log", &id]).contains("gotcha"));
}

/// Runs a command as on a terminal: what it says holds its own colours, and nothing else that a
/// terminal obeys.
pub(crate) fn cannot_steer(bench: &Bench, args: &[&str]) -> String {
    let said = in_colour(bench, args);
    let steers = |c: char| (c.is_control() && c != '\n' && c != '\u{1b}') || c == '\u{202e}';
    assert!(!said.contains(steers), "{args:?} {said:?}");
    let mut sequences = said.split('\u{1b}').skip(1);
    assert!(sequences.all(is_colour), "{args:?} {said:?}");
    said
}

/// What is said where nothing takes escape sequences out.
fn in_colour(bench: &Bench, args: &[&str]) -> String {
    let mut command = bench.command(args);
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    let ran = bench.launch(&mut command).end();
    ran.out + &ran.err
}

/// Whether what follows an escape is one of the program's own colours.
fn is_colour(sequence: &str) -> bool {
    let end = sequence.find(|c: char| c.is_ascii_alphabetic());
    sequence.starts_with('[') && end.is_some_and(|end| sequence[end..].starts_with('m'))
}
