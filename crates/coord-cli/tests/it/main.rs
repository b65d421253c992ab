//! The commands as people and scripts meet them: the real program, real repositories, a real
//! agent, and workers that do real work for a script. What is tested here is what only the whole
//! can get wrong; rules and formats have their tests where they stand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod assigning;
mod bench;
mod configuring;
mod costs;
mod demo;
mod fixing;
mod github;
mod interrupting;
mod issues;
mod looking;
mod merging;
mod passing;
mod plainly;
mod program;
mod pulls;
mod queueing;
mod races;
mod recovering;
mod redact;
mod repositories;
mod reviewing;
mod sessions;
mod smoking;
mod stopping;
mod surroundings;
mod testing;
mod waiting;
