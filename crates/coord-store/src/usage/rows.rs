//! The table: one row for each assignment that has ended. It follows the log.

use coord_core::assignment::Assignment;
use coord_core::fate::Fate;
use coord_core::ids::{IssueRef, Timestamp};
use coord_core::{Board, BoardEvent, Recorded};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::query::word;
use crate::connection::{meta, set_meta};
use crate::error::Fault;
use crate::log;
use crate::scope::{from_sql, to_sql};

/// The version of the table; where the database has another one it is filled again from the log.
pub(crate) const VERSION: u32 = 1;

/// Brings the table up to what the event means; `board` is the one after it.
pub(crate) fn follow(conn: &Connection, recorded: &Recorded, board: &Board) -> Result<(), Fault> {
    let Some(id) = recorded.event.assignment() else {
        return Ok(());
    };
    if let BoardEvent::AssignmentArchived { id } = &recorded.event {
        return archive(conn, id.as_str());
    }
    let Some(assignment) = board.assignments.get(id) else {
        return Ok(());
    };
    let Some(fate) = Fate::of(assignment) else {
        return Ok(());
    };
    let ended = matches!(
        recorded.event,
        BoardEvent::AssignmentEnded { .. } | BoardEvent::AssignmentLost { .. }
    );
    if ended {
        put(conn, assignment, fate, recorded.at)?;
    }
    if ended || set_fate(conn, id.as_str(), fate)? {
        settle_issue(conn, &assignment.issue)?;
    }
    Ok(())
}

/// Fills the table from the log when another version of it is in the database.
pub(crate) fn bring_up_to_date(conn: &mut Connection) -> Result<(), Fault> {
    if meta(conn, "usage_version")? == VERSION {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if meta(&transaction, "usage_version")? != VERSION {
        transaction.execute("DELETE FROM usage", [])?;
        let mut board = Board::default();
        log::replay(&transaction, 0, |recorded| {
            board.apply(recorded);
            follow(&transaction, recorded, &board)
        })?;
        set_meta(&transaction, "usage_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}

fn put(conn: &Connection, it: &Assignment, fate: Fate, at: Timestamp) -> Result<(), Fault> {
    let end = it.end.as_ref();
    let mut put = conn.prepare_cached(
        "INSERT OR REPLACE INTO usage
         (id, repo, issue, kind, model, ended_at, day, state, fate, cost, turns, solved)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, FALSE)",
    )?;
    put.execute((
        it.id.as_str(),
        it.issue.repo.as_str(),
        to_sql(it.issue.number),
        it.kind.as_str(),
        &it.model,
        at.as_millis(),
        at.day(),
        it.state.as_str(),
        fate.as_str(),
        // A lost worker never told what it has cost in the end.
        micros(end.map_or(it.spent_usd, |end| end.cost_usd)),
        end.map_or(0, |end| end.turns),
    ))?;
    Ok(())
}

/// Sums of these are exact, and no order of adding them up matters.
fn micros(usd: f64) -> i64 {
    // A cast takes what is no number for 0 and stops at the ends of the range. The end here keeps
    // millions of such assignments from overflowing their sum.
    const MOST: f64 = 1e12;
    (usd * 1e6).round().clamp(0.0, MOST) as i64
}

/// Whether that changed anything.
fn set_fate(conn: &Connection, id: &str, fate: Fate) -> Result<bool, Fault> {
    let mut update =
        conn.prepare_cached("UPDATE usage SET fate = ?2 WHERE id = ?1 AND fate <> ?2")?;
    Ok(update.execute((id, fate.as_str()))? > 0)
}

fn archive(conn: &Connection, id: &str) -> Result<(), Fault> {
    let mut query = conn.prepare_cached("SELECT fate FROM usage WHERE id = ?1")?;
    let fate: Option<String> = query.query_row([id], |row| row.get(0)).optional()?;
    if let Some(fate) = fate {
        let fate: Fate = word(fate)?;
        set_fate(conn, id, fate.archived())?;
    }
    Ok(())
}

/// An issue's other attempts count with its merged one.
fn settle_issue(conn: &Connection, issue: &IssueRef) -> Result<(), Fault> {
    let issue = (issue.repo.as_str(), to_sql(issue.number));
    let mut count = conn.prepare_cached(
        "SELECT count(*) FROM usage WHERE repo = ?1 AND issue = ?2 AND fate = 'merged'",
    )?;
    let merged = from_sql(count.query_row(issue, |row| row.get(0))?);
    let mut update = conn.prepare_cached(
        "UPDATE usage SET solved = ?3 WHERE repo = ?1 AND issue = ?2 AND solved <> ?3",
    )?;
    update.execute((issue.0, issue.1, merged > 0))?;
    Ok(())
}
