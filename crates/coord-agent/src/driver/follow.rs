//! While a worker runs: its log is read, its end awaited, orders are passed on.

use coord_worker::held::{Ended, Held, HeldError};
use coord_worker::summary::{Folder, Summary};
use coord_worker::tail::LogFollower;
use tokio::sync::watch;

use super::announce::Told;
use super::checkpoint::{self, Checkpoints};
use super::end::End;
use super::{Driver, PAUSE, Stopping, raised};

/// What happened while a worker was followed.
enum Event {
    /// The log has grown, or (`None`) is read to its end.
    Log(Option<Vec<u8>>),
    /// Nothing of the worker is left.
    Ended(Ended),
    /// Somebody asks for it to stop.
    Cancel,
    /// Time to tell what was held back.
    Tick,
    /// The agent is about to end.
    Stopping,
}

impl Driver {
    /// Follows the worker to its end.
    pub(super) async fn follow(&self, held: Held) -> Result<End, Stopping> {
        self.show_plan().await;
        self.running(&held);
        let (over, is_over) = watch::channel(false);
        let mut log = LogReading::resume(self, is_over);
        let mut cancel = self.active.cancel.subscribe();
        let mut stopping = self.shared.stopping.subscribe();
        let mut stop_ordered = false;
        let mut ended = None;
        let mut tick = tokio::time::interval(PAUSE);
        let end = self.await_end(&held);
        tokio::pin!(end);
        loop {
            let event = tokio::select! {
                biased;
                () = raised(&mut stopping) => Event::Stopping,
                () = raised(&mut cancel), if !stop_ordered && ended.is_none() => Event::Cancel,
                bytes = log.next() => Event::Log(bytes),
                end = &mut end, if ended.is_none() => Event::Ended(end),
                _ = tick.tick() => Event::Tick,
            };
            match event {
                Event::Stopping => {
                    log.checkpoint(self).await;
                    return Err(Stopping);
                }
                Event::Cancel => stop_ordered = self.order_stop(&held).await,
                Event::Log(Some(bytes)) => {
                    log.take(self, &bytes).await;
                    self.close_after_result(&held, &mut log).await;
                }
                Event::Log(None) => {
                    // Only an end can end the log.
                    let summary = log.finish(self).await;
                    return match ended {
                        Some(ended) => self.end_of(ended, summary).await,
                        None => Err(Stopping),
                    };
                }
                Event::Ended(how) => {
                    ended = Some(how);
                    over.send_replace(true);
                }
                Event::Tick => log.tick(self).await,
            }
            if !stop_ordered && ended.is_none() && self.is_over_budget(log.summary()) {
                stop_ordered = self.stop_over_budget(&held).await;
            }
        }
    }

    async fn end_of(&self, ended: Ended, summary: Summary) -> Result<End, Stopping> {
        match ended {
            Ended::Recorded(record) => Ok(End::of_run(Some(record), summary)),
            Ended::Vanished(vanished) => {
                self.end_leftovers(&vanished).await?;
                Ok(End::of_run(None, summary))
            }
        }
    }

    /// Reads the log of a worker that has ended.
    pub(super) async fn read_to_end(&self) -> Result<Summary, Stopping> {
        self.show_plan().await;
        let (_over, is_over) = watch::channel(true);
        let mut log = LogReading::resume(self, is_over);
        let mut stopping = self.shared.stopping.subscribe();
        loop {
            let bytes = tokio::select! {
                biased;
                () = raised(&mut stopping) => return Err(Stopping),
                bytes = log.next() => bytes,
            };
            match bytes {
                Some(bytes) => log.take(self, &bytes).await,
                None => return Ok(log.finish(self).await),
            }
        }
    }

    /// Branch, base and worktree of an assignment that was prepared by an earlier agent.
    async fn show_plan(&self) {
        if self.active.live.borrow().worktree.is_some() {
            return;
        }
        let folder = self.active.folder.clone();
        let plan = tokio::task::spawn_blocking(move || folder.plan()).await;
        if let Ok(Ok(Some(plan))) = plan {
            self.active.live.send_modify(|live| {
                live.branch = Some(plan.branch.clone());
                live.base = Some(plan.base.to_string());
                live.worktree = plan
                    .worktree
                    .as_ref()
                    .map(|w| w.to_string_lossy().into_owned());
                live.session_cost_usd = plan.session_cost_usd;
            });
        }
    }

    /// An error says nothing about the worker: ask again.
    async fn await_end(&self, held: &Held) -> Ended {
        loop {
            match held.wait().await {
                Ok(ended) => return ended,
                Err(error) => {
                    tracing::warn!(id = %self.active.id, %error, "cannot wait for the worker");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Whether the order was given; otherwise it is tried again after a moment.
    pub(super) async fn order_stop(&self, held: &Held) -> bool {
        match held.stop().await {
            Ok(()) | Err(HeldError::NotRunning { .. }) => true,
            Err(error) => {
                tracing::warn!(id = %self.active.id, %error, "cannot give the order to stop");
                tokio::time::sleep(PAUSE).await;
                false
            }
        }
    }

    /// A worker that takes messages ends only when nothing can come any more.
    async fn close_after_result(&self, held: &Held, log: &mut LogReading) {
        if !self.active.body.steerable || log.closed || log.summary().results == 0 {
            return;
        }
        log.closed = true;
        let _turn = self.active.telling.lock().await;
        self.active.live.send_modify(|live| live.closing = true);
        if let Err(error) = held.close_input().await {
            tracing::debug!(id = %self.active.id, %error, "its input is closed already");
        }
    }
}

/// The log of one worker on its way into a summary.
struct LogReading {
    follower: LogFollower,
    folder: Folder,
    told: Told,
    checkpoints: Checkpoints,
    /// Its stdin was closed.
    closed: bool,
}

impl LogReading {
    fn resume(driver: &Driver, is_over: watch::Receiver<bool>) -> Self {
        let active = &driver.active;
        let before_usd = active.live.borrow().session_cost_usd;
        let mut folder =
            checkpoint::resume(&active.folder.summary()).after_runs_that_cost(before_usd);
        if active.body.smoke_command.is_some() {
            folder = folder.of_plain_text();
        }
        let follower = driver
            .shared
            .logs
            .follow(&active.folder.log(), folder.position(), is_over);
        let mut told = Told::by_earlier_run(folder.summary());
        driver.announce(folder.summary(), folder.position(), &mut told);
        Self {
            follower,
            folder,
            told,
            checkpoints: Checkpoints::new(),
            closed: false,
        }
    }

    fn summary(&self) -> &Summary {
        self.folder.summary()
    }

    /// The next lines; `None` once the log is read to its end. Safe to cancel.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.follower.next().await {
                Ok(chunk) => return chunk.map(|chunk| chunk.bytes),
                Err(error) => {
                    tracing::warn!(%error, "cannot follow a log");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take(&mut self, driver: &Driver, bytes: &[u8]) {
        self.folder.feed(bytes);
        self.tick(driver).await;
    }

    async fn tick(&mut self, driver: &Driver) {
        let position = self.folder.position();
        driver.announce(self.folder.summary(), position, &mut self.told);
        if self.checkpoints.is_due() {
            self.checkpoint(driver).await;
        }
    }

    async fn checkpoint(&self, driver: &Driver) {
        checkpoint::write(driver.active.folder.summary(), self.summary().clone()).await;
    }

    async fn finish(mut self, driver: &Driver) -> Summary {
        self.folder.finish();
        let position = self.folder.position();
        driver.announce(self.folder.summary(), position, &mut self.told);
        self.checkpoint(driver).await;
        self.folder.summary().clone()
    }
}
