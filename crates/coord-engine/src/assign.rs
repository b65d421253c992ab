//! `assign`: everything that has to be looked up before the pure decision can be made.

use coord_core::assignment::{AssignmentKind, FileScope, Goal, Waivers};
use coord_core::command::{AssignRequest, ClaimEvidence, WhenBlocked};
use coord_core::ids::{MachineName, RepoName};
use coord_core::{Command, Decision};
use coord_forge::{Forge, ForgeError, PullState};
use coord_store::Committed;

use crate::clock;
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct AssignInput {
    /// Where to run it; `None` leaves the choice to the coordinator.
    pub machine: Option<MachineName>,
    /// The repository.
    pub repo: RepoName,
    /// The number of the issue.
    pub issue: u64,
    /// The model, before label and default.
    pub model: Option<String>,
    /// What to do instead of what the issue says.
    pub briefing: Option<String>,
    /// Declared globs.
    pub scope: FileScope,
    /// Whether it may wait for what stands in its way.
    pub when_blocked: WhenBlocked,
    /// Rules that the person sets aside.
    pub waivers: Waivers,
    /// How far the coordinator takes it.
    pub goal: Goal,
}

impl Engine {
    /// Puts a worker on an issue, or says why not. The dispatch waits in the outbox.
    ///
    /// # Errors
    /// When the forge does not answer for the issue itself, or the store fails.
    pub async fn assign(&self, input: AssignInput) -> Result<Committed, EngineError> {
        let request = self.request(input).await?;
        self.command(Command::Assign(Box::new(request))).await
    }

    /// What [`Engine::assign`] would decide, without doing it.
    ///
    /// # Errors
    /// As [`Engine::assign`].
    pub async fn assign_dry(&self, input: AssignInput) -> Result<Decision, EngineError> {
        let request = self.request(input).await?;
        self.decide(&Command::Assign(Box::new(request))).await
    }

    async fn request(&self, input: AssignInput) -> Result<AssignRequest, EngineError> {
        let forge = self.forge(&input.repo)?;
        let (issue, evidence) = tokio::join!(forge.issue(input.issue), claims(forge, input.issue));
        let failed = |source| EngineError::Forge {
            repo: input.repo.clone(),
            source,
        };
        let issue = issue
            .map_err(failed)?
            .ok_or_else(|| EngineError::UnknownIssue {
                repo: input.repo.clone(),
                number: input.issue,
            })?;
        let evidence = match evidence {
            Ok(evidence) => evidence,
            Err(error @ ForgeError::Transient { .. }) => ClaimEvidence::Unknown {
                error: with_causes(&error),
            },
            // Waiving the rule would not help: nothing can be done with that repository.
            Err(error) => return Err(failed(error)),
        };
        Ok(AssignRequest {
            id: clock::fresh_id(),
            kind: AssignmentKind::Work,
            machine: input.machine,
            repo: input.repo,
            issue,
            model: input.model,
            briefing: input.briefing,
            scope: input.scope,
            evidence,
            when_blocked: input.when_blocked,
            waivers: input.waivers,
            goal: input.goal,
        })
    }
}

/// The branches that somebody may be working on the issue with. One whose pull request is merged
/// or closed is not a claim.
async fn claims(forge: &dyn Forge, number: u64) -> Result<ClaimEvidence, ForgeError> {
    let mut open = Vec::new();
    for branch in forge.branches(&format!("issue-{number}")).await? {
        let rest = branch.name.strip_prefix(&format!("issue-{number}"));
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
            continue;
        }
        let pull = forge.pull_for_branch(&branch.name).await?;
        if pull.is_none_or(|pull| pull.state == PullState::Open) {
            open.push(branch.name);
        }
    }
    Ok(ClaimEvidence::Branches(open))
}
