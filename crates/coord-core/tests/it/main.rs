//! The behaviour of the core from outside: commands in, events and effects out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod board;
mod branches;
mod budgets;
mod claims;
mod combining;
mod dispatch;
mod learning;
mod leases;
mod merging;
mod model;
mod old_logs;
mod overrides;
mod pipeline;
mod planning;
mod radar;
mod recovery;
mod reports;
mod reviewing;
mod sending_back;
mod serving;
mod sessions;
mod stopping;
mod stories;
mod universe;
mod why;
mod world;
