//! The last known issues and comments of a repository whose forge is on the network. It is filled
//! by whoever asks the forge; nothing here is the truth, and everything can be asked for again.

use std::collections::BTreeMap;

use coord_core::ids::{RepoName, Timestamp};
use coord_core::issue::{Issue, IssueState};
use rusqlite::{Connection, OptionalExtension};

use crate::error::{Fault, StoreError};
use crate::family::{SubIssuePlace, Tables};
use crate::scope::{from_sql, to_sql};
use crate::store::Store;

const TABLES: Tables = Tables {
    issues: "mirror_issues",
    family: "mirror_sub_issues",
};

/// What a new list of the open issues changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Issues that were not known.
    pub added: u64,
    /// Known issues that are otherwise now, or open again.
    pub changed: u64,
    /// Issues that were open and are not in the list.
    pub closed: u64,
}

/// A comment as it was seen on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredComment {
    /// Unique on the forge.
    pub id: u64,
    /// The account that wrote it.
    pub author: String,
    /// Whether markers in it count.
    pub trusted: bool,
    /// Its text.
    pub body: String,
    /// When it was posted.
    pub at: Timestamp,
}

/// The last known issues and comments of one repository.
#[derive(Debug, Clone)]
pub struct Mirror {
    store: Store,
    repo: RepoName,
}

impl Mirror {
    /// That of `repo`.
    #[must_use]
    pub const fn new(store: Store, repo: RepoName) -> Self {
        Self { store, repo }
    }

    /// Takes over a whole list of the open issues. What was open here and is not in it becomes
    /// closed.
    ///
    /// # Errors
    /// See [`StoreError`]; the mirror is as before then.
    pub async fn replace_open(
        &self,
        issues: Vec<Issue>,
        now: Timestamp,
    ) -> Result<SyncReport, StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |view| {
                let report = replace_open(view.conn, &repo, issues, now)?;
                view.conn.execute(
                    "INSERT INTO mirror_repos (repo, synced_at) VALUES (?1, ?2)
                     ON CONFLICT (repo) DO UPDATE SET synced_at = excluded.synced_at",
                    (repo.as_str(), now.as_millis()),
                )?;
                Ok(report)
            })
            .await
    }

    /// Takes over one issue, open or closed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn put_issue(&self, issue: Issue, now: Timestamp) -> Result<(), StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |view| put_issue(view.conn, &repo, &issue, now))
            .await
    }

    /// The issues by number; `state` narrows them down.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn issues(&self, state: Option<IssueState>) -> Result<Vec<Issue>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| issues(view.conn, &repo, state))
            .await
    }

    /// The issue of that number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn issue(&self, number: u64) -> Result<Option<Issue>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| {
                let mut query = view.conn.prepare_cached(
                    "SELECT body FROM mirror_issues WHERE repo = ?1 AND number = ?2",
                )?;
                let body: Option<String> = query
                    .query_row((repo.as_str(), to_sql(number)), |row| row.get(0))
                    .optional()?;
                Ok(body.and_then(|body| read_issue(&body)))
            })
            .await
    }

    /// Whether the issue was open when it was seen last; `None`: it never was seen.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn state(&self, number: u64) -> Result<Option<IssueState>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.state(view.conn, &repo, number))
            .await
    }

    /// Where the issue stands below another one of this repository, as far as is known.
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

    /// Every sub-issue behind its parent, as far as is known: parents by number, the issues below each in their
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

    /// The known issues of which open ones are sub-issues, by number.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn parents_of_open(&self) -> Result<Vec<u64>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| TABLES.parents_of_open(view.conn, &repo))
            .await
    }

    /// Takes over all sub-issues of an issue, in their order. Issues that were below another one
    /// move.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_sub_issues(&self, parent: u64, children: Vec<u64>) -> Result<(), StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |view| set_sub_issues(view.conn, &repo, parent, &children))
            .await
    }

    /// Takes over comments, each with the number of its issue or pull request; what was known of
    /// them is replaced.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn put_comments(
        &self,
        comments: Vec<(u64, MirroredComment)>,
    ) -> Result<(), StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |view| {
                comments.iter().try_for_each(|(number, comment)| {
                    put_comment(view.conn, &repo, *number, comment)
                })
            })
            .await
    }

    /// The known comments on the issue or pull request, the earliest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn comments(&self, number: u64) -> Result<Vec<MirroredComment>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| {
                let mut query = view.conn.prepare_cached(
                    "SELECT id, author, trusted, body, at FROM mirror_comments
                     WHERE repo = ?1 AND number = ?2 ORDER BY id",
                )?;
                let rows = query.query_map((repo.as_str(), to_sql(number)), |row| {
                    Ok(MirroredComment {
                        id: from_sql(row.get(0)?),
                        author: row.get(1)?,
                        trusted: row.get(2)?,
                        body: row.get(3)?,
                        at: Timestamp::from_millis(row.get(4)?),
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The instant from which comments have to be asked for; `None`: all of them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn comments_cursor(&self) -> Result<Option<Timestamp>, StoreError> {
        self.instant("SELECT comments_cursor FROM mirror_repos WHERE repo = ?1")
            .await
    }

    /// Says that every comment which changed before `cursor` is here.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_comments_cursor(&self, cursor: Timestamp) -> Result<(), StoreError> {
        let repo = self.repo.clone();
        self.store
            .write(move |view| {
                view.conn.execute(
                    "INSERT INTO mirror_repos (repo, comments_cursor) VALUES (?1, ?2)
                     ON CONFLICT (repo) DO UPDATE SET comments_cursor = excluded.comments_cursor",
                    (repo.as_str(), cursor.as_millis()),
                )?;
                Ok(())
            })
            .await
    }

    /// When [`Mirror::replace_open`] was called last; `None`: never.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn synced_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.instant("SELECT synced_at FROM mirror_repos WHERE repo = ?1")
            .await
    }

    async fn instant(&self, sql: &'static str) -> Result<Option<Timestamp>, StoreError> {
        let repo = self.repo.clone();
        self.store
            .read(move |view| {
                let millis: Option<Option<i64>> = view
                    .conn
                    .query_row(sql, [repo.as_str()], |row| row.get(0))
                    .optional()?;
                Ok(millis.flatten().map(Timestamp::from_millis))
            })
            .await
    }
}

fn replace_open(
    conn: &Connection,
    repo: &RepoName,
    list: Vec<Issue>,
    now: Timestamp,
) -> Result<SyncReport, Fault> {
    let mut known: BTreeMap<u64, Issue> = issues(conn, repo, None)?
        .into_iter()
        .map(|issue| (issue.number, issue))
        .collect();
    // Lists that come in pages name an issue twice when it moves to the next page meanwhile.
    let list: BTreeMap<u64, Issue> = list.into_iter().map(|it| (it.number, it)).collect();
    let mut report = SyncReport::default();
    for issue in list.into_values() {
        match known.remove(&issue.number) {
            Some(same) if same == issue => continue,
            Some(_) => report.changed += 1,
            None => report.added += 1,
        }
        put_issue(conn, repo, &issue, now)?;
    }
    for mut gone in known.into_values() {
        if gone.state == IssueState::Open {
            gone.state = IssueState::Closed;
            put_issue(conn, repo, &gone, now)?;
            report.closed += 1;
        }
    }
    Ok(report)
}

fn issues(
    conn: &Connection,
    repo: &RepoName,
    state: Option<IssueState>,
) -> Result<Vec<Issue>, Fault> {
    let open = state.map(|state| state == IssueState::Open);
    let mut query = conn.prepare_cached(
        "SELECT body FROM mirror_issues
         WHERE repo = ?1 AND (?2 IS NULL OR open = ?2) ORDER BY number",
    )?;
    let bodies = query.query_map((repo.as_str(), open), |row| row.get::<_, String>(0))?;
    let mut issues = Vec::new();
    for body in bodies {
        issues.extend(read_issue(&body?));
    }
    Ok(issues)
}

/// The forge is the truth: what another version left here costs a request and nothing else.
fn read_issue(body: &str) -> Option<Issue> {
    serde_json::from_str(body)
        .inspect_err(|e| tracing::warn!("an issue in the mirror cannot be read: {e}"))
        .ok()
}

fn put_issue(
    conn: &Connection,
    repo: &RepoName,
    issue: &Issue,
    now: Timestamp,
) -> Result<(), Fault> {
    let body = serde_json::to_string(issue).map_err(|e| StoreError::Unstorable {
        what: format!("issue {repo}#{}", issue.number),
        reason: e.to_string(),
    })?;
    let mut put = conn.prepare_cached(
        "INSERT OR REPLACE INTO mirror_issues (repo, number, open, body, at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    put.execute((
        repo.as_str(),
        to_sql(issue.number),
        issue.state == IssueState::Open,
        body,
        now.as_millis(),
    ))?;
    Ok(())
}

fn set_sub_issues(
    conn: &Connection,
    repo: &RepoName,
    parent: u64,
    children: &[u64],
) -> Result<(), Fault> {
    let mut forget =
        conn.prepare_cached("DELETE FROM mirror_sub_issues WHERE repo = ?1 AND parent = ?2")?;
    forget.execute((repo.as_str(), to_sql(parent)))?;
    let mut put = conn.prepare_cached(
        "INSERT OR REPLACE INTO mirror_sub_issues (repo, number, parent, position)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, child) in (0u64..).zip(children) {
        put.execute((
            repo.as_str(),
            to_sql(*child),
            to_sql(parent),
            to_sql(position),
        ))?;
    }
    Ok(())
}

fn put_comment(
    conn: &Connection,
    repo: &RepoName,
    number: u64,
    comment: &MirroredComment,
) -> Result<(), Fault> {
    let mut put = conn.prepare_cached(
        "INSERT OR REPLACE INTO mirror_comments (repo, id, number, author, trusted, body, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    put.execute((
        repo.as_str(),
        to_sql(comment.id),
        to_sql(number),
        &comment.author,
        comment.trusted,
        &comment.body,
        comment.at.as_millis(),
    ))?;
    Ok(())
}
