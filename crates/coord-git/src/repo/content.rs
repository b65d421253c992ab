//! What a commit holds: its tree, and files of it.

use coord_core::ids::CommitId;

use super::{Repo, commit, tree_of};
use crate::GitError;

impl Repo {
    /// The object id of the commit's tree: equal for commits with the same content.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`].
    pub fn tree_of(&self, commit_id: &CommitId) -> Result<String, GitError> {
        let gix = self.gix()?;
        let id = commit(&gix, commit_id)?.id;
        Ok(tree_of(&gix, id)?.to_string())
    }

    /// A regular file of the commit, no longer than about `limit` bytes: at the cut a line says how
    /// much is missing. Bytes that are not UTF-8 are replaced. `None` when it is not there, or is a
    /// folder, a link or a submodule.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn file_at(
        &self,
        commit_id: &CommitId,
        path: &str,
        limit: usize,
    ) -> Result<Option<String>, GitError> {
        let gix = self.gix()?;
        let tree = commit(&gix, commit_id)?
            .tree()
            .map_err(GitError::library("read a tree"))?;
        let entry = tree
            .lookup_entry_by_path(path)
            .map_err(GitError::library("read a tree"))?;
        let Some(entry) = entry.filter(|entry| entry.mode().is_blob()) else {
            return Ok(None);
        };
        let mut blob = entry
            .object()
            .map_err(GitError::library("read a file of a commit"))?;
        let mut bytes = std::mem::take(&mut blob.data);
        let left_out = bytes.len().saturating_sub(limit) as u64;
        bytes.truncate(limit);
        Ok(Some(shortened(bytes, left_out)))
    }
}

/// The text that was kept, with a note where more was left out. It ends with a whole line then.
pub(super) fn shortened(mut kept: Vec<u8>, left_out: u64) -> String {
    if left_out == 0 {
        return String::from_utf8_lossy(&kept).into_owned();
    }
    let whole = kept.iter().rposition(|&byte| byte == b'\n');
    let whole = whole.map_or(kept.len(), |end| end + 1);
    let left_out = left_out + (kept.len() - whole) as u64;
    kept.truncate(whole);
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("[cut off here: {left_out} more bytes]\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_at_the_end_of_a_line_and_is_counted() {
        for (kept, left_out, text) in [
            ("one\ntwo", 0, "one\ntwo"),
            ("one\ntw", 5, "one\n[cut off here: 7 more bytes]\n"),
            ("one\n", 3, "one\n[cut off here: 3 more bytes]\n"),
            ("long li", 2, "long li\n[cut off here: 2 more bytes]\n"),
            ("", 9, "[cut off here: 9 more bytes]\n"),
        ] {
            assert_eq!(shortened(kept.into(), left_out), text);
        }
    }
}
