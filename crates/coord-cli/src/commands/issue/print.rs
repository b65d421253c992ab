//! Issues as people and programs see them. Everything in them is untrusted.

use coord_core::ids::Timestamp;
use coord_core::issue::{Issue, IssueState};
use coord_engine::now;
use coord_forge::Comment;
use serde_json::{Value, json};

use crate::printer::{FAINT, Printer, STRONG, WARN, paint, plain};
use crate::time::{date_time, span};

pub(super) fn opened(printer: Printer, issue: &Issue) {
    if printer.is_json() {
        printer.json(issue);
    } else {
        printer.line(format_args!("#{} {}", issue.number, plain(&issue.title)));
    }
}

pub(super) fn closed(printer: Printer, number: u64) {
    if printer.is_json() {
        printer.json(&json!({"number": number, "state": IssueState::Closed}));
    } else {
        printer.line(format_args!("#{number} is closed"));
    }
}

/// `synced_at`: when the forge said so, for issues of the mirror.
pub(super) fn list(printer: Printer, issues: &[Issue], synced_at: Option<Timestamp>) {
    if printer.is_json() {
        let dated = |issue| dated(json!(issue), synced_at);
        return printer.json(&issues.iter().map(dated).collect::<Vec<_>>());
    }
    note_age(printer, synced_at);
    if issues.is_empty() {
        return printer.note("there are no open issues; `coord issue new TITLE` opens one");
    }
    let row = |issue: &Issue| {
        vec![
            number(issue),
            plain(&issue.title),
            plain(&issue.labels.join(", ")),
            author(&issue.author, issue.trusted),
        ]
    };
    printer.table(
        &["issue", "title", "labels", "author"],
        issues.iter().map(row).collect(),
    );
}

pub(super) fn show(
    printer: Printer,
    issue: &Issue,
    comments: &[Comment],
    synced_at: Option<Timestamp>,
) {
    if printer.is_json() {
        let comments: Vec<_> = comments
            .iter()
            .map(|c| json!({"id": c.id, "author": c.author, "trusted": c.trusted, "body": c.body, "at": c.at}))
            .collect();
        let shown = json!({"issue": issue, "comments": comments});
        return printer.json(&dated(shown, synced_at));
    }
    note_age(printer, synced_at);
    let title = format!("#{} {}", issue.number, plain(&issue.title));
    printer.line(format_args!(
        "{} ({})",
        paint(STRONG, title),
        state(issue.state)
    ));
    for fact in facts(issue) {
        printer.line(fact);
    }
    if !issue.body.is_empty() {
        printer.line(paragraph(&issue.body));
    }
    // In coord's own store only markers are not believed; what stands there, this account wrote.
    let is_local = synced_at.is_none();
    for comment in comments {
        let at = paint(FAINT, format_args!("· {}", date_time(comment.at)));
        let author = author(&comment.author, comment.trusted || is_local);
        printer.line(format_args!("\n{author} {at}"));
        printer.line(paragraph(&comment.body));
    }
}

/// What is worth a line between title and text.
fn facts(issue: &Issue) -> Vec<String> {
    let mut facts = Vec::new();
    if !issue.trusted {
        facts.push(format!("opened by {}", author(&issue.author, false)));
    }
    if let Some(milestone) = &issue.milestone {
        facts.push(format!("milestone: {}", plain(milestone)));
    }
    if !issue.assignees.is_empty() {
        facts.push(format!(
            "assigned to {}",
            plain(&issue.assignees.join(", "))
        ));
    }
    facts
}

/// Only an open issue needs no word about that.
fn number(issue: &Issue) -> String {
    match issue.state {
        IssueState::Open => format!("#{}", issue.number),
        IssueState::Closed => format!("#{} ({})", issue.number, state(issue.state)),
    }
}

const fn state(state: IssueState) -> &'static str {
    match state {
        IssueState::Open => "open",
        IssueState::Closed => "closed",
    }
}

fn author(name: &str, trusted: bool) -> String {
    match trusted {
        true => plain(name),
        false => format!("{} {}", plain(name), paint(WARN, "(untrusted)")),
    }
}

fn note_age(printer: Printer, synced_at: Option<Timestamp>) {
    if let Some(at) = synced_at {
        let age = span(at, now());
        let text = format!("as of {age} ago; `coord sync` asks GitHub again");
        printer.note(paint(FAINT, text));
    }
}

/// The object with the instant at which it was true.
fn dated(mut value: Value, synced_at: Option<Timestamp>) -> Value {
    if let (Some(object), Some(at)) = (value.as_object_mut(), synced_at) {
        object.insert("synced_at".to_owned(), json!(at));
    }
    value
}

/// Untrusted text of several lines.
fn paragraph(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}
