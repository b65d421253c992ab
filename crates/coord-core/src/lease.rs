//! Leases on files: what an assignment declared, and what was granted to it, is its own for now.
//!
//! No two assignments that hold leases share a path, unless a person waived it. What a worker was
//! seen to change is another matter: a shell command asks nobody, and takes nothing from anybody.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::assignment::{Assignment, AssignmentState};
use crate::board::Board;
use crate::ids::{AssignmentId, Timestamp};
use crate::policy::Policy;
use crate::scope::Glob;

/// How leases on files are enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseMode {
    /// A worker changes nothing outside of what it declared, and nothing that the coordinator could
    /// not be asked about.
    Strict,
    /// A worker may go beyond what it declared where that is free; where the coordinator cannot be
    /// asked, it goes on, and that is recorded.
    #[default]
    Warn,
    /// Nobody is asked; what was changed is seen all the same.
    Off,
}

impl LeaseMode {
    /// The word in the configuration and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// Why a worker may not change a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "denial")]
pub enum Denial {
    /// Another assignment holds it.
    Leased {
        /// Which one.
        by: AssignmentId,
    },
    /// No worker may change it.
    Forbidden {
        /// The glob that covers it.
        glob: String,
    },
    /// It is outside of what the assignment declared.
    Outside,
    /// Nobody could be asked.
    Unreachable,
    /// The assignment is over, or was taken over by another one.
    Over,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leased { by } => write!(f, "held by assignment {by}"),
            Self::Forbidden { glob } => write!(f, "forbidden by `{glob}`"),
            Self::Outside => f.write_str("outside of the files that were declared"),
            Self::Unreachable => f.write_str("the coordinator could not be asked"),
            Self::Over => f.write_str("the assignment is over"),
        }
    }
}

/// Whether the assignment may change `path`, relative to the root of its repository.
///
/// # Errors
/// Why not.
pub fn may_change(
    board: &Board,
    policy: &Policy,
    it: &Assignment,
    path: &str,
) -> Result<(), Denial> {
    if let Some(glob) = forbidding(policy, it, path) {
        let glob = glob.to_owned();
        return Err(Denial::Forbidden { glob });
    }
    // What is declared overlaps with somebody else's only where a person has let one of them in.
    if it.leased.contains(path) || declares(it, path) {
        return Ok(());
    }
    if let Some(other) = holders(board, it).find(|other| covers(other, path)) {
        let by = other.id.clone();
        return Err(Denial::Leased { by });
    }
    if policy.leases == LeaseMode::Strict && !it.scope.allowed.is_empty() {
        return Err(Denial::Outside);
    }
    Ok(())
}

/// What an agent is to be answered that asks whether the worker of `id` may change `path`, once
/// its question has been decided about.
///
/// # Errors
/// Why not.
pub fn answer(board: &Board, policy: &Policy, id: &AssignmentId, path: &str) -> Result<(), Denial> {
    match board.assignments.get(id).filter(|it| it.holds_lease()) {
        Some(it) => may_change(board, policy, it, path),
        None => Err(Denial::Over),
    }
}

/// The glob that keeps the worker of `it` from `path`, whoever else wants it.
pub(crate) fn forbidding<'p>(
    policy: &'p Policy,
    it: &'p Assignment,
    path: &str,
) -> Option<&'p str> {
    let forbidden = it.scope.forbidden.iter();
    let mut forbidden = forbidden.chain(&policy.coordinator_only_files);
    let glob = forbidden.find(|glob| Glob::new(glob).matches(path))?;
    Some(glob)
}

/// The other assignments that hold a lease in the repository of `it`.
pub(crate) fn holders<'b>(
    board: &'b Board,
    it: &Assignment,
) -> impl Iterator<Item = &'b Assignment> {
    let (id, repo) = (it.id.clone(), it.issue.repo.clone());
    board
        .assignments
        .values()
        .filter(move |other| other.holds_lease() && other.id != id && other.issue.repo == repo)
}

/// What stands in the way of the files of `it`, and the path or glob they share: somebody's lease,
/// or an assignment that could start, has waited for longer and must not be overtaken.
pub(crate) fn first_overlap<'b>(
    board: &'b Board,
    it: &Assignment,
    now: Timestamp,
) -> Option<(&'b Assignment, String)> {
    let declared: Vec<Glob> = globs(it);
    if declared.is_empty() && it.leased.is_empty() {
        return None;
    }
    let earlier = board.assignments.values().filter(|other| {
        other.state == AssignmentState::Waiting
            && !other.waits_for_issues()
            && other.start.not_before <= Some(now)
            && other.issue.repo == it.issue.repo
            && (other.requested_at, &other.id) < (it.requested_at, &it.id)
    });
    holders(board, it)
        .chain(earlier)
        .find_map(|other| Some((other, shared(it, &declared, other)?)))
}

/// A glob or path of `other` that `it` may touch, by one of its `declared` globs or by what was
/// granted to those it goes on with.
fn shared(it: &Assignment, declared: &[Glob], other: &Assignment) -> Option<String> {
    let meets = |theirs: &&String| {
        let glob = Glob::new(theirs);
        declared.iter().any(|mine| mine.overlaps(&glob))
            || it.leased.iter().any(|path| glob.matches(path))
    };
    let declares = |path: &&String| declared.iter().any(|mine| mine.matches(path));
    let globs = other.scope.allowed.iter().find(meets);
    let held = || {
        other
            .leased
            .iter()
            .find(|path| it.leased.contains(*path) || declares(path))
    };
    let paths = || held().or_else(|| other.observed.iter().find(declares));
    globs.or_else(paths).cloned()
}

/// Whether `path` is the lease of `holder`: declared by it, or granted to it.
pub(crate) fn covers(holder: &Assignment, path: &str) -> bool {
    holder.leased.contains(path) || declares(holder, path)
}

fn declares(it: &Assignment, path: &str) -> bool {
    globs(it).iter().any(|glob| glob.matches(path))
}

/// What a worker without a scope of its own should leave alone: the files of everybody else.
pub(crate) fn do_not_touch(board: &Board, it: &Assignment) -> Vec<String> {
    if !it.scope.allowed.is_empty() {
        return Vec::new();
    }
    let files: BTreeSet<&String> = holders(board, it)
        .flat_map(|other| other.scope.allowed.iter().chain(&other.leased))
        .chain(holders(board, it).flat_map(|other| &other.observed))
        .collect();
    files.into_iter().cloned().collect()
}

fn globs(it: &Assignment) -> Vec<Glob> {
    it.scope
        .allowed
        .iter()
        .map(|text| Glob::new(text))
        .collect()
}
