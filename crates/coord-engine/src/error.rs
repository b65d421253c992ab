//! Why the engine could not do what it was asked.

use std::path::PathBuf;

use coord_core::ids::{AssignmentId, ProposalId, RepoName};
use coord_forge::ForgeError;
use coord_git::GitError;
use coord_store::StoreError;

/// Why the engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The board could not be read or written.
    #[error("the board cannot be used")]
    Store(#[from] StoreError),
    /// The forge failed.
    #[error("the forge of `{repo}` failed")]
    Forge {
        /// Whose forge.
        repo: RepoName,
        /// How.
        source: ForgeError,
    },
    /// The repository is not in the configuration.
    #[error("there is no repository `{0}` in the configuration")]
    UnknownRepo(RepoName),
    /// The forge has no such issue.
    #[error("there is no issue #{number} in `{repo}`")]
    UnknownIssue {
        /// The repository.
        repo: RepoName,
        /// The number that was asked for.
        number: u64,
    },
    /// The checkout here cannot be used.
    #[error("the checkout of `{repo}` cannot be used")]
    Git {
        /// Whose checkout.
        repo: RepoName,
        /// Why.
        source: GitError,
    },
    /// No assignment, on the board or finished, has this id.
    #[error("there is no assignment `{0}`")]
    UnknownAssignment(String),
    /// Nothing that is proposed has this id.
    #[error("nothing that is proposed has the id {0}")]
    UnknownProposal(ProposalId),
    /// Several assignments have ids that begin like this.
    #[error("`{prefix}` is the beginning of several assignment ids: {}", join(.found))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// Some of those that fit.
        found: Vec<AssignmentId>,
    },
    /// The state folder cannot be used.
    #[error("the state folder `{path}` cannot be used")]
    Home {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn join(ids: &[AssignmentId]) -> String {
    let ids: Vec<&str> = ids.iter().map(AssignmentId::as_str).collect();
    ids.join(", ")
}

impl EngineError {
    /// Says whose forge failed.
    pub(crate) fn forge(repo: &RepoName) -> impl Fn(ForgeError) -> Self {
        let repo = repo.clone();
        move |source| Self::Forge {
            repo: repo.clone(),
            source,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Forge { source, .. } => source
                .hint()
                .map(str::to_owned)
                .or_else(|| of_store(source))
                .or_else(|| of_kind(source).map(str::to_owned)),
            Self::UnknownRepo(_) => Some("`coord config` shows the repositories".to_owned()),
            Self::UnknownIssue { repo, .. } => Some(format!(
                "`coord issue list --repo {repo}` shows the open ones"
            )),
            Self::Git { source, .. } => source.hint(),
            Self::UnknownAssignment(_) => Some("`coord status` shows the ids".to_owned()),
            Self::UnknownProposal(_) => Some(
                "`coord status` lists what is proposed; a new plan replaces the one before"
                    .to_owned(),
            ),
            Self::Ambiguous { .. } => Some("type more of it".to_owned()),
            Self::Home { .. } => Some("set COORD_HOME to a folder that you can write".to_owned()),
        }
    }
}

/// A local forge stands on the store, which knows what helps.
fn of_store(error: &ForgeError) -> Option<String> {
    let store = std::error::Error::source(error)?.downcast_ref::<StoreError>()?;
    store.hint()
}

/// What helps as a rule where the forge knows nothing better.
fn of_kind(error: &ForgeError) -> Option<&'static str> {
    match error {
        ForgeError::Transient { retry_at: None, .. } => {
            Some("this passes by itself as a rule: try again in a moment")
        }
        ForgeError::NotFound { .. } => Some(
            "is its name right in the configuration, and may this account see it? \
             `coord config` shows what is asked for, and where",
        ),
        ForgeError::Transient {
            retry_at: Some(_), ..
        }
        | ForgeError::Auth { .. }
        | ForgeError::Refused { .. }
        | ForgeError::Unusable { .. } => None,
    }
}

/// An error with everything behind it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
