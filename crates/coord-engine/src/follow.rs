//! Following agents: what they say becomes commands, and nothing that they said is missed.
//!
//! On every connection the events are subscribed to first and the whole status is asked for
//! second; reports are idempotent, so what arrives twice changes nothing. What a worker waits for,
//! and what a person should see at once, overtakes everything else.

use std::convert::Infallible;
use std::time::Duration;

use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::command::AgentReport;
use coord_core::ids::{AssignmentId, MachineName, Timestamp};
use coord_core::{Board, Command};
use coord_protocol::{
    ActiveRow, AgentClient, AgentEvent, AgentEventKind, AgentEvents, ClientError, Feature, Health,
    StatusQuery,
};
use coord_store::Committed;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;

use crate::agents::{AgentView, ask};
use crate::clock;
use crate::drive::Progress;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::grants::Wanted;

/// First and last delay between two attempts to reach an agent.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// How often an agent without `/events` (0.1.0) is asked.
const POLL: Duration = Duration::from_secs(2);

/// How many events may wait for those before them, and how many may be dealt with at once that wait
/// for nothing.
const WAITING: usize = 4096;
const URGENT: usize = 256;

/// Longer than any attempt to reach an agent takes, with the pause after it. After more than that
/// nobody has tried: the machine that this runs on slept.
const ATTEMPT_SECONDS: u64 = 120;

/// How long an agent has been tried in vain without a pause. What a process does not see of it does
/// not count: neither what was before it began, nor a time in which it slept.
#[derive(Debug, Default)]
struct Silence {
    since: Timestamp,
    last: Timestamp,
}

impl Silence {
    /// The agent could not be reached, or was lost after it had been.
    fn goes_on(&mut self, now: Timestamp, reached: bool) {
        if reached || now > self.last.plus_secs(ATTEMPT_SECONDS) {
            self.since = now;
        }
        self.last = now;
    }
}

/// An agent that is followed.
struct Line {
    machine: MachineName,
    client: AgentClient,
    progress: mpsc::Sender<Progress>,
    /// Whether it has answered since the last interruption.
    reached: bool,
}

impl Line {
    /// What happens from now on.
    async fn subscribe(&self, health: &Health) -> Result<AgentEvents, ClientError> {
        match health.can(Feature::Leases) {
            true => self.client.events_answering_leases(None).await,
            false => self.client.events(None).await,
        }
    }
}

/// Why following an agent was interrupted.
enum Interrupted {
    /// The agent cannot be reached, or its stream ended.
    Agent(String),
    /// The board cannot be used: there is no point in going on.
    Board(EngineError),
}

impl From<ClientError> for Interrupted {
    fn from(error: ClientError) -> Self {
        Self::Agent(error.to_string())
    }
}

impl From<EngineError> for Interrupted {
    fn from(error: EngineError) -> Self {
        Self::Board(error)
    }
}

impl Engine {
    /// Follows one agent for as long as the board can be used.
    pub(crate) async fn follow(
        self,
        machine: MachineName,
        client: AgentClient,
        progress: mpsc::Sender<Progress>,
    ) -> EngineError {
        let mut delay = RETRY.0;
        let mut silence = Silence::default();
        let mut line = Line {
            machine: machine.clone(),
            client,
            progress,
            reached: false,
        };
        loop {
            line.reached = false;
            match self.follow_once(&mut line).await {
                Interrupted::Board(error) => return error,
                Interrupted::Agent(error) => {
                    let unreachable = Command::AgentUnreachable {
                        machine: machine.clone(),
                        error,
                    };
                    if let Err(error) = self.command(unreachable).await {
                        return error;
                    }
                    silence.goes_on(clock::now(), line.reached);
                    if let Err(error) = self.give_up_on(&machine, &silence).await {
                        return error;
                    }
                }
            }
            delay = if line.reached {
                RETRY.0
            } else {
                RETRY.1.min(delay * 2)
            };
            let left = self.until_stale(&silence).unwrap_or(delay);
            tokio::time::sleep(delay.min(left)).await;
        }
    }

    /// Says so when the agent has been silent for as long as it may be.
    async fn give_up_on(
        &self,
        machine: &MachineName,
        silence: &Silence,
    ) -> Result<(), EngineError> {
        if self.policy().concurrency.auto_reassign && self.until_stale(silence).is_none() {
            let machine = machine.clone();
            self.command(Command::AgentStale { machine }).await?;
        }
        Ok(())
    }

    /// How long the agent may be silent yet; `None` once that is over.
    fn until_stale(&self, silence: &Silence) -> Option<Duration> {
        let limit = self.policy().concurrency.stale_seconds;
        let at = silence.since.plus_secs(limit);
        let left = clock::until(at, clock::now());
        (!left.is_zero()).then_some(left)
    }

    async fn follow_once(&self, line: &mut Line) -> Interrupted {
        let followed = async {
            let health = line.client.health().await?;
            if !health.can(Feature::Events) {
                return self.poll(line).await;
            }
            let events = line.subscribe(&health).await?;
            let (queue, queued) = mpsc::channel(WAITING);
            let (machine, client) = (line.machine.clone(), line.client.clone());
            tokio::select! {
                over = self.read(&machine, &client, events, queue) => over,
                over = self.hear_in_order(line, queued) => over,
            }
        };
        let Err(interrupted) = followed.await;
        interrupted
    }

    async fn poll(&self, line: &mut Line) -> Result<Infallible, Interrupted> {
        loop {
            self.catch_up(line).await?;
            tokio::time::sleep(POLL).await;
        }
    }

    /// Reads the events as fast as they come. What is urgent is dealt with at once, whatever the
    /// agent's status or an earlier event takes.
    async fn read(
        &self,
        machine: &MachineName,
        client: &AgentClient,
        mut events: AgentEvents,
        queue: mpsc::Sender<AgentEvent>,
    ) -> Result<Infallible, Interrupted> {
        let mut urgent = FuturesUnordered::new();
        loop {
            tokio::select! {
                event = events.next(), if urgent.len() < URGENT => {
                    let Some(event) = event else {
                        let closed = "the agent closed its stream of events";
                        return Err(Interrupted::Agent(closed.to_owned()));
                    };
                    let event = event?;
                    if is_urgent(&event.kind) {
                        urgent.push(self.hear_at_once(machine, client, event.clone()));
                    }
                    if queue.try_send(event).is_err() {
                        let behind = "it tells more than the board can take";
                        return Err(Interrupted::Agent(behind.to_owned()));
                    }
                }
                Some(done) = urgent.next() => done?,
            }
        }
    }

    async fn hear_at_once(
        &self,
        machine: &MachineName,
        client: &AgentClient,
        event: AgentEvent,
    ) -> Result<(), EngineError> {
        match event.report() {
            Some((id, AgentReport::LeaseAsked { ask, path })) => {
                let wanted = Wanted { id, ask, path };
                self.answer_lease(machine, client, wanted).await
            }
            Some((id, report)) => self.report(machine, id, report).await.map(drop),
            None => Ok(()),
        }
    }

    async fn hear_in_order(
        &self,
        line: &mut Line,
        mut queued: mpsc::Receiver<AgentEvent>,
    ) -> Result<Infallible, Interrupted> {
        self.catch_up(line).await?;
        while let Some(event) = queued.recv().await {
            self.hear(line, event).await?;
        }
        // Who reads says why there is nothing more to hear.
        std::future::pending().await
    }

    async fn hear(&self, line: &mut Line, event: AgentEvent) -> Result<(), Interrupted> {
        if event.kind == AgentEventKind::Resync {
            return self.catch_up(line).await;
        }
        if let Some(id) = &event.id {
            self.0.moves.heard_of(id);
        }
        if is_urgent(&event.kind) {
            return Ok(());
        }
        if let Some((id, report)) = event.report() {
            self.answers(&line.machine).await?;
            let board = self.store().board().await.map_err(EngineError::from)?;
            if board
                .assignments
                .get(&id)
                .is_none_or(|it| is_news(&board, it, &report))
            {
                self.report(&line.machine, id, report).await?;
            }
        } else if matches!(event.kind, AgentEventKind::Progress { .. }) {
            // Only for the eyes: a full channel means that nobody looks.
            let _ = line.progress.try_send(Progress::Worker(event));
        }
        Ok(())
    }

    /// Asks the agent for everything and tells the board what it did not know.
    async fn catch_up(&self, line: &mut Line) -> Result<(), Interrupted> {
        let (machine, client) = (&line.machine, &line.client);
        let board = self.store().board().await.map_err(EngineError::from)?;
        let answer = ask(client, status_query(&board, machine), &board, machine).await?;
        let view = AgentView {
            machine: machine.clone(),
            answer: Ok(answer),
        };
        self.learn(&board, &view).await?;
        for it in unfinished(&board, machine) {
            self.0.moves.heard_of(&it.id);
        }
        line.reached = true;
        Ok(())
    }

    /// Tells the board what an agent said. `before` is the board from before the agent was asked:
    /// only what was on it can be missing from the answer.
    pub(crate) async fn learn(&self, before: &Board, view: &AgentView) -> Result<(), EngineError> {
        let machine = &view.machine;
        match &view.answer {
            Err(ClientError::Unreachable { .. }) if !has_work(before, machine) => return Ok(()),
            Err(error) => {
                let error = error.to_string();
                self.command(Command::AgentUnreachable {
                    machine: machine.clone(),
                    error,
                })
                .await?;
                return Ok(());
            }
            Ok(_) => self.answers(machine).await?,
        }
        for assignment in before
            .assignments
            .values()
            .filter(|it| it.machine == *machine)
        {
            let reports = reports(view, assignment).into_iter();
            for report in reports.filter(|report| is_news(before, assignment, report)) {
                if let Some(report) = self.with_head(&assignment.issue.repo, report).await {
                    self.report(machine, assignment.id.clone(), report).await?;
                }
            }
        }
        Ok(())
    }

    /// An agent that answers is not silent, whoever thought so.
    pub(crate) async fn answers(&self, machine: &MachineName) -> Result<(), EngineError> {
        if is_silent(&*self.store().board().await?, machine) {
            self.command(Command::AgentReachable {
                machine: machine.clone(),
            })
            .await?;
        }
        Ok(())
    }

    pub(crate) async fn report(
        &self,
        machine: &MachineName,
        id: AssignmentId,
        report: AgentReport,
    ) -> Result<Committed, EngineError> {
        self.command(Command::Report {
            machine: machine.clone(),
            id,
            report,
        })
        .await
    }
}

/// What a worker waits for, and what was kept from it or done behind the back of everybody.
const fn is_urgent(kind: &AgentEventKind) -> bool {
    match kind {
        AgentEventKind::LeaseAsked { .. }
        | AgentEventKind::EditDenied { .. }
        | AgentEventKind::EditUnchecked { .. }
        | AgentEventKind::FilesRestored { .. } => true,
        AgentEventKind::Started { .. }
        | AgentEventKind::Progress { .. }
        | AgentEventKind::Spent { .. }
        | AgentEventKind::Files { .. }
        | AgentEventKind::Stuck { .. }
        | AgentEventKind::RateLimited { .. }
        | AgentEventKind::Finished { .. }
        | AgentEventKind::Resync
        | AgentEventKind::Unknown => false,
    }
}

fn is_silent(board: &Board, machine: &MachineName) -> bool {
    board
        .machines
        .get(machine)
        .is_some_and(|facts| facts.silent_since.is_some())
}

fn has_work(board: &Board, machine: &MachineName) -> bool {
    unfinished(board, machine).next().is_some()
}

/// The assignments that the agent has to answer for.
pub(crate) fn unfinished<'b>(
    board: &'b Board,
    machine: &'b MachineName,
) -> impl Iterator<Item = &'b Assignment> {
    let assignments = board.assignments.values();
    assignments.filter(move |a| a.machine == *machine && a.state.takes_slot())
}

/// Far enough back for everything on the board: agents keep more than they are asked for.
fn status_query(board: &Board, machine: &MachineName) -> StatusQuery {
    let oldest = board
        .assignments
        .values()
        .filter(|a| a.machine == *machine && a.state != AssignmentState::Waiting)
        .map(|a| a.requested_at)
        .min();
    // An hour for clocks that differ.
    let since = oldest.map(|at| at.as_secs_f64() - 3600.0);
    StatusQuery {
        completed: Some(10_000),
        since,
    }
}

/// Whether the board may not know it yet. What was used, and what became of edits, is told over and
/// over again, and each time would be a transaction.
fn is_news(board: &Board, assignment: &Assignment, report: &AgentReport) -> bool {
    match report {
        AgentReport::Spent { cost_usd } => *cost_usd > assignment.spent_usd,
        AgentReport::EditDenied { .. }
        | AgentReport::EditUnchecked { .. }
        | AgentReport::FilesRestored { .. } => !board.knows_edit(&assignment.id, report),
        AgentReport::Started { .. }
        | AgentReport::Files { .. }
        | AgentReport::LeaseAsked { .. }
        | AgentReport::Stuck { .. }
        | AgentReport::RateLimited { .. }
        | AgentReport::Finished { .. }
        | AgentReport::Unknown => true,
    }
}

/// What an answer says about one assignment on the board.
///
/// Only one that had been accepted before the agent was asked can be missing: the dispatch of any
/// other may have been on its way just then.
fn reports(view: &AgentView, assignment: &Assignment) -> Vec<AgentReport> {
    let active = view.active(&assignment.id);
    if !assignment.state.takes_slot() {
        // Its dispatch may have arrived after the board had given it up.
        return active.map(ActiveRow::report).unwrap_or_default();
    }
    if let Some(row) = view.completed(&assignment.id) {
        // Of a short one nobody may have heard yet that it began.
        let started = row.assignment.started_at.map(|at| AgentReport::Started {
            at: Timestamp::from_secs_f64(at),
            base: None,
        });
        return started.into_iter().chain(row.report()).collect();
    }
    let Some(row) = active else {
        let was_accepted = assignment.state == AssignmentState::Running;
        return was_accepted
            .then_some(AgentReport::Unknown)
            .into_iter()
            .collect();
    };
    let stuck = row
        .progress
        .stuck
        .clone()
        .map(|question| AgentReport::Stuck { question });
    row.report().into_iter().chain(stuck).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000).plus_secs(seconds)
    }

    #[test]
    fn silence_counts_only_while_somebody_tries() {
        let mut silence = Silence::default();
        for (second, reached, since) in [
            (0, false, 0),
            (10, false, 0),
            (100, false, 0),
            // This machine slept for an hour: what went on meanwhile nobody knows.
            (3700, false, 3700),
            (3710, false, 3700),
            // It answered, and was lost again.
            (3720, true, 3720),
        ] {
            silence.goes_on(at(second), reached);
            assert_eq!(silence.since, at(since), "{second}");
        }
    }
}
