//! `coord-git` against real repositories.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod carrying;
mod combining;
mod comparing;
mod fixture;
mod forwarding;
mod looking;
mod merging;
mod opening;
mod pooling;
mod preparing;
mod radaring;
mod recovering;
mod recycling;
mod remotes;
mod saving;
mod surveying;
