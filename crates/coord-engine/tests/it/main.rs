//! The engine on a real store, a real git repository with a remote, and a scripted agent that is a
//! real HTTP server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod agent;
mod approving;
mod checks;
mod claiming;
mod claims;
mod combining;
mod crashes;
mod dispatching;
mod faults;
mod following;
mod freshness;
mod github;
mod hooks;
mod issue_dependencies;
mod landing;
mod leases;
mod merging;
mod old_peer;
mod planning;
mod pulls;
mod radar;
mod readers;
mod recovery;
mod reviewing;
mod scripted_brain;
mod serving;
mod spine;
mod splitting;
mod stopping;
mod syncing;
mod testing;
mod together;
mod world;
