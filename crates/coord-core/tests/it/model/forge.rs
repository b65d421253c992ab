//! A forge as far as the pipeline depends on it: pull requests and closed issues.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::ids::CommitId;

#[derive(Debug, Default)]
pub(super) struct Forge {
    /// The branches that have, or had, a pull request, by number.
    pulls: Vec<String>,
    /// What was merged: branch and tip, and the commit on the base.
    merged: BTreeMap<(String, CommitId), CommitId>,
    pub(super) closed: BTreeSet<u64>,
}

impl Forge {
    /// Finds the pull request or opens it.
    pub(super) fn open_pull(&mut self, branch: &str) -> u64 {
        let place = self.pulls.iter().position(|name| name == branch);
        let place = place.unwrap_or_else(|| {
            self.pulls.push(branch.to_owned());
            self.pulls.len() - 1
        });
        place as u64 + 1
    }

    pub(super) fn merged(&self, branch: &str, head: &CommitId) -> Option<&CommitId> {
        self.merged.get(&(branch.to_owned(), head.clone()))
    }

    pub(super) fn has_merged(&mut self, branch: &str, head: &CommitId, commit: &CommitId) {
        let key = (branch.to_owned(), head.clone());
        let before = self.merged.insert(key, commit.clone());
        assert_eq!(before, None, "{branch} at {head} is merged twice");
    }
}
