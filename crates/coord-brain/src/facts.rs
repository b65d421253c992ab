//! What a planner may know: plain values, put together by whoever asks it.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::assignment::Assignment;
use coord_core::failure::FailureClass;
use coord_core::graph::DependencyGraph;
use coord_core::ids::{IssueRef, MachineName, RepoName, Timestamp};
use coord_core::issue::IssueState;
use coord_core::ladder::TrackRecord;
use coord_core::proposal::{Candidate, Candidates};
use coord_core::{Board, Policy};
use serde::{Deserialize, Serialize};

/// Everything that a plan is made from.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The configuration.
    pub policy: &'a Policy,
    /// What is under way.
    pub board: &'a Board,
    /// The open issues.
    pub candidates: &'a Candidates,
    /// The time.
    pub now: Timestamp,
    /// What is known of the files of each repository; of one that is missing, nothing is.
    pub repos: BTreeMap<RepoName, RepoFacts>,
    /// How earlier assignments have done, per repository.
    pub record: BTreeMap<RepoName, TrackRecord>,
    /// What was said about an issue since it was opened, by authors that are trusted, the oldest
    /// first.
    pub comments: BTreeMap<IssueRef, Vec<Remark>>,
    /// What failed lately, the latest first.
    pub failures: Vec<PastFailure>,
}

/// The files of a repository. All of it is untrusted text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoFacts {
    /// Every tracked file, relative to the root.
    pub files: Vec<String>,
    /// The last changes of the base branch, the latest first.
    pub changes: Vec<PastChange>,
    /// Words that were looked for (see [`crate::words_wanted`]), and the files that hold each.
    pub symbols: BTreeMap<String, Vec<String>>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastChange {
    /// The first line of its message.
    pub subject: String,
    /// What it changed, relative to the root.
    pub files: Vec<String>,
}

/// A comment on an issue; untrusted text, even though its author is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The account.
    pub author: String,
    /// Markdown.
    pub text: String,
}

/// An assignment that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastFailure {
    /// The issue that it worked on.
    pub issue: IssueRef,
    /// Where.
    pub machine: MachineName,
    /// What is to blame.
    pub class: FailureClass,
    /// One line; untrusted text.
    pub what: String,
}

impl<'a> Facts<'a> {
    /// What has to be known; about everything else nothing is.
    #[must_use]
    pub fn new(
        policy: &'a Policy,
        board: &'a Board,
        candidates: &'a Candidates,
        now: Timestamp,
    ) -> Self {
        Self {
            policy,
            board,
            candidates,
            now,
            repos: BTreeMap::new(),
            record: BTreeMap::new(),
            comments: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// The issues that somebody works on already.
    pub(crate) fn claimed(&self) -> BTreeSet<&'a IssueRef> {
        let claims = self.board.assignments.values();
        claims
            .filter(|it| it.claims_issue())
            .map(|it| &it.issue)
            .collect()
    }

    /// Whether the machine does not answer, or its account is limited.
    pub(crate) fn is_away(&self, machine: &MachineName) -> bool {
        let known = self.board.machines.get(machine);
        known.is_some_and(|it| it.silent_since.is_some() || it.limited_until > Some(self.now))
    }

    /// The work that has to be over before anything in `repo` is begun.
    pub(crate) fn upstream_work(&self, repo: &RepoName) -> Option<&'a Assignment> {
        let upstreams = DependencyGraph::of(self.policy).upstreams(repo);
        let mut busy = self.board.assignments.values();
        busy.find(|it| upstreams.contains(&it.issue.repo) && (it.is_at_work() || it.holds_lease()))
    }
}

/// Whether an issue is there to be worked on, whatever stands in its way for now.
pub(crate) fn is_open(candidate: &Candidate) -> bool {
    candidate.issue.state == IssueState::Open && candidate.issue.trusted
}
