//! What the merge queue is going to do: in which order, what each entry waits for, what will
//! conflict. Nothing is changed.

use std::collections::BTreeMap;

use coord_core::assignment::Assignment;
use coord_core::gates::{self, GateStatus};
use coord_core::ids::{AssignmentId, RepoName};
use coord_core::{Board, BoardEvent, Recorded, queue};
use coord_engine::{Engine, EngineError, Forecast, PredictedConflict, QueuedBranch, now};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::printer::{BAD, GOOD, Printer, WARN, paint, plain};

/// The merge queue as it would be.
pub(super) struct Plan {
    entries: Vec<Entry>,
    /// What can be said of conflicts, by repository; an error is no reason to say nothing else.
    forecasts: BTreeMap<RepoName, Result<Option<Forecast>, EngineError>>,
}

struct Entry {
    assignment: Assignment,
    gates: Vec<GateStatus>,
    /// The entry that is merged before it, where it waits for one.
    after: Option<AssignmentId>,
}

impl Plan {
    /// After `events`, which are not recorded; only of `repo` where one is named.
    pub(super) async fn gather(
        engine: &Engine,
        events: Vec<BoardEvent>,
        repo: Option<&RepoName>,
    ) -> Result<Self, Failure> {
        let before = engine.store().board().await?;
        let mut board = Board::clone(&*before);
        for event in events {
            let (seq, at) = (board.seq + 1, now());
            board.apply(&Recorded { seq, at, event });
        }
        let policy = engine.policy();
        let wanted = |it: &&Assignment| repo.is_none_or(|repo| it.issue.repo == *repo);
        let entry = |it: &Assignment| Entry {
            assignment: it.clone(),
            // What would begin with the merge has not begun.
            gates: gates::gates(&before, policy, it),
            after: queue::comes_first(&board, policy, it).map(|it| it.id.clone()),
        };
        let queued = queue::in_order(&board, policy);
        let entries: Vec<Entry> = queued.into_iter().filter(wanted).map(entry).collect();
        let mut branches: BTreeMap<RepoName, Vec<QueuedBranch>> = BTreeMap::new();
        for it in &entries {
            let of_repo = branches.entry(it.assignment.issue.repo.clone());
            of_repo.or_default().extend(it.branch());
        }
        let mut forecasts = BTreeMap::new();
        for (repo, branches) in branches {
            let forecast = engine.forecast(&repo, branches).await;
            forecasts.insert(repo, forecast);
        }
        Ok(Self { entries, forecasts })
    }

    pub(super) fn show(&self, printer: Printer) {
        if printer.is_json() {
            let entries: Vec<Value> = self.entries.iter().map(|it| self.json(it)).collect();
            let unknown: BTreeMap<&RepoName, Option<String>> = self
                .forecasts
                .iter()
                .filter_map(|(repo, forecast)| Some((repo, unknown(forecast)?)))
                .collect();
            printer.json(&json!({"dry_run": true, "entries": entries, "no_forecast": unknown}));
            return;
        }
        for (place, entry) in (1..).zip(&self.entries) {
            let it = &entry.assignment;
            let title = plain(&it.title);
            printer.line(format_args!("{place}. {} {} {title}", it.id, it.issue));
            for line in entry.lines(self.conflict(it)) {
                printer.line(format_args!("   {line}"));
            }
        }
        for (repo, forecast) in &self.forecasts {
            if let Some(why) = unknown(forecast) {
                let why = why.as_deref().map(plain);
                let why = why.unwrap_or_else(|| "this machine has no checkout of it".to_owned());
                printer.note(format_args!("no forecast of conflicts in {repo}: {why}"));
            }
        }
        printer.line("dry run: nothing was merged");
    }

    fn conflict(&self, it: &Assignment) -> Option<&PredictedConflict> {
        let forecast = self.forecasts.get(&it.issue.repo)?.as_ref().ok()?;
        let mut conflicts = forecast.as_ref()?.conflicts.iter();
        conflicts.find(|conflict| conflict.id == it.id)
    }

    fn json(&self, entry: &Entry) -> Value {
        let it = &entry.assignment;
        let conflict = self.conflict(it);
        let conflict = conflict.map(|it| json!({"with": it.with, "paths": it.paths}));
        json!({"id": it.id, "issue": it.issue, "title": it.title, "head": entry.head(),
            "method": it.merge.as_ref().map(|it| it.method), "gates": entry.gates,
            "waits_for": entry.waits_for(), "after": entry.after, "conflict": conflict})
    }
}

/// Why nobody can say anything of conflicts; `Some(None)`: there is no checkout here.
fn unknown(forecast: &Result<Option<Forecast>, EngineError>) -> Option<Option<String>> {
    match forecast {
        Ok(Some(_)) => None,
        Ok(None) => Some(None),
        Err(error) => Some(Some(crate::failure::chain(error))),
    }
}

impl Entry {
    fn head(&self) -> Option<&coord_core::ids::CommitId> {
        self.assignment.deliverable().map(|work| work.head)
    }

    fn branch(&self) -> Option<QueuedBranch> {
        Some(QueuedBranch {
            id: self.assignment.id.clone(),
            head: self.head()?.clone(),
            method: self.assignment.merge.as_ref()?.method,
        })
    }

    /// The gate that it waits for.
    fn waits_for(&self) -> Option<&GateStatus> {
        self.gates.iter().find(|gate| !gate.holds)
    }

    fn lines(&self, conflict: Option<&PredictedConflict>) -> Vec<String> {
        let mut lines = Vec::new();
        for status in &self.gates {
            let mark = match status.holds {
                true => paint(GOOD, "holds"),
                false => paint(WARN, "open"),
            };
            let gate = status.gate.as_str();
            lines.push(format!("{gate} {mark}: {}", plain(&status.why)));
        }
        lines.push(match (self.waits_for(), &self.after) {
            (Some(status), _) => format!("waits for the gate `{}`", status.gate.as_str()),
            (None, Some(after)) => format!("waits for {after}, which is merged before it"),
            (None, None) => "ready".to_owned(),
        });
        if let Some(conflict) = conflict {
            let with = conflict.with.as_ref();
            let with = with.map_or_else(|| "the base".to_owned(), ToString::to_string);
            let paths = plain(&conflict.paths.join(", "));
            lines.push(format!(
                "{} with {with}: {paths}",
                paint(BAD, "will conflict")
            ));
        }
        lines
    }
}
