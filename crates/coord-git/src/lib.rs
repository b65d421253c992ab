//! Git repositories: reading, fetching, worktrees for workers, saving their work, merging it.
//!
//! Everything here blocks; callers on an async runtime use `spawn_blocking`. All types are
//! `Send + Sync`. gix works in process; what it cannot do (fetch, push, reset) is done by the
//! `git` program, which only the module `cli` starts.
//!
//! The crate never touches a person's own checkout, with two exceptions, both of which only
//! fast-forward a clean one: merging into a branch of a repository without remote, and
//! [`fast_forward`].

mod cli;
mod combination;
mod error;
mod forward;
mod lock;
mod merge;
mod pool;
mod predict;
pub mod prepare;
mod registry;
mod repo;
pub mod scratch;
mod snapshot;
mod throwaway;
mod worker_env;

pub use cli::Git;
pub use combination::{Added, Combination};
pub use error::{GitError, RemoteFault};
pub use forward::{FastForward, fast_forward};
pub use merge::{MergeReport, MergeSpec, merge_branch};
pub use pool::{
    AcquireSpec, PooledWorktree, Recovered, Released, WipSaved, Worktree, WorktreePool,
    WorktreeState,
};
pub use predict::{Prediction, predict};
pub use repo::{Divergence, FileChange, FileChangeKind, Repo, RepoStatus};
pub use throwaway::ThrowawayWorktree;
pub use worker_env::worker_git_env;
