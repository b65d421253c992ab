//! The comments of the local forge, on issues and pull requests alike.

use coord_core::ids::{RepoName, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{ForgeRows, exists};
use crate::error::{Fault, StoreError};
use crate::scope::{from_sql, to_sql};

/// A comment as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentRow {
    /// Unique in the store.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// Its text.
    pub body: String,
    /// When.
    pub at: Timestamp,
}

/// A comment to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommentRow {
    /// Who writes it.
    pub author: String,
    /// Its text.
    pub body: String,
}

const COMMENT: &str = "SELECT id, author, body, at, number FROM forge_comments";

impl ForgeRows {
    /// The comments on the issue or pull request, the earliest first; with `since` only those that
    /// were posted or edited at that instant or later. `None`: there is none of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn comments(
        &self,
        number: u64,
        since: Option<Timestamp>,
    ) -> Result<Option<Vec<CommentRow>>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |scope| {
                if !exists(scope.conn, &repo, number)? {
                    return Ok(None);
                }
                let mut query = scope.conn.prepare_cached(&format!(
                    "{COMMENT} WHERE repo = ?1 AND number = ?2
                     AND (?3 IS NULL OR coalesce(edited_at, at) >= ?3) ORDER BY id"
                ))?;
                let since = since.map(Timestamp::as_millis);
                let rows = query.query_map((repo.as_str(), to_sql(number), since), read)?;
                Ok(Some(rows.collect::<Result<_, _>>()?))
            })
            .await
    }

    /// Comments of the whole repository, each with the number of its issue or pull request: those
    /// that were posted or edited at `since` or later, the latest change first, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn recent_comments(
        &self,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<(u64, CommentRow)>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |scope| {
                let mut query = scope.conn.prepare_cached(&format!(
                    "{COMMENT} WHERE repo = ?1 AND coalesce(edited_at, at) >= ?2
                     ORDER BY coalesce(edited_at, at) DESC, id DESC LIMIT ?3"
                ))?;
                let since = since.map_or(i64::MIN, Timestamp::as_millis);
                let rows = query.query_map((repo.as_str(), since, limit), read_with_number)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The comment of that id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn comment(&self, id: u64) -> Result<Option<CommentRow>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |scope| {
                let mut query = scope
                    .conn
                    .prepare_cached(&format!("{COMMENT} WHERE repo = ?1 AND id = ?2"))?;
                let row = query.query_row((repo.as_str(), to_sql(id)), read);
                Ok(row.optional()?)
            })
            .await
    }

    /// Replaces the text of the comment of that id. `false`: there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn edit_comment(
        &self,
        id: u64,
        body: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                let changed = scope.conn.execute(
                    "UPDATE forge_comments SET body = ?3, edited_at = ?4
                     WHERE repo = ?1 AND id = ?2",
                    (repo.as_str(), to_sql(id), body, now.as_millis()),
                )?;
                Ok(changed > 0)
            })
            .await
    }

    /// Posts a comment; `None`: there is no issue and no pull request of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_comment(
        &self,
        number: u64,
        new: NewCommentRow,
        now: Timestamp,
    ) -> Result<Option<CommentRow>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                if !exists(scope.conn, &repo, number)? {
                    return Ok(None);
                }
                insert(scope.conn, &repo, number, new, now).map(Some)
            })
            .await
    }
}

/// A comment from the columns of [`COMMENT`].
fn read(row: &Row<'_>) -> rusqlite::Result<CommentRow> {
    Ok(CommentRow {
        id: from_sql(row.get(0)?),
        author: row.get(1)?,
        body: row.get(2)?,
        at: Timestamp::from_millis(row.get(3)?),
    })
}

fn read_with_number(row: &Row<'_>) -> rusqlite::Result<(u64, CommentRow)> {
    Ok((from_sql(row.get(4)?), read(row)?))
}

pub(super) fn insert(
    conn: &Connection,
    repo: &RepoName,
    number: u64,
    new: NewCommentRow,
    now: Timestamp,
) -> Result<CommentRow, Fault> {
    conn.execute(
        "INSERT INTO forge_comments (repo, number, author, body, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        (
            repo.as_str(),
            to_sql(number),
            &new.author,
            &new.body,
            now.as_millis(),
        ),
    )?;
    Ok(CommentRow {
        id: from_sql(conn.last_insert_rowid()),
        author: new.author,
        body: new.body,
        at: now,
    })
}
