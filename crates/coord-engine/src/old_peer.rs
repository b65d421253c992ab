//! Agents of 0.1.0, which choose the ids of assignments themselves and say less about their ends.
//!
//! A row of such an agent is one of ours when it asks for the same work and began after ours was
//! requested. Everything else about old agents is the protocol's.

use coord_core::Board;
use coord_core::assignment::Assignment;
use coord_core::command::AgentReport;
use coord_core::ids::{AssignmentId, MachineName, RepoName, Timestamp};
use coord_protocol::{AgentClient, AssignmentRow, ClientError, Feature, StatusAnswer, StatusQuery};

use crate::engine::Engine;

/// How far the clocks of two machines may be apart.
const SKEW_SECONDS: f64 = 60.0;

/// Puts our ids in the place of the agent's own, for what is at work there: an issue has no more
/// than one such assignment.
pub(crate) fn translate(board: &Board, machine: &MachineName, status: &mut StatusAnswer) {
    let at_work = |it: &&Assignment| it.machine == *machine && it.state.takes_slot();
    for assignment in board.assignments.values().filter(at_work) {
        if let Some(theirs) = their_id(board, assignment, status) {
            let rows = rows_mut(status).filter(|row| row.id == theirs);
            rows.for_each(|row| row.id = assignment.id.clone());
        }
    }
}

/// The id under which an old agent knows the assignment.
fn their_id(board: &Board, it: &Assignment, status: &StatusAnswer) -> Option<AssignmentId> {
    let candidates =
        rows(status).filter(|row| is_same_work(row, it) && !is_anothers(board, row, it));
    // A pending row has no start yet: nothing is later.
    let start = |row: &AssignmentRow| row.started_at.unwrap_or(f64::INFINITY);
    let latest = candidates.max_by(|one, other| start(one).total_cmp(&start(other)));
    latest.map(|row| row.id.clone())
}

fn is_same_work(row: &AssignmentRow, it: &Assignment) -> bool {
    let earliest = it.requested_at.as_secs_f64() - SKEW_SECONDS;
    row.spec.id.is_none()
        && row.spec.repo_name == it.issue.repo.as_str()
        && row.spec.issue_number == it.issue.number
        && row.spec.briefing == it.briefing
        && row.started_at.is_none_or(|at| at >= earliest)
}

/// Whether the row is known to be another attempt at the same issue: its times are on the board.
fn is_anothers(board: &Board, row: &AssignmentRow, it: &Assignment) -> bool {
    let same = |ours: Option<Timestamp>, theirs: Option<f64>| {
        ours.is_some() && ours == theirs.map(Timestamp::from_secs_f64)
    };
    board
        .of_issue(&it.issue)
        .filter(|other| other.id != it.id)
        .any(|other| {
            same(other.started_at, row.started_at) || same(other.finished_at, row.finished_at)
        })
}

fn rows(status: &StatusAnswer) -> impl Iterator<Item = &AssignmentRow> {
    let active = status.active.iter().map(|row| &row.assignment);
    active.chain(status.completed.iter().map(|row| &row.assignment))
}

fn rows_mut(status: &mut StatusAnswer) -> impl Iterator<Item = &mut AssignmentRow> {
    let active = status.active.iter_mut().map(|row| &mut row.assignment);
    active.chain(status.completed.iter_mut().map(|row| &mut row.assignment))
}

/// What an agent that may be an old one calls our assignment; `None` when it is none or has none.
async fn name_there(
    client: &AgentClient,
    board: &Board,
    id: &AssignmentId,
) -> Result<Option<AssignmentId>, ClientError> {
    if client.health().await?.can(Feature::IdempotentAssign) {
        return Ok(None);
    }
    let status = client.status(StatusQuery::default()).await?;
    let assignment = board.assignments.get(id);
    Ok(assignment.and_then(|it| their_id(board, it, &status)))
}

impl Engine {
    /// Whether an old agent has the assignment from an earlier try: a second one would be a second
    /// worker there.
    pub(crate) async fn has_it_already(
        &self,
        client: &AgentClient,
        board: &Board,
        id: &AssignmentId,
    ) -> Result<bool, ClientError> {
        Ok(name_there(client, board, id).await?.is_some())
    }

    /// Stops a worker, by the name that its agent knows it under.
    pub(crate) async fn cancel_there(
        &self,
        client: &AgentClient,
        board: &Board,
        id: &AssignmentId,
    ) -> Result<(), ClientError> {
        let unknown = match client.cancel(id).await {
            Ok(_) => return Ok(()),
            Err(error @ ClientError::Refused { status: 404, .. }) => error,
            Err(error) => return Err(error),
        };
        match name_there(client, board, id).await? {
            Some(theirs) => client.cancel(&theirs).await.map(drop),
            None => Err(unknown),
        }
    }

    /// The report with the tip of its branch, which an old agent does not tell: the forge does.
    /// `None` when the forge does not answer, and the report has to wait for the next look.
    pub(crate) async fn with_head(
        &self,
        repo: &RepoName,
        report: AgentReport,
    ) -> Option<AgentReport> {
        let AgentReport::Finished { at, mut end } = report else {
            return Some(report);
        };
        if let (Some(branch), None, Ok(forge)) = (&end.branch, &end.head, self.forge(repo)) {
            end.head = forge.branch_head(branch).await.ok()?;
        }
        Some(AgentReport::Finished { at, end })
    }
}
