//! What was found out about a commit: tests, reviews, smoke tests, the forge's checks, combinations.
//!
//! Each counts for the commit that it names, and for no other.

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::ids::{AssignmentId, CommitId, Timestamp};
use crate::policy::Gate;

/// A test result, for one commit only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestVerdict {
    /// The commit that was tested.
    pub head: CommitId,
    /// The result.
    pub result: TestResult,
    /// One line: the command's last words, or the person's reason.
    pub note: String,
    /// The end of what a red test has said, at most [`OUTPUT`] bytes; untrusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// When it was recorded.
    pub at: Timestamp,
}

/// How much of the output of a red test is kept with its verdict, in bytes.
pub const OUTPUT: usize = 4096;

/// Passed, failed, or deliberately not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// Green.
    Passed,
    /// Red.
    Failed,
    /// A person, or the lack of a test command, decided that none is needed.
    Skipped,
}

impl TestResult {
    /// Whether the test gate lets it pass.
    #[must_use]
    pub const fn is_good(self) -> bool {
        match self {
            Self::Passed | Self::Skipped => true,
            Self::Failed => false,
        }
    }
}

/// A test that could not be run, or not to its end: no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestFailure {
    /// The commit that was to be tested.
    pub head: CommitId,
    /// Whether it is worth trying again: environmental; or a person has to put something right.
    pub class: FailureClass,
    /// Why, in one line.
    pub why: String,
    /// How often in a row.
    pub times: u32,
}

/// What a reviewer found, for one commit only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewVerdict {
    /// The commit that was reviewed.
    pub head: CommitId,
    /// What it comes to.
    pub result: ReviewResult,
    /// A few sentences; untrusted.
    pub summary: String,
    /// Remarks; untrusted, their places are in the diff.
    pub findings: Vec<Finding>,
    /// The assignment of the reviewer.
    pub by: AssignmentId,
    /// When it was recorded.
    pub at: Timestamp,
}

/// What a review comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewResult {
    /// It may be merged.
    Approve,
    /// It may not be merged as it is.
    RequestChanges,
    /// Neither.
    Comment,
}

impl ReviewResult {
    /// The word in the reviewer's schema and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::RequestChanges => "request_changes",
            Self::Comment => "comment",
        }
    }
}

/// One remark of a reviewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Relative to the root of the repository.
    pub path: String,
    /// The line of the new file, from 1; `None`: the file as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// The item of the checklist, or a word for the kind of defect.
    pub rule: String,
    /// What is wrong, and what would be right.
    pub text: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It must not be merged with it.
    Blocker,
    /// Wrong, in some cases.
    Major,
    /// Right, and could be better.
    Minor,
    /// A matter of taste.
    Nit,
}

impl Severity {
    /// The word in the reviewer's schema and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocker => "blocker",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Nit => "nit",
        }
    }
}

/// The result of a smoke test on a machine that has what the change needs, for one commit only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeVerdict {
    /// The commit that was tried.
    pub head: CommitId,
    /// Whether the command ended with 0.
    pub passed: bool,
    /// One line.
    pub note: String,
    /// The end of what a failed one has said; untrusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The assignment that ran it.
    pub by: AssignmentId,
    /// When it was recorded.
    pub at: Timestamp,
}

/// What the forge's own checks say, for one commit only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecksVerdict {
    /// The commit.
    pub head: CommitId,
    /// Whether every check that is expected is known to be good.
    pub good: bool,
    /// One line.
    pub note: String,
    /// When it was recorded.
    pub at: Timestamp,
}

/// A gate that a person has set aside, for one commit only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The gate.
    pub gate: Gate,
    /// The commit.
    pub head: CommitId,
    /// In the person's words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A green test of the branch on top of what is merged before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Combination {
    /// The tip of the branch.
    pub head: CommitId,
    /// The tip of the base below everything in `after`: once that is empty, the commit that the
    /// branch may be merged onto.
    pub onto: CommitId,
    /// What has to be merged before, in this order, and nothing else.
    pub after: Vec<AssignmentId>,
    /// The tree of the merged result, as an object id; `None` where nothing was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
}

impl Combination {
    /// What is left of it once `id` is merged as `commit`; `None` where it counts no more.
    #[must_use]
    pub(crate) fn after_merge_of(mut self, id: &AssignmentId, commit: &CommitId) -> Option<Self> {
        if self.after.first() != Some(id) {
            return None;
        }
        self.after.remove(0);
        self.onto = commit.clone();
        Some(self)
    }
}
