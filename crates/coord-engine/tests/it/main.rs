//! The engine on a real store, a real git repository with a remote, and a scripted agent that is a
//! real HTTP server.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod agent;
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
mod landing;
mod merging;
mod old_peer;
mod pulls;
mod readers;
mod recovery;
mod reviewing;
mod serving;
mod spine;
mod stopping;
mod syncing;
mod testing;
mod together;
mod world;
