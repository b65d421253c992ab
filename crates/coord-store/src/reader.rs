//! The thread that owns the reading connection. While somebody watches for changes it also looks
//! for those of other processes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use coord_core::Board;
use rusqlite::Connection;
use tokio::sync::watch;

use crate::error::{Fault, StoreError};
use crate::log;
use crate::scope::Scope;
use crate::writer::publish;

/// How late a change by another process may be noticed. One look costs some microseconds.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(crate) type Read = Box<dyn FnOnce(&mut Reader) + Send>;

pub(crate) struct Reader {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    pub(crate) board: Option<Arc<Board>>,
    pub(crate) seq: watch::Sender<u64>,
}

impl Reader {
    /// Answers until nobody can ask any more.
    pub(crate) fn run(mut self, reads: &Receiver<Read>) {
        loop {
            let next = if self.seq.receiver_count() == 0 {
                reads.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                reads.recv_timeout(LOOK_EVERY)
            };
            match next {
                Ok(read) => read(&mut self),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Runs `work` on one unchanging view of the database.
    pub(crate) fn view<T>(
        &mut self,
        work: impl FnOnce(&mut Scope<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let look = || {
            let transaction = self.conn.unchecked_transaction()?;
            let mut scope = Scope {
                conn: &transaction,
                cached: &mut self.board,
            };
            work(&mut scope)
        };
        look().map_err(|fault| fault.at(&self.path))
    }

    fn look(&mut self) {
        match log::last_seq(&self.conn) {
            Ok(seq) => publish(&self.seq, seq),
            Err(e) => tracing::debug!("cannot look for changes of other processes: {e}"),
        }
    }
}
