//! The tables of the local forge: issues, comments, pull requests and reviews. What the rows mean for git
//! is the local forge's business.

mod comments;
mod reviews;
mod sub_issues;

use coord_core::ids::{CommitId, RepoName, Timestamp};
use coord_core::issue::{Issue, IssueState};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Fault, StoreError};
use crate::scope::{from_sql, to_sql};
use crate::store::Store;

use comments::insert as insert_comment;
pub use comments::{CommentRow, NewCommentRow};
pub use reviews::{LineCommentRow, NewReviewRow, ReviewRow, VerdictRow};
pub use sub_issues::SubIssueRow;

/// A pull request as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRow {
    /// Its number, from the same sequence as the issues of the repository.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// The branch that it asks to merge.
    pub branch: String,
    /// The branch that it is to be merged into.
    pub base: String,
    /// Set once it is merged; it is open until then.
    pub merged: Option<MergedRow>,
}

/// How a pull request got into its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedRow {
    /// The tip of the branch that was merged.
    pub head: CommitId,
    /// The commit on the base that holds it.
    pub commit: CommitId,
    /// The tip of the base just before, where that was seen.
    pub onto: Option<CommitId>,
}

/// An issue to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIssueRow {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Label names.
    pub labels: Vec<String>,
    /// Who opens it.
    pub author: String,
    /// Under which it is opened once.
    pub key: Option<String>,
}

/// A pull request to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRow {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// The branch to merge.
    pub branch: String,
    /// The branch to merge it into.
    pub base: String,
}

/// The issues, comments, pull requests and reviews of one repository.
#[derive(Debug, Clone)]
pub struct ForgeRows {
    store: Store,
    repo: RepoName,
}

const ISSUE: &str = "SELECT number, title, body, labels, author, open FROM forge_issues";
const PULL: &str = "SELECT number, title, body, branch, base, merged_head, merged_commit, merged_onto FROM forge_pulls";

impl ForgeRows {
    /// Those of the repository `repo`; its first issue or pull request gets the number 1.
    #[must_use]
    pub const fn new(store: Store, repo: RepoName) -> Self {
        Self { store, repo }
    }

    /// The issues by number; `state` narrows them down.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn issues(&self, state: Option<IssueState>) -> Result<Vec<Issue>, StoreError> {
        let repo = self.repo.clone();
        let open = state.map(|state| state == IssueState::Open);
        self.store
            .read(move |scope| {
                let mut query = scope.conn.prepare_cached(&format!(
                    "{ISSUE} WHERE repo = ?1 AND (?2 IS NULL OR open = ?2) ORDER BY number"
                ))?;
                let rows = query.query_and_then((repo.as_str(), open), read_issue)?;
                rows.collect()
            })
            .await
    }

    /// The issue of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn issue(&self, number: u64) -> Result<Option<Issue>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |scope| issue(scope.conn, &repo, number))
            .await
    }

    /// Opens an issue, or finds the one that was opened under its key.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn create_issue(
        &self,
        new: NewIssueRow,
        now: Timestamp,
    ) -> Result<Issue, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                if let Some(key) = &new.key
                    && let Some(opened) = opened_under(scope.conn, &repo, key)?
                {
                    return Ok(opened);
                }
                let number = next_number(scope.conn, &repo)?;
                scope.conn.execute(
                    "INSERT INTO forge_issues
                     (repo, number, title, body, labels, author, open, at, key)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, TRUE, ?7, ?8)",
                    (
                        repo.as_str(),
                        to_sql(number),
                        &new.title,
                        &new.body,
                        serde_json::json!(new.labels).to_string(),
                        &new.author,
                        now.as_millis(),
                        &new.key,
                    ),
                )?;
                Ok(Issue {
                    number,
                    title: new.title,
                    body: new.body,
                    labels: new.labels,
                    state: IssueState::Open,
                    author: new.author,
                    trusted: true,
                    milestone: None,
                    assignees: Vec::new(),
                })
            })
            .await
    }

    /// Replaces the body `from` of the issue. `false`: it is another one now, or there is no such
    /// issue.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_body(
        &self,
        number: u64,
        from: String,
        to: String,
    ) -> Result<bool, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                let changed = scope.conn.execute(
                    "UPDATE forge_issues SET body = ?4
                     WHERE repo = ?1 AND number = ?2 AND body = ?3",
                    (repo.as_str(), to_sql(number), from, to),
                )?;
                Ok(changed > 0)
            })
            .await
    }

    /// Takes the labels `remove` away from the issue and gives it those of `add` that it has not.
    /// `false`: there is none of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_labels(
        &self,
        number: u64,
        add: Vec<String>,
        remove: Vec<String>,
    ) -> Result<bool, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                let Some(found) = issue(scope.conn, &repo, number)? else {
                    return Ok(false);
                };
                let mut labels = found.labels;
                labels.retain(|label| !remove.contains(label));
                for label in add {
                    if !labels.contains(&label) {
                        labels.push(label);
                    }
                }
                scope.conn.execute(
                    "UPDATE forge_issues SET labels = ?3 WHERE repo = ?1 AND number = ?2",
                    (
                        repo.as_str(),
                        to_sql(number),
                        serde_json::json!(labels).to_string(),
                    ),
                )?;
                Ok(true)
            })
            .await
    }

    /// Closes the issue, and comments on it if it was open. `false`: there is none of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn close_issue(
        &self,
        number: u64,
        note: Option<NewCommentRow>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                let Some(found) = issue(scope.conn, &repo, number)? else {
                    return Ok(false);
                };
                if found.state == IssueState::Closed {
                    return Ok(true);
                }
                if let Some(note) = note {
                    insert_comment(scope.conn, &repo, number, note, now)?;
                }
                scope.conn.execute(
                    "UPDATE forge_issues SET open = FALSE WHERE repo = ?1 AND number = ?2",
                    (repo.as_str(), to_sql(number)),
                )?;
                Ok(true)
            })
            .await
    }

    /// The pull request of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn pull(&self, number: u64) -> Result<Option<PullRow>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |scope| {
                let mut query = scope
                    .conn
                    .prepare_cached(&format!("{PULL} WHERE repo = ?1 AND number = ?2"))?;
                let row = query
                    .query_row((repo.as_str(), to_sql(number)), read_pull)
                    .optional()?;
                Ok(row)
            })
            .await
    }

    /// The open pull request of the branch, else its latest one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn pull_for_branch(&self, branch: &str) -> Result<Option<PullRow>, StoreError> {
        let (repo, branch) = (self.repo.clone(), branch.to_owned());
        self.store
            .read(move |scope| {
                let mut query = scope.conn.prepare_cached(&format!(
                    "{PULL} WHERE repo = ?1 AND branch = ?2
                     ORDER BY merged_commit IS NULL DESC, number DESC LIMIT 1"
                ))?;
                let row = query
                    .query_row((repo.as_str(), &branch), read_pull)
                    .optional()?;
                Ok(row)
            })
            .await
    }

    /// Opens a pull request, or finds the open one of the same branch and base.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open_pull(&self, new: NewPullRow, now: Timestamp) -> Result<PullRow, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                if let Some(open) = open_pull(scope.conn, &repo, &new.branch, &new.base)? {
                    return Ok(open);
                }
                let number = next_number(scope.conn, &repo)?;
                scope.conn.execute(
                    "INSERT INTO forge_pulls (repo, number, title, body, branch, base, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    (
                        repo.as_str(),
                        to_sql(number),
                        &new.title,
                        &new.body,
                        &new.branch,
                        &new.base,
                        now.as_millis(),
                    ),
                )?;
                Ok(PullRow {
                    number,
                    title: new.title,
                    body: new.body,
                    branch: new.branch,
                    base: new.base,
                    merged: None,
                })
            })
            .await
    }

    /// Writes down that the pull request is merged. What was written first stays.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_merged(&self, number: u64, merged: MergedRow) -> Result<(), StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |scope| {
                scope.conn.execute(
                    "UPDATE forge_pulls
                     SET merged_head = ?3, merged_commit = ?4, merged_onto = ?5
                     WHERE repo = ?1 AND number = ?2 AND merged_commit IS NULL",
                    (
                        repo.as_str(),
                        to_sql(number),
                        merged.head.as_str(),
                        merged.commit.as_str(),
                        merged.onto.as_ref().map(CommitId::as_str),
                    ),
                )?;
                Ok(())
            })
            .await
    }
}

fn exists(conn: &Connection, repo: &RepoName, number: u64) -> Result<bool, Fault> {
    let mut query = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM forge_numbers WHERE repo = ?1 AND number = ?2)",
    )?;
    Ok(query.query_row((repo.as_str(), to_sql(number)), |row| row.get(0))?)
}

fn next_number(conn: &Connection, repo: &RepoName) -> Result<u64, Fault> {
    let number: i64 = conn.query_row(
        "INSERT INTO forge_numbers (repo, number)
         SELECT ?1, coalesce(max(number), 0) + 1 FROM forge_numbers WHERE repo = ?1
         RETURNING number",
        [repo.as_str()],
        |row| row.get(0),
    )?;
    Ok(from_sql(number))
}

fn issue(conn: &Connection, repo: &RepoName, number: u64) -> Result<Option<Issue>, Fault> {
    let mut query = conn.prepare_cached(&format!("{ISSUE} WHERE repo = ?1 AND number = ?2"))?;
    let mut rows = query.query((repo.as_str(), to_sql(number)))?;
    rows.next()?.map(read_issue).transpose()
}

fn opened_under(conn: &Connection, repo: &RepoName, key: &str) -> Result<Option<Issue>, Fault> {
    let mut query = conn.prepare_cached(&format!("{ISSUE} WHERE repo = ?1 AND key = ?2"))?;
    let mut rows = query.query((repo.as_str(), key))?;
    rows.next()?.map(read_issue).transpose()
}

fn read_issue(row: &Row<'_>) -> Result<Issue, Fault> {
    let number = from_sql(row.get(0)?);
    let labels: String = row.get(3)?;
    let open: bool = row.get(5)?;
    Ok(Issue {
        number,
        title: row.get(1)?,
        body: row.get(2)?,
        labels: serde_json::from_str(&labels).map_err(|e| StoreError::Corrupt {
            what: format!("the labels of issue {number}"),
            reason: e.to_string(),
        })?,
        state: if open {
            IssueState::Open
        } else {
            IssueState::Closed
        },
        author: row.get(4)?,
        trusted: true,
        milestone: None,
        assignees: Vec::new(),
    })
}

fn open_pull(
    conn: &Connection,
    repo: &RepoName,
    branch: &str,
    base: &str,
) -> Result<Option<PullRow>, Fault> {
    let mut query = conn.prepare_cached(&format!(
        "{PULL} WHERE repo = ?1 AND branch = ?2 AND base = ?3 AND merged_commit IS NULL"
    ))?;
    let row = query
        .query_row((repo.as_str(), branch, base), read_pull)
        .optional()?;
    Ok(row)
}

fn read_pull(row: &Row<'_>) -> rusqlite::Result<PullRow> {
    let head: Option<String> = row.get(5)?;
    let commit: Option<String> = row.get(6)?;
    let onto: Option<String> = row.get(7)?;
    Ok(PullRow {
        number: from_sql(row.get(0)?),
        title: row.get(1)?,
        body: row.get(2)?,
        branch: row.get(3)?,
        base: row.get(4)?,
        merged: head.zip(commit).map(|(head, commit)| MergedRow {
            head: head.into(),
            commit: commit.into(),
            onto: onto.map(CommitId::from),
        }),
    })
}
