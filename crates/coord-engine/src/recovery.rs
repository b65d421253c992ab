//! Going on with what came to nothing, and answering workers that ask something.

use coord_core::assignment::Waivers;
use coord_core::command::{RetryRequest, Rule, WhenBlocked};
use coord_core::ids::{AssignmentId, MachineName};
use coord_core::key::EffectKind;
use coord_core::{Board, Command, Decision};
use coord_store::Committed;

use crate::clock;
use crate::engine::Engine;
use crate::error::EngineError;

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct RetryInput {
    /// The assignment to go on with.
    pub follows: AssignmentId,
    /// Where to run it; `None`: elsewhere than before, where that is possible.
    pub machine: Option<MachineName>,
    /// The model; `None`: one up.
    pub model: Option<String>,
    /// What the worker is told beyond its briefing.
    pub guidance: Option<String>,
    /// Whether the worker's session goes on where that is possible.
    pub resume: bool,
    /// Whether it may wait for what stands in its way.
    pub when_blocked: WhenBlocked,
    /// Rules that the person sets aside, beside those of the assignment before.
    pub waivers: Waivers,
}

impl Engine {
    /// Has another assignment go on with one that came to nothing, or says why not. The dispatch
    /// waits in the outbox.
    ///
    /// # Errors
    /// When the forge does not answer for the issue itself, or the store fails.
    pub async fn retry(&self, input: RetryInput) -> Result<Committed, EngineError> {
        let request = self.retry_request(input).await?;
        self.command(Command::Retry(Box::new(request))).await
    }

    /// What [`Engine::retry`] would decide, without doing it.
    ///
    /// # Errors
    /// As [`Engine::retry`].
    pub async fn retry_dry(&self, input: RetryInput) -> Result<Decision, EngineError> {
        let request = self.retry_request(input).await?;
        self.decide(&Command::Retry(Box::new(request))).await
    }

    /// Tells the worker something while it runs; once it has ended, another assignment goes on with
    /// what it is told, with its session where that is possible.
    ///
    /// # Errors
    /// As [`Engine::retry`].
    pub async fn guide(
        &self,
        guidance: String,
        input: RetryInput,
    ) -> Result<Committed, EngineError> {
        let board = self.store().board().await?;
        if is_with_its_agent(&board, &input.follows) {
            let told = self.command(Command::Guide {
                id: input.follows.clone(),
                guidance: guidance.clone(),
            });
            let told = told.await?;
            // It may have ended just now.
            let ended = !is_with_its_agent(&told.board, &input.follows);
            if !(ended
                && told
                    .refusal
                    .as_ref()
                    .is_some_and(|it| it.rule == Rule::State))
            {
                return Ok(told);
            }
        }
        let guidance = Some(guidance);
        self.retry(RetryInput { guidance, ..input }).await
    }

    /// What [`Engine::guide`] would decide, without doing it.
    ///
    /// # Errors
    /// As [`Engine::retry`].
    pub async fn guide_dry(
        &self,
        guidance: String,
        input: RetryInput,
    ) -> Result<Decision, EngineError> {
        let board = self.store().board().await?;
        if is_with_its_agent(&board, &input.follows) {
            let id = input.follows;
            return self.decide(&Command::Guide { id, guidance }).await;
        }
        let guidance = Some(guidance);
        self.retry_dry(RetryInput { guidance, ..input }).await
    }

    async fn retry_request(&self, input: RetryInput) -> Result<RetryRequest, EngineError> {
        let old = self.store().assignment(&input.follows).await?;
        let Some(old) = old else {
            let id = input.follows.to_string();
            return Err(EngineError::UnknownAssignment(id));
        };
        let (issue, evidence) = self.look_up(&old.issue.repo, old.issue.number).await?;
        Ok(RetryRequest {
            id: clock::fresh_id(),
            follows: input.follows,
            machine: input.machine,
            model: input.model,
            guidance: input.guidance,
            resume: input.resume,
            issue,
            evidence,
            when_blocked: input.when_blocked,
            waivers: input.waivers,
        })
    }
}

/// Whether an agent has it, or is about to get it.
fn is_with_its_agent(board: &Board, id: &AssignmentId) -> bool {
    let it = board.assignments.get(id);
    it.is_some_and(|it| it.state.takes_slot()) && !board.has_open(id, EffectKind::Claim)
}
