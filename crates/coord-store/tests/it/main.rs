//! The store on real files, with real threads and real processes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod child;
mod commit;
mod contention;
mod crash;
mod damage;
mod efforts;
mod forge;
mod outbox;
mod reading;
mod remote_forge;
mod sample;
mod upgrade;
mod usage;
