//! The coordinator's shell: commands in, effects out.
//!
//! [`Engine`] commits what `coord-core` decides and then carries the effects out, each under a
//! lease and an idempotency key, so that a crash between any two steps is mended by running the
//! same effect again. [`Engine::drive`] is the one loop: it owns the running effects, follows the
//! agents, and ends when its caller has seen what it waited for.
//!
//! Nothing here prints, parses arguments or knows where the home folder is.

mod agents;
mod answers;
mod assign;
mod branches;
mod ci;
mod claims;
mod clock;
mod combination;
mod dispatch;
mod drive;
mod effects;
mod engine;
mod error;
mod follow;
mod freshness;
mod leases;
mod merge;
mod old_peer;
mod owner;
mod predict;
mod pulls;
mod recovery;
mod repos;
mod rest;
mod serving;
mod sessions;
mod shell;
mod steps;
mod sync;
mod tail;
mod testing;
mod tests_run;

pub use agents::{AgentView, Agents};
pub use assign::AssignInput;
pub use branches::SeenBranches;
pub use clock::{fresh_id, now};
pub use drive::Progress;
pub use effects::Carried;
pub use engine::{Engine, Setup};
pub use error::EngineError;
pub use freshness::{Freshness, RepoFreshness};
pub use predict::{Forecast, PredictedConflict, QueuedBranch};
pub use recovery::RetryInput;
pub use repos::RepoContext;
pub use rest::{merge_rests, settled, test_is_over};
pub use serving::{ReviewTexts, SmokeCommand};
pub use sync::{Synced, SyncedRepo};
