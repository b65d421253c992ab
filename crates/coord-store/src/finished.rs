//! The read model of assignments that have left the board.

use coord_core::assignment::Assignment;
use coord_core::ids::{AssignmentId, RepoName, Timestamp};
use coord_core::{Board, BoardEvent, Recorded};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use crate::connection::{meta, set_meta};
use crate::error::{Fault, StoreError};
use crate::log;
use crate::scope::to_sql;

/// The version of the table; where the database has another one it is filled again from the log.
pub(crate) const VERSION: u32 = 1;

/// Which finished assignments; the default asks for all of them, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FinishedFilter {
    /// Only those of this repository.
    pub repo: Option<RepoName>,
    /// Only those for the issue of this number.
    pub issue: Option<u64>,
    /// Only those archived at this instant or later.
    pub since: Option<Timestamp>,
    /// How many at most.
    pub limit: Option<u32>,
}

/// Takes over an assignment that the event removes from the board.
pub(crate) fn follow(conn: &Connection, recorded: &Recorded, board: &Board) -> Result<(), Fault> {
    let BoardEvent::AssignmentArchived { id } = &recorded.event else {
        return Ok(());
    };
    let Some(assignment) = board.assignments.get(id) else {
        return Ok(());
    };
    let body = serde_json::to_string(assignment).map_err(|e| StoreError::Unstorable {
        what: format!("assignment {id}"),
        reason: e.to_string(),
    })?;
    conn.execute(
        "INSERT INTO finished (id, repo, issue, archived_at, seq, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id) DO UPDATE
         SET archived_at = excluded.archived_at, seq = excluded.seq, body = excluded.body",
        (
            id.as_str(),
            assignment.issue.repo.as_str(),
            to_sql(assignment.issue.number),
            recorded.at.as_millis(),
            to_sql(recorded.seq),
            body,
        ),
    )?;
    Ok(())
}

/// Fills the table from the log when another version of it is in the database.
pub(crate) fn bring_up_to_date(conn: &mut Connection) -> Result<(), Fault> {
    if meta(conn, "finished_version")? == VERSION {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM finished", [])?;
    let mut board = Board::default();
    log::replay(&transaction, 0, |recorded| {
        follow(&transaction, recorded, &board)?;
        board.apply(recorded);
        Ok(())
    })?;
    set_meta(&transaction, "finished_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

pub(crate) fn list(conn: &Connection, filter: &FinishedFilter) -> Result<Vec<Assignment>, Fault> {
    let mut sql = "SELECT id, body FROM finished WHERE TRUE".to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut narrow = |clause: &str, value: Value| {
        sql.push_str(clause);
        values.push(value);
    };
    if let Some(repo) = &filter.repo {
        narrow(" AND repo = ?", repo.as_str().to_owned().into());
    }
    if let Some(issue) = filter.issue {
        narrow(" AND issue = ?", to_sql(issue).into());
    }
    if let Some(since) = filter.since {
        narrow(" AND archived_at >= ?", since.as_millis().into());
    }
    let limit = filter.limit.map_or(-1, i64::from);
    narrow(" ORDER BY seq DESC LIMIT ?", limit.into());
    let mut query = conn.prepare(&sql)?;
    let rows = query.query_map(params_from_iter(values), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (id, body) = row?;
        parse(&id, &body)
    })
    .collect()
}

pub(crate) fn get(conn: &Connection, id: &AssignmentId) -> Result<Option<Assignment>, Fault> {
    let body: Option<String> = conn
        .query_row(
            "SELECT body FROM finished WHERE id = ?1",
            [id.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    body.map(|body| parse(id.as_str(), &body)).transpose()
}

/// At most `limit` ids that start with `prefix`, which holds hexadecimal digits only.
pub(crate) fn ids_with_prefix(
    conn: &Connection,
    prefix: &str,
    limit: usize,
) -> Result<Vec<AssignmentId>, Fault> {
    // `g` comes right after the last hexadecimal digit.
    let mut query = conn.prepare(
        "SELECT id FROM finished WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY id LIMIT ?2",
    )?;
    let rows = query.query_map((prefix, to_sql(limit as u64)), |row| {
        row.get::<_, String>(0)
    })?;
    rows.map(|id| {
        AssignmentId::try_from(id?).map_err(|e| {
            Fault::Known(StoreError::Corrupt {
                what: "a finished assignment".to_owned(),
                reason: e.to_string(),
            })
        })
    })
    .collect()
}

fn parse(id: &str, body: &str) -> Result<Assignment, Fault> {
    serde_json::from_str(body).map_err(|e| {
        Fault::Known(StoreError::Corrupt {
            what: format!("finished assignment {id}"),
            reason: e.to_string(),
        })
    })
}
