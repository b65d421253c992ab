//! What happens, line by line: how long after the start, for which issue, by whom.

use std::collections::BTreeMap;

use anstream::adapter::strip_str;
use coord_core::assignment::{AssignmentKind, WorkerResult};
use coord_core::ids::{AssignmentId, IssueRef, Timestamp};
use coord_core::{BoardEvent, Recorded};
use serde_json::{Value, json};

use super::turns::Turns;
use crate::describe;
use crate::printer::{BAD, FAINT, GOOD, Printer, STRONG, WARN, paint};

/// Prints what happens, or keeps it for who reads it as data.
pub(super) struct Timeline {
    printer: Printer,
    started: Timestamp,
    /// The last event that was shown.
    seen: u64,
    /// Who is who.
    known: BTreeMap<AssignmentId, (IssueRef, AssignmentKind)>,
    lines: Vec<Value>,
}

impl Timeline {
    pub(super) const fn new(printer: Printer, started: Timestamp) -> Self {
        Self {
            printer,
            started,
            seen: 0,
            known: BTreeMap::new(),
            lines: Vec::new(),
        }
    }

    /// Shows one event, once.
    pub(super) fn show(&mut self, recorded: &Recorded) {
        if recorded.seq <= self.seen {
            return;
        }
        self.seen = recorded.seq;
        let event = &recorded.event;
        if let BoardEvent::AssignmentWaits { assignment, .. }
        | BoardEvent::AssignmentRequested { assignment } = event
        {
            let who = (assignment.issue.clone(), assignment.kind);
            self.known.insert(assignment.id.clone(), who);
        }
        if describe::is_detail(event) || is_chatter(event) {
            return;
        }
        let who = self.subject(event).map(|(_, who)| who);
        let text = self.named(event);
        let seconds = self.seconds(recorded.at);
        let (issue, task) = match who {
            Some((issue, kind)) => (format!("#{}", issue.number), kind.as_str()),
            None => (String::new(), ""),
        };
        if self.printer.is_json() {
            let text = strip_str(&text).to_string();
            let issue = who.map(|(issue, _)| issue.number);
            self.lines
                .push(json!({"seconds": seconds, "issue": issue, "task": task, "text": text}));
        } else {
            let at = paint(FAINT, format_args!("{seconds:7.2} s"));
            self.printer
                .line(format_args!("{at}  {issue:3} {task:7} {text}"));
        }
    }

    /// The event in words, with issues and tasks where assignments stand.
    fn named(&self, event: &BoardEvent) -> String {
        let mut text = self.text(event);
        if let Some((id, (issue, _))) = self.subject(event) {
            // Both stand before it already.
            for said in [id.to_string(), issue.to_string()] {
                let rest = text.strip_prefix(&format!("{said} ")).map(str::to_owned);
                text = rest.unwrap_or(text);
            }
        }
        for (id, (issue, kind)) in &self.known {
            let name = format!("#{} {}", issue.number, kind.as_str());
            text = text.replace(id.as_str(), &name);
        }
        text
    }

    fn text(&self, event: &BoardEvent) -> String {
        match event {
            // Who goes on with it has no name before the next line.
            BoardEvent::AssignmentSuperseded { cause, .. } => {
                format!("{}: {}", paint(WARN, "sent back"), cause.as_str())
            }
            // An answer is all that those leave who only look at it.
            BoardEvent::AssignmentEnded { end, .. }
                if end.result == WorkerResult::Done
                    && self.subject(event).is_some_and(|(_, who)| !who.1.writes()) =>
            {
                "answered".to_owned()
            }
            _ => describe::event(event),
        }
    }

    fn subject(&self, event: &BoardEvent) -> Option<(&AssignmentId, &(IssueRef, AssignmentKind))> {
        self.known.get_key_value(event.assignment()?)
    }

    fn seconds(&self, at: Timestamp) -> f64 {
        at.as_millis().saturating_sub(self.started.as_millis()) as f64 / 1000.0
    }

    /// The last words: what was meant to happen, and whether it did.
    pub(super) fn close(self, turns: &Turns, missing: &[String]) {
        let seconds = self.seconds(coord_engine::now());
        if self.printer.is_json() {
            let all = json!({"timeline": self.lines, "turns": turns.json(), "missing": missing,
                "merged": turns.merged(), "seconds": seconds});
            return self.printer.json(&all);
        }
        self.printer.line("");
        for line in turns.lines() {
            self.printer
                .line(format_args!("{} {line}", paint(GOOD, "✓")));
        }
        for line in missing {
            self.printer
                .line(format_args!("{} {line}", paint(BAD, "✗")));
        }
        let merged = turns.merged();
        let line = format!("\n{merged} issues merged in {seconds:.1} s");
        self.printer.line(paint(STRONG, line));
    }
}

/// What files change while somebody works is no step.
const fn is_chatter(event: &BoardEvent) -> bool {
    matches!(
        event,
        BoardEvent::FilesObserved { .. } | BoardEvent::OverlapObserved { .. }
    )
}
