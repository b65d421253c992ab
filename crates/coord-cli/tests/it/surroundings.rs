//! What the machine may lack: each error says what, and what to do.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::json;

use crate::bench::{Bench, COORD, Special, unused_port};
use crate::program::Ran;

/// Runs a shell script where a small file system of its own is the state folder; `None` where
/// this machine does not let us have one.
fn on_a_small_disk(bench: &Bench, script: &str) -> Option<Ran> {
    const NOT_HERE: i32 = 77;
    let script = format!(
        "mount -t tmpfs -o size=400k tmpfs \"$COORD_HOME\" 2>/dev/null || exit {NOT_HERE}\n{script}"
    );
    for namespace in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        let mut command = bench.sandbox.command("unshare");
        command
            .args(namespace)
            .args(["sh", "-c", &script])
            .env("COORD", COORD);
        if Command::new("unshare").arg("--version").output().is_err() {
            break;
        }
        let ran = bench.launch(&mut command).end();
        if ran.code != Some(NOT_HERE) && !ran.err.starts_with("unshare:") {
            return Some(ran);
        }
    }
    None
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let bench = Bench::new(Special::default());
    let script = "n=0; body=$(head -c 9000 /dev/zero | tr '\\0' x)\n\
        while :; do \"$COORD\" issue new \"Issue $n\" --body \"$body\" > last || break; n=$((n+1)); done\n\
        echo \"made $n\"\n\
        \"$COORD\" issue list --json";
    let Some(ran) = on_a_small_disk(&bench, script) else {
        return limited_file_size(&bench);
    };
    let mut lines = ran.out.lines();
    let made = lines.next().and_then(|line| line.strip_prefix("made "));
    let made: usize = made.unwrap().parse().unwrap();
    let listed: Vec<serde_json::Value> =
        serde_json::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert!(made > 0 && listed.len() == made, "{made} {}", listed.len());
    insta::assert_snapshot!(bench.redact(&ran.err), @"");
}

/// The nearest thing to a full disk that everybody may have.
fn limited_file_size(bench: &Bench) {
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$COORD\" issue new One";
    let mut command = bench.sandbox.command("sh");
    let ran = bench
        .launch(command.args(["-c", script]).env("COORD", COORD))
        .end();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("error: "), "{ran:?}");
    assert_eq!(bench.json(&["issue", "list"]), json!([]));
}

#[test]
fn a_state_folder_that_cannot_be_written() {
    let bench = Bench::new(Special::default());
    std::fs::write(bench.path("file"), "").unwrap();
    let below_a_file = |args: &[&str]| {
        let mut command = bench.command(args);
        let ran = bench
            .launch(command.env("COORD_HOME", bench.path("file/home")))
            .end();
        bench.redact(&ran.code(1).err)
    };
    insta::assert_snapshot!(below_a_file(&["status"]), @"");
    insta::assert_snapshot!(below_a_file(&["agent"]), @"");

    let script = "\"$COORD\" issue new One; mount -o remount,ro \"$COORD_HOME\"\n\
        \"$COORD\" issue new Two; echo \"code $?\"; \"$COORD\" agent; echo \"code $?\"";
    if let Some(ran) = on_a_small_disk(&bench, script) {
        insta::assert_snapshot!(bench.redact(&ran.out), @"");
        insta::assert_snapshot!(bench.redact(&ran.err), @"");
    }
}

#[test]
fn a_damaged_board_is_never_an_empty_one() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let db = bench.sandbox.coord_home().join("coord.db");
    std::fs::write(
        &db,
        "no database at all, but long enough to be looked at as one",
    )
    .unwrap();
    insta::assert_snapshot!(bench.complains(1, &["status"]), @"");
    assert!(
        std::fs::read_to_string(&db)
            .unwrap()
            .starts_with("no database")
    );
}

/// Runs `coord` with nothing in its search path but this `git`, if any.
fn with_git(bench: &Bench, git: Option<&str>, args: &[&str]) -> Ran {
    let bin = bench.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    if let Some(script) = git {
        let file = bin.join("git");
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    bench.launch(bench.command(args).env("PATH", &bin)).end()
}

#[test]
fn without_git() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let complains = |args: &[&str]| bench.redact(&with_git(&bench, None, args).code(1).err);
    insta::assert_snapshot!(complains(&["assign", "laptop", "shop", "1"]), @"");
    insta::assert_snapshot!(complains(&["agent"]), @"");
    insta::assert_snapshot!(complains(&["demo", "--dir", "demo"]), @"");
    with_git(&bench, None, &["issue", "list"]).ok();
}

#[test]
fn with_a_git_that_is_too_old() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let old = Some("#!/bin/sh\necho git version 2.20.1\n");
    let complains = |args: &[&str]| bench.redact(&with_git(&bench, old, args).code(1).err);
    insta::assert_snapshot!(complains(&["assign", "laptop", "shop", "1"]), @"");
    insta::assert_snapshot!(complains(&["agent"]), @"");
}

#[test]
fn a_port_or_a_home_in_use() {
    let mut bench = Bench::new(Special::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    insta::assert_snapshot!(bench.complains(1, &["agent", "--port", &port]), @"");
    insta::assert_snapshot!(bench.complains(1, &["up", "--port", &port]), @"");
    bench.start_agent();
    let free = unused_port().to_string();
    insta::assert_snapshot!(bench.complains(1, &["agent", "--port", &free]), @"");
}

#[test]
fn an_open_door_needs_a_key() {
    let bench = Bench::new(Special::default());
    let open = ["agent", "--host", "0.0.0.0", "--port", "0"];
    insta::assert_snapshot!(bench.complains(2, &open), @"");
    insta::assert_snapshot!(bench.complains(2, &["agent", "--machine", "tower"]), @"");
}

#[test]
fn the_key_opens_the_door() {
    let mut bench = Bench::new(Special::default());
    let key = bench.sandbox.coord_home().join("agent/token");
    std::fs::create_dir_all(key.parent().unwrap()).unwrap();
    std::fs::write(&key, "open-sesame\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    bench.start_agent();
    assert_eq!(
        bench.json(&["status"])["machines"][0]["reachable"],
        json!(true)
    );
    let mut stranger = bench.command(&["status"]);
    stranger.env("COORD_HOME", bench.path("elsewhere"));
    insta::assert_snapshot!(bench.redact(&bench.launch(&mut stranger).end().ok().out), @"");
}

#[test]
fn without_the_worker_program() {
    let bench = Bench::new(Special::default()).with_worker(Some(json!(["no-such-claude"])));
    let id = bench.assign(&bench.small_issue("a.txt"));
    let ran = bench.run(&["wait", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @"");
    insta::assert_snapshot!(bench.redact(ran.err.lines().last().unwrap()), @"");
    let end = &bench.only_assignment()["end"];
    assert_eq!(end["result"], json!({"failed": "configuration"}), "{end}");
}
