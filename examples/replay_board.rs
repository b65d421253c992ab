//! Replays an event log with `coord-core` alone: no store, no agent, no clock.
//!
//! The events are what `coord history --json` prints; the policy is what the configuration comes
//! to. The board that comes out is the one that every command of `coord` decides on.
//!
//!     cargo run --package coord-examples --example replay_board -- examples/fixtures/log.json

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use coord_core::ids::IssueRef;
use coord_core::{Board, Policy, Recorded, stage, why};
use serde::Deserialize;

/// The file that the program reads.
#[derive(Deserialize)]
struct Log {
    policy: Policy,
    events: Vec<Recorded>,
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("give the path of a log")?;
    let text = std::fs::read(&path).with_context(|| format!("failed to read {path}"))?;
    let log: Log = serde_json::from_slice(&text).context("failed to understand the log")?;
    let last = log.events.last().context("the log has no events")?;

    let mut board = Board::default();
    for recorded in &log.events {
        board.apply(recorded);
    }
    println!("the board after {} events", board.seq);
    for issue in issues(&board) {
        let stage = stage(&board, &log.policy, &issue).as_str();
        let answer = why(&board, &log.policy, &issue, last.at);
        let issue = issue.to_string();
        println!("{issue:<14} {stage:<10} {}", answer.sentence);
    }
    Ok(())
}

/// The issues that the board has assignments for, in order.
fn issues(board: &Board) -> BTreeSet<IssueRef> {
    let assignments = board.assignments.values();
    assignments.map(|it| it.issue.clone()).collect()
}
