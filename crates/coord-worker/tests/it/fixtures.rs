//! Runs of the real Claude Code 2.1.330 against a scripted API, as they were recorded: what the
//! process printed, byte by byte, and how it ended.

use std::fs;
use std::path::PathBuf;

use coord_worker::outcome::{ExitFacts, ExitReason};
use coord_worker::summary::{Folder, Summary};
use serde::Deserialize;

/// One recorded run.
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) log: Vec<u8>,
    pub(crate) exit: ExitFacts,
}

#[derive(Deserialize)]
struct Meta {
    rc: i32,
    stderr: String,
}

/// All of them, by name.
pub(crate) fn runs() -> Vec<Run> {
    let mut runs: Vec<_> = index()
        .lines()
        .skip(1)
        .map(|row| run(row.split('\t').next().unwrap()))
        .collect();
    runs.sort_by(|a, b| a.name.cmp(&b.name));
    runs
}

/// The one called `name`.
pub(crate) fn run(name: &str) -> Run {
    let meta: Meta = serde_json::from_slice(&read(&format!("{name}.meta.json"))).unwrap();
    let exit = ExitFacts {
        // Python's subprocess tells a signal as a negative return code.
        code: (meta.rc >= 0).then_some(meta.rc),
        signal: (meta.rc < 0).then_some(-meta.rc),
        reason: ExitReason::Exited,
        error: None,
        stderr_tail: meta.stderr,
    };
    Run {
        name: name.to_owned(),
        log: read(&format!("{name}.jsonl")),
        exit,
    }
}

/// The recorder's own account of all runs, as tab-separated columns.
pub(crate) fn index() -> String {
    String::from_utf8(read("INDEX.tsv")).unwrap()
}

/// The summary of a whole log.
pub(crate) fn summary(log: &[u8]) -> Summary {
    let mut folder = Folder::default();
    folder.feed(log);
    folder.finish();
    folder.summary().clone()
}

fn read(file: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/claude-stream");
    fs::read(folder.join(file)).unwrap()
}
