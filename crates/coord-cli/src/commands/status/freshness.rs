//! Which checkouts are behind the forge: one row for each machine and repository.

use coord_core::ids::CommitId;
use coord_engine::{Freshness, RepoFreshness};
use serde_json::{Value, json};

use crate::describe::count;
use crate::printer::{BAD, FAINT, GOOD, Printer, WARN, paint, plain};

pub(super) fn print(printer: Printer, rows: &[RepoFreshness]) {
    let row = |row: &RepoFreshness| {
        vec![
            row.machine.to_string(),
            row.repo.to_string(),
            state(&row.state),
            short(row.here.as_ref()),
            short(row.there.as_ref()),
        ]
    };
    printer.table(
        &["machine", "repository", "checkout", "here", "forge"],
        rows.iter().map(row).collect(),
    );
}

pub(super) fn json(rows: &[RepoFreshness]) -> Value {
    let row = |row: &RepoFreshness| {
        let mut value = json!({"machine": row.machine, "repo": row.repo, "here": row.here,
            "there": row.there, "state": word(&row.state)});
        if let Some(object) = value.as_object_mut() {
            match &row.state {
                Freshness::Stale { behind } => object.insert("behind".to_owned(), json!(behind)),
                Freshness::Unknown { why } => object.insert("why".to_owned(), json!(why)),
                Freshness::Current | Freshness::Dirty | Freshness::Missing => None,
            };
        }
        value
    };
    rows.iter().map(row).collect()
}

const fn word(state: &Freshness) -> &'static str {
    match state {
        Freshness::Current => "current",
        Freshness::Stale { .. } => "stale",
        Freshness::Dirty => "dirty",
        Freshness::Missing => "missing",
        Freshness::Unknown { .. } => "unknown",
    }
}

fn state(state: &Freshness) -> String {
    let word = word(state);
    match state {
        Freshness::Current => paint(GOOD, word),
        Freshness::Stale { behind: None } => paint(WARN, word),
        Freshness::Stale {
            behind: Some(behind),
        } => {
            let behind = count(*behind, "commit");
            paint(WARN, format_args!("{word}: {behind} behind"))
        }
        Freshness::Dirty => paint(WARN, word),
        Freshness::Missing => paint(BAD, word),
        Freshness::Unknown { why } => paint(FAINT, format_args!("{word}: {}", plain(why))),
    }
}

fn short(commit: Option<&CommitId>) -> String {
    commit.map_or_else(|| "?".to_owned(), |commit| commit.short().to_owned())
}
