//! The git repository behind a local forge, off the async threads.

use std::path::PathBuf;

use coord_core::ids::{CommitId, RepoName};
use coord_forge::{BranchRef, ChangeKind, ChangedFile, Comparison, ForgeError, Mergeable};
use coord_git::{FileChange, FileChangeKind, GitError, MergeReport, MergeSpec, Repo, merge_branch};

use crate::failure;

/// Where the git repository is, if this machine has it.
#[derive(Debug, Clone)]
pub(crate) struct Checkout {
    pub(crate) repo: RepoName,
    pub(crate) path: Option<PathBuf>,
}

/// What a pull request is about: the commits of `head` that `base` does not have.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) base: CommitId,
    pub(crate) head: CommitId,
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

    /// The tip of the branch, as the remote has it now.
    pub(crate) async fn fetched_tip(&self, branch: &str) -> Result<Option<CommitId>, ForgeError> {
        let branch = branch.to_owned();
        self.run(move |repo| {
            repo.fetch()?;
            repo.tip(&branch)
        })
        .await
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

    pub(crate) async fn default_branch(&self) -> Result<String, ForgeError> {
        self.run(|repo| repo.default_branch(None)).await
    }

    /// How two branches or commits stand to each other, as the remote has them now.
    pub(crate) async fn compare(&self, base: &str, head: &str) -> Result<Comparison, ForgeError> {
        let names = [base.to_owned(), head.to_owned()];
        let [base, head] = self
            .run(move |repo| {
                repo.fetch()?;
                let [base, head] = names;
                Ok([(repo.resolve(&base)?, base), (repo.resolve(&head)?, head)])
            })
            .await?
            .map(|(found, name)| {
                found.ok_or_else(|| ForgeError::NotFound {
                    what: format!("`{name}` in `{}`", self.repo),
                })
            });
        let (base, head) = (base?, head?);
        let unrelated = ForgeError::Refused {
            reason: format!(
                "{} and {} have no commit in common",
                base.short(),
                head.short()
            ),
            hint: None,
        };
        let found = self.run(move |repo| repo.compare(&base, &head)).await?;
        let found = found.ok_or(unrelated)?;
        Ok(Comparison {
            ahead: found.ahead,
            behind: found.behind,
            merge_base: found.merge_base,
        })
    }

    /// Whether `head` merges into the branch `base` as of the last fetch.
    pub(crate) async fn mergeable(
        &self,
        base: &str,
        head: Option<CommitId>,
    ) -> Result<Mergeable, ForgeError> {
        let base = base.to_owned();
        self.run(move |repo| {
            let (Some(base), Some(head)) = (repo.tip(&base)?, head) else {
                return Ok(Mergeable::Unknown);
            };
            Ok(if repo.merges_cleanly(&base, &head)? {
                Mergeable::Yes
            } else {
                Mergeable::No
            })
        })
        .await
    }

    pub(crate) async fn files(&self, span: Span) -> Result<Vec<ChangedFile>, ForgeError> {
        let found = self
            .run(move |repo| repo.file_changes(&span.base, &span.head))
            .await?;
        Ok(found.into_iter().map(changed_file).collect())
    }

    pub(crate) async fn diff(&self, span: Span) -> Result<String, ForgeError> {
        self.run(move |repo| repo.diff(&span.base, &span.head))
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

fn changed_file(file: FileChange) -> ChangedFile {
    let (kind, renamed_from) = match file.kind {
        FileChangeKind::Added => (ChangeKind::Added, None),
        FileChangeKind::Removed => (ChangeKind::Removed, None),
        FileChangeKind::Modified => (ChangeKind::Modified, None),
        FileChangeKind::Renamed { from } => (ChangeKind::Renamed, Some(from)),
    };
    ChangedFile {
        path: file.path,
        renamed_from,
        kind,
        additions: file.additions,
        deletions: file.deletions,
        patch: file.patch,
    }
}
