//! The rules that decisions follow: the part of the configuration that `decide` may look at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assignment::MergeMethod;
use crate::delivery::PullAuthor;
use crate::ids::{MachineName, RepoName};
use crate::lease::LeaseMode;
use crate::proposal::Size;
use crate::session::Step;

/// Everything `decide` may know besides the board and the command.
///
/// `coord-config` builds it from `coordinator.yml`, and has checked that names are unique, that
/// every name that is referred to exists, and that `depends_on` has no cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Policy {
    /// The repositories by name.
    pub repos: BTreeMap<RepoName, RepoPolicy>,
    /// The machines by name.
    pub machines: BTreeMap<MachineName, MachinePolicy>,
    /// Which model a worker gets.
    pub models: ModelPolicy,

    /// How many workers at once, and how often.
    pub concurrency: ConcurrencyPolicy,
    /// Limits in US dollars.
    pub budgets: BudgetPolicy,
    /// What must hold before a merge.
    pub gates: Vec<Gate>,
    /// From the worker's end to the merge.
    #[serde(default)]
    pub pipeline: PipelinePolicy,
    /// Reviews by a second worker.
    #[serde(default)]
    pub reviews: ReviewPolicy,
    /// Smoke tests on machines that can run them.
    #[serde(default)]
    pub smoke: SmokePolicy,
    /// Globs that only the coordinator may change; forbidden to every worker.
    pub coordinator_only_files: Vec<String>,
    /// How leases on files are enforced.
    #[serde(default)]
    pub leases: LeaseMode,
    /// What runs when all work of a round is over, in order.
    #[serde(default)]
    pub on_round_complete: Vec<Step>,
    /// What runs when a session is closed, in order.
    #[serde(default)]
    pub on_session_end: Vec<Step>,
    /// What is done to the checkouts of this machine after that.
    #[serde(default)]
    pub housekeeping: HousekeepingPolicy,
}

/// From the worker's end to the merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelinePolicy {
    /// How often in a row a branch is sent back without a person.
    pub max_iterations: u32,
    /// Who writes the text of pull requests that nobody asked for by hand.
    pub pull_author: PullAuthor,
    /// How work is merged that nobody asked for by hand.
    #[serde(default)]
    pub merge_method: MergeMethod,
}

impl Default for PipelinePolicy {
    fn default() -> Self {
        Self {
            max_iterations: 3,
            pull_author: PullAuthor::default(),
            merge_method: MergeMethod::default(),
        }
    }
}

/// Reviews by a second worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ReviewPolicy {
    /// Whether the review gate waits for a review at all.
    pub enabled: bool,
    /// Whether reviews start by themselves.
    pub auto_dispatch: bool,
    /// Whether a merge needs an approval, or only no request for changes.
    pub require_approval: bool,
    /// The model of reviewers; `None`: as for a worker.
    pub model: Option<String>,
}

/// Smoke tests on machines that can run them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct SmokePolicy {
    /// Whether there is anything to run.
    #[serde(default)]
    pub is_configured: bool,
    /// Whether they start by themselves, for changes that a rule names.
    pub auto_queue: bool,
    /// Which files need which machine.
    pub rules: Vec<CapabilityRule>,
}

/// A machine that tries changes of `files` needs the capabilities `requires`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityRule {
    /// Path prefixes or globs relative to the root of a repository.
    pub files: Vec<String>,
    /// Capabilities.
    pub requires: Vec<String>,
}

/// What is done to the checkouts of this machine when a session is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct HousekeepingPolicy {
    /// Whether they are brought up to date.
    pub pull: bool,
    /// What runs in them, in order.
    pub commands: Vec<CheckoutCommand>,
}

/// A command line for checkouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutCommand {
    /// For the shell.
    pub command: String,
    /// Whose checkouts; empty means every repository's.
    pub repos: Vec<RepoName>,
    /// It is ended after so long in one checkout.
    pub timeout_seconds: u64,
}

/// What decisions need to know of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoPolicy {
    /// Upstream repositories: active work there blocks dispatch here.
    pub depends_on: Vec<RepoName>,
    /// The branch that work is merged into; `None`: whatever the repository says.
    pub default_branch: Option<String>,
    /// Whether coordinators without this board work on it too: an issue is then claimed on its
    /// forge before a worker is started.
    #[serde(default)]
    pub shared: bool,
    /// `owner/name` on GitHub, by which issues of other repositories mention it.
    #[serde(default)]
    pub github: Option<String>,
}

/// What decisions need to know of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachinePolicy {
    /// What the machine can do, e.g. `docker`.
    pub capabilities: Vec<String>,
    /// The repositories that it may work on.
    pub repos: Vec<RepoName>,
    /// How many workers may run on it at once.
    pub max_workers: u32,
    /// The account that its workers use; a usage limit of one machine is that of all of the same
    /// account. `None`: one of its own.
    #[serde(default)]
    pub account: Option<String>,
}

impl MachinePolicy {
    /// Whether it has the capability.
    #[must_use]
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|it| it == capability)
    }
}

/// Which model a worker gets: flag, then label, then size, then default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ModelPolicy {
    /// The model when neither flag nor label says otherwise; `None` leaves it to the worker.
    pub default: Option<String>,
    /// From the cheapest to the strongest.
    pub escalation: Vec<String>,
    /// Model by label, in the order of the configuration; the first label that matches counts.
    pub labels: Vec<(String, String)>,
    /// Model by the size that a planner sees in an issue, where no label says otherwise.
    #[serde(default)]
    pub sizes: BTreeMap<Size, String>,
    /// Whether the first model of an assignment follows from how earlier ones have done.
    #[serde(default)]
    pub learn: bool,
}

impl ModelPolicy {
    /// Whether the configuration names the model. Where it names none, the worker's program knows.
    #[must_use]
    pub fn knows(&self, model: &str) -> bool {
        let by_label = self.labels.iter().map(|(_, model)| model);
        let mut named = self
            .escalation
            .iter()
            .chain(&self.default)
            .chain(self.sizes.values())
            .chain(by_label)
            .peekable();
        named.peek().is_none() || named.any(|it| it == model)
    }
}

/// How many workers at once, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct ConcurrencyPolicy {
    /// Seconds between two starts on one machine.
    pub stagger_seconds: u64,
    /// The longest delay of the exponential back-off, which begins with one second, in seconds.
    pub backoff_base_seconds: u64,
    /// How often the work on an issue may be tried again without a person.
    pub max_retries: u32,
    /// Whether work that failed, was lost or whose agent is gone is tried again without a person.
    #[serde(default)]
    pub auto_reassign: bool,
    /// How long an agent may be unreachable before its work counts as stale, in seconds.
    pub stale_seconds: u64,
}

/// Limits in US dollars; `None` means none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Default)]
pub struct BudgetPolicy {
    /// For one assignment; handed to the worker, which ends when it is used up.
    pub assignment_usd: Option<f64>,
    /// For all assignments of one issue.
    pub issue_usd: Option<f64>,
    /// For all assignments that ended on one day (UTC).
    pub day_usd: Option<f64>,
}

/// A condition that must hold before a branch is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// A passed or skipped test verdict for the head.
    Test,
    /// An approving review of the head, where reviews are enabled.
    Review,
    /// Every expected check of the head is good.
    Ci,
}

impl Gate {
    /// The word in the configuration and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Review => "review",
            Self::Ci => "ci",
        }
    }
}
