//! Whether a file is merged line by line, or in a way that attributes or settings choose.

use gix::bstr::BStr;
use gix::worktree::stack::state::attributes::Source;

use crate::GitError;

/// What the repository's attributes and settings say about merging.
pub(super) struct Drivers<'repo> {
    /// Whether the settings leave lines alone.
    usual: bool,
    stack: gix::AttributeStack<'repo>,
    found: gix::attrs::search::Outcome,
}

impl<'repo> Drivers<'repo> {
    pub(super) fn read(gix: &'repo gix::Repository) -> Result<Self, GitError> {
        let doing = "read the attributes";
        let index = gix
            .index_or_load_from_head_or_empty()
            .map_err(GitError::library(doing))?;
        let source = match gix.workdir() {
            Some(_) => Source::WorktreeThenIdMapping,
            None => Source::IdMapping,
        };
        let stack = gix
            .attributes_only(&index, source)
            .map_err(GitError::library(doing))?;
        let found = stack.selected_attribute_matches(["merge"]);
        let settings = gix.config_snapshot();
        Ok(Self {
            usual: settings.string("merge.default").is_none()
                && settings.boolean("merge.renormalize") != Some(true),
            stack,
            found,
        })
    }

    /// Whether git merges the lines of this file.
    pub(super) fn merges_lines(&mut self, path: &BStr) -> Result<bool, GitError> {
        let entry = self
            .stack
            .at_entry(path, None)
            .map_err(GitError::library("read the attributes"))?;
        entry.matching_attributes(&mut self.found);
        let is_named = self
            .found
            .iter_selected()
            .any(|found| !found.assignment.state.is_unspecified());
        Ok(self.usual && !is_named)
    }
}
