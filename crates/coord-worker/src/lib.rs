//! One worker: how the real Claude Code CLI is started, what it is told, and what it says.
//!
//! The pure half turns values into values: [`argv`], [`environment`] and [`briefing`] make what a
//! worker is started with; [`stream`] reads its stream-json, [`summary`] folds that into a bounded
//! checkpoint, [`anomaly`] warns, and [`outcome`] says how the run ended. Nothing in those modules
//! touches a clock, a file or a process.
//!
//! The other half deals with processes: [`launch`] starts a worker under a supervisor of its own, [`held`] finds it again,
//! waits for it and stops it, and [`tail`] follows its log. [`ask`] does all of that for one question.

pub mod anomaly;
pub mod argv;
pub mod ask;
pub mod briefing;
pub mod environment;
pub mod held;
pub mod launch;
pub mod outcome;
pub mod stream;
pub mod summary;
pub mod tail;
pub mod text;
