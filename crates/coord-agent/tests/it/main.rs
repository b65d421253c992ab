//! The agent as its callers meet it: a real process, real git repositories, scripted workers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod budget;
mod continuing;
mod doors;
mod failures;
mod hands;
mod hooks;
mod leases;
mod logs;
mod pulling;
mod restarts;
mod rig;
mod runs;
mod serving;
mod smoke;
mod start;
mod wire;
