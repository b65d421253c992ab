//! The event log: appending, reading back, folding into a board, snapshots.

use std::sync::Arc;

use coord_core::event::EVENT_VERSION;
use coord_core::ids::{RepoName, Timestamp};
use coord_core::{Board, BoardEvent, Recorded};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};
use serde::Deserialize;

use crate::error::{Fault, StoreError};
use crate::scope::{from_sql, to_sql};
use crate::subject::Subject;

/// The version of the boards in snapshots. To be raised whenever the fold changes its meaning:
/// snapshots of other versions are ignored, and the log is folded from its start.
const SNAPSHOT_VERSION: u32 = 5;
/// A snapshot is taken each time the log passes a multiple of this.
const SNAPSHOT_EVERY: u64 = 200;

/// The place of the last event; 0 for an empty log.
pub(crate) fn last_seq(conn: &Connection) -> rusqlite::Result<u64> {
    let mut query = conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM events")?;
    query.query_row([], |row| row.get(0)).map(from_sql)
}

/// The board at the end of the log, from `cached` or the snapshot and the events after it.
pub(crate) fn load(conn: &Connection, cached: Option<Arc<Board>>) -> Result<Arc<Board>, Fault> {
    let last = last_seq(conn)?;
    let mut board = match cached {
        Some(board) if board.seq <= last => board,
        Some(_) | None => Arc::new(latest_snapshot(conn)?.unwrap_or_default()),
    };
    if board.seq < last {
        let start = board.seq;
        let folded = Arc::make_mut(&mut board);
        replay(conn, start, |recorded| {
            folded.apply(recorded);
            Ok(())
        })?;
    }
    if board.seq == last {
        return Ok(board);
    }
    Err(Fault::Known(StoreError::Corrupt {
        what: "the event log".to_owned(),
        reason: format!("it ends at event {last} instead of {}", board.seq),
    }))
}

/// Hands every event after `seq` to `visit`, in order; a gap is an error.
pub(crate) fn replay(
    conn: &Connection,
    seq: u64,
    mut visit: impl FnMut(&Recorded) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut query = conn
        .prepare_cached("SELECT seq, at, version, body FROM events WHERE seq > ?1 ORDER BY seq")?;
    let mut rows = query.query([to_sql(seq)])?;
    let mut expected = seq;
    while let Some(row) = rows.next()? {
        expected += 1;
        let recorded = read(row)?;
        if recorded.seq != expected {
            return Err(Fault::Known(StoreError::Corrupt {
                what: format!("event {expected}"),
                reason: "it is missing from the log".to_owned(),
            }));
        }
        visit(&recorded)?;
    }
    Ok(())
}

/// An event from the columns `seq, at, version, body`.
pub(crate) fn read(row: &Row<'_>) -> Result<Recorded, Fault> {
    let seq = from_sql(row.get(0)?);
    let found: u32 = row.get(2)?;
    if found > EVENT_VERSION {
        return Err(Fault::Known(StoreError::Newer {
            what: format!("event {seq}"),
            found,
            known: EVENT_VERSION,
        }));
    }
    let event = serde_json::from_str(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?)
        .map_err(|e| StoreError::Corrupt {
            what: format!("event {seq}"),
            reason: e.to_string(),
        })?;
    Ok(Recorded {
        seq,
        at: Timestamp::from_millis(row.get(1)?),
        event,
    })
}

/// Appends one event. What would not read back as it is, is not written.
pub(crate) fn append(
    conn: &Connection,
    recorded: &Recorded,
    subject: &Subject,
) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Tag {
        kind: String,
    }
    let unstorable = |reason: String| StoreError::Unstorable {
        what: "an event".to_owned(),
        reason,
    };
    let body = serde_json::to_string(&recorded.event).map_err(|e| unstorable(e.to_string()))?;
    let back: BoardEvent = serde_json::from_str(&body).map_err(|e| unstorable(e.to_string()))?;
    if back != recorded.event {
        return Err(unstorable(format!("it reads back differently: {body}")).into());
    }
    let tag: Tag = serde_json::from_str(&body).map_err(|e| unstorable(e.to_string()))?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO events (seq, at, version, kind, repo, issue, assignment, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute((
        to_sql(recorded.seq),
        recorded.at.as_millis(),
        EVENT_VERSION,
        tag.kind,
        subject.repo().map(RepoName::as_str),
        subject.issue.as_ref().map(|issue| to_sql(issue.number)),
        subject.assignment.as_ref().map(|id| id.as_str()),
        body,
    ))?;
    Ok(())
}

fn latest_snapshot(conn: &Connection) -> Result<Option<Board>, Fault> {
    let body: Option<String> = conn
        .query_row(
            "SELECT body FROM snapshots WHERE version = ?1 ORDER BY seq DESC LIMIT 1",
            [SNAPSHOT_VERSION],
            |row| row.get(0),
        )
        .optional()?;
    // The log is the truth: a snapshot that cannot be read costs time and nothing else.
    Ok(body.and_then(|body| {
        serde_json::from_str(&body)
            .inspect_err(|e| tracing::warn!("a snapshot of the board cannot be read: {e}"))
            .ok()
    }))
}

/// Takes a snapshot when the database has one of another version only, so that the log is folded
/// from its start once and not with every command until the next one is due.
pub(crate) fn bring_up_to_date(conn: &mut Connection) -> Result<Option<Arc<Board>>, Fault> {
    if !only_foreign_snapshots(conn)? {
        return Ok(None);
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if !only_foreign_snapshots(&transaction)? {
        return Ok(None);
    }
    let board = load(&transaction, None)?;
    keep(&transaction, &board)?;
    transaction.commit()?;
    Ok(Some(board))
}

fn only_foreign_snapshots(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row(
        "SELECT count(*) > 0 AND NOT coalesce(max(version = ?1), FALSE) FROM snapshots",
        [SNAPSHOT_VERSION],
        |row| row.get(0),
    )
}

/// Keeps `board` as the snapshot when the log has passed a multiple of [`SNAPSHOT_EVERY`] since
/// `before`.
pub(crate) fn snapshot(conn: &Connection, before: u64, board: &Board) -> rusqlite::Result<()> {
    if before / SNAPSHOT_EVERY == board.seq / SNAPSHOT_EVERY {
        return Ok(());
    }
    keep(conn, board)
}

fn keep(conn: &Connection, board: &Board) -> rusqlite::Result<()> {
    let body = match serde_json::to_string(board) {
        Ok(body) if serde_json::from_str::<Board>(&body).is_ok_and(|back| back == *board) => body,
        Ok(_) | Err(_) => {
            tracing::warn!(
                "the board at event {} cannot be kept as a snapshot",
                board.seq
            );
            return Ok(());
        }
    };
    conn.execute("DELETE FROM snapshots", [])?;
    conn.execute(
        "INSERT INTO snapshots (seq, version, body) VALUES (?1, ?2, ?3)",
        (to_sql(board.seq), SNAPSHOT_VERSION, body),
    )?;
    Ok(())
}
