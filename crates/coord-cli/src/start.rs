//! How somebody wants assignments to start: what `coord assign` and `coord approve` both take.

use clap::{Args, ValueEnum};
use coord_core::assignment::{FreshnessRule, Goal};
use coord_core::command::WhenBlocked;

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Wait for files, slots, upstream work and issues that it depends on instead of being refused
    #[arg(long)]
    wait: bool,
    /// How far to take it without a person; the default is the configuration's `pipeline.goal`
    #[arg(long, value_enum)]
    until: Option<Until>,
    /// Dispatch although an upstream repository has active work, or an issue that it depends on is open
    #[arg(long)]
    pub(crate) ignore_deps: bool,
    /// Fast-forward checkouts on the machine that are behind, before the worker starts
    #[arg(long)]
    auto_pull: bool,
    /// Do not look whether checkouts on the machine are behind
    #[arg(long, conflicts_with = "auto_pull")]
    skip_freshness: bool,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How far an assignment goes by itself.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Until {
    /// The worker runs
    Worked,
    /// Its branch is tested as well
    Tested,
    /// Its branch is tested and merged
    Merged,
}

impl From<Until> for Goal {
    fn from(until: Until) -> Self {
        match until {
            Until::Worked => Self::Worked,
            Until::Tested => Self::Tested,
            Until::Merged => Self::Merged,
        }
    }
}

impl StartArgs {
    /// What to do where something stands in the way.
    pub(crate) const fn when_blocked(&self) -> WhenBlocked {
        match self.wait {
            true => WhenBlocked::Wait,
            false => WhenBlocked::Refuse,
        }
    }

    /// How far to take it.
    pub(crate) fn goal(&self, default: Goal) -> Goal {
        self.until.map_or(default, Goal::from)
    }

    /// What its dispatch does about stale checkouts.
    pub(crate) const fn freshness(&self) -> FreshnessRule {
        match (self.auto_pull, self.skip_freshness) {
            (true, _) => FreshnessRule::Pull,
            (false, true) => FreshnessRule::Skip,
            (false, false) => FreshnessRule::Tell,
        }
    }
}
