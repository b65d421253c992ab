//! What is remembered from one look at a worktree to the next.

use std::collections::BTreeSet;

use coord_core::ids::CommitId;
use serde::{Deserialize, Serialize};

/// `looked.json`: where the last look at the worktree left off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    version: u32,
    /// Everything in the worktree, as a tree of git; `None` before the first look.
    pub(crate) tree: Option<String>,
    /// The newest commit of the base branch that the work held.
    pub(crate) base: Option<CommitId>,
    /// The paths that followers were told.
    pub(crate) seen: BTreeSet<String>,
    /// Those of them that the worker should not have changed.
    pub(crate) objected: BTreeSet<String>,
}

/// How many paths are told: whoever changes more has built something, and forgot to ignore it.
const MOST_SEEN: usize = 1000;

/// How many of those that it should not have changed are told one by one: a formatter that went over
/// everything is one mistake, and the events of others must not drown in it.
const MOST_OBJECTED: usize = 100;

/// The version of the file; what another one holds is not read.
const VERSION: u32 = 1;

impl Default for Watched {
    fn default() -> Self {
        Self {
            version: VERSION,
            tree: None,
            base: None,
            seen: BTreeSet::new(),
            objected: BTreeSet::new(),
        }
    }
}

impl Watched {
    /// After the first look, before the worker begins.
    pub(crate) fn begin(tree: String, base: CommitId) -> Self {
        Self {
            tree: Some(tree),
            base: Some(base),
            ..Self::default()
        }
    }

    /// Remembers that followers are told of `path`; `false` if they were, or know of enough.
    pub(super) fn see(&mut self, path: &str) -> bool {
        self.seen.len() < MOST_SEEN && self.seen.insert(path.to_owned())
    }

    /// Remembers that followers are told that `path` should not have been changed; `false` if they were,
    /// or know of enough.
    pub(super) fn object(&mut self, path: &str) -> bool {
        self.objected.len() < MOST_OBJECTED && self.objected.insert(path.to_owned())
    }

    /// Whether it is of this version.
    pub(crate) fn is_current(&self) -> bool {
        self.version == VERSION
    }
}
