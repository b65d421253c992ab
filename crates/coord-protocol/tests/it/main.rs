//! The client against servers that answer from a script, and the wire types against real texts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod server;
mod streams;
mod wire;
