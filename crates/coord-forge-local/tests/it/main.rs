//! The local forge on a real store and real git repositories.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod issues;
mod pulls;
mod reviews;
mod world;
