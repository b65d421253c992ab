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
mod github;
mod interrupting;
mod issues;
mod looking;
mod merging;
mod plainly;
mod program;
mod races;
mod recovering;
mod redact;
mod repositories;
mod sessions;
mod stopping;
mod surroundings;
mod testing;
mod waiting;
