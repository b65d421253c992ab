//! What is told of workers that were kept from changing files. That they are is tested elsewhere,
//! with the real worker: here the board has heard of it.

use coord_core::ids::AssignmentId;
use coord_core::lease::Denial;
use coord_core::{BoardEvent, Decision};
use coord_engine::now;
use coord_store::Store;
use serde_json::json;

use crate::bench::{Bench, Special};
use crate::issues::cannot_steer;

/// A path that a terminal would obey.
const HOSTILE: &str = "src/\u{1b}[2J\u{202e}a.rs";

/// Lets this have happened.
fn record(bench: &Bench, events: Vec<BoardEvent>) {
    let path = bench.sandbox.coord_home().join("coord.db");
    let recording = async {
        let store = Store::open(path).await.unwrap();
        let decide = move |_: &coord_core::Board| Decision {
            events,
            effects: Vec::new(),
            refusal: None,
        };
        store.transact(now(), decide).await.unwrap();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(recording);
}

fn denied(id: &AssignmentId, path: &str, why: Denial) -> BoardEvent {
    BoardEvent::EditDenied {
        id: id.clone(),
        path: path.to_owned(),
        tool: "Edit".to_owned(),
        why,
    }
}

/// Everything that can be said about files of an assignment.
fn everything(id: &AssignmentId, other: &AssignmentId) -> Vec<BoardEvent> {
    let by = other.clone();
    let glob = "*.lock".to_owned();
    vec![
        denied(id, "src/a.rs", Denial::Leased { by }),
        denied(id, "Cargo.lock", Denial::Forbidden { glob }),
        denied(id, "b.rs", Denial::Outside),
        denied(id, HOSTILE, Denial::Unreachable),
        BoardEvent::EditUnchecked {
            id: id.clone(),
            path: HOSTILE.to_owned(),
        },
        BoardEvent::FilesRestored {
            id: id.clone(),
            paths: vec!["Cargo.lock".to_owned(), HOSTILE.to_owned()],
        },
        BoardEvent::FilesObserved {
            id: id.clone(),
            paths: vec!["c.rs".to_owned(), "d.rs".to_owned()],
            foreign: vec!["d.rs".to_owned()],
        },
        BoardEvent::LeaseGranted {
            id: id.clone(),
            paths: vec!["c.rs".to_owned()],
        },
    ]
}

#[test]
fn what_workers_were_kept_from_is_told() {
    let bench = Bench::with_agent(Special::default());
    let ids = ["a.txt", "b.txt"].map(|path| bench.running(path));
    let [one, two] = ids.each_ref().map(|id| id.parse::<AssignmentId>().unwrap());
    let mut watch = bench.start(&["watch", two.as_str()]);
    watch.says("waiting");
    record(&bench, everything(&two, &one));
    watch.says("what no worker may change");
    insta::assert_snapshot!(bench.says(&["history", "--kind", "edit_denied", "edit_unchecked", "files_restored", "files_observed", "lease_granted"]), @r"
    [date] [time]  [id] was kept from changing src/a.rs (Edit): held by assignment [id]
    [date] [time]  [id] was kept from changing Cargo.lock (Edit): forbidden by `*.lock`
    [date] [time]  [id] was kept from changing b.rs (Edit): outside of the files that were declared
    [date] [time]  [id] was kept from changing src/ [2J a.rs (Edit): the coordinator could not be asked
    [date] [time]  [id] changes src/ [2J a.rs although nobody allowed it
    [date] [time]  [id] changed what no worker may change; it was put back: Cargo.lock, src/ [2J a.rs
    [date] [time]  [id] changes c.rs, d.rs; it may not change d.rs
    [date] [time]  [id] holds c.rs from now on
    ");
    let status = bench.says(&["status"]);
    let (_, section) = status.split_once("edits that").unwrap();
    insta::assert_snapshot!(section, @r"
    running workers were kept from
     [time]  [id] was kept from changing src/a.rs (Edit): held by assignment [id]
     [time]  [id] was kept from changing Cargo.lock (Edit): forbidden by `*.lock`
     [time]  [id] was kept from changing b.rs (Edit): outside of the files that were declared
     [time]  [id] was kept from changing src/ [2J a.rs (Edit): the coordinator could not be asked
     [time]  [id] changed what no worker may change; it was put back: Cargo.lock, src/ [2J a.rs
    ");
    let status = bench.json(&["status"]);
    let denials = status["denials"].as_array().unwrap();
    assert_eq!(denials.len(), 5);
    let why = json!({"denial": "leased", "by": one});
    assert_eq!(denials[0]["why"], why);
    assert_eq!(denials[4]["restored"][0], json!("Cargo.lock"));
    for args in [&["history"][..], &["status"], &["why", "2"]] {
        cannot_steer(&bench, args);
    }
    bench.open_gate();
    let told = bench.redact(&watch.end().code(0).err);
    insta::assert_snapshot!(told, @r"
    [time]  [id] worker started
    [time]  [id] was kept from changing src/a.rs (Edit): held by assignment [id]
    [time]  [id] was kept from changing Cargo.lock (Edit): forbidden by `*.lock`
    [time]  [id] was kept from changing b.rs (Edit): outside of the files that were declared
    [time]  [id] was kept from changing src/ [2J a.rs (Edit): the coordinator could not be asked
    [time]  [id] changes src/ [2J a.rs although nobody allowed it
    [time]  [id] changed what no worker may change; it was put back: Cargo.lock, src/ [2J a.rs
    [id] shop#2: done: 1 commit on issue-2-write-b-txt-late at [commit]
    ");
}

#[test]
fn conflicts_to_come_are_told() {
    let bench = Bench::with_agent(Special::default());
    let ids = ["a.txt", "b.txt"].map(|path| bench.running(path));
    let [one, two] = ids.each_ref().map(|id| id.parse::<AssignmentId>().unwrap());
    let foreseen = |with: Option<&AssignmentId>| BoardEvent::ConflictForeseen {
        id: two.clone(),
        with: with.cloned(),
        paths: vec!["d.rs".to_owned(), HOSTILE.to_owned()],
    };
    let gone = BoardEvent::ConflictGone {
        id: two.clone(),
        with: Some(one.clone()),
    };
    // Nobody drives, who would look whether that is so.
    let events = vec![
        foreseen(Some(&one)),
        gone,
        foreseen(Some(&one)),
        foreseen(None),
    ];
    record(&bench, events);
    insta::assert_snapshot!(bench.says(&["history", "--kind", "conflict_foreseen", "conflict_gone"]), @r"
    [date] [time]  [id] will conflict with [id] in d.rs, src/ [2J a.rs
    [date] [time]  [id] no longer conflicts with [id]
    [date] [time]  [id] will conflict with [id] in d.rs, src/ [2J a.rs
    [date] [time]  [id] will conflict with its base in d.rs, src/ [2J a.rs
    ");
    let status = bench.says(&["status"]);
    let (_, section) = status.split_once("conflicts to come").unwrap();
    insta::assert_snapshot!(section, @r"
    ; `coord radar` shows where
      [id] shop#2 will conflict with the base in d.rs, src/ [2J a.rs
      [id] shop#2 will conflict with [id] shop#1 in d.rs, src/ [2J a.rs
    ");
    let conflicts = &bench.json(&["status"])["conflicts"];
    assert_eq!(conflicts.as_array().unwrap().len(), 2);
    for args in [&["history"][..], &["status"], &["why", "2"]] {
        cannot_steer(&bench, args);
    }
    bench.open_gate();
}
