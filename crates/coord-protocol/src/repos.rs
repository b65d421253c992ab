//! `GET /repos`: the state of the machine's own checkouts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::assign::is_false;

/// The answer of `GET /repos`: one entry per configured repository.
pub type Repos = BTreeMap<String, RepoState>;

/// A checkout, or why nothing can be said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RepoState {
    /// It could be read.
    Ready {
        /// The commit that is checked out.
        sha: String,
        /// The branch that is checked out; `None` for a detached HEAD.
        branch: Option<String>,
        /// Whether tracked files differ from that commit.
        dirty: bool,
        /// The folder of the checkout.
        path: String,
    },
    /// It could not be read.
    Broken {
        /// Why, in one line.
        error: String,
        /// The folder that was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// There is no folder, or no repository in it.
        #[serde(default, skip_serializing_if = "is_false")]
        missing: bool,
    },
}
