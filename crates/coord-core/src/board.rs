//! The board: what is not finished yet, folded from the event log.

mod fold;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::assignment::Assignment;
use crate::ids::{AssignmentId, EffectKey, IssueRef, MachineName, Timestamp};
use crate::key::EffectKind;
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
    /// Per machine what is known of its agent and its account.
    pub machines: BTreeMap<MachineName, MachineFacts>,
    /// US dollars per day (UTC, days since the epoch) on which assignments ended; only the last
    /// two days are kept.
    pub cost_by_day: BTreeMap<i64, f64>,
    /// Overlaps that were recorded already: the two assignments in order of their ids, and the path.
    pub overlaps_seen: BTreeSet<(AssignmentId, AssignmentId, String)>,
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
        self.of_issue(issue).max_by_key(|it| {
            let current = it.superseded_by.is_none();
            (it.claims_issue(), current, it.requested_at, &it.id)
        })
    }

    /// An assignment and those that it goes on with, the latest first.
    pub fn chain<'b>(&'b self, it: &'b Assignment) -> impl Iterator<Item = &'b Assignment> {
        let before = |it: &&'b Assignment| self.assignments.get(it.follows.as_ref()?);
        // No assignment can come after itself, whatever the log says.
        std::iter::successors(Some(it), before).take(self.assignments.len() + 1)
    }

    /// US dollars that ended assignments of an issue have cost. All of them stay on the board
    /// until the issue is solved, so that this needs no account of its own.
    #[must_use]
    pub fn spent_on(&self, issue: &IssueRef) -> f64 {
        self.of_issue(issue)
            .filter_map(|it| it.end.as_ref())
            .map(|end| end.cost_usd)
            .sum()
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
