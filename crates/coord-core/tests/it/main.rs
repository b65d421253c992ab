//! The behaviour of the core from outside: commands in, events and effects out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod board;
mod claims;
mod dispatch;
mod merging;
mod recovery;
mod reports;
mod sessions;
mod stopping;
mod stories;
mod universe;
mod why;
mod world;
