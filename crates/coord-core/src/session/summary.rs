//! What a round or session came to, folded from its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Occasion, Period, Since, Step, StepResult, Waiting};
use crate::assignment::{Assignment, AssignmentKind, AssignmentState, WorkerEnd, WorkerResult};
use crate::event::{BoardEvent, Recorded};
use crate::ids::{AssignmentId, CommitId, IssueRef, MachineName, Timestamp};
use crate::verdict::Override;

/// What a round or session came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What is over.
    pub occasion: Occasion,
    /// The place in the log where it ended; it is called by this number.
    pub seq: u64,
    /// When it began.
    pub since: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// What was begun, or ended, in it; the earliest first.
    pub assignments: Vec<WorkEntry>,
    /// What reached the base branch.
    pub merged: Vec<MergedWork>,
    /// The gates that people set aside.
    pub overrides: Vec<OverriddenGate>,
    /// What waited for a person when it ended.
    pub waiting: Vec<Waiting>,
    /// US dollars of all assignments that ended in it.
    pub cost_usd: f64,
    /// What the merged issues have cost in it, failed attempts included, by merged issue; `None`
    /// where nothing was merged.
    pub cost_per_merged_usd: Option<f64>,
    /// The steps that are over.
    pub steps: Vec<EndedStep>,
    /// How many steps there are.
    pub step_count: usize,
}

/// One assignment in a summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkEntry {
    /// The assignment.
    pub id: AssignmentId,
    /// What it was for.
    pub kind: AssignmentKind,
    /// What it worked on.
    pub issue: IssueRef,
    /// The title of the issue.
    pub title: String,
    /// Where it ran.
    pub machine: MachineName,
    /// Where it stood when the round or session ended.
    pub state: AssignmentState,
    /// Why it failed; untrusted text.
    pub error: Option<String>,
    /// US dollars; 0 as long as it is at work.
    pub cost_usd: f64,
}

/// One merged issue in a summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedWork {
    /// The assignment that solved it.
    pub id: AssignmentId,
    /// The issue.
    pub issue: IssueRef,
    /// Its title.
    pub title: String,
    /// The commit on the base branch.
    pub commit: CommitId,
    /// What is not as it should be with it.
    pub warning: Option<String>,
}

/// One gate that a person set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverriddenGate {
    /// The assignment.
    pub id: AssignmentId,
    /// Its issue.
    pub issue: IssueRef,
    /// Which gate, for which commit, and why.
    #[serde(flatten)]
    pub set_aside: Override,
}

/// One step that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedStep {
    /// Which one.
    #[serde(flatten)]
    pub step: Step,
    /// How it ended.
    #[serde(flatten)]
    pub result: StepResult,
}

impl Summary {
    /// The kinds of the events that [`Summary::of`] wants to see.
    pub const KINDS: [&'static str; 7] = [
        "assignment_waits",
        "assignment_requested",
        "worker_started",
        "assignment_ended",
        "assignment_lost",
        "merged",
        "gate_overridden",
    ];

    /// Folds the events of a period that ended at `until`. `known` are the assignments in them, as
    /// they are at any later time.
    #[must_use]
    pub fn of(
        occasion: Occasion,
        period: &Period,
        until: Since,
        events: &[Recorded],
        known: &BTreeMap<AssignmentId, Assignment>,
    ) -> Self {
        let mut fold = Fold {
            known,
            places: BTreeMap::new(),
            entries: Vec::new(),
            merged: Vec::new(),
            overrides: Vec::new(),
        };
        let within = period.since.seq..=until.seq;
        for recorded in events.iter().filter(|it| within.contains(&it.seq)) {
            fold.see(&recorded.event);
        }
        let cost_usd = fold.entries.iter().map(|it| it.cost_usd).sum();
        Self {
            occasion,
            seq: until.seq,
            since: period.since.at,
            until: until.at,
            cost_per_merged_usd: fold.cost_per_merged(),
            assignments: fold.entries,
            merged: fold.merged,
            overrides: fold.overrides,
            waiting: period.waiting.clone(),
            cost_usd,
            steps: Vec::new(),
            step_count: period.steps.len(),
        }
    }

    /// Whether a step has failed.
    #[must_use]
    pub fn has_failed_step(&self) -> bool {
        self.steps.iter().any(|it| !it.result.ok)
    }
}

struct Fold<'a> {
    known: &'a BTreeMap<AssignmentId, Assignment>,
    /// Where each assignment stands in `entries`.
    places: BTreeMap<AssignmentId, usize>,
    entries: Vec<WorkEntry>,
    merged: Vec<MergedWork>,
    overrides: Vec<OverriddenGate>,
}

impl Fold<'_> {
    fn see(&mut self, event: &BoardEvent) {
        if let BoardEvent::AssignmentEnded { id, end, .. } = event {
            self.ended(id, end);
        } else if let BoardEvent::Merged {
            id,
            commit,
            warning,
        } = event
        {
            self.landed(id, commit, warning.as_deref());
        } else if let BoardEvent::GateOverridden { id, set_aside } = event {
            self.overridden(id, set_aside);
        } else if let Some((id, state)) = standing(event) {
            self.stands(id, state);
        }
    }

    fn cost_per_merged(&self) -> Option<f64> {
        let issues: BTreeSet<&IssueRef> = self.merged.iter().map(|it| &it.issue).collect();
        let of_merged = self.entries.iter().filter(|it| issues.contains(&it.issue));
        let cost: f64 = of_merged.map(|it| it.cost_usd).sum();
        (!issues.is_empty()).then(|| cost / issues.len() as f64)
    }

    fn ended(&mut self, id: &AssignmentId, end: &WorkerEnd) {
        let state = match end.result {
            WorkerResult::Done => AssignmentState::Done,
            WorkerResult::Failed(_) => AssignmentState::Failed,
            WorkerResult::Cancelled => AssignmentState::Cancelled,
        };
        if let Some(entry) = self.stands(id, state) {
            entry.error = end.error.clone();
            entry.cost_usd += end.cost_usd;
        }
    }

    fn overridden(&mut self, id: &AssignmentId, set_aside: &Override) {
        if let Some(it) = self.known.get(id) {
            self.overrides.push(OverriddenGate {
                id: id.clone(),
                issue: it.issue.clone(),
                set_aside: set_aside.clone(),
            });
        }
    }

    fn landed(&mut self, id: &AssignmentId, commit: &CommitId, warning: Option<&str>) {
        if let Some(it) = self.known.get(id) {
            self.merged.push(MergedWork {
                id: id.clone(),
                issue: it.issue.clone(),
                title: it.title.clone(),
                commit: commit.clone(),
                warning: warning.map(str::to_owned),
            });
        }
    }

    fn stands(&mut self, id: &AssignmentId, state: AssignmentState) -> Option<&mut WorkEntry> {
        let place = match self.places.get(id) {
            Some(place) => *place,
            None => {
                let it = self.known.get(id)?;
                self.entries.push(WorkEntry {
                    id: id.clone(),
                    kind: it.kind,
                    issue: it.issue.clone(),
                    title: it.title.clone(),
                    machine: it.machine.clone(),
                    state,
                    error: None,
                    cost_usd: 0.0,
                });
                self.places.insert(id.clone(), self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        let entry = self.entries.get_mut(place)?;
        entry.state = state;
        Some(entry)
    }
}

/// Where an event leaves its assignment, as long as it is at work or when it was lost.
fn standing(event: &BoardEvent) -> Option<(&AssignmentId, AssignmentState)> {
    if let BoardEvent::AssignmentWaits { assignment, .. } = event {
        Some((&assignment.id, AssignmentState::Waiting))
    } else if let BoardEvent::AssignmentRequested { assignment } = event {
        Some((&assignment.id, AssignmentState::Requested))
    } else if let BoardEvent::WorkerStarted { id, .. } = event {
        Some((id, AssignmentState::Running))
    } else if let BoardEvent::AssignmentLost { id } = event {
        Some((id, AssignmentState::Lost))
    } else {
        None
    }
}
