//! Telling running workers something through their agents, each thing once.

use coord_core::Board;
use coord_core::assignment::AssignmentState;
use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, MachineName};
use coord_protocol::ClientError;

use crate::dispatch::no_machine;
use crate::effects::Later;
use crate::engine::Engine;
use crate::error::with_causes;

/// What came of telling a worker something.
enum Told {
    /// It has it.
    Heard,
    /// Nobody is there who takes messages.
    Deaf(ClientError),
    /// Its agent refuses, or there is none.
    Refused(Outcome),
}

impl Engine {
    /// Tells a running worker what a person says, once for each `seq`.
    pub(crate) async fn guide_worker(
        &self,
        machine: &MachineName,
        id: &AssignmentId,
        guidance: &str,
        seq: u64,
    ) -> Result<Outcome, Later> {
        Ok(match self.tell(machine, id, guidance, seq).await? {
            Told::Heard => Outcome::Guided,
            Told::Refused(outcome) => outcome,
            Told::Deaf(error) => Outcome::Failed {
                class: FailureClass::Work,
                error: with_causes(&error),
            },
        })
    }

    /// Tells a running worker what the coordinator has found out, once for each `seq`. For one that is
    /// gone, or takes no messages, there is nothing in it.
    pub(crate) async fn tell_worker(
        &self,
        machine: &MachineName,
        id: &AssignmentId,
        text: &str,
        seq: u64,
    ) -> Result<Outcome, Later> {
        let board = self.store().board().await.map_err(Later::new)?;
        if !runs(&board, id) || self.agents().get(machine).is_none() {
            return Ok(Outcome::Told);
        }
        Ok(match self.tell(machine, id, text, seq).await? {
            Told::Heard | Told::Deaf(_) => Outcome::Told,
            Told::Refused(outcome) => outcome,
        })
    }

    async fn tell(
        &self,
        machine: &MachineName,
        id: &AssignmentId,
        text: &str,
        seq: u64,
    ) -> Result<Told, Later> {
        let Some(client) = self.agents().get(machine) else {
            return Ok(Told::Refused(no_machine(machine)));
        };
        let error = match client.input(id, text, Some(&seq.to_string())).await {
            Ok(()) => {
                self.answers(machine).await.map_err(Later::new)?;
                return Ok(Told::Heard);
            }
            Err(error) => error,
        };
        let is_deaf = matches!(
            error,
            ClientError::Refused {
                status: 404 | 409,
                ..
            }
        );
        if !is_deaf {
            let failed = self.agent_failed(machine, error).await?;
            return Ok(Told::Refused(failed));
        }
        self.answers(machine).await.map_err(Later::new)?;
        let board = self.store().board().await.map_err(Later::new)?;
        match is_starting(&board, id) {
            true => Err(Later::new("its worker does not run yet")),
            false => Ok(Told::Deaf(error)),
        }
    }
}

/// Whether somebody is there to be told something.
fn runs(board: &Board, id: &AssignmentId) -> bool {
    board
        .assignments
        .get(id)
        .is_some_and(|it| it.state.takes_slot() && it.superseded_by.is_none() && !it.stop_requested)
}

/// Whether its worker is yet to start.
fn is_starting(board: &Board, id: &AssignmentId) -> bool {
    board.assignments.get(id).is_some_and(|it| {
        let soon = it.state == AssignmentState::Requested || it.started_at.is_none();
        it.state.takes_slot() && soon && !it.stop_requested
    })
}
