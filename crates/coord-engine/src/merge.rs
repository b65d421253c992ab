//! Merging: the pull request of a branch, found or opened, and what the forge says to its merge.

use coord_core::effect::{Effect, Outcome};
use coord_core::ids::{CommitId, RepoName, Timestamp};
use coord_forge::{ForgeError, MergeOutcome, NewPull, Pull, PullMerge, PullState};
use coord_git::Repo;

use crate::ci::{APPEARANCE_SECONDS, Ci};
use crate::clock;
use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// `again` says that the same merge was tried before.
    pub(crate) async fn merge(&self, effect: &Effect, again: bool) -> Result<Outcome, EngineError> {
        let Effect::Merge {
            id,
            issue,
            title,
            branch,
            head,
            method,
        } = effect
        else {
            return Ok(Outcome::MergeRefused {
                reason: "it is not a merge".to_owned(),
            });
        };
        let repo = &issue.repo;
        let forge = self.forge(repo)?;
        let failed = EngineError::forge(repo);
        let pull = match forge.pull_for_branch(branch).await.map_err(&failed)? {
            Some(pull) if pull.state == PullState::Open || is_this_merge(&pull, head) => pull,
            Some(_) | None => {
                let new = NewPull {
                    title: title.clone(),
                    body: format!("Closes #{}.", issue.number),
                    branch: branch.clone(),
                    base: self.default_branch(repo).await?,
                };
                forge.open_pull(new).await.map_err(&failed)?
            }
        };
        if pull.state == PullState::Open {
            let checks = self.ci(forge, head, &pull.base).await.map_err(&failed)?;
            match checks {
                Ci::Bad(names) => return Ok(ci_failed(&names)),
                Ci::Pending(names) => return Err(failed(not_yet(&names, None))),
                Ci::Silent if !again && self.is_shared(repo) => {
                    let soon = clock::now().plus_secs(APPEARANCE_SECONDS);
                    return Err(failed(not_yet(&[], Some(soon))));
                }
                Ci::Silent | Ci::Good => {}
            }
        }
        let merge = PullMerge {
            head: head.clone(),
            method: *method,
            message: format!("{title} (#{})", issue.number),
            assignment: id.clone(),
        };
        let merged = forge
            .merge_pull(pull.number, &merge)
            .await
            .map_err(failed)?;
        Ok(match merged {
            MergeOutcome::Merged { commit } => Outcome::Merged { commit },
            MergeOutcome::Conflict { base, paths } => Outcome::MergeConflict { base, paths },
            MergeOutcome::Refused { reason } => Outcome::MergeRefused { reason },
        })
    }

    /// The configured branch, else the one that the checkout here says, else the forge's.
    pub(crate) async fn default_branch(&self, name: &RepoName) -> Result<String, EngineError> {
        let policy = self.policy().repos.get(name);
        if let Some(branch) = policy.and_then(|repo| repo.default_branch.clone()) {
            return Ok(branch);
        }
        if let Some(path) = self.repo(name)?.path.clone() {
            let look = move || Repo::open(&path)?.default_branch(None);
            if let Ok(branch) = tokio::task::spawn_blocking(look).await {
                return branch.map_err(|source| EngineError::Git {
                    repo: name.clone(),
                    source,
                });
            }
        }
        let branch = self.forge(name)?.default_branch().await;
        branch.map_err(EngineError::forge(name))
    }
}

fn ci_failed(names: &[String]) -> Outcome {
    Outcome::MergeRefused {
        reason: format!("the forge's checks are not good: {}", names.join(", ")),
    }
}

/// Checks are asked for again; nobody tells this process of their end.
fn not_yet(names: &[String], retry_at: Option<Timestamp>) -> ForgeError {
    let what = match names {
        [] => "no check has appeared yet".to_owned(),
        names => format!("checks have not ended: {}", names.join(", ")),
    };
    ForgeError::Transient {
        what,
        retry_at,
        source: None,
    }
}

/// Whether the pull request was merged at this head: an earlier try of the same merge.
fn is_this_merge(pull: &Pull, head: &CommitId) -> bool {
    matches!(pull.state, PullState::Merged { .. }) && pull.head.as_ref() == Some(head)
}
