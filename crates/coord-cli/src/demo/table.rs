//! The demo's last word: issue → branch → commits → tests → merged.

use std::collections::BTreeMap;

use coord_core::BoardEvent;
use coord_core::assignment::{Assignment, MergeState};
use coord_core::ids::Timestamp;
use coord_core::verdict::TestResult;
use coord_engine::{Engine, now};
use coord_store::{FinishedFilter, HistoryFilter};
use serde_json::{Value, json};

use super::scenario;
use crate::exit;
use crate::failure::Failure;
use crate::printer::{BAD, GOOD, Printer, STRONG, paint, plain};
use crate::time::span;

/// Prints the table; the exit code says whether every issue is merged.
pub(crate) async fn show(
    printer: Printer,
    engine: &Engine,
    started: Timestamp,
) -> Result<u8, Failure> {
    let rows = gather(engine).await?;
    let merged = rows.iter().filter(|row| row.merged().is_some()).count();
    if printer.is_json() {
        let issues: Vec<Value> = rows.iter().map(Row::json).collect();
        let millis = now().as_millis() - started.as_millis();
        printer
            .json(&json!({"issues": issues, "merged": merged, "seconds": millis as f64 / 1000.0}));
    } else {
        printer.line("");
        let header = [
            "issue", "title", "branch", "commits", "tests", "merged", "worker", "total",
        ];
        printer.table(&header, rows.iter().map(Row::cells).collect());
        let total = span(started, now());
        let line = format!(
            "\n{merged} of {} issues merged in {total}",
            scenario::PLAIN.issues.len()
        );
        printer.line(paint(STRONG, line));
        for row in rows.iter().filter(|row| !row.waited_for.is_empty()) {
            printer.line(format_args!(
                "{} waited: {}",
                row.assignment.issue,
                plain(&row.waited_for)
            ));
        }
    }
    Ok(if merged == scenario::PLAIN.issues.len() {
        exit::OK
    } else {
        exit::FAILED
    })
}

struct Row {
    assignment: Assignment,
    /// Why it did not start at once.
    waited_for: String,
    merged_at: Option<Timestamp>,
}

async fn gather(engine: &Engine) -> Result<Vec<Row>, Failure> {
    let board = engine.store().board().await?;
    let mut assignments = engine.store().finished(FinishedFilter::default()).await?;
    assignments.extend(board.assignments.values().cloned());
    assignments.sort_by_key(|a| a.requested_at);
    // Of an issue that was tried again after an interruption, the latest.
    let latest: BTreeMap<u64, Assignment> = assignments
        .into_iter()
        .map(|a| (a.issue.number, a))
        .collect();
    let mut rows = Vec::new();
    for assignment in latest.into_values() {
        let filter = HistoryFilter {
            assignment: Some(assignment.id.clone()),
            ..HistoryFilter::default()
        };
        let mut row = Row {
            assignment,
            waited_for: String::new(),
            merged_at: None,
        };
        for recorded in engine.store().history(filter).await? {
            match recorded.event {
                BoardEvent::AssignmentWaits { why, .. } => row.waited_for = why.why,
                BoardEvent::Merged { .. } => row.merged_at = Some(recorded.at),
                _ => {}
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

impl Row {
    fn merged(&self) -> Option<&str> {
        match &self.assignment.merge.as_ref()?.state {
            MergeState::Merged { commit } => Some(commit.short()),
            MergeState::Queued
            | MergeState::Merging
            | MergeState::Conflict { .. }
            | MergeState::Red { .. }
            | MergeState::Refused { .. } => None,
        }
    }

    fn tests(&self) -> &'static str {
        match self
            .assignment
            .verdict
            .as_ref()
            .map(|verdict| verdict.result)
        {
            Some(TestResult::Passed) => "passed",
            Some(TestResult::Failed) => "failed",
            Some(TestResult::Skipped) => "skipped",
            None => "not run",
        }
    }

    fn commits(&self) -> u32 {
        self.assignment.end.as_ref().map_or(0, |end| end.commits)
    }

    fn cells(&self) -> Vec<String> {
        let a = &self.assignment;
        let style = if self.tests() == "passed" { GOOD } else { BAD };
        let merged = self.merged().map(|commit| paint(GOOD, commit));
        let worker = a
            .started_at
            .zip(a.finished_at)
            .map(|(from, to)| span(from, to));
        let total = self.merged_at.map(|at| span(a.requested_at, at));
        vec![
            format!("#{}", a.issue.number),
            plain(&a.title),
            a.branch.clone(),
            self.commits().to_string(),
            paint(style, self.tests()),
            merged.unwrap_or_else(|| paint(BAD, crate::describe::standing(a))),
            worker.unwrap_or_default(),
            total.unwrap_or_default(),
        ]
    }

    fn json(&self) -> Value {
        let a = &self.assignment;
        let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| {
            Some((to?.as_millis() - from?.as_millis()) as f64 / 1000.0)
        };
        json!({"issue": a.issue.number, "title": a.title, "assignment": a.id,
            "branch": a.branch, "commits": self.commits(), "tests": self.tests(),
            "state": a.state, "merged": self.merged(), "waited_for": self.waited_for,
            "worker_seconds": seconds(a.started_at, a.finished_at),
            "total_seconds": seconds(Some(a.requested_at), self.merged_at)})
    }
}
