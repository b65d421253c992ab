//! What a job works on while its transaction is open.

use std::sync::Arc;

use coord_core::Board;
use rusqlite::Connection;

use crate::error::Fault;
use crate::log;

/// An open transaction, with the last board that this connection has seen.
pub(crate) struct Scope<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) cached: &'a mut Option<Arc<Board>>,
}

impl Scope<'_> {
    /// The board as the transaction sees it.
    pub(crate) fn board(&mut self) -> Result<Arc<Board>, Fault> {
        let board = log::load(self.conn, self.cached.take())?;
        *self.cached = Some(Arc::clone(&board));
        Ok(board)
    }
}

/// Numbers of ours are never negative and never that large; SQLite has signed ones only.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The way back; see [`to_sql`].
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
