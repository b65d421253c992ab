//! Which branches are going to conflict with each other, or with their base, as they are now.

use serde::{Deserialize, Serialize};

use crate::ids::{AssignmentId, CommitId, RepoName};

/// A conflict that is foreseen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Clash {
    /// Of two the later one, which is told.
    pub id: AssignmentId,
    /// The other one; `None`: the base.
    pub with: Option<AssignmentId>,
    /// The paths in conflict, sorted.
    pub paths: Vec<String>,
}

/// What somebody saw who looked at all branches of a repository that are being worked on, or wait
/// for their merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The repository.
    pub repo: RepoName,
    /// The tip of the base.
    pub base: CommitId,
    /// The branches, each at the commit that was looked at.
    pub heads: Vec<(AssignmentId, CommitId)>,
    /// The pairs in conflict, in any order.
    pub conflicts: Vec<Seen>,
}

/// A pair in conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// One of the branches.
    pub one: AssignmentId,
    /// Another one; `None`: the base.
    pub other: Option<AssignmentId>,
    /// The paths in conflict.
    pub paths: Vec<String>,
}
