//! Questions to the event log: what happened, by repository, issue, assignment, time and kind.

use coord_core::Recorded;
use coord_core::ids::{AssignmentId, RepoName, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::error::Fault;
use crate::log;
use crate::scope::to_sql;

/// Which events; the default asks for all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Only those about this repository.
    pub repo: Option<RepoName>,
    /// Only those about the issue of this number.
    pub issue: Option<u64>,
    /// Only those about this assignment.
    pub assignment: Option<AssignmentId>,
    /// Only those recorded at this instant or later.
    pub since: Option<Timestamp>,
    /// Only those recorded before this instant.
    pub until: Option<Timestamp>,
    /// Only those of these kinds, e.g. `assignment_requested`; empty means every kind.
    pub kinds: Vec<String>,
    /// Only those after this place in the log. The first `limit` of them are answered, while
    /// without it the last `limit` are.
    pub after_seq: Option<u64>,
    /// How many at most.
    pub limit: Option<u32>,
}

pub(crate) fn list(conn: &Connection, filter: &HistoryFilter) -> Result<Vec<Recorded>, Fault> {
    let (clauses, mut values) = conditions(filter);
    let order = if filter.after_seq.is_some() {
        "ASC"
    } else {
        "DESC"
    };
    values.push(filter.limit.map_or(-1, i64::from).into());
    let mut query = conn.prepare(&format!(
        "SELECT seq, at, version, body FROM events WHERE {clauses} ORDER BY seq {order} LIMIT ?"
    ))?;
    let mut rows = query.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(log::read(row)?);
    }
    found.sort_by_key(|recorded| recorded.seq);
    Ok(found)
}

fn conditions(filter: &HistoryFilter) -> (String, Vec<Value>) {
    let mut clauses = vec!["TRUE"];
    let mut values: Vec<Value> = Vec::new();
    let mut narrow = |clause, value: Option<Value>| {
        if let Some(value) = value {
            clauses.push(clause);
            values.push(value);
        }
    };
    let text = |text: &str| Value::from(text.to_owned());
    let kinds = (!filter.kinds.is_empty()).then(|| serde_json::json!(filter.kinds).to_string());
    narrow("repo = ?", filter.repo.as_ref().map(|r| text(r.as_str())));
    narrow("issue = ?", filter.issue.map(|n| to_sql(n).into()));
    narrow(
        "assignment = ?",
        filter.assignment.as_ref().map(|id| text(id.as_str())),
    );
    narrow("at >= ?", filter.since.map(|at| at.as_millis().into()));
    narrow("at < ?", filter.until.map(|at| at.as_millis().into()));
    narrow(
        "kind IN (SELECT value FROM json_each(?))",
        kinds.map(Value::from),
    );
    narrow("seq > ?", filter.after_seq.map(|seq| to_sql(seq).into()));
    (clauses.join(" AND "), values)
}
