//! The board: what is not finished yet, folded from the event log.

mod fold;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, AssignmentKind};
use crate::command::AgentReport;
use crate::ids::{
    AssignmentId, CommitId, EffectKey, IssueRef, MachineName, ProposalId, RepoName, SplitId,
    Timestamp,
};
use crate::key::EffectKind;
use crate::proposal::{Proposal, Split};
use crate::radar::Clash;
use crate::session::{Since, StepRun};

/// The fold over the event log. What is merged and done with has left it (see the history).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// The sequence number of the last event applied; 0 for an empty log.
    pub seq: u64,
    /// Every assignment that is not archived.
    pub assignments: BTreeMap<AssignmentId, Assignment>,
    /// Effects without an outcome yet, and the assignment each is for.
    pub open_effects: BTreeMap<EffectKey, AssignmentId>,
    /// The tip of each repository's base, as far as somebody looked.
    #[serde(default)]
    pub bases: BTreeMap<RepoName, CommitId>,
    /// Per machine what is known of its agent and its account.
    pub machines: BTreeMap<MachineName, MachineFacts>,
    /// US dollars per day (UTC, days since the epoch) on which assignments ended; only the last
    /// two days are kept.
    pub cost_by_day: BTreeMap<i64, f64>,
    /// Overlaps that were recorded already: the two assignments in order of their ids, and the path.
    pub overlaps_seen: BTreeSet<(AssignmentId, AssignmentId, String)>,
    /// What was recorded already of edits that were kept from workers, let through unasked or undone:
    /// whose, the path, and what happened to it. Everybody who follows an agent tells it.
    #[serde(default)]
    pub edits_seen: BTreeSet<(AssignmentId, String, String)>,
    /// Assignments that a planner proposed, and that wait for a person.
    #[serde(default)]
    pub proposals: BTreeMap<ProposalId, Proposal>,
    /// Splits that a planner proposed, and that wait for a person or are under way.
    #[serde(default)]
    pub splits: BTreeMap<SplitId, Split>,
    /// The last ids that were given to proposals and splits.
    #[serde(default)]
    pub last_planned: (ProposalId, SplitId),
    /// The conflicts that are foreseen among branches as they are now.
    #[serde(default)]
    pub conflicts: BTreeSet<Clash>,
    /// The first thing that happened since the last session was closed; `None`: nothing has.
    pub session: Option<Since>,
    /// The first request since nothing was at work; `None` when what runs at the end of a round
    /// was begun for it, and before the first one.
    pub round: Option<Since>,
    /// What still has to run for rounds and sessions that are over, by the event that ended them.
    pub step_runs: BTreeMap<u64, StepRun>,
}

/// What is known of a machine beyond the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineFacts {
    /// When the last dispatch to it was, or is, due: the stagger counts from here.
    pub last_dispatch_at: Option<Timestamp>,
    /// Until when its account is limited.
    pub limited_until: Option<Timestamp>,
    /// Since when its agent has not answered; `None` while it answers.
    pub silent_since: Option<Timestamp>,
}

/// What was recorded of an edit that nobody could be asked about, and of one that was undone.
pub(crate) const UNCHECKED: &str = "unchecked";
pub(crate) const RESTORED: &str = "restored";

/// What makes an edit news: whose it was, the path, and what happened to it.
pub(crate) fn edit_seen(
    id: &AssignmentId,
    path: &str,
    what: &dyn std::fmt::Display,
) -> (AssignmentId, String, String) {
    (id.clone(), path.to_owned(), what.to_string())
}

impl Board {
    /// The assignments of an issue, in the order of their ids.
    pub fn of_issue(&self, issue: &IssueRef) -> impl Iterator<Item = &Assignment> {
        self.assignments
            .values()
            .filter(move |it| it.issue == *issue)
    }

    /// The assignment that says where an issue stands: the one that claims it, else the latest.
    #[must_use]
    pub fn leading(&self, issue: &IssueRef) -> Option<&Assignment> {
        let writers = self.of_issue(issue).filter(|it| it.kind.writes());
        writers.max_by_key(|it| {
            let current = it.superseded_by.is_none();
            let under_way = it.is_at_work() || it.is_in_merge_queue() || it.merged_as().is_some();
            (
                it.claims_issue(),
                under_way,
                current,
                it.requested_at,
                &it.id,
            )
        })
    }

    /// Whether it is the one of all attempts at its issue that says where that stands.
    #[must_use]
    pub(crate) fn leads(&self, it: &Assignment) -> bool {
        let leading = self.leading(&it.issue);
        leading.is_some_and(|leading| leading.id == it.id)
    }

    /// The assignment that claims the issue of `it` in its place: only one of them goes on by itself.
    #[must_use]
    pub fn rival(&self, it: &Assignment) -> Option<&Assignment> {
        let leading = self.leading(&it.issue);
        leading.filter(|other| other.id != it.id && other.claims_issue())
    }

    /// An assignment and those that it goes on with, the latest first.
    pub fn chain<'b>(&'b self, it: &'b Assignment) -> impl Iterator<Item = &'b Assignment> {
        let before = |it: &&'b Assignment| self.assignments.get(it.follows.as_ref()?);
        // No assignment can come after itself, whatever the log says.
        std::iter::successors(Some(it), before).take(self.assignments.len() + 1)
    }

    /// The assignments that look at a branch as it is now, the earliest first.
    pub fn serving<'b>(
        &'b self,
        it: &'b Assignment,
        kind: AssignmentKind,
    ) -> impl Iterator<Item = &'b Assignment> {
        let head = it.deliverable().map(|work| work.head);
        let about = move |other: &&Assignment| {
            let about = other.about.as_ref();
            other.kind == kind
                && about.is_some_and(|about| about.id == it.id && Some(&about.head) == head)
        };
        let mut all: Vec<&Assignment> = self.of_issue(&it.issue).filter(about).collect();
        all.sort_by_key(|other| (other.requested_at, &other.id));
        all.into_iter()
    }

    /// US dollars that the assignments of an issue have cost so far. All of them stay on the board
    /// until the issue is solved, so that this needs no account of its own.
    #[must_use]
    pub fn spent_on(&self, issue: &IssueRef) -> f64 {
        self.of_issue(issue)
            .map(|it| it.end.as_ref().map_or(it.spent_usd, |end| end.cost_usd))
            .sum()
    }

    /// US dollars of the day (UTC) of `now`: of what has ended on it, and of what runs.
    #[must_use]
    pub fn spent_on_day(&self, now: Timestamp) -> f64 {
        let ended = self.cost_by_day.get(&now.day()).copied().unwrap_or(0.0);
        let running = self.assignments.values().filter(|it| it.state.is_active());
        ended + running.map(|it| it.spent_usd).sum::<f64>()
    }

    /// Whether what an agent tells of edits of an assignment is recorded already.
    #[must_use]
    pub fn knows_edit(&self, id: &AssignmentId, told: &AgentReport) -> bool {
        let seen = |path: &str, what| self.edits_seen.contains(&edit_seen(id, path, what));
        match told {
            AgentReport::EditDenied { path, why, .. } => seen(path, why),
            AgentReport::EditUnchecked { path } => seen(path, &UNCHECKED),
            AgentReport::FilesRestored { paths } => paths.iter().all(|path| seen(path, &RESTORED)),
            AgentReport::Started { .. }
            | AgentReport::Files { .. }
            | AgentReport::Stuck { .. }
            | AgentReport::LeaseAsked { .. }
            | AgentReport::Spent { .. }
            | AgentReport::RateLimited { .. }
            | AgentReport::Finished { .. }
            | AgentReport::Unknown => false,
        }
    }

    /// The keys of the effects of an assignment that have no outcome yet.
    pub fn open_effects_of(&self, id: &AssignmentId) -> impl Iterator<Item = &EffectKey> {
        self.open_effects
            .iter()
            .filter(move |(_, owner)| *owner == id)
            .map(|(key, _)| key)
    }

    /// Whether an effect of this kind has no outcome yet for the assignment.
    #[must_use]
    pub fn has_open(&self, id: &AssignmentId, kind: EffectKind) -> bool {
        self.open_effects_of(id)
            .any(|key| EffectKind::of(key) == Some(kind))
    }
}
