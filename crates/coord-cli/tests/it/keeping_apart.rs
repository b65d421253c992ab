//! What is told of workers that were kept from changing files. That they are is tested elsewhere,
//! with the real worker: here the board has heard of it.

use coord_core::ids::AssignmentId;
use coord_core::lease::Denial;
use coord_core::{BoardEvent, Decision};
use coord_engine::now;
use coord_store::Store;

use crate::bench::{Bench, Special};
use crate::issues::cannot_steer;

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
    let hostile = "src/\u{1b}[2J\u{202e}a.rs";
    let by = other.clone();
    let glob = "*.lock".to_owned();
    vec![
        denied(id, "src/a.rs", Denial::Leased { by }),
        denied(id, "Cargo.lock", Denial::Forbidden { glob }),
        denied(id, "b.rs", Denial::Outside),
        denied(id, hostile, Denial::Unreachable),
        BoardEvent::EditUnchecked {
            id: id.clone(),
            path: hostile.to_owned(),
        },
        BoardEvent::FilesRestored {
            id: id.clone(),
            paths: vec!["Cargo.lock".to_owned(), hostile.to_owned()],
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
        BoardEvent::ConflictForeseen {
            id: id.clone(),
            with: Some(other.clone()),
            paths: vec![hostile.to_owned(), "d.rs".to_owned()],
        },
        BoardEvent::ConflictGone {
            id: id.clone(),
            with: Some(other.clone()),
        },
        BoardEvent::ConflictForeseen {
            id: id.clone(),
            with: None,
            paths: vec!["d.rs".to_owned()],
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
    let before = bench.json(&["history"]).as_array().unwrap().len();
    record(&bench, everything(&two, &one));
    watch.says("will conflict with its base in d.rs");
    let history = bench.says(&["history"]);
    let new: Vec<&str> = history.lines().skip(before).collect();
    insta::assert_snapshot!(new.join("\n"), @"");
    let status = bench.says(&["status"]);
    let (_, sections) = status.split_once("\n\n").unwrap();
    insta::assert_snapshot!(sections, @"");
    let status = bench.json(&["status"]);
    insta::assert_snapshot!(bench.redact(&format!("{:#}", status["denials"][4])), @"");
    assert_eq!(status["denials"].as_array().unwrap().len(), 5);
    assert_eq!(status["conflicts"][0]["with"], serde_json::Value::Null);
    for args in [&["history"][..], &["status"], &["why", "2"]] {
        cannot_steer(&bench, args);
    }
    bench.open_gate();
    let told = bench.redact(&watch.end().code(0).err);
    insta::assert_snapshot!(told, @"");
}
