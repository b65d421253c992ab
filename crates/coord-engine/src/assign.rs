//! `assign`: everything that has to be looked up before the pure decision can be made.

use coord_core::assignment::{FileScope, FreshnessRule, Goal, Waivers};
use coord_core::command::{AssignRequest, ClaimEvidence, WhenBlocked};
use coord_core::ids::{MachineName, RepoName};
use coord_core::issue::Issue;
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
    /// What its dispatch does about stale checkouts.
    pub freshness: FreshnessRule,
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

    pub(crate) async fn request(&self, input: AssignInput) -> Result<AssignRequest, EngineError> {
        let (issue, evidence) = self.look_up(&input.repo, input.issue).await?;
        let blockers = self.blocked_by(&input.repo, &issue).await?;
        Ok(AssignRequest {
            id: clock::fresh_id(),
            machine: input.machine,
            blocked_by: blockers.into_iter().map(|it| it.issue).collect(),
            record: self.store().track_record(&input.repo).await?,
            repo: input.repo,
            issue,
            model: input.model,
            briefing: input.briefing,
            scope: input.scope,
            evidence,
            when_blocked: input.when_blocked,
            waivers: input.waivers,
            goal: input.goal,
            freshness: input.freshness,
            proposal: None,
            notes: None,
            size: None,
        })
    }

    /// What the forge says of an issue, and of existing work on it.
    pub(crate) async fn look_up(
        &self,
        repo: &RepoName,
        number: u64,
    ) -> Result<(Issue, ClaimEvidence), EngineError> {
        let (issue, evidence) = tokio::join!(self.issue(repo, number), self.evidence(repo, number));
        // First of all: without the issue the rest says little.
        Ok((issue?, evidence?))
    }

    /// What the forge says about existing work on the issue.
    pub(crate) async fn evidence(
        &self,
        repo: &RepoName,
        number: u64,
    ) -> Result<ClaimEvidence, EngineError> {
        let forge = self.forge(repo)?;
        let asked = tokio::try_join!(branches(forge, number), async {
            match self.is_shared(repo) {
                true => forge.comments(number, None).await,
                false => Ok(Vec::new()),
            }
        });
        match asked {
            Ok((branches, comments)) => Ok(ClaimEvidence::Known {
                branches,
                claims: self.foreign_claims(&comments).await?,
            }),
            Err(error @ ForgeError::Transient { .. }) => Ok(ClaimEvidence::Unknown {
                error: with_causes(&error),
            }),
            // Waiving the rule would not help: nothing can be done with that repository.
            Err(error) => Err(EngineError::forge(repo)(error)),
        }
    }
}

/// The branches that somebody may be working on the issue with. One whose pull request is merged
/// or closed is not a claim.
pub(crate) async fn branches(forge: &dyn Forge, number: u64) -> Result<Vec<String>, ForgeError> {
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
    Ok(open)
}
