//! What the work has cost, added up by issue, repository, model, stage and day. It knows nothing
//! of workers that still run: what they have cost so far is in their agents' heads only.

mod query;
mod rows;

use coord_core::assignment::AssignmentKind;
use coord_core::fate::Fate;
use coord_core::ids::{IssueRef, RepoName, Timestamp};

use self::query::Parts;
use crate::error::{Fault, StoreError};
use crate::store::Store;

pub(crate) use rows::{VERSION, bring_up_to_date, follow};

/// Which ended assignments; the default asks for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Only those of this repository.
    pub repo: Option<RepoName>,
    /// Only those that ended at this instant or later, by the clock of the log.
    pub since: Option<Timestamp>,
}

/// By what usage is broken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// By issue, the most expensive first.
    Issue,
    /// By repository, the most expensive first.
    Repo,
    /// By the model that was asked for, the most expensive first.
    Model,
    /// By what assignments were for and what became of their work, the most expensive first.
    Stage,
    /// By the day (UTC) on which they ended, the latest first.
    Day,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Issue, Self::Repo, Self::Model, Self::Stage, Self::Day];

    /// The word for it on the command line and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Repo => "repo",
            Self::Model => "model",
            Self::Stage => "stage",
            Self::Day => "day",
        }
    }

    /// Whether all attempts at an issue are in one row, so that what a merged one has cost can be
    /// told from it.
    #[must_use]
    pub const fn keeps_issues_whole(self) -> bool {
        match self {
            Self::Issue | Self::Repo => true,
            Self::Model | Self::Stage | Self::Day => false,
        }
    }
}

/// What a row of a breakdown is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageKey {
    /// One issue.
    Issue(IssueRef),
    /// One repository.
    Repo(RepoName),
    /// One model; `None` is the worker's own choice.
    Model(Option<String>),
    /// What the money went for.
    Stage(AssignmentKind, Fate),
    /// Days since the epoch, UTC.
    Day(i64),
}

/// Sums over ended assignments. Of a lost worker what it had told before it was lost counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many have ended; the sum of the four that follow.
    pub assignments: u64,
    /// Those whose worker ended well.
    pub done: u64,
    /// Those whose worker failed, or could not be started.
    pub failed: u64,
    /// Those that were stopped.
    pub cancelled: u64,
    /// Those that their agent no longer knows.
    pub lost: u64,
    /// Those whose work is in the base branch: merged pull requests.
    pub merged: u64,
    /// Model turns.
    pub turns: u64,
    /// Millionths of a US dollar.
    pub cost_micros: u64,
    /// The part of the cost that went for issues with merged work, failed attempts included; in
    /// millionths of a US dollar.
    pub solved_micros: u64,
}

impl Usage {
    /// What went for issues without merged work, in millionths of a US dollar.
    #[must_use]
    pub const fn unsolved_micros(&self) -> u64 {
        self.cost_micros.saturating_sub(self.solved_micros)
    }

    /// What a merged pull request has cost on average, with every attempt at its issue, in
    /// millionths of a US dollar; `None` when nothing is merged.
    #[must_use]
    pub const fn micros_per_merged(&self) -> Option<u64> {
        match self.merged {
            0 => None,
            merged => Some(self.solved_micros.saturating_add(merged / 2) / merged),
        }
    }
}

/// Usage by something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// By what.
    pub by: UsageBy,
    /// The first of them, in the order of [`UsageBy`]; equals in the order of their keys.
    pub rows: Vec<(UsageKey, Usage)>,
    /// How many more there are.
    pub left_out: u64,
}

/// The answer to [`Store::usage`], from one unchanging view of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// Dispatched and not ended, whenever that was; in no sum.
    pub running: u64,
    /// All of it.
    pub total: Usage,
    /// As they were asked for.
    pub breakdowns: Vec<Breakdown>,
}

impl Store {
    /// What assignments have cost that have ended, in total and broken down; of each breakdown the
    /// first `limit` rows.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn usage(
        &self,
        filter: UsageFilter,
        by: Vec<UsageBy>,
        limit: u32,
    ) -> Result<UsageReport, StoreError> {
        self.read(move |scope| {
            let board = scope.board()?;
            let wanted = |repo: &RepoName| filter.repo.as_ref().is_none_or(|only| only == repo);
            let running = board
                .assignments
                .values()
                .filter(|it| it.state.takes_slot() && wanted(&it.issue.repo))
                .count() as u64;
            let parts = Parts::read(scope.conn, &filter)?;
            let breakdown = |by| match by {
                UsageBy::Issue => query::by_issue(scope.conn, &filter, limit),
                UsageBy::Repo => Ok(query::first(by, parts.by_repo(), limit)),
                UsageBy::Model => Ok(query::first(by, parts.by_model(), limit)),
                UsageBy::Stage => Ok(query::first(by, parts.by_stage(), limit)),
                UsageBy::Day => {
                    let sums = query::by_day(scope.conn, &filter)?;
                    Ok(query::first(by, sums, limit))
                }
            };
            Ok(UsageReport {
                running,
                total: parts.total(),
                breakdowns: by
                    .into_iter()
                    .map(breakdown)
                    .collect::<Result<_, Fault>>()?,
            })
        })
        .await
    }

    /// The repositories that anything has ended in, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn used_repos(&self) -> Result<Vec<RepoName>, StoreError> {
        self.read(|scope| query::repos(scope.conn)).await
    }
}
