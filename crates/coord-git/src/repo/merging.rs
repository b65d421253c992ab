//! Merges that have begun and are not committed.

use coord_core::ids::CommitId;

use super::Repo;
use crate::GitError;

impl Repo {
    /// The commits that are being merged into the one that is checked out; none where no merge is under
    /// way. Lines that are no ids are passed over: a worker may have written them.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn merging(&self) -> Result<Vec<CommitId>, GitError> {
        let path = self.gix()?.git_dir().join("MERGE_HEAD");
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(GitError::io("read", &path))?,
        };
        let ids = text.lines().map(str::trim);
        let ids = ids.filter(|it| it.len() == 40 && it.bytes().all(|b| b.is_ascii_hexdigit()));
        Ok(ids.map(|it| CommitId::new(it.to_owned())).collect())
    }
}
