//! One command, one transaction: load, decide, append, enqueue.

use std::sync::Arc;

use coord_core::ids::Timestamp;
use coord_core::{Board, BoardEvent, Decision, Recorded, Refusal};
use rusqlite::Connection;

use crate::error::Fault;
use crate::scope::Scope;
use crate::subject::Subject;
use crate::{efforts, finished, log, outbox, usage};

/// What came of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The events that were appended, with their places in the log.
    pub recorded: Vec<Recorded>,
    /// What was refused.
    pub refusal: Option<Refusal>,
    /// The board after the events.
    pub board: Arc<Board>,
}

pub(crate) fn commit(
    scope: &mut Scope<'_>,
    now: Timestamp,
    decide: impl FnOnce(&Board) -> Decision,
) -> Result<Committed, Fault> {
    let before = scope.board()?;
    let decision = decide(&before);
    for request in &decision.effects {
        outbox::enqueue(scope.conn, request, now)?;
    }
    let mut board = Arc::clone(&before);
    let mut recorded = Vec::with_capacity(decision.events.len());
    for (seq, event) in (before.seq + 1..).zip(decision.events) {
        let event = Recorded {
            seq,
            at: now,
            event,
        };
        log::append(scope.conn, &event, &Subject::of(&event.event, &board))?;
        follow(scope.conn, &event, &board)?;
        Arc::make_mut(&mut board).apply(&event);
        usage::follow(scope.conn, &event, &board)?;
        efforts::follow(scope.conn, &event, &board)?;
        recorded.push(event);
    }
    log::snapshot(scope.conn, before.seq, &board)?;
    *scope.cached = Some(Arc::clone(&board));
    Ok(Committed {
        recorded,
        refusal: decision.refusal,
        board,
    })
}

/// What an event means for the other tables; `board` is the one before it.
fn follow(conn: &Connection, recorded: &Recorded, board: &Board) -> Result<(), Fault> {
    if let BoardEvent::EffectSettled { key, .. } | BoardEvent::StepEnded { key, .. } =
        &recorded.event
    {
        outbox::settle(conn, key)?;
    }
    finished::follow(conn, recorded, board)
}
