//! The integration tests of `coord-worker`, in one binary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixtures;
mod log_tail;
mod recorded_runs;
mod stream_damage;
