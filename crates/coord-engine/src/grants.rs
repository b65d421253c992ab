//! Answering agents whose workers want to change a path: a worker waits for it, for two seconds at
//! most.
//!
//! The board decides, in the transaction that records what was decided. Whoever else follows the
//! same agent decides the same.

use std::time::Duration;

use coord_core::assignment::Assignment;
use coord_core::command::AgentReport;
use coord_core::ids::{AssignmentId, MachineName};
use coord_core::lease::{self, Denial};
use coord_core::{Board, Policy};
use coord_protocol::{AgentClient, LeaseAnswer, LeaseHolder};

use crate::engine::Engine;
use crate::error::EngineError;

/// Longer than any worker waits.
const LIMIT: Duration = Duration::from_secs(3);

/// A question of an agent.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Whose worker.
    pub(crate) id: AssignmentId,
    /// The number of the question, for the agent.
    pub(crate) ask: u64,
    /// Relative to the root of the repository.
    pub(crate) path: String,
}

impl Engine {
    /// Decides whether the worker may have the path, and answers its agent.
    ///
    /// # Errors
    /// When the board cannot be used. An agent that cannot be told has decided by itself.
    pub(crate) async fn answer_lease(
        &self,
        machine: &MachineName,
        client: &AgentClient,
        wanted: Wanted,
    ) -> Result<(), EngineError> {
        let Wanted { id, ask, path } = &wanted;
        let report = AgentReport::LeaseAsked {
            ask: *ask,
            path: path.clone(),
        };
        let decided = self.report(machine, id.clone(), report).await?;
        if !decided.board.assignments.contains_key(id)
            && self.store().assignment(id).await?.is_none()
        {
            // It belongs to another coordinator that follows the same agent.
            return Ok(());
        }
        let answer = answer(&decided.board, self.policy(), machine, &wanted);
        let told = client.answer_lease(id, &answer);
        let _ = tokio::time::timeout(LIMIT, told).await;
        Ok(())
    }
}

/// The answer by the board on which the question has been decided.
fn answer(board: &Board, policy: &Policy, machine: &MachineName, wanted: &Wanted) -> LeaseAnswer {
    let Wanted { id, ask, path } = wanted;
    let decided = match board.assignments.get(id) {
        Some(it) if it.machine == *machine => lease::answer(board, policy, id, path),
        Some(_) | None => Err(Denial::Over),
    };
    // What is not on the board as granted may be granted to somebody else.
    let is_granted = |it: &Assignment| it.leased.contains(path);
    let granted = decided.and_then(
        |()| match board.assignments.get(id).is_some_and(is_granted) {
            true => Ok(()),
            false => Err(Denial::Over),
        },
    );
    let denial = granted.err();
    LeaseAnswer {
        ask: *ask,
        granted: denial.is_none(),
        // The agent has the words for all of it.
        reason: None,
        by: denial.as_ref().and_then(|denial| holder(board, denial)),
        why: denial.map(Into::into),
    }
}

/// Who holds the path, as far as the worker should know.
fn holder(board: &Board, denial: &Denial) -> Option<LeaseHolder> {
    let Denial::Leased { by } = denial else {
        return None;
    };
    let it = board.assignments.get(by)?;
    Some(LeaseHolder {
        assignment: by.clone(),
        issue: it.issue.to_string(),
        title: it.title.clone(),
        machine: it.machine.to_string(),
    })
}
