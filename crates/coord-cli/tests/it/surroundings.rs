//! What the machine may lack: each error says what, and what to do.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::bench::{Bench, COORD, Special, unused_port};
use crate::program::Ran;

/// Runs a shell script where a small file system of its own is the state folder; `None`, and a
/// word about it, where this machine does not let us have one.
fn on_a_small_disk(bench: &Bench, script: &str) -> Option<Ran> {
    const NOT_HERE: i32 = 77;
    let script = format!(
        "mount -t tmpfs -o size=640k tmpfs \"$COORD_HOME\" 2>/dev/null || exit {NOT_HERE}\n{script}"
    );
    for namespace in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
        let mut command = bench.sandbox.command("unshare");
        command.args(namespace).args(["sh", "-c", &script]);
        let ran = bench.try_launch(command.env("COORD", COORD))?.end();
        if ran.code != Some(NOT_HERE) && !ran.err.starts_with("unshare:") {
            return Some(ran);
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "not checked: no file system can be mounted here"
    );
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
        return;
    };
    let mut lines = ran.out.lines();
    let made = lines.next().and_then(|line| line.strip_prefix("made "));
    let made: usize = made.unwrap().parse().unwrap();
    let listed: Vec<serde_json::Value> =
        serde_json::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert!(made > 0 && listed.len() == made, "{made} {}", listed.len());
    assert!(ran.err.starts_with("error: "), "{}", ran.err);
    let names = ["is full", "No space left"]
        .iter()
        .any(|it| ran.err.contains(it));
    assert!(names && ran.err.contains("\nhint: "), "{}", ran.err);
}

/// The nearest thing to a full disk that everybody may have.
#[test]
fn a_file_that_may_not_grow() {
    let bench = Bench::new(Special::default());
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
    insta::assert_snapshot!(below_a_file(&["status"]), @r"
    error: cannot use the state folder `[dir]/file/home`: Not a directory (os error 20)
    hint: make `[dir]/file/home` a folder that you may write, or set COORD_HOME to one
    ");
    insta::assert_snapshot!(below_a_file(&["agent"]), @r"
    error: cannot create `[dir]/file/home/agent/assignments`: Not a directory (os error 20)
    hint: make the folder writable, or set COORD_HOME to one that is
    ");

    // What the first command had open is let go a moment after its end: until then the disk is busy.
    let script = "\"$COORD\" issue new One; n=0\n\
        until mount -o remount,ro \"$COORD_HOME\" 2>/dev/null; do\n\
        n=$((n+1)); [ $n -lt 200 ] || exit 9; sleep 0.05; done\n\
        \"$COORD\" issue new Two; echo \"code $?\"; \"$COORD\" agent; echo \"code $?\"";
    if let Some(ran) = on_a_small_disk(&bench, script) {
        insta::assert_snapshot!(bench.redact(&ran.out), @r"
        #1 One
        code 1
        code 1
        ");
        // Whether the first command has closed its board or left its log says where the second
        // one fails first.
        let err = bench.redact(&ran.err);
        let (board, agent) = err.split_once("\nerror: cannot create").unwrap();
        let names = ["`[dir]/coord/owners`", "`[dir]/coord/coord.db`"];
        assert!(names.iter().any(|name| board.contains(name)), "{board}");
        assert!(board.contains("set COORD_HOME to a folder that"), "{board}");
        insta::assert_snapshot!(format!("error: cannot create{agent}"), @r"
        error: cannot create `[dir]/coord/agent/assignments`: Read-only file system (os error 30)
        hint: make the folder writable, or set COORD_HOME to one that is
        ");
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
    insta::assert_snapshot!(bench.complains(1, &["status"]), @r"
    error: `[dir]/coord/coord.db` is not a database of coord: it does not start like a SQLite database
    hint: move `[dir]/coord/coord.db` away, or set COORD_HOME to another folder; nothing was changed
    ");
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
    insta::assert_snapshot!(complains(&["assign", "laptop", "shop", "1"]), @r"
    error: the forge of `shop` failed: the git repository of `shop` cannot be used: cannot find the `git` program
    hint: install git and make sure that it is on the PATH
    ");
    insta::assert_snapshot!(complains(&["agent"]), @r"
    error: cannot find the `git` program
    hint: install git and make sure that it is on the PATH
    ");
    insta::assert_snapshot!(complains(&["demo", "--dir", "demo"]), @r"
    error: cannot find the `git` program
    hint: install git and make sure that it is on the PATH
    ");
    with_git(&bench, None, &["issue", "list"]).ok();
}

#[test]
fn with_a_git_that_is_too_old() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let old = Some("#!/bin/sh\necho git version 2.20.1\n");
    let complains = |args: &[&str]| bench.redact(&with_git(&bench, old, args).code(1).err);
    assert!(complains(&["assign", "laptop", "shop", "1"]).contains("git 2.20.1 is too old"));
    assert!(complains(&["agent"]).contains("git 2.20.1 is too old"));
}

#[test]
fn a_port_or_a_home_in_use() {
    let mut bench = Bench::new(Special::default());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let in_use = |command| {
        let complaint = bench.complains(1, &[command, "--port", &port]);
        complaint.replace(&port, "[port]")
    };
    insta::assert_snapshot!(in_use("agent"), @r"
    error: port [port] on 127.0.0.1 is in use
    hint: another agent may be running (`coord status` asks it); otherwise choose another port with --port or `machines[].port`
    ");
    insta::assert_snapshot!(in_use("up"), @r"
    error: port [port] on 127.0.0.1 is in use
    hint: another agent may be running (`coord status` asks it); otherwise choose another port with --port or `machines[].port`
    ");
    bench.start_agent();
    let free = unused_port().to_string();
    insta::assert_snapshot!(bench.complains(1, &["agent", "--port", &free]), @r"
    error: another agent already works in `[dir]/coord`
    hint: stop the other agent first, or give this one a COORD_HOME of its own
    ");
}

#[test]
fn an_open_door_needs_a_key() {
    let bench = Bench::new(Special::default());
    let open = ["agent", "--host", "0.0.0.0", "--port", "0"];
    insta::assert_snapshot!(bench.complains(2, &open), @r"
    error: refusing to listen on 0.0.0.0:0 without a token
    hint: make a token with `coord agent pair`, or listen on 127.0.0.1; --insecure-no-auth lets anyone start programs here
    ");
    insta::assert_snapshot!(bench.complains(2, &["agent", "--machine", "tower"]), @r"
    error: the configuration has no machine `tower`
    hint: choose one with --machine: laptop
    ");
}

#[test]
fn the_key_opens_the_door() {
    let mut bench = Bench::new(Special::default());
    let key = bench.sandbox.coord_home().join("agent/token");
    let made = bench.json(&["agent", "pair"]);
    assert_eq!(made, json!({"token_file": key, "fresh": true}));
    assert_eq!(bench.json(&["agent", "pair"])["fresh"], json!(false));
    bench.start_agent();
    assert_eq!(
        bench.json(&["status"])["machines"][0]["reachable"],
        json!(true)
    );
    let mut stranger = bench.command(&["status"]);
    stranger.env("COORD_HOME", bench.path("elsewhere"));
    insta::assert_snapshot!(bench.redact(&bench.launch(&mut stranger).end().ok().out), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  unknown for [span]: the agent refused (401): a valid token is needed  ?  shop

    no assignments; `coord assign MACHINE REPO ISSUE` makes one
    ");
}

#[test]
fn without_the_worker_program() {
    let bench = Bench::new(Special::default()).with_worker(Some(json!(["no-such-claude"])));
    let id = bench.assign(&bench.small_issue("a.txt"));
    let ran = bench.run(&["wait", &id]).code(1);
    insta::assert_snapshot!(bench.redact(&ran.out), @"[id] shop#1: failed (configuration): cannot start no-such-claude: No such file or directory (os error 2); no commits");
    insta::assert_snapshot!(bench.redact(ran.last()), @"hint: put that right, then `coord retry [id]`");
    let end = &bench.only_assignment()["end"];
    assert_eq!(end["result"], json!({"failed": "configuration"}), "{end}");
}
