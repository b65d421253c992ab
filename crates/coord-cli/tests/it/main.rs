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
mod brain;
mod configuring;
mod costs;
mod demo;
mod fixing;
mod github;
mod interrupting;
mod issues;
mod keeping_apart;
mod looking;
mod merging;
mod passing;
mod plainly;
mod planning;
mod program;
mod pulls;
mod queueing;
mod races;
mod radar;
mod recovering;
mod redact;
mod repositories;
mod reviewing;
mod sessions;
mod smoking;
mod splitting;
mod stopping;
mod surroundings;
mod testing;
mod waiting;
