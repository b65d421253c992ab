//! This test binary as another process: what it does there, and how it is started.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use coord_core::ids::Timestamp;
use coord_store::Store;

use crate::sample::{assign, at, effect, events, id, note};

const ROLE: &str = "COORD_STORE_TEST_ROLE";
const DATABASE: &str = "COORD_STORE_TEST_DATABASE";
const NAME: &str = "COORD_STORE_TEST_NAME";

/// A command that runs `role` on the database, under `program`, a copy of this binary.
pub(crate) fn command_of(program: &Path, role: &str, database: &Path, name: u64) -> Command {
    let mut command = Command::new(program);
    command
        .args(["--exact", "child::entry", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DATABASE, database)
        .env(NAME, name.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    command
}

pub(crate) fn command(role: &str, database: &Path, name: u64) -> Command {
    command_of(&std::env::current_exe().unwrap(), role, database, name)
}

/// What a child has said: the lines that start with `> `. The test harness writes some, too.
pub(crate) fn said(line: &str) -> Option<&str> {
    line.split_once("> ").map(|(_, said)| said)
}

fn say(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "> {text}").unwrap();
    out.flush().unwrap();
}

/// Not a test by itself: a test starts it with a role.
#[tokio::test]
async fn entry() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let database = std::env::var_os(DATABASE).unwrap();
    let name: u64 = std::env::var(NAME).unwrap().parse().unwrap();
    let store = match Store::open(&database).await {
        Ok(store) => store,
        Err(e) => return say(format_args!("error: {e}; hint: {}", e.hint().unwrap())),
    };
    match role.as_str() {
        "open" => say("opened"),
        "fill" => fill(&store, name).await,
        "claim" => claim(&store, name).await,
        "write" => write(&store, name).await,
        "write for ever" => write_for_ever(&store, name).await,
        "lease" => lease(&store, name).await,
        other => panic!("no role {other}"),
    }
}

/// Wants a worker for issue 7, as everybody else does, and one for an issue of its own.
async fn claim(store: &Store, name: u64) {
    for issue in [7, 100 + name] {
        let bits = name * 1000 + issue;
        let committed = store
            .transact(at(1), move |board| assign(board, bits, issue, at(1)))
            .await
            .unwrap();
        match committed.refusal {
            None => say(format_args!("{issue} is for {}", id(bits))),
            Some(refusal) => say(format_args!(
                "{issue} is taken by {}",
                refusal.assignment.unwrap()
            )),
        }
    }
}

async fn fill(store: &Store, count: u64) {
    let notes = (0..count).map(|n| note(n.to_string())).collect();
    store.transact(at(1), |_| events(notes)).await.unwrap();
}

async fn write(store: &Store, name: u64) {
    for count in 0..25 {
        let event = note(format!("{name}-{count}"));
        store
            .transact(at(1), |_| events(vec![event]))
            .await
            .unwrap();
    }
}

async fn write_for_ever(store: &Store, name: u64) {
    for count in 0.. {
        let pair = vec![note(format!("{name}-{count}")), note("second of a pair")];
        let mut decision = effect(&format!("close:{name}-{count}"), None);
        decision.events = pair;
        let committed = store.transact(at(1), |_| decision).await.unwrap();
        say(committed.board.seq);
    }
}

async fn lease(store: &Store, name: u64) {
    loop {
        let leased = store
            .lease_due(
                &format!("child {name}"),
                Timestamp::from_millis(5000),
                60,
                3,
            )
            .await
            .unwrap();
        if leased.is_empty() {
            return;
        }
        for effect in leased {
            say(effect.key);
        }
    }
}
