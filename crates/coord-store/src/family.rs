//! Which issues are below which, in what order: the same questions to the tables of the local
//! forge and to those of the mirror.

use coord_core::ids::RepoName;
use coord_core::issue::IssueState;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Fault;
use crate::scope::{from_sql, to_sql};

/// Where an issue stands below another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubIssuePlace {
    /// The number of the issue that it is a sub-issue of.
    pub parent: u64,
    /// How many come before it, open and closed.
    pub position: u64,
}

/// Where a kind of forge has its issues.
pub(crate) struct Tables {
    /// With `repo`, `number` and `open`.
    pub(crate) issues: &'static str,
    /// With `repo`, `number`, `parent` and `position`.
    pub(crate) family: &'static str,
}

/// A number in a repository.
type Key<'a> = (&'a str, i64);

impl Tables {
    /// Whether the issue is open; `None` where there is none, or none is known.
    pub(crate) fn state(
        &self,
        conn: &Connection,
        repo: &RepoName,
        number: u64,
    ) -> Result<Option<IssueState>, Fault> {
        let mut query = conn.prepare_cached(&format!(
            "SELECT open FROM {} WHERE repo = ?1 AND number = ?2",
            self.issues
        ))?;
        let open = query.query_row(key(repo, number), |row| row.get::<_, bool>(0));
        let state = |open| match open {
            true => IssueState::Open,
            false => IssueState::Closed,
        };
        Ok(open.optional()?.map(state))
    }

    /// Where the issue stands; `None` where it is nobody's sub-issue.
    pub(crate) fn place(
        &self,
        conn: &Connection,
        repo: &RepoName,
        number: u64,
    ) -> Result<Option<SubIssuePlace>, Fault> {
        let mut query = conn.prepare_cached(&format!(
            "SELECT own.parent, (
                SELECT count(*) FROM {family} other
                WHERE other.repo = own.repo AND other.parent = own.parent
                  AND other.position < own.position)
             FROM {family} own WHERE own.repo = ?1 AND own.number = ?2",
            family = self.family
        ))?;
        let place = query.query_row(key(repo, number), |row| {
            Ok(SubIssuePlace {
                parent: from_sql(row.get(0)?),
                position: from_sql(row.get(1)?),
            })
        });
        Ok(place.optional()?)
    }

    /// The sub-issues of the issue, open and closed, in their order.
    pub(crate) fn children(
        &self,
        conn: &Connection,
        repo: &RepoName,
        parent: u64,
    ) -> Result<Vec<u64>, Fault> {
        let mut query = conn.prepare_cached(&format!(
            "SELECT number FROM {} WHERE repo = ?1 AND parent = ?2 ORDER BY position",
            self.family
        ))?;
        let rows = query.query_map(key(repo, parent), |row| row.get(0).map(from_sql))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The open issues that come before this one below their parent, in their order.
    pub(crate) fn siblings_before(
        &self,
        conn: &Connection,
        repo: &RepoName,
        number: u64,
    ) -> Result<Vec<u64>, Fault> {
        let mut query = conn.prepare_cached(&format!(
            "SELECT other.number FROM {family} own
             JOIN {family} other ON other.repo = own.repo AND other.parent = own.parent
                 AND other.position < own.position
             JOIN {issues} issue ON issue.repo = other.repo AND issue.number = other.number
             WHERE own.repo = ?1 AND own.number = ?2 AND issue.open
             ORDER BY other.position",
            family = self.family,
            issues = self.issues
        ))?;
        let rows = query.query_map(key(repo, number), |row| row.get(0).map(from_sql))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every sub-issue behind its parent: parents by number, the issues below each in their order.
    pub(crate) fn all(&self, conn: &Connection, repo: &RepoName) -> Result<Vec<(u64, u64)>, Fault> {
        let mut query = conn.prepare_cached(&format!(
            "SELECT parent, number FROM {} WHERE repo = ?1 ORDER BY parent, position",
            self.family
        ))?;
        let row = |row: &Row<'_>| Ok((from_sql(row.get(0)?), from_sql(row.get(1)?)));
        let rows = query.query_map([repo.as_str()], row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The issues of which open ones are sub-issues, by number.
    pub(crate) fn parents_of_open(
        &self,
        conn: &Connection,
        repo: &RepoName,
    ) -> Result<Vec<u64>, Fault> {
        let mut query = conn.prepare_cached(&format!(
            "SELECT DISTINCT own.parent FROM {} own
             JOIN {} issue ON issue.repo = own.repo AND issue.number = own.number
             WHERE own.repo = ?1 AND issue.open ORDER BY own.parent",
            self.family, self.issues
        ))?;
        let rows = query.query_map([repo.as_str()], |row| row.get(0).map(from_sql))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn key(repo: &RepoName, number: u64) -> Key<'_> {
    (repo.as_str(), to_sql(number))
}
