//! The loop: due effects are carried out, agents and branches are followed, until the caller has seen
//! enough.
//!
//! The board in the store is the only state. The loop owns nothing but the effects that it is
//! carrying out; it can be dropped at any moment, and another one goes on from the store.

use std::ops::ControlFlow;
use std::time::Duration;

use coord_core::ids::{EffectKey, RepoName, Timestamp};
use coord_core::key::EffectKind;
use coord_core::{Board, Command, Recorded};
use coord_protocol::AgentEvent;
use coord_store::HistoryFilter;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

use crate::clock;
use crate::effects::Carried;
use crate::engine::Engine;
use crate::error::EngineError;

/// How many effects are carried out at once.
const PARALLEL: usize = 8;

/// The longest sleep: how soon the loop notices that a process on another machine is gone.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// Something that a person may want to see while the loop runs.
#[derive(Debug, Clone)]
pub enum Progress {
    /// The board changed, by this process or another.
    Recorded(Recorded),
    /// A worker went on.
    Worker(AgentEvent),
    /// An effect was carried out, or could not be for now.
    Carried(Carried),
    /// Nobody can say which branches of a repository are going to conflict.
    Radar {
        /// The repository.
        repo: RepoName,
        /// Why, in one line.
        trouble: String,
    },
}

impl Engine {
    /// Runs until `enough` breaks; it sees the board at the start and after every change.
    ///
    /// `show` hears of everything that happens from now on, in the order of the log.
    ///
    /// # Errors
    /// When the board cannot be used. Agents and forges that fail are tried again.
    pub async fn drive<T>(
        &self,
        mut enough: impl FnMut(&Board) -> ControlFlow<T>,
        mut show: impl FnMut(Progress),
    ) -> Result<T, EngineError> {
        self.command(Command::Tick).await?;
        let mut changes = self.store().changes();
        let mut seen = self.store().board().await?.seq;
        let (progress, mut heard) = mpsc::channel(256);
        let mut followers = self.start_followers(&progress);
        let mut running = Running::default();
        loop {
            changes.mark_unchanged();
            let board = self.store().board().await?;
            seen = self.show_since(seen, &mut show).await?;
            if let ControlFlow::Break(value) = enough(&board) {
                self.finish_steps(running.steps, &mut show).await?;
                self.show_since(seen, &mut show).await?;
                return Ok(value);
            }
            let wake = self.start_due(&mut running).await?;
            tokio::select! {
                Some(carried) = running.effects.join_next() => tell(carried, &mut show)?,
                Some(carried) = running.steps.join_next() => tell(carried, &mut show)?,
                Some(event) = heard.recv() => show(event),
                Some(ended) = followers.join_next() => {
                    if let Ok(error) = ended {
                        return Err(error);
                    }
                }
                _ = changes.changed() => {}
                () = sleep(wake) => self.pass_time(&board).await?,
            }
        }
    }

    /// Carries these effects out once, those of them that are due and nobody else carries out.
    ///
    /// # Errors
    /// When the board cannot be used.
    pub async fn carry_out_now(&self, keys: &[EffectKey]) -> Result<Vec<Carried>, EngineError> {
        self.take_over().await?;
        let mut carried = Vec::new();
        for key in keys {
            if let Some(held) = self.take(key).await? {
                carried.push(self.clone().carry_out(held).await?);
            }
        }
        Ok(carried)
    }

    fn start_followers(&self, progress: &mpsc::Sender<Progress>) -> JoinSet<EngineError> {
        let mut followers = JoinSet::new();
        for (machine, client) in self.agents().iter() {
            let follow = self
                .clone()
                .follow(machine.clone(), client.clone(), progress.clone());
            followers.spawn(follow);
        }
        followers.spawn(self.clone().watch_blockers());
        for repo in self.0.repos.keys() {
            let watch = self.clone().watch_conflicts(repo.clone(), progress.clone());
            followers.spawn(watch);
        }
        followers
    }

    async fn show_since(
        &self,
        seen: u64,
        show: &mut impl FnMut(Progress),
    ) -> Result<u64, EngineError> {
        let filter = HistoryFilter {
            after_seq: Some(seen),
            ..HistoryFilter::default()
        };
        let mut last = seen;
        for recorded in self.store().history(filter).await? {
            last = recorded.seq;
            show(Progress::Recorded(recorded));
        }
        Ok(last)
    }

    /// Starts what is due and answers how long the loop may sleep.
    async fn start_due(&self, running: &mut Running) -> Result<Duration, EngineError> {
        self.take_over().await?;
        let room = u32::try_from(PARALLEL.saturating_sub(running.len())).unwrap_or(0);
        for held in self.take_due(room).await? {
            let is_step = EffectKind::of(&held.leased.key) == Some(EffectKind::Step);
            let set = match is_step {
                true => &mut running.steps,
                false => &mut running.effects,
            };
            set.spawn(self.clone().carry_out(held));
        }
        if running.len() >= PARALLEL {
            // Whatever else is due waits for one of them to end.
            return Ok(LONGEST_SLEEP);
        }
        let next = self.store().next_due().await?;
        Ok(sleep_until(next, clock::now()))
    }

    /// Carries the steps of rounds and sessions that are over out to their end: a command that is
    /// cut off runs again, and who waited for the end of a round waits for its hooks.
    async fn finish_steps(
        &self,
        mut running: Tasks,
        show: &mut impl FnMut(Progress),
    ) -> Result<(), EngineError> {
        loop {
            while let Some(carried) = running.join_next().await {
                tell(carried, show)?;
            }
            let board = self.store().board().await?;
            if !board.step_runs.is_empty() {
                self.take_over().await?;
            }
            for (seq, run) in &board.step_runs {
                if let Some(held) = self.take(&run.key(*seq)).await? {
                    running.spawn(self.clone().carry_out(held));
                }
            }
            if running.is_empty() {
                return Ok(());
            }
        }
    }

    /// Lets what has waited for time alone go on.
    async fn pass_time(&self, board: &Board) -> Result<(), EngineError> {
        if board
            .assignments
            .values()
            .any(|a| a.state.is_active() && !a.state.takes_slot())
        {
            self.command(Command::Tick).await?;
        }
        Ok(())
    }
}

/// The effects that the loop is carrying out. Those of `steps` are not cut off when it ends.
#[derive(Default)]
struct Running {
    effects: Tasks,
    steps: Tasks,
}

type Tasks = JoinSet<Result<Carried, EngineError>>;

impl Running {
    fn len(&self) -> usize {
        self.effects.len() + self.steps.len()
    }
}

fn tell(
    carried: Result<Result<Carried, EngineError>, JoinError>,
    show: &mut impl FnMut(Progress),
) -> Result<(), EngineError> {
    // A task that panicked or was aborted leaves its lease, which runs out.
    if let Ok(carried) = carried {
        show(Progress::Carried(carried?));
    }
    Ok(())
}

fn sleep_until(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let sleep = next.map_or(LONGEST_SLEEP, |at| clock::until(at, now));
    sleep.clamp(Duration::from_millis(20), LONGEST_SLEEP)
}
