//! What a planner has proposed, and what waits for an answer.

use coord_core::Board;
use coord_core::ids::Timestamp;
use serde_json::Value;

use crate::printer::Printer;
use crate::proposed;
use crate::time::span;

pub(super) fn proposals_json(board: &Board) -> Value {
    board.proposals.values().map(proposed::json).collect()
}

pub(super) fn splits_json(board: &Board) -> Value {
    board.splits.values().map(proposed::split_json).collect()
}

pub(super) fn print(printer: Printer, board: &Board, now: Timestamp) {
    let proposed_at = board.proposals.values().map(|it| it.proposed_at);
    let split_at = board.splits.values().map(|it| it.proposed_at);
    let Some(latest) = proposed_at.chain(split_at).max() else {
        return;
    };
    let age = span(latest, now);
    printer.line(format_args!(
        "\nproposed {age} ago; `coord approve`, `coord split` or `coord reject` answers"
    ));
    for it in board.proposals.values() {
        printer.line(format_args!("  {}", proposed::line(it)));
    }
    for it in board.splits.values() {
        printer.line(format_args!("  {}", proposed::split_line(it)));
    }
}
