//! The handle on the store: every call becomes a job for one of its two threads.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use coord_core::assignment::Assignment;
use coord_core::ids::{AssignmentId, EffectKey, Timestamp};
use coord_core::{Board, Decision, Recorded};
use tokio::sync::{oneshot, watch};

use crate::commit::{Committed, commit};
use crate::connection::{open_for_reading, open_for_writing};
use crate::error::{Fault, StoreError};
use crate::finished::{self, FinishedFilter};
use crate::history::{self, HistoryFilter};
use crate::log;
use crate::outbox::{self, Lease, LeasedEffect, OutboxRow};
use crate::reader::{Read, Reader};
use crate::scope::Scope;
use crate::writer::{Ack, Job, Writer};
use crate::{efforts, usage};

/// How many ids [`Store::resolve_prefix`] answers at most.
const PREFIX_MATCHES: usize = 11;

/// A handle on the store. Clones share its two connections; other processes may have the same file
/// open. A call that was made is carried out, even when its future is dropped.
#[derive(Clone)]
pub struct Store {
    path: Arc<Path>,
    jobs: Sender<Job>,
    reads: Sender<Read>,
    seq: watch::Sender<u64>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish()
    }
}

impl Store {
    /// Opens the database at `path`; makes it, and its folder, when there is no file of that name.
    ///
    /// # Errors
    /// Whatever is there and is not a readable database of ours, of this version or an older one.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path: PathBuf = path.into();
        let (opened, answer) = oneshot::channel();
        spawn("coord-store-open", move || {
            let _ = opened.send(Self::open_blocking(path));
        })?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    fn open_blocking(path: PathBuf) -> Result<Self, StoreError> {
        let mut conn = open_for_writing(&path)?;
        finished::bring_up_to_date(&mut conn).map_err(|fault| fault.at(&path))?;
        usage::bring_up_to_date(&mut conn).map_err(|fault| fault.at(&path))?;
        efforts::bring_up_to_date(&mut conn).map_err(|fault| fault.at(&path))?;
        let board = log::bring_up_to_date(&mut conn).map_err(|fault| fault.at(&path))?;
        let last = log::last_seq(&conn).map_err(|e| Fault::Sqlite(e).at(&path))?;
        let (seq, _) = watch::channel(last);
        let writer = Writer {
            conn,
            path: path.clone(),
            board: board.clone(),
            seq: seq.clone(),
        };
        let reader = Reader {
            conn: open_for_reading(&path)?,
            path: path.clone(),
            board,
            seq: seq.clone(),
        };
        let (jobs, queue) = channel();
        spawn("coord-store-write", move || writer.run(&queue))?;
        let (reads, queue) = channel();
        spawn("coord-store-read", move || reader.run(&queue))?;
        Ok(Self {
            path: path.into(),
            jobs,
            reads,
            seq,
        })
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs load → decide → append → enqueue in one write transaction. A failure leaves nothing
    /// behind. `decide` runs on the store's thread: it must not block, and must not call the store.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing of the decision was kept then.
    pub async fn transact<F>(&self, now: Timestamp, decide: F) -> Result<Committed, StoreError>
    where
        F: FnOnce(&Board) -> Decision + Send + 'static,
    {
        self.write(move |scope| commit(scope, now, decide)).await
    }

    /// The board as it is now, changes of other processes included.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn board(&self) -> Result<Arc<Board>, StoreError> {
        self.read(|scope| scope.board()).await
    }

    /// The place of the last event in the log, from 0. Changes of other processes are noticed
    /// within 200 ms, as long as somebody watches.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        let watcher = self.seq.subscribe();
        // Wakes the reader, which waits without a time limit while nobody watches.
        let _ = self.reads.send(Box::new(|_| {}));
        watcher
    }

    /// Events, the earliest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn history(&self, filter: HistoryFilter) -> Result<Vec<Recorded>, StoreError> {
        self.read(move |scope| history::list(scope.conn, &filter))
            .await
    }

    /// Assignments that have left the board, the latest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn finished(&self, filter: FinishedFilter) -> Result<Vec<Assignment>, StoreError> {
        self.read(move |scope| finished::list(scope.conn, &filter))
            .await
    }

    /// The assignment, on the board or finished.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn assignment(&self, id: &AssignmentId) -> Result<Option<Assignment>, StoreError> {
        let id = id.clone();
        self.read(move |scope| match scope.board()?.assignments.get(&id) {
            Some(assignment) => Ok(Some(assignment.clone())),
            None => finished::get(scope.conn, &id),
        })
        .await
    }

    /// The ids that start with `prefix`, on the board or finished, sorted; at most eleven of them.
    /// Capitals count as small letters.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn resolve_prefix(&self, prefix: &str) -> Result<Vec<AssignmentId>, StoreError> {
        let prefix = prefix.trim().to_ascii_lowercase();
        if !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        self.read(move |scope| {
            let mut ids = finished::ids_with_prefix(scope.conn, &prefix, PREFIX_MATCHES)?;
            let board = scope.board()?;
            let active = board.assignments.keys();
            ids.extend(
                active
                    .filter(|id| id.as_str().starts_with(&prefix))
                    .cloned(),
            );
            ids.sort();
            ids.dedup();
            ids.truncate(PREFIX_MATCHES);
            Ok(ids)
        })
        .await
    }

    /// Effects without an outcome, the earliest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn outbox(&self) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(|scope| outbox::open_rows(scope.conn)).await
    }

    /// Leases up to `limit` effects to `owner`, the earliest first: those whose time has come, and
    /// those whose lease has ended without an outcome.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn lease_due(
        &self,
        owner: &str,
        now: Timestamp,
        lease_secs: u64,
        limit: u32,
    ) -> Result<Vec<LeasedEffect>, StoreError> {
        let lease = lease(owner, now, lease_secs);
        self.write(move |scope| outbox::lease_due(scope.conn, &lease, limit))
            .await
    }

    /// Leases this one effect to `owner`; `None` when it is done, not due, unknown or somebody's.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn lease_one(
        &self,
        key: &EffectKey,
        owner: &str,
        now: Timestamp,
        lease_secs: u64,
    ) -> Result<Option<LeasedEffect>, StoreError> {
        let (lease, key) = (lease(owner, now, lease_secs), key.clone());
        self.write(move |scope| outbox::lease_one(scope.conn, &lease, &key))
            .await
    }

    /// Prolongs a lease to `now + lease_secs`; `false` when `owner` no longer has it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn renew(
        &self,
        key: &EffectKey,
        owner: &str,
        now: Timestamp,
        lease_secs: u64,
    ) -> Result<bool, StoreError> {
        let (lease, key) = (lease(owner, now, lease_secs), key.clone());
        self.write(move |scope| outbox::renew(scope.conn, &lease, &key))
            .await
    }

    /// Gives a lease back after a transient failure; the effect is due again at `not_before`.
    /// `false` when `owner` no longer has it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn reschedule(
        &self,
        key: &EffectKey,
        owner: &str,
        not_before: Timestamp,
        error: &str,
    ) -> Result<bool, StoreError> {
        let (key, owner, error) = (key.clone(), owner.to_owned(), error.to_owned());
        self.write(move |scope| outbox::reschedule(scope.conn, &key, &owner, not_before, &error))
            .await
    }

    /// The first instant at which [`Store::lease_due`] will find something that is in the outbox
    /// now; it may have passed. `None`: no effect is open.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|scope| outbox::next_due(scope.conn)).await
    }

    /// Runs `work` in a write transaction; its changes are kept if it succeeds.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Scope<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let job: Job = Box::new(move |scope| {
            let result = scope.and_then(|scope| work(scope).map_err(|fault| fault.at(&path)));
            let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
            let ack: Ack = Box::new(move |kept| {
                // Nobody may be waiting any more.
                let _ = sender.send(result.and_then(|value| kept.map(|()| value)));
            });
            (outcome, ack)
        });
        self.jobs.send(job).map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// Runs `work` on one unchanging view of the database.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Scope<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let read: Read = Box::new(move |reader| {
            // Nobody may be waiting any more.
            let _ = sender.send(reader.view(work));
        });
        self.reads.send(read).map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

fn lease(owner: &str, now: Timestamp, secs: u64) -> Lease {
    Lease {
        owner: owner.to_owned(),
        now,
        until: now.plus_secs(secs),
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|source| StoreError::Thread {
            source: Arc::new(source),
        })
}

#[cfg(test)]
mod tests {
    use coord_core::BoardEvent;

    use super::*;

    fn note(size: usize) -> Decision {
        let event = BoardEvent::AgentSilent {
            machine: "laptop".into(),
            error: "x".repeat(size),
        };
        Decision {
            events: vec![event.clone(), event],
            effects: Vec::new(),
            refusal: None,
        }
    }

    async fn limit_pages(store: &Store, pages: u32) {
        let set = move |scope: &mut Scope<'_>| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            Ok(scope.conn.query_row(&sql, [], |_| Ok(()))?)
        };
        store.write(set).await.unwrap();
    }

    #[tokio::test]
    async fn on_a_full_disk_a_command_fails_whole_and_the_next_one_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("coord.db")).await.unwrap();
        let now = Timestamp::from_millis(1);
        store.transact(now, |_| note(10)).await.unwrap();

        // SQLite raises a limit that is below what there is to what there is.
        limit_pages(&store, 1).await;
        let error = store.transact(now, |_| note(100_000)).await.unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(error.is_transient());
        assert_eq!(store.board().await.unwrap().seq, 2);

        limit_pages(&store, 1_000_000).await;
        let committed = store.transact(now, |_| note(100_000)).await.unwrap();
        assert_eq!(committed.board.seq, 4);
        let log = store.history(HistoryFilter::default()).await.unwrap();
        assert_eq!(log.len(), 4);
    }

    #[tokio::test]
    async fn a_full_disk_fails_only_those_who_need_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("coord.db")).await.unwrap();
        let now = Timestamp::from_millis(1);
        limit_pages(&store, 1).await;
        let sizes = [1, 1_000_000, 1, 1_000_000, 1];
        let calls: Vec<_> = sizes
            .into_iter()
            .map(|size| {
                let store = store.clone();
                tokio::spawn(async move { store.transact(now, move |_| note(size)).await })
            })
            .collect();
        let mut kept = 0;
        for (size, call) in sizes.into_iter().zip(calls) {
            match call.await.unwrap() {
                Ok(committed) => kept += committed.recorded.len(),
                // One that shares its transaction with a failing one may fail with it.
                Err(e) => assert!(matches!(e, StoreError::Full { .. }), "{size}: {e:?}"),
            }
        }
        let log = store.history(HistoryFilter::default()).await.unwrap();
        assert_eq!(log.len(), kept);
        assert!(log.iter().zip(1..).all(|(event, seq)| event.seq == seq));
        store.transact(now, |_| note(1)).await.unwrap();
    }
}
