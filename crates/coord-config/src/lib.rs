//! `coordinator.yml`: from the text of the file to a checked, resolved [`Config`].
//!
//! Every problem of a file is reported at once, with line, column, the offending text underlined
//! and the nearest known name. Nothing here reads the environment or the home folder: what they
//! say comes in as values. Nothing here looks whether a path exists, a host answers or a program
//! is installed; that is the business of those who use them.

mod answers;
mod config;
mod deny;
mod error;
mod locate;
mod names;
mod node;
mod problem;
mod read;
mod reading;
mod section;
mod write;

pub use config::{
    Association, Budgets, CapabilityRule, CheckoutCommand, Concurrency, Config, ForgeKind,
    GithubApp, Hook, Hooks, Housekeeping, Machine, Models, NamedHook, Pipeline, PlannerChoice,
    Planning, Repo, Reviews, SettingSource, SmokeTests, Trust, Worker, WorkerPermissions,
    WorktreeSetup,
};
pub use deny::DEFAULT_DENY;
pub use error::{ConfigError, Invalid};
pub use locate::{LocateError, Located, Source, locate};
pub use problem::Problem;
pub use read::{MAX_FILE_BYTES, load, parse};
