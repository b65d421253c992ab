//! Issues below issues.

use coord_core::ids::RepoName;
use coord_core::issue::IssueState;
use rusqlite::{Connection, OptionalExtension};

use super::{ForgeRows, issue};
use crate::error::{Fault, StoreError};
use crate::family::{SubIssuePlace, Tables};
use crate::scope::{from_sql, to_sql};

const TABLES: Tables = Tables {
    issues: "forge_issues",
    family: "forge_sub_issues",
};

/// What came of [`ForgeRows::add_sub_issue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubIssueRow {
    /// It is one, by this call or an earlier one.
    Linked,
    /// It is one of this other issue.
    Of(u64),
    /// The one that was to be its parent is the same issue, or below it.
    Circle,
    /// There is no issue of this number.
    Missing(u64),
}

impl ForgeRows {
    /// Whether the issue is open; `None`: there is none of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn state(&self, number: u64) -> Result<Option<IssueState>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.state(view.conn, &repo, number))
            .await
    }

    /// Where the issue stands below another one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn place(&self, number: u64) -> Result<Option<SubIssuePlace>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.place(view.conn, &repo, number))
            .await
    }

    /// The open issues that come before this one below their parent, in their order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn siblings_before(&self, number: u64) -> Result<Vec<u64>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.siblings_before(view.conn, &repo, number))
            .await
    }

    /// Every sub-issue behind its parent: parents by number, the issues below each in their
    /// order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn families(&self) -> Result<Vec<(u64, u64)>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.all(view.conn, &repo))
            .await
    }

    /// The issues of which open ones are sub-issues, by number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn parents_of_open(&self) -> Result<Vec<u64>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.parents_of_open(view.conn, &repo))
            .await
    }

    /// The sub-issues of the issue, open and closed, in their order; `None`: there is no issue of
    /// that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn sub_issues(&self, parent: u64) -> Result<Option<Vec<u64>>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| {
                if TABLES.state(view.conn, &repo, parent)?.is_none() {
                    return Ok(None);
                }
                TABLES.children(view.conn, &repo, parent).map(Some)
            })
            .await
    }

    /// Makes the issue the last sub-issue of another one, unless it is one already.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn add_sub_issue(&self, parent: u64, child: u64) -> Result<SubIssueRow, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |view| add(view.conn, &repo, parent, child))
            .await
    }
}

fn add(conn: &Connection, repo: &RepoName, parent: u64, child: u64) -> Result<SubIssueRow, Fault> {
    for number in [parent, child] {
        if issue(conn, repo, number)?.is_none() {
            return Ok(SubIssueRow::Missing(number));
        }
    }
    if let Some(place) = TABLES.place(conn, repo, child)? {
        return Ok(if place.parent == parent {
            SubIssueRow::Linked
        } else {
            SubIssueRow::Of(place.parent)
        });
    }
    if is_below(conn, repo, parent, child)? {
        return Ok(SubIssueRow::Circle);
    }
    conn.execute(
        "INSERT INTO forge_sub_issues (repo, number, parent, position)
         SELECT ?1, ?2, ?3, coalesce(max(position) + 1, 0) FROM forge_sub_issues
         WHERE repo = ?1 AND parent = ?3",
        (repo.as_str(), to_sql(child), to_sql(parent)),
    )?;
    Ok(SubIssueRow::Linked)
}

/// Whether the issue is `above` or stands below it. There are no circles to run in.
fn is_below(conn: &Connection, repo: &RepoName, number: u64, above: u64) -> Result<bool, Fault> {
    let mut query =
        conn.prepare_cached("SELECT parent FROM forge_sub_issues WHERE repo = ?1 AND number = ?2")?;
    let mut next = Some(number);
    while let Some(number) = next {
        if number == above {
            return Ok(true);
        }
        let parent = query.query_row((repo.as_str(), to_sql(number)), |row| row.get(0));
        next = parent.optional()?.map(from_sql);
    }
    Ok(false)
}
