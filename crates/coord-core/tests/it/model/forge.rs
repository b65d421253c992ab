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
    /// The sub-issues of each split, by its key.
    splits: BTreeMap<String, Vec<u64>>,
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

    /// Finds the sub-issues of a split or creates them.
    pub(super) fn split(&mut self, key: &str, parts: usize) -> Vec<u64> {
        let first = 1000 + 20 * self.splits.len() as u64;
        let created = self.splits.entry(key.to_owned());
        let created = created.or_insert_with(|| (first..).take(parts).collect());
        assert_eq!(created.len(), parts, "{key} is that of another split");
        created.clone()
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
