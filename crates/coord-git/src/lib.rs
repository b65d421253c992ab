//! Git repositories: reading, fetching, worktrees for workers, saving their work, merging it.
//!
//! Everything here blocks; callers on an async runtime use `spawn_blocking`. All types are
//! `Send + Sync`. gix works in process; what it cannot do (fetch, push, reset) is done by the
//! `git` program, which only the module `cli` starts.
//!
//! The crate never touches a person's own checkout, with two exceptions, both of which only
//! fast-forward a clean one: merging into a branch of a repository without remote, and
//! [`fast_forward`].

mod bundle;
mod changes;
mod cli;
mod combination;
mod error;
mod forward;
mod lock;
mod look;
mod merge;
mod pool;
mod predict;
pub mod prepare;
mod radar;
mod registry;
mod repo;
pub mod scratch;
mod seen;
mod snapshot;
mod throwaway;
mod wip;
mod worker_env;

pub use bundle::{MOST_BUNDLE, WipBundle};
pub use cli::Git;
pub use combination::{Added, Combination};
pub use error::{GitError, RemoteFault};
pub use forward::{FastForward, fast_forward};
pub use look::{Look, PathChange, PathChangeKind, Restored, look, restore};
pub use merge::{MergeReport, MergeSpec, merge_branch};
pub use pool::{
    AcquireSpec, PooledWorktree, Recovered, Released, WipSaved, Worktree, WorktreePool,
    WorktreeState,
};
pub use predict::{Prediction, predict};
pub use radar::{Clash, ClashFile, ClashHunk, ClashKind, Lines, Radar, Scan};
pub use repo::{Divergence, FileChange, FileChangeKind, PastChange, Repo, RepoStatus, WordHit};
pub use throwaway::ThrowawayWorktree;
pub use worker_env::worker_git_env;
