//! The thread that owns the writing connection. Jobs that wait at the same time share one
//! transaction, and so one flush to the disk; each keeps or loses its own changes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use coord_core::Board;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::error::{Fault, StoreError};
use crate::scope::Scope;

/// How many jobs share a transaction at most: the first one's caller waits for them all.
const BATCH: usize = 64;

/// Tells the caller of a job what came of it, once it is known whether the transaction was kept.
pub(crate) type Ack = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Works in the open transaction, or is told why there is none.
pub(crate) type Job =
    Box<dyn FnOnce(Result<&mut Scope<'_>, StoreError>) -> (Result<(), StoreError>, Ack) + Send>;

pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    pub(crate) board: Option<Arc<Board>>,
    pub(crate) seq: watch::Sender<u64>,
}

impl Writer {
    /// Carries out jobs until nobody can send any more.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut batch: VecDeque<Job> = std::iter::once(first)
                .chain(jobs.try_iter().take(BATCH - 1))
                .collect();
            while !batch.is_empty() {
                self.transaction(&mut batch);
            }
        }
    }

    /// Takes jobs off `batch` until it is empty or SQLite gives the transaction up.
    fn transaction(&mut self, batch: &mut VecDeque<Job>) {
        let mut acks = Vec::with_capacity(batch.len());
        let mut board = self.board.clone();
        let mut state = self.execute("BEGIN IMMEDIATE");
        let begun = state.is_ok();
        while let Some(job) = batch.pop_front() {
            let (outcome, ack) = match &state {
                Ok(()) => self.savepoint(job, &mut board),
                Err(e) => job(Err(e.clone())),
            };
            acks.push(ack);
            if begun && self.conn.is_autocommit() {
                // On a full disk, for one, SQLite rolls back by itself: what the jobs before did
                // is gone, and those after deserve a transaction of their own.
                state = Err(outcome.err().unwrap_or(StoreError::Stopped));
                break;
            }
        }
        let kept = state.and_then(|()| self.execute("COMMIT"));
        self.conclude(&kept, board);
        for ack in acks {
            ack(kept.clone());
        }
    }

    /// Runs one job so that its failure undoes its own changes only.
    fn savepoint(&self, job: Job, board: &mut Option<Arc<Board>>) -> (Result<(), StoreError>, Ack) {
        if let Err(e) = self.execute("SAVEPOINT job") {
            return job(Err(e));
        }
        let before = board.clone();
        let mut scope = Scope {
            conn: &self.conn,
            cached: board,
        };
        let (outcome, ack) = job(Ok(&mut scope));
        if outcome.is_ok() {
            return (self.execute("RELEASE job"), ack);
        }
        *board = before;
        if !self.conn.is_autocommit()
            && let Err(e) = self.execute("ROLLBACK TO job; RELEASE job")
        {
            tracing::warn!("a failed write could not be undone alone: {e}");
        }
        (outcome, ack)
    }

    fn conclude(&mut self, kept: &Result<(), StoreError>, board: Option<Arc<Board>>) {
        if kept.is_ok() {
            if let Some(board) = &board {
                publish(&self.seq, board.seq);
            }
            self.board = board;
        } else if !self.conn.is_autocommit()
            && let Err(e) = self.execute("ROLLBACK")
        {
            tracing::warn!("a transaction could not be rolled back: {e}");
        }
    }

    fn execute(&self, sql: &str) -> Result<(), StoreError> {
        self.conn
            .execute_batch(sql)
            .map_err(|e| Fault::Sqlite(e).at(&self.path))
    }
}

/// Tells who watches that the log ends at `seq`; it never goes back.
pub(crate) fn publish(watched: &watch::Sender<u64>, seq: u64) {
    watched.send_if_modified(|known| {
        let grown = seq > *known;
        *known = seq.max(*known);
        grown
    });
}
