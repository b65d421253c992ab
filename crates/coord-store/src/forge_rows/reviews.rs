//! The reviews of the local forge.

use coord_core::ids::{CommitId, Timestamp};
use rusqlite::Row;
use serde::{Deserialize, Serialize};

use super::ForgeRows;
use crate::error::{Fault, StoreError};
use crate::scope::{from_sql, to_sql};

/// What a review comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictRow {
    /// It may be merged.
    Approve,
    /// It may not be merged as it is.
    RequestChanges,
    /// Neither.
    Comment,
}

/// A remark on one line, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCommentRow {
    /// Relative to the root of the repository.
    pub path: String,
    /// The line of the new file, from 1.
    pub line: u32,
    /// Markdown.
    pub body: String,
}

/// A review as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRow {
    /// Unique in the store.
    pub id: u64,
    /// When it was posted.
    pub at: Timestamp,
    /// What was posted.
    pub review: NewReviewRow,
}

/// A review to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReviewRow {
    /// Who writes it.
    pub author: String,
    /// What it comes to.
    pub verdict: VerdictRow,
    /// The commit that was reviewed.
    pub head: CommitId,
    /// Markdown.
    pub body: String,
    /// Remarks on lines.
    pub comments: Vec<LineCommentRow>,
}

impl ForgeRows {
    /// The reviews of the pull request, the earliest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn reviews(&self, pull: u64) -> Result<Vec<ReviewRow>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |scope| {
                let mut query = scope.conn.prepare_cached(
                    "SELECT id, author, verdict, head, body, comments, at FROM forge_reviews
                     WHERE repo = ?1 AND number = ?2 ORDER BY id",
                )?;
                let rows = query.query_and_then((repo.as_str(), to_sql(pull)), read)?;
                rows.collect()
            })
            .await
    }

    /// Posts a review of a pull request that is there.
    ///
    /// # Errors
    /// See [`StoreError`]; also when there is no such pull request.
    pub async fn create_review(
        &self,
        pull: u64,
        review: NewReviewRow,
        now: Timestamp,
    ) -> Result<ReviewRow, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                scope.conn.execute(
                    "INSERT INTO forge_reviews
                     (repo, number, author, verdict, head, body, comments, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    (
                        repo.as_str(),
                        to_sql(pull),
                        &review.author,
                        json(&review.verdict)?,
                        review.head.as_str(),
                        &review.body,
                        json(&review.comments)?,
                        now.as_millis(),
                    ),
                )?;
                Ok(ReviewRow {
                    id: from_sql(scope.conn.last_insert_rowid()),
                    at: now,
                    review,
                })
            })
            .await
    }
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unstorable {
        what: "a review".to_owned(),
        reason: e.to_string(),
    })
}

fn read(row: &Row<'_>) -> Result<ReviewRow, Fault> {
    let id = from_sql(row.get(0)?);
    let corrupt = |e: serde_json::Error| StoreError::Corrupt {
        what: format!("review {id}"),
        reason: e.to_string(),
    };
    let (verdict, head, comments): (String, String, String) =
        (row.get(2)?, row.get(3)?, row.get(5)?);
    Ok(ReviewRow {
        id,
        at: Timestamp::from_millis(row.get(6)?),
        review: NewReviewRow {
            author: row.get(1)?,
            verdict: serde_json::from_str(&verdict).map_err(corrupt)?,
            head: head.into(),
            body: row.get(4)?,
            comments: serde_json::from_str(&comments).map_err(corrupt)?,
        },
    })
}
