//! What others ask the configuration.

use std::net::IpAddr;
use std::path::Path;

use coord_core::Policy;
use coord_core::ids::{MachineName, RepoName};
use coord_core::policy::{
    self, BudgetPolicy, ConcurrencyPolicy, HousekeepingPolicy, MachinePolicy, ModelPolicy,
    PipelinePolicy, RepoPolicy, ReviewPolicy, SmokePolicy,
};
use coord_core::session::Step;

use crate::config::{
    Config, ForgeKind, Hook, Housekeeping, Machine, NamedHook, Repo, Reviews, SmokeTests,
};

/// `stale_threshold` counted polls in the seed. Time is what counts: three polls in a row can
/// fail within ten seconds.
const SECONDS_PER_POLL: u64 = 60;

impl Config {
    /// The repository of that name.
    #[must_use]
    pub fn repo(&self, name: &RepoName) -> Option<&Repo> {
        self.repos.iter().find(|repo| repo.name == *name)
    }

    /// The machine of that name.
    #[must_use]
    pub fn machine(&self, name: &MachineName) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.name == *name)
    }

    /// The machine that this process runs on, where `hostname` is what the system calls itself:
    /// one that is named so or has that host, else the first with a loopback address.
    #[must_use]
    pub fn local_machine(&self, hostname: &str) -> Option<&Machine> {
        let named = |m: &&Machine| {
            m.host.eq_ignore_ascii_case(hostname) || m.name.as_str().eq_ignore_ascii_case(hostname)
        };
        let mut machines = self.machines.iter();
        machines
            .clone()
            .find(named)
            .or_else(|| machines.find(|m| m.is_loopback()))
    }

    /// The checkout of `repo` on the machine that this process runs on.
    #[must_use]
    pub fn local_path(&self, repo: &RepoName, hostname: &str) -> Option<&Path> {
        let local = |m: &&Machine| m.is_loopback() || m.host.eq_ignore_ascii_case(hostname);
        self.local_machine(hostname)
            .into_iter()
            .chain(self.machines.iter().filter(local))
            .find_map(|machine| machine.repo_path(repo))
    }

    /// The part that decisions may look at.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            repos: self
                .repos
                .iter()
                .map(|repo| (repo.name.clone(), repo.policy()))
                .collect(),
            machines: self
                .machines
                .iter()
                .map(|m| (m.name.clone(), m.policy()))
                .collect(),
            models: ModelPolicy {
                default: Some(self.models.default.clone()),
                escalation: self.models.escalation.clone(),
                labels: self.models.labels.clone(),
                sizes: self.models.sizes.clone(),
                learn: self.models.learn,
            },
            concurrency: ConcurrencyPolicy {
                stagger_seconds: self.concurrency.stagger_seconds,
                backoff_base_seconds: self.concurrency.backoff_base,
                max_retries: self.concurrency.max_retries,
                auto_reassign: self.concurrency.auto_reassign,
                stale_seconds: u64::from(self.concurrency.stale_threshold) * SECONDS_PER_POLL,
            },
            budgets: BudgetPolicy {
                assignment_usd: self.budgets.assignment_usd,
                issue_usd: self.budgets.issue_usd,
                day_usd: self.budgets.day_usd,
            },
            gates: self.pipeline.gates.clone(),
            pipeline: PipelinePolicy {
                max_iterations: self.pipeline.max_iterations,
                pull_author: self.pipeline.pull_requests,
                merge_method: self.pipeline.merge_method,
            },
            reviews: self.reviews.policy(),
            smoke: self.smoke_tests.policy(),
            coordinator_only_files: self.coordinator_only_files.clone(),
            leases: self.leases,
            on_round_complete: self
                .hooks
                .on_round_complete
                .iter()
                .map(Hook::step)
                .collect(),
            on_session_end: self.hooks.on_session_end.iter().map(Hook::step).collect(),
            housekeeping: self.housekeeping.policy(),
        }
    }
}

impl Hook {
    fn step(&self) -> Step {
        match self {
            Self::Named(NamedHook::SummaryReport) => Step::SummaryReport,
            Self::Named(NamedHook::CloseMergedIssues) => Step::CloseMergedIssues,
            Self::Command {
                command,
                timeout_seconds,
            } => Step::Command {
                command: command.clone(),
                timeout_seconds: *timeout_seconds,
            },
        }
    }
}

impl Reviews {
    fn policy(&self) -> ReviewPolicy {
        ReviewPolicy {
            enabled: self.enabled,
            auto_dispatch: self.auto_dispatch,
            require_approval: self.require_approval,
            model: self.model.clone(),
        }
    }
}

impl SmokeTests {
    fn policy(&self) -> SmokePolicy {
        let rules = self.capability_rules.iter();
        let rules = rules.map(|rule| policy::CapabilityRule {
            files: rule.files.clone(),
            requires: rule.requires.clone(),
        });
        SmokePolicy {
            is_configured: self.default_command.is_some(),
            auto_queue: self.auto_queue,
            rules: rules.collect(),
        }
    }
}

impl Housekeeping {
    fn policy(&self) -> HousekeepingPolicy {
        let commands = self.commands.iter().map(|it| policy::CheckoutCommand {
            command: it.command.clone(),
            repos: it.repos.clone(),
            timeout_seconds: it.timeout_seconds,
        });
        HousekeepingPolicy {
            pull: self.pull,
            commands: commands.collect(),
        }
    }
}

impl Repo {
    fn policy(&self) -> RepoPolicy {
        RepoPolicy {
            depends_on: self.depends_on.clone(),
            default_branch: self.default_branch.clone(),
            shared: match self.forge {
                ForgeKind::Github => true,
                ForgeKind::Local => false,
            },
            github: self.github.clone(),
        }
    }
}

impl Machine {
    /// The base address of its agent, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        let port = self.port;
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("http://[{address}]:{port}"),
            Ok(IpAddr::V4(_)) | Err(_) => format!("http://{}:{port}", self.host),
        }
    }

    /// Where the checkout of `repo` is on it.
    #[must_use]
    pub fn repo_path(&self, repo: &RepoName) -> Option<&Path> {
        self.repo_paths.get(repo).map(|path| path.as_path())
    }

    /// Whether its host means the machine that asks.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|a| a.is_loopback())
    }

    fn policy(&self) -> MachinePolicy {
        MachinePolicy {
            capabilities: self.capabilities.clone(),
            repos: self.repos.clone(),
            max_workers: self.max_workers,
            account: self.account.clone(),
        }
    }
}
