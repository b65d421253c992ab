//! Doubles that are real: processes, servers on loopback, git repositories in temporary folders.
//!
//! For tests, `cargo xtask` and benches only; `xtask tidy` keeps it out of shipped code.

pub mod git_fixture;
pub mod github;
pub mod messages_api;
pub mod processes;
pub mod sandbox;
