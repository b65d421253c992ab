//! The parts about what is under way, what failed, and how work went so far.

use std::collections::BTreeSet;

use coord_core::assignment::Assignment;

use crate::facts::Facts;
use crate::text::{line, push, push_fenced};

/// How many assignments are shown.
const ASSIGNMENTS: usize = 100;
/// How many files of one are shown.
const FILES: usize = 12;
/// How many failures are shown.
const FAILURES: usize = 20;
/// How many rows of the record of one repository are shown.
const RECORD: usize = 12;
/// How long a line from outside may be, in bytes.
const LINE: usize = 200;

pub(super) fn push_active(out: &mut String, facts: &Facts<'_>, nonce: &str) {
    let claims = facts.board.assignments.values();
    let active: Vec<&Assignment> = claims.filter(|it| it.claims_issue()).collect();
    out.push_str("\n# Active work\n\n");
    if active.is_empty() {
        out.push_str("None.\n");
        return;
    }
    out.push_str("These issues are taken, and so are these files.\n\n");
    let mut lines: Vec<String> = active
        .iter()
        .take(ASSIGNMENTS)
        .map(|it| assignment(it))
        .collect();
    if active.len() > ASSIGNMENTS {
        lines.push(format!("and {} more", active.len() - ASSIGNMENTS));
    }
    push_fenced(out, "active", nonce, &lines.join("\n"));
}

fn assignment(it: &Assignment) -> String {
    let state = it.state.as_str();
    let mut text = format!("{} on {}, {state}", it.issue, it.machine);
    let files: BTreeSet<&String> = it
        .scope
        .allowed
        .iter()
        .chain(&it.leased)
        .chain(&it.observed)
        .collect();
    let shown = files.iter().take(FILES).map(|it| line(it, LINE));
    let shown: Vec<String> = shown.collect();
    if !shown.is_empty() {
        push(&mut text, format_args!(" | files: {}", shown.join(", ")));
    }
    if files.len() > FILES {
        push(&mut text, format_args!(" and {} more", files.len() - FILES));
    }
    push(&mut text, format_args!(" | {}", line(&it.title, LINE)));
    text
}

pub(super) fn failures(facts: &Facts<'_>, nonce: &str) -> String {
    let mut out = String::new();
    if facts.failures.is_empty() {
        return out;
    }
    out.push_str("\n# What failed lately\n\n");
    let lines: Vec<String> = facts
        .failures
        .iter()
        .take(FAILURES)
        .map(|it| {
            let (issue, machine, class) = (&it.issue, &it.machine, it.class.as_str());
            format!("{issue} on {machine} ({class}): {}", line(&it.what, LINE))
        })
        .collect();
    push_fenced(&mut out, "failures", nonce, &lines.join("\n"));
    out
}

pub(super) fn record(facts: &Facts<'_>, nonce: &str) -> String {
    let mut out = String::new();
    let rows = facts.record.iter().flat_map(|(repo, record)| {
        record.0.iter().take(RECORD).map(move |tally| {
            let model = tally.model.as_deref().unwrap_or("the worker's own model");
            line(&format!("{repo}, {model}: {tally}"), LINE)
        })
    });
    let rows: Vec<String> = rows.collect();
    if !rows.is_empty() {
        out.push_str("\n# How work went so far\n\nPer repository, first model and label.\n\n");
        push_fenced(&mut out, "record", nonce, &rows.join("\n"));
    }
    out
}
