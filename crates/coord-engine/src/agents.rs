//! The agents of the configured machines, and what each says right now.

use std::collections::BTreeMap;

use coord_core::Board;
use coord_core::ids::{AssignmentId, MachineName};
use coord_protocol::{
    ActiveRow, AgentClient, ClientError, CompletedRow, Feature, Health, StatusAnswer, StatusQuery,
};

use crate::old_peer;

/// The typed client of every machine's agent.
#[derive(Debug, Clone, Default)]
pub struct Agents(BTreeMap<MachineName, AgentClient>);

/// What one agent said just now.
#[derive(Debug)]
pub struct AgentView {
    /// The machine.
    pub machine: MachineName,
    /// Its health and assignments, or why they are not known.
    pub answer: Result<(Health, StatusAnswer), ClientError>,
}

impl AgentView {
    /// The row of an assignment that is pending or running.
    #[must_use]
    pub fn active(&self, id: &AssignmentId) -> Option<&ActiveRow> {
        let (_, status) = self.answer.as_ref().ok()?;
        status.active.iter().find(|row| row.assignment.id == *id)
    }

    /// The row of an assignment that has ended.
    #[must_use]
    pub fn completed(&self, id: &AssignmentId) -> Option<&CompletedRow> {
        let (_, status) = self.answer.as_ref().ok()?;
        status.completed.iter().find(|row| row.assignment.id == *id)
    }
}

impl Agents {
    /// Collects the clients by machine.
    #[must_use]
    pub fn new(clients: BTreeMap<MachineName, AgentClient>) -> Self {
        Self(clients)
    }

    /// The client of a machine's agent.
    #[must_use]
    pub fn get(&self, machine: &MachineName) -> Option<&AgentClient> {
        self.0.get(machine)
    }

    /// Every machine with its client.
    pub fn iter(&self) -> impl Iterator<Item = (&MachineName, &AgentClient)> {
        self.0.iter()
    }
}

/// Asks one agent for its health and, in the same breath, for its assignments. `board` is the one
/// from before: what an old agent calls otherwise gets the names that it has there.
pub(crate) async fn ask(
    client: &AgentClient,
    query: StatusQuery,
    board: &Board,
    machine: &MachineName,
) -> Result<(Health, StatusAnswer), ClientError> {
    let (health, mut status) = tokio::try_join!(client.health(), client.status(query))?;
    if !health.can(Feature::IdempotentAssign) {
        old_peer::translate(board, machine, &mut status);
    }
    Ok((health, status))
}
