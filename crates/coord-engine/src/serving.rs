//! The requests for those who look at a branch: reviewers, authors of a pull request's text, smoke
//! tests.
//!
//! What they read is put together here, from the checkout of this machine, else from the forge. What
//! they answer is judged elsewhere.

mod context;
mod material;
pub(crate) mod schema;
mod yardstick;

use std::collections::BTreeMap;
use std::time::Duration;

use coord_core::assignment::AssignmentKind;
use coord_core::effect::{DispatchSpec, Outcome, ServingSpec};
use coord_core::failure::FailureClass;
use coord_core::ids::{CommitId, RepoName};
use coord_forge::ForgeError;
use coord_git::GitError;
use coord_protocol::{AssignBody, AssignmentType};

use crate::effects::{Later, blocking};
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};
pub(crate) use material::base_of;
use material::{DIFF, Found};

/// What reviewers are told, as it is configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewTexts {
    /// What every reviewer checks.
    pub checklist: Vec<String>,
    /// What reviewers of one repository check besides.
    pub repo_overrides: BTreeMap<RepoName, Vec<String>>,
    /// What every reviewer is told beside the checklist.
    pub prompt: Option<String>,
}

/// What a smoke test runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeCommand {
    /// A shell command line.
    pub command: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// A request, or what the dispatch comes to without one.
pub(crate) type Request = Result<Box<AssignBody>, Outcome>;

impl Engine {
    /// The request for somebody who looks at a branch; `plain` is what every request has.
    pub(crate) async fn serving_body(
        &self,
        spec: &DispatchSpec,
        serving: &ServingSpec,
        plain: AssignBody,
    ) -> Result<Request, Later> {
        let body = AssignBody {
            // Nothing of what a writer is told is for a reader: the text of the issue stands alone.
            briefing: String::new(),
            issue_body: spec
                .issue_body
                .clone()
                .or_else(|| Some(spec.briefing.clone())),
            work_branch: None,
            steerable: false,
            base_sha: Some(serving.head.to_string()),
            review_target: Some(serving.branch.clone()),
            ..plain
        };
        match spec.kind {
            AssignmentKind::Review => {
                let (material, found) = self.material(&spec.issue.repo, serving).await?;
                let Some(material) = material else {
                    return Ok(Err(refused(unseen(serving))));
                };
                let texts = &self.0.reviews;
                let found = found.as_ref();
                let context = context::of_review(texts, &spec.issue.repo, serving, found);
                Ok(Ok(Box::new(AssignBody {
                    kind: AssignmentType::Review,
                    briefing: material,
                    context: Some(context),
                    output_schema: Some(schema::review()),
                    ..body
                })))
            }
            AssignmentKind::Pr => {
                let (material, found) = self.material(&spec.issue.repo, serving).await?;
                Ok(Ok(Box::new(AssignBody {
                    kind: AssignmentType::Pr,
                    // Without the diff the worktree is all there is.
                    briefing: material.unwrap_or_default(),
                    context: Some(context::of_pull(found.as_ref())),
                    output_schema: Some(schema::pull()),
                    ..body
                })))
            }
            AssignmentKind::Smoke => Ok(self.smoke_body(body)),
            AssignmentKind::Work
            | AssignmentKind::Continue
            | AssignmentKind::Fix
            | AssignmentKind::Rebase => Ok(Err(refused(
                "it writes, and has a branch to read".to_owned(),
            ))),
        }
    }

    fn smoke_body(&self, body: AssignBody) -> Request {
        let Some(smoke) = &self.0.smoke else {
            let error = "there is no command for smoke tests in the configuration";
            return Err(refused(error.to_owned()));
        };
        Ok(Box::new(AssignBody {
            kind: AssignmentType::Smoke,
            smoke_command: Some(smoke.command.clone()),
            timeout_seconds: Some(smoke.timeout.as_secs()),
            ..body
        }))
    }

    /// What somebody who reads the branch is given, and what the checkout here knows of it; without
    /// a text where nothing shows the diff.
    async fn material(
        &self,
        repo: &RepoName,
        serving: &ServingSpec,
    ) -> Result<(Option<String>, Option<Found>), Later> {
        let earlier = serving.reviewed.as_ref();
        let failure = match self.found(repo, serving).await? {
            Some(Ok(found)) => {
                let text = material::text(&found.diff, earlier, found.reviewed.as_ref());
                return Ok((Some(text), Some(found)));
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        match (self.pull_diff(repo, serving).await?, failure) {
            (Some(diff), _) => Ok((Some(material::text(&diff, earlier, None)), None)),
            (None, Some(error)) if is_passing(&error) => Err(Later::new(with_causes(&error))),
            (None, _) => Ok((None, None)),
        }
    }

    /// `None` where this machine has no checkout.
    async fn found(
        &self,
        repo: &RepoName,
        serving: &ServingSpec,
    ) -> Result<Option<Result<Found, GitError>>, Later> {
        let path = self.repo(repo).map_err(Later::new)?.path.clone();
        let (Some(path), Ok(default)) = (path, self.default_branch(repo).await) else {
            return Ok(None);
        };
        let serving = serving.clone();
        let found = blocking(move || material::find(&path, &serving, &default)).await?;
        Ok(Some(found))
    }

    /// The diff of the pull request; `None` where there is none, or the forge does not show it.
    async fn pull_diff(
        &self,
        repo: &RepoName,
        serving: &ServingSpec,
    ) -> Result<Option<String>, Later> {
        let Some(pull) = serving.pull else {
            return Ok(None);
        };
        let forge = self.forge(repo).map_err(Later::new)?;
        match forge.pull_diff(pull).await {
            Ok(diff) => Ok(Some(material::within(diff, DIFF))),
            Err(error @ ForgeError::Transient { retry_at, .. }) => Err(Later {
                error: with_causes(&EngineError::forge(repo)(error)),
                at: retry_at,
            }),
            Err(
                ForgeError::NotFound { .. }
                | ForgeError::Auth { .. }
                | ForgeError::Refused { .. }
                | ForgeError::Unusable { .. },
            ) => Ok(None),
        }
    }

    /// The section with the rules of the repository for a worker who starts at `base`: started as it
    /// is, Claude Code does not read the repository's CLAUDE.md itself. `None` where there is none,
    /// or this machine cannot tell.
    pub(crate) async fn project_rules(
        &self,
        repo: &RepoName,
        base: Option<&CommitId>,
    ) -> Option<String> {
        let path = self.repo(repo).ok()?.path.clone()?;
        let default = self.default_branch(repo).await.ok()?;
        let base = base.cloned();
        let find = move || material::find_rules(&path, base.as_ref(), &default);
        let rules = blocking(find).await.ok()?.ok()??;
        Some(context::of_rules(&rules))
    }
}

fn is_passing(error: &GitError) -> bool {
    matches!(error.class(), FailureClass::Environmental { .. })
}

/// A review could not be held against anything.
fn unseen(serving: &ServingSpec) -> String {
    format!(
        "nothing shows what {} changes: it has no pull request, and this machine has no checkout that \
         knows it",
        serving.head.short()
    )
}

fn refused(error: String) -> Outcome {
    Outcome::Failed {
        class: FailureClass::Configuration,
        error,
    }
}
