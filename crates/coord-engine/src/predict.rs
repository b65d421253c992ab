//! Which branches are going to conflict when they are merged one after the other: textual conflicts
//! only, found in memory in this machine's checkout. Nothing is changed or published.

use coord_core::assignment::MergeMethod;
use coord_core::ids::{AssignmentId, CommitId, RepoName};
use coord_git::{GitError, Prediction, Repo};

use crate::engine::Engine;
use crate::error::EngineError;

/// A branch whose turn in the merge queue comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedBranch {
    /// The assignment whose work it is.
    pub id: AssignmentId,
    /// Its tip.
    pub head: CommitId,
    /// How it is going to be merged.
    pub method: MergeMethod,
}

/// What is going to conflict, as far as can be said today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The tip of the base branch.
    pub base: CommitId,
    /// Whoever conflicts, in the order of merging; is left out for those after it.
    pub conflicts: Vec<PredictedConflict>,
}

/// A branch that does not merge where its turn comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedConflict {
    /// The branch.
    pub id: AssignmentId,
    /// The one before it that it conflicts with; `None`: the base.
    pub with: Option<AssignmentId>,
    /// The paths in conflict, sorted.
    pub paths: Vec<String>,
}

impl Engine {
    /// The conflicts of `queue` with the base branch as it is on the forge now, and with each other,
    /// in the order of merging; `None` where this machine has no checkout to look into.
    ///
    /// # Errors
    /// When the repository is unknown, or its checkout or remote cannot be used.
    pub async fn forecast(
        &self,
        repo: &RepoName,
        queue: Vec<QueuedBranch>,
    ) -> Result<Option<Forecast>, EngineError> {
        let Some(path) = self.repo(repo)?.path.clone() else {
            return Ok(None);
        };
        let branch = self.default_branch(repo).await?;
        let look = move || forecast(&Repo::open(&path)?, branch, &queue);
        // It is cut off only with the whole program.
        let Ok(found) = tokio::task::spawn_blocking(look).await else {
            return Ok(None);
        };
        found.map(Some).map_err(|source| EngineError::Git {
            repo: repo.clone(),
            source,
        })
    }
}

fn forecast(repo: &Repo, branch: String, queue: &[QueuedBranch]) -> Result<Forecast, GitError> {
    repo.fetch()?;
    let base = repo
        .tip(&branch)?
        .ok_or(GitError::NoSuchBranch { name: branch })?;
    let heads: Vec<&CommitId> = queue.iter().map(|it| &it.head).collect();
    repo.ensure_commits(&heads)?;
    let entries: Vec<_> = queue
        .iter()
        .map(|it| (it.head.clone(), it.method))
        .collect();
    let id = |place: usize| queue.get(place).map(|it| it.id.clone());
    let named = |found: Prediction| {
        Some(PredictedConflict {
            id: id(found.entry)?,
            with: found.with.and_then(id),
            paths: found.paths,
        })
    };
    let found = coord_git::predict(repo, &base, &entries)?;
    Ok(Forecast {
        base,
        conflicts: found.into_iter().filter_map(named).collect(),
    })
}
