//! Rounds and sessions: when one is over, what runs then, and what it came to.
//!
//! A round is over when nothing is at work any more; a session when a person says so. Of both the
//! log keeps the [`Period`]; everything else in a [`Summary`] is folded from the events in it.

mod report;
mod summary;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::assignment::Assignment;
use crate::board::Board;
use crate::ids::{AssignmentId, EffectKey, IssueRef, RepoName, Timestamp};
use crate::key::{self, EffectKind};
use crate::policy::Policy;
use crate::why::{WaitsFor, why};

pub use summary::{EndedStep, MergedWork, OverriddenGate, Summary, WorkEntry};

/// What is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Nothing is at work any more.
    RoundComplete,
    /// A person has closed the session.
    SessionEnd,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The event.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
}

/// A round or session that is over: it ends with the event that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first event in it.
    pub since: Since,
    /// What was still at work; it belongs to the next one as well.
    pub at_work: Vec<AssignmentId>,
    /// What waited for a person.
    pub waiting: Vec<Waiting>,
    /// What runs now, one after the other.
    pub steps: Vec<Step>,
}

/// An issue that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The issue.
    pub issue: IssueRef,
    /// Its title.
    pub title: String,
    /// Why, in one sentence.
    pub why: String,
    /// What a person can do.
    pub hint: Option<String>,
}

/// Something that runs when a round or session is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum Step {
    /// Write down what it came to.
    SummaryReport,
    /// Close the issues whose work is proven to be in the base branch.
    CloseMergedIssues,
    /// Run a person's command line, which gets the event as JSON on its stdin.
    Command {
        /// For the shell.
        command: String,
        /// It is ended after so long.
        timeout_seconds: u64,
    },
    /// Bring this machine's checkout of a repository up to date, as far as that is safe.
    Pull {
        /// The repository.
        repo: RepoName,
    },
    /// Run a person's command line in this machine's checkout of a repository.
    InCheckout {
        /// The repository.
        repo: RepoName,
        /// For the shell.
        command: String,
        /// It is ended after so long.
        timeout_seconds: u64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SummaryReport => f.write_str("summary_report"),
            Self::CloseMergedIssues => f.write_str("close_merged_issues"),
            Self::Command { command, .. } => write!(f, "`{command}`"),
            Self::Pull { repo } => write!(f, "pull {repo}"),
            Self::InCheckout { repo, command, .. } => write!(f, "`{command}` in {repo}"),
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepResult {
    /// Whether it did what it was for.
    pub ok: bool,
    /// One line for people; may quote what a command said.
    pub note: String,
    /// The file with all that it said or wrote, where there is one.
    pub file: Option<String>,
}

/// The steps of a period that are not over yet, on the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRun {
    /// How many are over.
    pub done: u32,
    /// The one that runs, and those after it; never empty.
    pub left: Vec<Step>,
}

impl StepRun {
    /// The key of the step that runs; `seq` is the place of the event that ended the period.
    #[must_use]
    pub fn key(&self, seq: u64) -> EffectKey {
        key::step(seq, self.done)
    }
}

impl Board {
    /// What still goes on by itself: assignments that are active, tested, or being merged.
    pub fn at_work(&self) -> impl Iterator<Item = &Assignment> {
        let open: BTreeSet<&AssignmentId> = self
            .open_effects
            .iter()
            .filter(|(key, _)| EffectKind::of(key).is_some_and(EffectKind::is_work))
            .map(|(_, id)| id)
            .collect();
        self.assignments
            .values()
            .filter(|it| it.superseded_by.is_none())
            .filter(move |it| it.is_at_work() || open.contains(&it.id))
    }

    /// The issues that wait for a person, and why.
    #[must_use]
    pub fn waiting_for_a_person(&self, policy: &Policy, now: Timestamp) -> Vec<Waiting> {
        let issues: BTreeSet<&IssueRef> = self.assignments.values().map(|it| &it.issue).collect();
        issues
            .into_iter()
            .filter_map(|issue| {
                let why = why(self, policy, issue, now);
                let hint = match why.waits_for? {
                    WaitsFor::Person { hint } => Some(hint),
                    WaitsFor::Gate { .. } => None,
                    WaitsFor::Rule { .. }
                    | WaitsFor::Agent { .. }
                    | WaitsFor::Worker { .. }
                    | WaitsFor::Test { .. }
                    | WaitsFor::Turn { .. }
                    | WaitsFor::Forge
                    | WaitsFor::Base => return None,
                };
                let title = self.leading(issue).map(|it| it.title.clone());
                Some(Waiting {
                    issue: issue.clone(),
                    title: title.unwrap_or_default(),
                    why: why.sentence,
                    hint,
                })
            })
            .collect()
    }
}
