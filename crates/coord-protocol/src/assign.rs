//! `POST /assign`: what a coordinator asks an agent to do.

use std::collections::BTreeMap;
use std::fmt;

use coord_core::ids::AssignmentId;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::lease::LeaseMode;

/// What an assignment is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentType {
    /// Solve the issue on a branch, which is published.
    #[default]
    Work,
    /// Read a commit and judge it; nothing can be changed, nothing is published.
    Review,
    /// Try a commit out: `smoke_command` is run, or a worker is asked; nothing is published.
    Smoke,
    /// Read a commit and describe it for a pull request; nothing can be changed, nothing is
    /// published. Unknown to 0.1.0.
    Pr,
}

impl AssignmentType {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Review => "review",
            Self::Smoke => "smoke",
            Self::Pr => "pr",
        }
    }

    /// Whether what it commits is meant to be published.
    #[must_use]
    pub const fn publishes(self) -> bool {
        match self {
            Self::Work => true,
            Self::Review | Self::Smoke | Self::Pr => false,
        }
    }

    /// Whether its worker can read the files of its worktree and do nothing else.
    #[must_use]
    pub const fn only_reads(self) -> bool {
        match self {
            Self::Review | Self::Pr => true,
            Self::Work | Self::Smoke => false,
        }
    }
}

impl fmt::Display for AssignmentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The body of `POST /assign`. Everything from `id` on is absent in 0.1.0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssignBody {
    /// The repository as the configuration names it.
    pub repo_name: String,
    /// The folder of the checkout on the agent's machine.
    pub repo_path: String,
    /// The number of the issue, from 1.
    pub issue_number: u64,
    /// Its title; untrusted text.
    pub issue_title: String,
    /// What the worker is asked to do; untrusted text where it comes from the issue.
    pub briefing: String,
    /// Globs that the worker may change; empty means "anything".
    #[serde(default, deserialize_with = "null_as_default")]
    pub files_allowed: Vec<String>,
    /// Globs that it may not change.
    #[serde(default, deserialize_with = "null_as_default")]
    pub files_forbidden: Vec<String>,
    /// The **base** branch; `None` means the repository's default branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// Repositories to bring up to date first, by name: they are fetched, and checkouts that are
    /// clean and on their default branch are fast-forwarded. No failure of it is the assignment's.
    #[serde(default, deserialize_with = "null_as_default")]
    pub pull_repos: Vec<String>,
    /// What it is for.
    #[serde(default, rename = "type")]
    pub kind: AssignmentType,
    /// Added to the worker's system prompt.
    #[serde(default)]
    pub system_prompt: Option<String>,
    /// What a review, `pr` or smoke assignment is about; untrusted text. Without `base_sha` it has to
    /// be the branch or the full id of the commit that is checked out.
    #[serde(default)]
    pub review_target: Option<String>,
    /// Deny patterns; `None` means the agent's own list, an empty list means none.
    #[serde(default)]
    pub deny_commands: Option<Vec<String>>,
    /// The model; `None` leaves it to the worker.
    #[serde(default)]
    pub model: Option<String>,

    /// The coordinator's id: the idempotency key. Without one the agent makes an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub id: Option<AssignmentId>,
    /// The branch to create, at the tip of `start_branch` where there is one; `None` means
    /// `start_branch` itself, else it is derived from the issue's number and title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_branch: Option<String>,
    /// The text of the issue; untrusted. With it, `briefing` is what a person asks for and is
    /// trusted; without it, `briefing` may be the issue's own text and is fenced like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_body: Option<String>,
    /// What the worker is told beside its task, in a section of its own; trusted, Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether the worker takes messages of `POST /input/{id}` while it runs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub steerable: bool,
    /// Paths that other active work in the repository changes; the worker is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub do_not_touch: Vec<String>,
    /// The commit to start from, or to look at; `None` means the tip of the base branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_sha: Option<String>,
    /// A session of a worker of this agent to continue; `briefing` is what it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_session: Option<String>,
    /// An existing branch to start from, and to continue on where `work_branch` names no other. One
    /// that is continued may be rewritten: it is published if the remote's branch is still where
    /// it was when the worktree was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_branch: Option<String>,
    /// US dollars that the worker may use; what earlier runs of `resume_session` have used does not
    /// count. One that goes on after that is stopped: it has failed at the work, what it has committed
    /// is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_budget_usd: Option<f64>,
    /// Seconds until the worker is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// A JSON schema that the worker's answer has to fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<serde_json::Value>,
    /// The shell command of a smoke assignment: the agent runs it in the worktree without any model,
    /// and its exit code is the verdict. Without it a worker is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke_command: Option<String>,
    /// Added to the worker's environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How to prepare the worktree; `None` means as the agent's configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<WorktreeBody>,
    /// How leases on files are enforced at the tool calls of its worker, if its type is `work`; `None`
    /// means not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leases: Option<LeaseMode>,
    /// Paths that were granted to those whose branch it goes on with: they are its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leased: Vec<String>,
}

impl AssignBody {
    /// Whether both ask for the same work. `context`, `pull_repos` and `leases` tell how things stood
    /// when it was sent, and may be others the next time.
    #[must_use]
    pub fn is_same_work(&self, other: &Self) -> bool {
        let timeless = |body: &Self| Self {
            context: None,
            pull_repos: Vec::new(),
            leases: None,
            ..body.clone()
        };
        timeless(self) == timeless(other)
    }

    /// Whether it only looks at a commit: what it changes in its worktree is thrown away.
    #[must_use]
    pub const fn keeps_nothing(&self) -> bool {
        self.kind.only_reads() || self.smoke_command.is_some()
    }

    /// The same request with only the keys that an agent of 0.1.0 knows.
    #[must_use]
    pub fn for_old_peer(&self) -> Self {
        Self {
            id: None,
            work_branch: None,
            issue_body: None,
            context: None,
            steerable: false,
            do_not_touch: Vec::new(),
            base_sha: None,
            resume_session: None,
            start_branch: None,
            max_budget_usd: None,
            timeout_seconds: None,
            output_schema: None,
            smoke_command: None,
            env: BTreeMap::new(),
            worktree: None,
            leases: None,
            leased: Vec::new(),
            ..self.clone()
        }
    }
}

/// How to prepare a worktree before the worker starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorktreeBody {
    /// A shell command to run in it.
    #[serde(default)]
    pub setup: Option<String>,
    /// Files of the checkout to copy into it, relative to its root, e.g. `.env`.
    #[serde(default)]
    pub copy: Vec<String>,
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

/// Python's `None` stands where a list may be missing.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
