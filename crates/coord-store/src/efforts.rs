//! How the first attempts at issues have done, by label and model: what later ones learn from.

use coord_core::assignment::{Assignment, Cause, WorkerResult};
use coord_core::failure::FailureClass;
use coord_core::ids::{IssueRef, RepoName};
use coord_core::ladder::{Tally, TrackRecord};
use coord_core::{Board, BoardEvent, Recorded};
use rusqlite::{Connection, Row, TransactionBehavior};

use crate::connection::{meta, set_meta};
use crate::error::{Fault, StoreError};
use crate::log;
use crate::scope::{from_sql, to_sql};
use crate::store::Store;

/// The version of the table; where the database has another one it is filled again from the log.
pub(crate) const VERSION: u32 = 1;

impl Store {
    /// How assignments in the repository have done: of all its issues that are decided, and of
    /// those with each label, by the model that they began with.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn track_record(&self, repo: &RepoName) -> Result<TrackRecord, StoreError> {
        let repo = repo.clone();
        self.read(move |scope| Ok(TrackRecord(tallies(scope.conn, &repo)?)))
            .await
    }
}

fn tallies(conn: &Connection, repo: &RepoName) -> rusqlite::Result<Vec<Tally>> {
    let mut query = conn.prepare_cached(
        "WITH decided AS (
             SELECT model, labels, merged AND NOT sent_back AS at_once, (
                 SELECT coalesce(sum(cost), 0) FROM usage
                 WHERE usage.repo = efforts.repo AND usage.issue = efforts.issue) AS cost
             FROM efforts WHERE repo = ?1 AND (merged OR sent_back))
         SELECT NULL AS label, model, count(*), sum(at_once), sum(cost)
             FROM decided GROUP BY model
         UNION ALL
         SELECT label.value AS label, model, count(*), sum(at_once), sum(cost)
             FROM decided, json_each(decided.labels) AS label GROUP BY label.value, model
         ORDER BY label, model",
    )?;
    query.query_map([repo.as_str()], tally)?.collect()
}

fn tally(row: &Row<'_>) -> rusqlite::Result<Tally> {
    let count = |at| {
        row.get(at)
            .map(|it| u32::try_from(from_sql(it)).unwrap_or(u32::MAX))
    };
    let micros: i64 = row.get(4)?;
    Ok(Tally {
        label: row.get(0)?,
        model: row.get(1)?,
        issues: count(2)?,
        at_first_try: count(3)?,
        cost_usd: micros as f64 / 1e6,
    })
}

/// Brings the table up to what the event means; `board` is the one after it.
pub(crate) fn follow(conn: &Connection, recorded: &Recorded, board: &Board) -> Result<(), Fault> {
    let Some(it) = recorded
        .event
        .assignment()
        .and_then(|id| board.assignments.get(id))
    else {
        return Ok(());
    };
    let event = &recorded.event;
    let merged = matches!(event, BoardEvent::Merged { .. });
    let sent_back = matches!(
        event,
        BoardEvent::AssignmentSuperseded { cause, .. } if is_sent_back(it, *cause)
    );
    if matches!(event, BoardEvent::WorkerStarted { .. }) && it.kind.writes() {
        begin(conn, it)?;
    } else if merged || sent_back || has_failed(it, event) {
        decide(conn, &it.issue, merged, !merged)?;
    }
    Ok(())
}

/// Whether its worker has just failed at the work, whoever goes on with it or does not.
fn has_failed(it: &Assignment, event: &BoardEvent) -> bool {
    let failed = WorkerResult::Failed(FailureClass::Work);
    let ended = matches!(event, BoardEvent::AssignmentEnded { end, .. } if end.result == failed);
    ended && it.kind.writes() && !it.stop_requested && it.over_budget.is_none()
}

/// Fills the table from the log when another version of it is in the database.
pub(crate) fn bring_up_to_date(conn: &mut Connection) -> Result<(), Fault> {
    if meta(conn, "efforts_version")? == VERSION {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if meta(&transaction, "efforts_version")? != VERSION {
        transaction.execute("DELETE FROM efforts", [])?;
        let mut board = Board::default();
        log::replay(&transaction, 0, |recorded| {
            board.apply(recorded);
            follow(&transaction, recorded, &board)
        })?;
        set_meta(&transaction, "efforts_version", VERSION)?;
    }
    Ok(transaction.commit()?)
}

/// Only the first one counts.
fn begin(conn: &Connection, it: &Assignment) -> Result<(), Fault> {
    let labels = serde_json::to_string(&it.labels).map_err(|e| StoreError::Unstorable {
        what: "the labels of an issue".to_owned(),
        reason: e.to_string(),
    })?;
    let mut insert = conn.prepare_cached(
        "INSERT OR IGNORE INTO efforts (repo, issue, model, labels, sent_back, merged)
         VALUES (?1, ?2, ?3, ?4, FALSE, FALSE)",
    )?;
    let number = to_sql(it.issue.number);
    insert.execute((it.issue.repo.as_str(), number, &it.model, labels))?;
    Ok(())
}

fn decide(conn: &Connection, issue: &IssueRef, merged: bool, sent_back: bool) -> Result<(), Fault> {
    let mut update = conn.prepare_cached(
        "UPDATE efforts SET merged = merged OR ?3, sent_back = sent_back OR ?4
         WHERE repo = ?1 AND issue = ?2",
    )?;
    let number = to_sql(issue.number);
    update.execute((issue.repo.as_str(), number, merged, sent_back))?;
    Ok(())
}

/// Whether its work was not good enough. What the machine, the account or the work of others has done
/// to it says nothing about a model, and neither does a question.
fn is_sent_back(it: &Assignment, cause: Cause) -> bool {
    match cause {
        Cause::Work | Cause::Tests | Cause::Review | Cause::Smoke => it.kind.writes(),
        Cause::Person => {
            let end = it.end.as_ref();
            end.is_some_and(|end| {
                let failed = WorkerResult::Failed(FailureClass::Work);
                let worked = end.result == WorkerResult::Done || end.result == failed;
                it.kind.writes() && worked && end.stuck.is_none() && it.merged_as().is_none()
            })
        }
        Cause::Environment
        | Cause::Lost
        | Cause::Silence
        | Cause::Guidance
        | Cause::Session
        | Cause::Combination
        | Cause::Conflict => false,
    }
}
