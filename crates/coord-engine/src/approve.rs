//! Approving what a planner has proposed: an assignment with the proposal's fields, as fresh as any
//! other.

use coord_core::assignment::{FileScope, FreshnessRule, Goal, Waivers};
use coord_core::command::{AssignRequest, WhenBlocked};
use coord_core::ids::ProposalId;
use coord_core::proposal::ProposalDraft;
use coord_core::{Command, Decision};
use coord_store::Committed;

use crate::assign::AssignInput;
use crate::engine::Engine;
use crate::error::EngineError;

/// What a person says beside "yes".
#[derive(Debug, Clone)]
pub struct ApproveInput {
    /// What to do instead of what the issue says.
    pub briefing: Option<String>,
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
    /// Puts a worker on the issue of a proposal, or says why not; the proposal is used up then. The
    /// dispatch waits in the outbox. Of two that approve it at once one is refused.
    ///
    /// # Errors
    /// [`EngineError::UnknownProposal`] when nothing of this id is proposed, and as
    /// [`Engine::assign`].
    pub async fn approve(
        &self,
        id: ProposalId,
        input: ApproveInput,
    ) -> Result<Committed, EngineError> {
        let request = self.approval(id, input).await?;
        self.command(Command::Assign(Box::new(request))).await
    }

    /// What [`Engine::approve`] would decide, without doing it.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub async fn approve_dry(
        &self,
        id: ProposalId,
        input: ApproveInput,
    ) -> Result<Decision, EngineError> {
        let request = self.approval(id, input).await?;
        self.decide(&Command::Assign(Box::new(request))).await
    }

    async fn approval(
        &self,
        id: ProposalId,
        input: ApproveInput,
    ) -> Result<AssignRequest, EngineError> {
        let board = self.store().board().await?;
        let proposal = board.proposals.get(&id);
        let proposal = proposal.ok_or(EngineError::UnknownProposal(id))?;
        let ProposalDraft {
            machine,
            issue,
            rationale: _,
            files,
            notes,
            model,
            size,
        } = proposal.draft.clone();
        let request = self.request(AssignInput {
            machine: Some(machine),
            repo: issue.repo,
            issue: issue.number,
            model,
            briefing: input.briefing,
            scope: FileScope {
                allowed: files,
                forbidden: Vec::new(),
            },
            when_blocked: input.when_blocked,
            waivers: input.waivers,
            goal: input.goal,
            freshness: input.freshness,
        });
        Ok(AssignRequest {
            proposal: Some(id),
            notes,
            size,
            ..request.await?
        })
    }
}
