//! Leases on files, enforced at the tool calls of the workers.
//!
//! Before each edit and after whatever can write, the CLI of a worker calls a hook
//! ([`coord_supervisor::Door`]), and that asks here. [`Table`] knows what the live assignments of this
//! machine hold and decides in one step, [`Asks`] takes what it cannot decide to the coordinator,
//! [`before`] and [`after`] are the two moments. No rule about other machines stands here.

mod after;
mod ask;
mod before;
mod call;
mod door;
mod place;
mod table;
mod watch;
mod words;

use std::path::{Path, PathBuf};

use coord_protocol::{AssignmentType, LeaseDenial, LeaseHolder, LeaseMode};

use crate::active::Active;
use crate::shared::Shared;

pub(crate) use after::{LookError, after, at_the_end, baseline};
pub(crate) use ask::{Asks, Follower};
pub(crate) use before::before;
pub(crate) use call::{Call, Moment};
pub(crate) use door::{Token, open_door};
pub(crate) use table::Table;
pub(crate) use watch::Watched;

/// What leases need of an agent.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Who holds what on this machine.
    pub(crate) table: Table,
    /// What the coordinator is asked.
    pub(crate) asks: Asks,
}

/// How the edits of an assignment are checked, if they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// What nobody can be asked about is denied, as is what was not declared.
    Strict,
    /// What nobody can be asked about is let through and told.
    Warn,
}

impl Check {
    /// How the edits of `active` are checked: only who publishes something can get in anybody's way.
    pub(crate) fn of(active: &Active) -> Option<Self> {
        let mode = active.body.leases?;
        match (active.body.kind, mode) {
            (AssignmentType::Work, LeaseMode::Strict) => Some(Self::Strict),
            (AssignmentType::Work, LeaseMode::Warn) => Some(Self::Warn),
            (AssignmentType::Work, LeaseMode::Off)
            | (AssignmentType::Review | AssignmentType::Smoke | AssignmentType::Pr, _) => None,
        }
    }
}

/// Makes what `active` declares and was granted before its own. `repo` is the canonical checkout.
///
/// Blocks on the file system.
pub(crate) fn hold(shared: &Shared, active: &Active, repo: PathBuf) {
    if active.body.kind != AssignmentType::Work {
        return;
    }
    let granted = active.folder.leased().unwrap_or_else(|error| {
        tracing::warn!(id = %active.id, %error, "what it was granted before cannot be read");
        Vec::new()
    });
    let about = LeaseHolder {
        assignment: active.id.clone(),
        issue: format!("{}#{}", active.body.repo_name, active.body.issue_number),
        title: active.body.issue_title.clone(),
        machine: shared.config.machine.clone(),
    };
    let granted = granted.into_iter().chain(active.body.leased.clone());
    shared.leases.table.hold(about, repo, &active.body, granted);
}

/// Folders that no worker has any business in but its own worktree: those of the other workers, the
/// agent's state, and the checkouts that people work in.
fn barred(shared: &Shared, repo: &Path) -> Vec<PathBuf> {
    let configured = shared.config.repos.values().map(|repo| repo.path.as_path());
    let agent = shared.assignments.parent();
    agent
        .into_iter()
        .chain([repo])
        .chain(configured)
        .filter_map(|path| path.canonicalize().ok())
        .collect()
}

/// Why an edit is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Somebody holds it.
    Leased(LeaseHolder),
    /// The coordinator says no, and does not say who holds it.
    Refused(Option<LeaseDenial>),
    /// This glob forbids it to every worker.
    Forbidden(String),
    /// It is outside of what was declared.
    Undeclared,
    /// It is outside of the worktree, where somebody else is at home.
    Elsewhere,
    /// Nobody could be asked.
    Unreachable,
}
