//! The integration tests of `coord-test-support`, in one binary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod github;
mod messages_api;
