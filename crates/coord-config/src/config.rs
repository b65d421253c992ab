//! The resolved configuration: every default applied, `~` expanded, every name that is referred
//! to known.
//!
//! Serialized it has the keys of the file, so that what `coord config` prints is itself a
//! configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use coord_core::assignment::{Goal, MergeMethod};
use coord_core::delivery::PullAuthor;
use coord_core::ids::{MachineName, RepoName};
use coord_core::lease::LeaseMode;
use coord_core::policy::Gate;
use coord_core::proposal::Size;
use serde::Serialize;

use crate::deny::DEFAULT_DENY;
use crate::write;

/// What `coordinator.yml` says, resolved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// In the order of the file; no name twice, no cycle in `depends_on`. A file has at least one.
    pub repos: Vec<Repo>,
    /// In the order of the file; no name twice.
    pub machines: Vec<Machine>,
    /// How many workers at once, and how often.
    pub concurrency: Concurrency,
    /// Which model a worker gets.
    pub models: Models,
    /// What runs at the end of rounds and sessions.
    pub hooks: Hooks,
    /// Reviews by a second worker.
    pub reviews: Reviews,
    /// Smoke tests on machines that can run them.
    pub smoke_tests: SmokeTests,
    /// What workers may run.
    pub worker_permissions: WorkerPermissions,
    /// What is kept, and how long.
    pub housekeeping: Housekeeping,
    /// Who proposes what to work on, and with what.
    pub plan: Planning,
    /// How it is seen to that no two workers change the same file.
    pub leases: LeaseMode,
    /// Globs of files that no worker may change, relative to the root of a repository.
    pub coordinator_only_files: Vec<String>,
    /// The API of GitHub or of an Enterprise server, without a slash at the end.
    pub github_api_url: String,
    /// As whom GitHub is asked, instead of with a token from the environment.
    pub github_app: Option<GithubApp>,
    /// Whose issues and comments on GitHub may tell the coordinator what to do.
    pub trust: Trust,
    /// From the worker's end to the merge.
    pub pipeline: Pipeline,
    /// Limits in US dollars.
    pub budgets: Budgets,
    /// How the worker's program is started and watched.
    pub worker: Worker,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repo {
    /// Fit to be a folder name.
    pub name: RepoName,
    /// `owner/name`.
    pub github: Option<String>,
    /// Where its issues and pull requests are.
    pub forge: ForgeKind,
    /// Upstream repositories: active work there blocks dispatch here.
    pub depends_on: Vec<RepoName>,
    /// The branch that work is merged into; `None`: the repository is asked.
    pub default_branch: Option<String>,
    /// A shell command line that has to succeed before the tests.
    pub build_command: Option<String>,
    /// A shell command line that runs the tests.
    pub test_command: Option<String>,
    /// How a fresh worktree is made ready.
    pub worktree: WorktreeSetup,
}

/// Where issues and pull requests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ForgeKind {
    /// On GitHub or GitHub Enterprise.
    Github,
    /// In the coordinator's own store, without any network.
    Local,
}

/// How a worktree is made ready for a worker.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WorktreeSetup {
    /// A shell command line that runs in it before the worker.
    pub setup: Option<String>,
    /// Paths relative to the repository that are copied from the main checkout, e.g. `.env`.
    pub copy: Vec<String>,
    /// Ignored paths relative to the repository that outlive the worker, e.g. a build cache.
    pub keep: Vec<String>,
}

/// A machine with an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Fit to be a folder name.
    pub name: MachineName,
    /// A host name or an address.
    pub host: String,
    /// The port of its agent.
    pub port: u16,
    /// What it can do, e.g. `docker`.
    pub capabilities: Vec<String>,
    /// The repositories that it may work on.
    pub repos: Vec<RepoName>,
    /// Where their checkouts are; a repository that has none cannot be worked on there.
    #[serde(serialize_with = "write::paths")]
    pub repo_paths: BTreeMap<RepoName, PathBuf>,
    /// How many workers may run on it at once.
    pub max_workers: u32,
    /// The account that its workers use: machines of one account share usage limits. `None`: one
    /// of its own.
    pub account: Option<String>,
    /// The file with the token that its agent asks for.
    #[serde(serialize_with = "write::optional_path")]
    pub token_file: Option<PathBuf>,
}

/// How many workers at once, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Concurrency {
    /// For each machine that does not say otherwise.
    pub max_workers: u32,
    /// Seconds between two starts on one machine.
    pub stagger_seconds: u64,
    /// The longest delay of the exponential back-off, which begins with one second, in seconds.
    pub backoff_base: u64,
    /// How often work that failed may be tried again.
    pub max_retries: u32,
    /// Whether failed work moves to another machine by itself.
    pub auto_reassign: bool,
    /// How many minutes an agent may be unreachable before its work counts as stale.
    pub stale_threshold: u32,
}

/// Which model a worker gets: flag, then label, then size, then default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Models {
    /// When neither flag nor label nor size says otherwise.
    pub default: String,
    /// From the cheapest to the strongest.
    pub escalation: Vec<String>,
    /// Model by label of the issue, in the order of the file; the first that matches counts.
    #[serde(serialize_with = "write::labels")]
    pub labels: Vec<(String, String)>,
    /// Model by the size that a planner sees in an issue.
    pub sizes: BTreeMap<Size, String>,
    /// Whether how earlier work in the repository went moves the first model by one rung.
    pub learn: bool,
}

/// Who proposes what to work on, and with what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Planning {
    /// Who does it.
    pub planner: PlannerChoice,
    /// The model that is asked; `None`: the program's own default.
    pub model: Option<String>,
    /// Whether it may read the repositories before it answers.
    pub explore: bool,
    /// How much it is told, in tokens; an estimate.
    pub context_tokens: usize,
    /// How long it may think.
    pub timeout_seconds: u64,
    /// US dollars that one plan may cost.
    pub budget_usd: f64,
}

/// Who proposes what to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannerChoice {
    /// A model where the worker's program is on this machine, else rules.
    Auto,
    /// A model; rules where it fails.
    Brain,
    /// Rules: no model is asked.
    Rules,
}

/// What runs at the end of rounds and sessions, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Hooks {
    /// After all assignments of a round have ended.
    pub on_round_complete: Vec<Hook>,
    /// When the session is closed.
    pub on_session_end: Vec<Hook>,
}

/// One thing that runs at the end of a round or session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Hook {
    /// One that comes with `coord`.
    Named(NamedHook),
    /// A person's own.
    Command {
        /// A shell command line; it gets the event as JSON on its stdin.
        command: String,
        /// How long it may take.
        timeout_seconds: u64,
    },
}

/// A hook that comes with `coord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedHook {
    /// Writes down what the round or session came to.
    SummaryReport,
    /// Closes the issues whose work is proven to be in the base branch.
    CloseMergedIssues,
}

/// Reviews by a second worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviews {
    /// Whether the review gate waits for one at all.
    pub enabled: bool,
    /// Whether they start by themselves.
    pub auto_dispatch: bool,
    /// Whether a merge needs an approval, or only no request for changes.
    pub require_approval: bool,
    /// The model of reviewers; `None`: as for a worker.
    pub model: Option<String>,
    /// What every reviewer is told beside the checklist.
    pub reviewer_prompt: Option<String>,
    /// What every reviewer checks.
    pub checklist: Vec<String>,
    /// What reviewers of one repository check besides.
    pub repo_overrides: BTreeMap<RepoName, Vec<String>>,
}

/// Smoke tests on machines that can run them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SmokeTests {
    /// Whether they start by themselves.
    pub auto_queue: bool,
    /// A shell command line.
    pub default_command: Option<String>,
    /// How long one may take.
    pub timeout_seconds: u64,
    /// Which files need which machine.
    pub capability_rules: Vec<CapabilityRule>,
}

/// A machine that tests changes of `files` needs the capabilities `requires`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CapabilityRule {
    /// Path prefixes or globs relative to the repository; at least one.
    pub files: Vec<String>,
    /// Capabilities; at least one.
    pub requires: Vec<String>,
}

/// What workers may run, as Claude Code spells it: `Tool` or `Tool(rule)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerPermissions {
    /// Runs without a question.
    pub allow: Vec<String>,
    /// Never runs.
    pub deny: Vec<String>,
}

/// What is kept, and how long; what is done to checkouts when a session is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Housekeeping {
    /// Clean worktrees kept ready for each repository.
    pub warm_worktrees: u32,
    /// Days that logs and records of finished assignments are kept.
    pub keep_finished_days: u32,
    /// Whether the checkouts of this machine are fast-forwarded when a session is closed.
    pub pull: bool,
    /// What runs in them after that, in order.
    pub commands: Vec<CheckoutCommand>,
}

/// A shell command line for checkouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckoutCommand {
    /// The command line.
    pub command: String,
    /// The repositories in whose checkouts it runs; empty means all of them.
    pub repos: Vec<RepoName>,
    /// How long it may take in one checkout.
    pub timeout_seconds: u64,
}

/// A GitHub App that is installed where the repositories are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GithubApp {
    /// The number on the App's page.
    pub app_id: u64,
    /// The file with its private key, in PEM.
    #[serde(serialize_with = "write::path")]
    pub private_key_file: PathBuf,
    /// The number of its installation, which the address of the installation's page ends with.
    pub installation_id: u64,
}

/// Whose issues and comments count. Those of others are shown, and never acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// Everybody who stands so to the repository.
    pub authors: Vec<Association>,
    /// Accounts besides, compared without regard to case.
    pub users: Vec<String>,
}

/// How an account stands to a repository: GitHub's `author_association`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Association {
    /// Owns it.
    Owner,
    /// Belongs to the organisation that owns it.
    Member,
    /// Was invited to work on it.
    Collaborator,
    /// Had something merged into it before.
    Contributor,
    /// Contributes to it for the first time.
    FirstTimeContributor,
    /// Contributes to anything on GitHub for the first time.
    FirstTimer,
    /// Stands for an account that was not taken along in an import.
    Mannequin,
    /// None of these.
    None,
}

impl Association {
    /// All of them, from the closest.
    pub const ALL: [Self; 8] = [
        Self::Owner,
        Self::Member,
        Self::Collaborator,
        Self::Contributor,
        Self::FirstTimeContributor,
        Self::FirstTimer,
        Self::Mannequin,
        Self::None,
    ];

    /// As GitHub spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "OWNER",
            Self::Member => "MEMBER",
            Self::Collaborator => "COLLABORATOR",
            Self::Contributor => "CONTRIBUTOR",
            Self::FirstTimeContributor => "FIRST_TIME_CONTRIBUTOR",
            Self::FirstTimer => "FIRST_TIMER",
            Self::Mannequin => "MANNEQUIN",
            Self::None => "NONE",
        }
    }
}

/// From the worker's end to the merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pipeline {
    /// What must hold before a merge.
    pub gates: Vec<Gate>,
    /// How far an assignment is taken without a person.
    pub goal: Goal,
    /// How branches are merged.
    pub merge_method: MergeMethod,
    /// How long build and tests of one branch may take.
    pub test_timeout_seconds: u64,
    /// How often in a row a branch is sent back without a person.
    pub max_iterations: u32,
    /// Who writes the text of pull requests that open by themselves.
    pub pull_requests: PullAuthor,
}

/// Limits in US dollars; `None` means none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Budgets {
    /// For one assignment.
    pub assignment_usd: Option<f64>,
    /// For all assignments of one issue.
    pub issue_usd: Option<f64>,
    /// For all assignments that ended on one day (UTC).
    pub day_usd: Option<f64>,
}

/// How the worker's program is started and watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// The program and its first arguments; at least the program.
    pub command: Vec<String>,
    /// Ended when it has been silent for so long.
    pub stall_seconds: u64,
    /// Ended when nothing at all came for so long after the start.
    pub first_output_seconds: u64,
    /// Between the polite and the certain end, and between the last result and the exit.
    pub grace_seconds: u64,
    /// Ended after so long in any case.
    pub timeout_seconds: u64,
    /// Arguments after the coordinator's own.
    pub extra_args: Vec<String>,
    /// Whose settings it reads; those of the repository can start programs.
    pub setting_sources: Vec<SettingSource>,
}

/// A level of Claude Code's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingSource {
    /// Those of the account that runs the worker.
    User,
    /// `.claude/settings.json` of the repository.
    Project,
    /// `.claude/settings.local.json` of the repository.
    Local,
}

impl SettingSource {
    /// As `--setting-sources` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            repos: Vec::new(),
            machines: Vec::new(),
            concurrency: Concurrency::default(),
            models: Models::default(),
            hooks: Hooks::default(),
            reviews: Reviews::default(),
            smoke_tests: SmokeTests::default(),
            worker_permissions: WorkerPermissions::default(),
            housekeeping: Housekeeping::default(),
            plan: Planning::default(),
            leases: LeaseMode::default(),
            coordinator_only_files: Vec::new(),
            github_api_url: "https://api.github.com".to_owned(),
            github_app: None,
            trust: Trust::default(),
            pipeline: Pipeline::default(),
            budgets: Budgets::default(),
            worker: Worker::default(),
        }
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            max_workers: 2,
            stagger_seconds: 30,
            backoff_base: 60,
            max_retries: 3,
            auto_reassign: false,
            stale_threshold: 3,
        }
    }
}

impl Default for Models {
    fn default() -> Self {
        Self {
            default: "sonnet".to_owned(),
            escalation: ["haiku", "sonnet", "opus"].map(str::to_owned).to_vec(),
            labels: Vec::new(),
            sizes: BTreeMap::new(),
            learn: false,
        }
    }
}

impl Default for Planning {
    fn default() -> Self {
        Self {
            planner: PlannerChoice::Auto,
            model: None,
            explore: false,
            context_tokens: 60_000,
            timeout_seconds: 600,
            budget_usd: 2.0,
        }
    }
}

impl Default for Reviews {
    fn default() -> Self {
        Self {
            enabled: false,
            auto_dispatch: true,
            require_approval: false,
            model: None,
            reviewer_prompt: None,
            checklist: Vec::new(),
            repo_overrides: BTreeMap::new(),
        }
    }
}

impl Default for SmokeTests {
    fn default() -> Self {
        Self {
            auto_queue: false,
            default_command: None,
            timeout_seconds: 600,
            capability_rules: Vec::new(),
        }
    }
}

impl Default for WorkerPermissions {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: DEFAULT_DENY.map(str::to_owned).to_vec(),
        }
    }
}

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            warm_worktrees: 2,
            keep_finished_days: 30,
            pull: false,
            commands: Vec::new(),
        }
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            authors: vec![
                Association::Owner,
                Association::Member,
                Association::Collaborator,
            ],
            users: Vec::new(),
        }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            gates: vec![Gate::Test, Gate::Review, Gate::Ci],
            goal: Goal::Worked,
            merge_method: MergeMethod::Squash,
            test_timeout_seconds: 1800,
            max_iterations: 3,
            pull_requests: PullAuthor::Template,
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            command: vec!["claude".to_owned()],
            // Ten retries of the API take 180 s, and each of them is heard of.
            stall_seconds: 900,
            first_output_seconds: 120,
            grace_seconds: 10,
            timeout_seconds: 4 * 3600,
            extra_args: Vec::new(),
            setting_sources: vec![SettingSource::User],
        }
    }
}
