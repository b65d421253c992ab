//! What is known of the branch of an assignment on its way from the worker's end to the merge.

use serde::{Deserialize, Serialize};

use crate::ids::CommitId;
use crate::policy::Gate;
use crate::verdict::{
    ChecksVerdict, Combination, Override, ReviewVerdict, SmokeVerdict, TestFailure,
};

/// Everything between the worker's end and the merge that cannot be derived from something else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What a person asked for beyond the goal.
    #[serde(default)]
    pub wants: Wants,
    /// The last test that could not be run; `None` after a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_failure: Option<TestFailure>,
    /// The number of its pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<u64>,
    /// Title and text for it, by a worker; untrusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_text: Option<PullText>,
    /// Why the forge does not open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_refused: Option<String>,
    /// The last review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewVerdict>,
    /// The last smoke test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeVerdict>,
    /// What the forge's checks came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<ChecksVerdict>,
    /// The gates that a person has set aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The combination that it was green in, and may be merged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combination: Option<Combination>,
}

/// What a person asked for beyond the goal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// A pull request, and who writes its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<PullAuthor>,
    /// A review.
    #[serde(default)]
    pub review: bool,
}

/// Who writes title and text of a pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullAuthor {
    /// Nobody: the title, and what the worker left.
    #[default]
    Template,
    /// A worker that reads the diff.
    Worker,
}

/// Title and text of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullText {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

impl Delivery {
    /// What goes on with the branch takes over: a person's wishes, and the pull request.
    #[must_use]
    pub fn for_next(&self) -> Self {
        Self {
            wants: self.wants,
            pull: self.pull,
            pull_text: self.pull_text.clone(),
            ..Self::default()
        }
    }

    /// The reason for which a person has set the gate aside for `head`.
    #[must_use]
    pub fn overridden(&self, gate: Gate, head: &CommitId) -> Option<&str> {
        let of_gate = |it: &&Override| it.gate == gate && it.head == *head;
        let last = self.overrides.iter().rev().find(of_gate);
        last.map(|it| it.reason.as_str())
    }
}
