//! Sums over the table. SQLite adds up what has the same columns, which leaves few rows, in one
//! pass over an index that has all of them; the rest is added up here.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use coord_core::assignment::{AssignmentKind, AssignmentState};
use coord_core::fate::Fate;
use coord_core::ids::{IssueRef, RepoName};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use serde::de::DeserializeOwned;

use super::{Breakdown, Usage, UsageBy, UsageFilter, UsageKey};
use crate::error::{Fault, StoreError};
use crate::scope::from_sql;

/// What has the same fate, of the same key.
struct Part<K> {
    key: K,
    state: AssignmentState,
    fate: Fate,
    /// Whether its issue has merged work.
    solved: bool,
    assignments: u64,
    turns: u64,
    cost: u64,
}

/// The columns that most questions are about.
struct Subject {
    repo: RepoName,
    model: Option<String>,
    kind: AssignmentKind,
}

/// Whatever can be told of the same parts.
pub(crate) struct Parts(Vec<Part<Subject>>);

impl Parts {
    pub(crate) fn read(conn: &Connection, filter: &UsageFilter) -> Result<Self, Fault> {
        let read = |row: &Row<'_>| {
            Ok(Subject {
                kind: word(row.get("kind")?)?,
                repo: row.get::<_, String>("repo")?.into(),
                model: row.get("model")?,
            })
        };
        let parts = parts(conn, filter, "kind, repo, model", "TRUE", Vec::new(), read);
        parts.map(Self)
    }

    pub(crate) fn total(&self) -> Usage {
        let mut total = Usage::default();
        self.0.iter().for_each(|part| total.add(part));
        total
    }

    pub(crate) fn by_repo(&self) -> BTreeMap<UsageKey, Usage> {
        sums(&self.0, |part| UsageKey::Repo(part.key.repo.clone()))
    }

    pub(crate) fn by_model(&self) -> BTreeMap<UsageKey, Usage> {
        sums(&self.0, |part| UsageKey::Model(part.key.model.clone()))
    }

    pub(crate) fn by_stage(&self) -> BTreeMap<UsageKey, Usage> {
        sums(&self.0, |part| UsageKey::Stage(part.key.kind, part.fate))
    }
}

pub(crate) fn by_day(
    conn: &Connection,
    filter: &UsageFilter,
) -> Result<BTreeMap<UsageKey, Usage>, Fault> {
    let read = |row: &Row<'_>| Ok(row.get("day")?);
    let parts = parts(conn, filter, "day", "TRUE", Vec::new(), read)?;
    Ok(sums(&parts, |part| UsageKey::Day(part.key)))
}

/// There may be as many issues as assignments: only those that are wanted leave SQLite.
pub(crate) fn by_issue(
    conn: &Connection,
    filter: &UsageFilter,
    limit: u32,
) -> Result<Breakdown, Fault> {
    let (condition, values) = condition(filter);
    let groups = format!("FROM usage WHERE {condition} GROUP BY repo, issue");
    let mut count = conn.prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 {groups})"))?;
    let all = from_sql(count.query_row(params_from_iter(&values), |row| row.get(0))?);

    let top = format!(
        "(repo, issue) IN (SELECT repo, issue {groups} ORDER BY sum(cost) DESC, repo, issue LIMIT ?)"
    );
    let values = values.into_iter().chain([i64::from(limit).into()]);
    let read = |row: &Row<'_>| {
        Ok(IssueRef {
            repo: row.get::<_, String>("repo")?.into(),
            number: from_sql(row.get("issue")?),
        })
    };
    let parts = parts(conn, filter, "repo, issue", &top, values.collect(), read)?;
    let sums = sums(&parts, |part| UsageKey::Issue(part.key.clone()));
    let mut breakdown = first(UsageBy::Issue, sums, limit);
    breakdown.left_out = all.saturating_sub(breakdown.rows.len() as u64);
    Ok(breakdown)
}

/// The first `limit` rows in the order of [`UsageBy`].
pub(crate) fn first(by: UsageBy, sums: BTreeMap<UsageKey, Usage>, limit: u32) -> Breakdown {
    let mut rows: Vec<(UsageKey, Usage)> = sums.into_iter().collect();
    match by {
        UsageBy::Day => rows.reverse(),
        UsageBy::Issue | UsageBy::Repo | UsageBy::Model | UsageBy::Stage => {
            rows.sort_by_key(|(_, usage)| Reverse(usage.cost_micros));
        }
    }
    let all = rows.len();
    rows.truncate(limit as usize);
    let left_out = (all - rows.len()) as u64;
    Breakdown { by, rows, left_out }
}

/// The repositories of the table.
pub(crate) fn repos(conn: &Connection) -> Result<Vec<RepoName>, Fault> {
    let mut query = conn.prepare_cached("SELECT DISTINCT repo FROM usage ORDER BY repo")?;
    let names = query.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| Ok(RepoName::from(name?))).collect()
}

fn parts<K>(
    conn: &Connection,
    filter: &UsageFilter,
    keys: &str,
    more: &str,
    more_values: Vec<Value>,
    read: impl Fn(&Row<'_>) -> Result<K, Fault>,
) -> Result<Vec<Part<K>>, Fault> {
    let (condition, values) = condition(filter);
    let mut query = conn.prepare_cached(&format!(
        "SELECT {keys}, state, fate, solved, count(*) AS assignments, sum(turns) AS turns,
                sum(cost) AS cost
         FROM usage WHERE {condition} AND {more} GROUP BY {keys}, state, fate, solved"
    ))?;
    let mut rows = query.query(params_from_iter(values.into_iter().chain(more_values)))?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        parts.push(Part {
            key: read(row)?,
            state: word(row.get("state")?)?,
            fate: word(row.get("fate")?)?,
            solved: row.get("solved")?,
            assignments: from_sql(row.get("assignments")?),
            turns: from_sql(row.get("turns")?),
            cost: from_sql(row.get("cost")?),
        });
    }
    Ok(parts)
}

fn sums<K>(parts: &[Part<K>], key: impl Fn(&Part<K>) -> UsageKey) -> BTreeMap<UsageKey, Usage> {
    let mut sums: BTreeMap<UsageKey, Usage> = BTreeMap::new();
    for part in parts {
        sums.entry(key(part)).or_default().add(part);
    }
    sums
}

impl Usage {
    fn add<K>(&mut self, part: &Part<K>) {
        self.assignments += part.assignments;
        match part.state {
            AssignmentState::Done => self.done += part.assignments,
            AssignmentState::Failed => self.failed += part.assignments,
            AssignmentState::Cancelled => self.cancelled += part.assignments,
            AssignmentState::Lost => self.lost += part.assignments,
            // None of these is in the table.
            AssignmentState::Waiting | AssignmentState::Requested | AssignmentState::Running => {}
        }
        if part.fate == Fate::Merged {
            self.merged += part.assignments;
        }
        self.turns += part.turns;
        self.cost_micros += part.cost;
        if part.solved {
            self.solved_micros += part.cost;
        }
    }
}

fn condition(filter: &UsageFilter) -> (String, Vec<Value>) {
    let mut clauses = vec!["TRUE"];
    let mut values: Vec<Value> = Vec::new();
    if let Some(repo) = &filter.repo {
        clauses.push("repo = ?");
        values.push(repo.as_str().to_owned().into());
    }
    if let Some(since) = filter.since {
        clauses.push("ended_at >= ?");
        values.push(since.as_millis().into());
    }
    (clauses.join(" AND "), values)
}

/// One of the words of an enum of the core.
pub(super) fn word<T: DeserializeOwned>(text: String) -> Result<T, Fault> {
    serde_json::from_value(text.into()).map_err(|e| {
        Fault::Known(StoreError::Corrupt {
            what: "a row of the usage".to_owned(),
            reason: e.to_string(),
        })
    })
}
