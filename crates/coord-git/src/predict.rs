//! Which branches are going to conflict when they are merged one after the other.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;

use crate::{Added, Combination, GitError, Repo};

/// A branch that does not merge where its turn comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// Its place among the entries, from 0.
    pub entry: usize,
    /// The place of the entry before it that it conflicts with; `None`: the base.
    pub with: Option<usize>,
    /// The paths in conflict, sorted; empty for a history of its own.
    pub paths: Vec<String>,
}

/// The conflicts of `entries` in the order of merging; those without one do not appear. An entry in
/// conflict is left out for those after it.
///
/// # Errors
/// [`GitError::NoSuchCommit`] (see [`Repo::ensure_commits`]), and when objects cannot be read or
/// written.
pub fn predict(
    repo: &Repo,
    base: &CommitId,
    entries: &[(CommitId, MergeMethod)],
) -> Result<Vec<Prediction>, GitError> {
    // What each entry so far has made, after the base.
    let mut stages = vec![(None, Combination::begin(repo, base)?)];
    let mut predictions = Vec::new();
    for (entry, (head, method)) in entries.iter().enumerate() {
        let Some((_, last)) = stages.last() else {
            break;
        };
        let mut next = last.clone();
        match next.add(head, *method)? {
            Added::Built { .. } => stages.push((Some(entry), next)),
            Added::Conflict { .. } | Added::Unrelated => {
                predictions.extend(first_conflict(&stages, entry, head, *method)?);
            }
        }
    }
    Ok(predictions)
}

/// The first stage with which an entry conflicts.
fn first_conflict(
    stages: &[(Option<usize>, Combination)],
    entry: usize,
    head: &CommitId,
    method: MergeMethod,
) -> Result<Option<Prediction>, GitError> {
    for (with, stage) in stages {
        let paths = match stage.clone().add(head, method)? {
            Added::Built { .. } => continue,
            Added::Conflict { paths } => paths,
            Added::Unrelated => Vec::new(),
        };
        return Ok(Some(Prediction {
            entry,
            with: *with,
            paths,
        }));
    }
    Ok(None)
}
