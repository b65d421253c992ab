//! Real workers (`sh` scripts) under real supervisors, launched and adopted through `coord-worker`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod ends;
mod hook;
mod memory;
mod output;
mod place;
mod refusals;
mod runs;
mod takeover;
