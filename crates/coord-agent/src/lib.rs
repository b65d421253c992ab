//! The per-machine server: it prepares worktrees, has workers started, shows what they do, and
//! publishes their branches when they have ended.
//!
//! Its whole state is what stands in `<home>/agent/assignments`; an agent that is killed and
//! started again goes on from there. It knows nothing of issues, boards or forges, and prints
//! nothing. Start reading at [`Agent::start`], then `driver`.

mod accept;
mod active;
mod background;
mod clock;
mod config;
mod driver;
mod durable;
mod error;
mod finished;
mod folder;
mod from_config;
mod http;
mod hub;
mod leases;
mod logfile;
pub mod program;
mod reading;
mod registry;
mod server;
mod shared;
mod smoke;
mod token;
mod worker;

pub use config::{AgentConfig, RepoConfig, WorkerSettings, WorktreeSettings};
pub use error::AgentError;
pub use server::{Agent, Running};
pub use token::{find_token, make_token, read_token, token_path};
