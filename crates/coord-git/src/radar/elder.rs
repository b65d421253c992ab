//! Pairs for which git has to be asked, where git is too old to be asked: gix merges them in memory.
//!
//! It knows fewer renamed folders than git does, so that a clash over one of those can be missed.

use gix::ObjectId;
use gix::merge::blob::builtin_driver::text::Labels;
use gix::merge::tree::{Conflict, Resolution, ResolutionFailure, TreatAsUnresolved};

use super::ask::{Answer, Path3};
use super::clash::ClashKind;
use crate::GitError;
use crate::changes::Entry;

/// Merges each pair of commits. They must not be unrelated.
pub(super) fn merge(
    gix: &gix::Repository,
    pairs: &[(ObjectId, ObjectId)],
) -> Result<Vec<Answer>, GitError> {
    let gix = gix.clone().with_object_memory();
    pairs.iter().map(|pair| merge_one(&gix, *pair)).collect()
}

fn merge_one(
    gix: &gix::Repository,
    (one, other): (ObjectId, ObjectId),
) -> Result<Answer, GitError> {
    let options = gix
        .tree_merge_options()
        .map_err(GitError::library("read the merge options"))?;
    let outcome = gix
        .merge_commits(one, other, Labels::default(), options.into())
        .map_err(GitError::library("merge two commits"))?;
    let how = TreatAsUnresolved::git();
    let conflicts = outcome.tree_merge.conflicts.iter();
    Ok(conflicts
        .filter(|conflict| conflict.is_unresolved(how))
        .map(|conflict| {
            let stages = conflict.entries().map(|entry| {
                entry.map(|entry| Entry {
                    mode: entry.mode,
                    id: entry.id,
                })
            });
            let said = kind(conflict);
            (conflict.ours.location().to_owned(), Path3 { stages, said })
        })
        .collect())
}

/// `None` where the stages tell.
fn kind(conflict: &Conflict) -> Option<ClashKind> {
    let failure = match &conflict.resolution {
        Ok(Resolution::OursModifiedTheirsRenamedAndChangedThenRename { .. }) => {
            return Some(ClashKind::RenameEdit);
        }
        Ok(_) => return None,
        Err(failure) => failure,
    };
    match failure {
        ResolutionFailure::OursRenamedTheirsRenamedDifferently { .. } => {
            Some(ClashKind::RenameRename)
        }
        ResolutionFailure::OursRenamedTheirsRenamedToSameLocation => Some(ClashKind::RenameAdd),
        ResolutionFailure::SubmoduleMerge | ResolutionFailure::SubmoduleAddAdd => {
            Some(ClashKind::Submodule)
        }
        ResolutionFailure::OursDirectoryTheirsNonDirectoryTheirsRenamed { .. }
        | ResolutionFailure::OursModifiedTheirsDirectoryThenOursRenamed { .. } => {
            Some(ClashKind::DirectoryFile)
        }
        ResolutionFailure::OursAddedTheirsAddedTypeMismatch { .. }
        | ResolutionFailure::OursModifiedTheirsRenamedTypeMismatch => Some(ClashKind::Type),
        ResolutionFailure::OursDeletedTheirsRenamed => Some(ClashKind::RenameDelete),
        ResolutionFailure::OursModifiedTheirsDeleted => Some(ClashKind::DeleteEdit),
        ResolutionFailure::Unknown => None,
    }
}
