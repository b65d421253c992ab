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
mod approve;
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
mod grants;
mod issue_dependencies;
mod leases;
mod merge;
mod old_peer;
mod owner;
mod plan;
mod predict;
mod pulls;
mod radar;
mod recovery;
mod repos;
mod rest;
mod serving;
mod sessions;
mod shell;
mod split;
mod steps;
mod sync;
mod tail;
mod telling;
mod testing;
mod tests_run;

pub use agents::{AgentView, Agents};
pub use approve::ApproveInput;
pub use assign::AssignInput;
pub use branches::SeenBranches;
pub use clock::{fresh_id, now};
pub use drive::Progress;
pub use effects::Carried;
pub use engine::{Engine, Setup};
pub use error::EngineError;
pub use freshness::{Freshness, RepoFreshness};
pub use issue_dependencies::Blocker;
pub use plan::{BrainSettings, PlanInput, PlanOutcome, PlanProgress, PlanWith};
pub use predict::{Forecast, PredictedConflict, QueuedBranch};
pub use radar::{RadarBranch, RadarPair, RadarPicture};
pub use recovery::RetryInput;
pub use repos::RepoContext;
pub use rest::{merge_rests, settled, test_is_over};
pub use serving::{ReviewTexts, SmokeCommand};
pub use sync::{Synced, SyncedRepo};
