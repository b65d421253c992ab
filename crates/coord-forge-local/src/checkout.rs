//! The git repository behind a local forge, off the async threads.

use std::path::PathBuf;

use coord_core::ids::{CommitId, RepoName};
use coord_forge::{BranchRef, ForgeError};
use coord_git::{GitError, MergeReport, MergeSpec, Repo, merge_branch};

use crate::failure;

/// Where the git repository is, if this machine has it.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    pub(crate) repo: RepoName,
    pub(crate) path: Option<PathBuf>,
}

impl Checkout {
    /// The branches as the remote has them now, or the local ones where there is no remote.
    pub(crate) async fn branches(&self, prefix: &str) -> Result<Vec<BranchRef>, ForgeError> {
        let prefix = prefix.to_owned();
        let found = self
            .run(move |repo| {
                repo.fetch()?;
                repo.branches_with_prefix(&prefix)
            })
            .await?;
        let branch = |(name, head)| BranchRef { name, head };
        Ok(found.into_iter().map(branch).collect())
    }

    /// The tip of the branch as of the last fetch.
    pub(crate) async fn known_tip(&self, branch: &str) -> Result<Option<CommitId>, ForgeError> {
        let branch = branch.to_owned();
        self.run(move |repo| repo.tip(&branch)).await
    }

    /// The tip of the branch; asks the remote before it says that there is none.
    pub(crate) async fn tip(&self, branch: &str) -> Result<Option<CommitId>, ForgeError> {
        let branch = branch.to_owned();
        self.run(move |repo| match repo.tip(&branch)? {
            Some(tip) => Ok(Some(tip)),
            None => {
                repo.fetch()?;
                repo.tip(&branch)
            }
        })
        .await
    }

    pub(crate) async fn merge(&self, spec: MergeSpec) -> Result<MergeReport, ForgeError> {
        self.run(move |repo| merge_branch(repo, &spec)).await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, ForgeError>
    where
        T: Send + 'static,
        F: FnOnce(&Repo) -> Result<T, GitError> + Send + 'static,
    {
        let Some(path) = self.path.clone() else {
            return Err(failure::no_checkout(&self.repo));
        };
        let done = tokio::task::spawn_blocking(move || work(&Repo::open(path)?)).await;
        match done {
            Ok(result) => result.map_err(|error| failure::of_git(&self.repo, error)),
            // The runtime is shutting down, or git's library panicked; the outcome is unknown.
            Err(gone) => Err(ForgeError::Transient {
                what: format!(
                    "work on the git repository of `{}` was cut short",
                    self.repo
                ),
                retry_at: None,
                source: Some(Box::new(gone)),
            }),
        }
    }
}
