//! `refs/coord/seen/<assignment>`: what was taken of the work that is under way on other machines.
//!
//! Not `refs/coord/wip`, which belongs to whoever saves work in this repository: there a late copy
//! could stand in the way of the last word, and nobody could tell which of the two may be removed.

use std::collections::BTreeMap;

use coord_core::ids::{AssignmentId, CommitId};
use gix::refs::FullName;

use crate::repo::{collect, commit_id, delete_ref, read};
use crate::{GitError, Repo};

const FOLDER: &str = "refs/coord/seen/";

/// The ref for what was taken of the work of an assignment.
pub(crate) fn reference(id: &AssignmentId) -> String {
    format!("{FOLDER}{id}")
}

impl Repo {
    /// What [`Repo::take_bundle`] took last.
    ///
    /// # Errors
    /// When the ref cannot be read.
    pub fn seen(&self, id: &AssignmentId) -> Result<Option<CommitId>, GitError> {
        Ok(read(&self.gix()?, &reference(id))?.map(commit_id))
    }

    /// Lets go of what was taken of any other work than that of `keep`.
    ///
    /// # Errors
    /// When refs cannot be read or deleted.
    pub fn forget_seen(&self, keep: &[AssignmentId]) -> Result<(), GitError> {
        let gix = self.gix()?;
        let mut seen = BTreeMap::new();
        collect(&gix, FOLDER, &mut seen)?;
        seen.retain(|name, _| !keep.iter().any(|id| id.as_str() == name));
        for name in seen.into_keys() {
            let name = FullName::try_from(format!("{FOLDER}{name}"))
                .map_err(GitError::library("name a ref"))?;
            delete_ref(&gix, &name)?;
        }
        Ok(())
    }
}
