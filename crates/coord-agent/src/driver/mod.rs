//! One task per assignment drives it from its request to its end.
//!
//! Where it begins is read from the assignment's folder, so that an agent that was killed at any
//! point goes on from there: nothing is started twice, and no end is missed.

mod announce;
mod budget;
mod checkpoint;
mod end;
mod finish;
mod follow;
mod prepare;
pub(crate) mod pull;
mod setup;
mod start;
mod survey;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use coord_core::failure::FailureClass;
use coord_git::GitError;
use coord_protocol::CompletedRow;
use coord_worker::held::{Adopted, Ended, Held};
use tokio::sync::watch;

use crate::active::{Active, Phase};
use crate::shared::Shared;
use end::End;

pub(crate) use survey::{compared_with, worktree_of};

/// Before something that failed, and that may not fail for ever, is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// One assignment and the agent that it belongs to.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    active: Arc<Active>,
}

/// The agent is about to end; whoever starts next goes on from the folder.
#[derive(Debug)]
struct Stopping;

/// Why a worker was not started.
#[derive(Debug)]
enum NotStarted {
    /// Somebody asked for it to stop.
    Cancelled,
    /// Something is wrong.
    Failed(FailureClass, String),
    /// The agent is about to end.
    Stopping,
}

impl From<GitError> for NotStarted {
    fn from(error: GitError) -> Self {
        Self::Failed(error.class(), with_sources(&error))
    }
}

/// What became of a start.
enum Started {
    /// The worker runs.
    Running(Held),
    /// A worker was started here before: the folder says what became of it.
    Before,
}

/// Drives `active` to its end, or until the agent stops.
pub(crate) async fn drive(shared: Arc<Shared>, active: Arc<Active>) {
    let id = active.id.clone();
    let driver = Driver { shared, active };
    match driver.run().await {
        Ok(row) => {
            tracing::info!(%id, status = %row.assignment.status, "the assignment has ended");
            driver.shared.announce_end(&driver.active, row);
        }
        Err(Stopping) => tracing::debug!(%id, "left for the next agent"),
    }
}

impl Driver {
    async fn run(&self) -> Result<CompletedRow, Stopping> {
        loop {
            let adopted = match Held::adopt(self.active.folder.path()).await {
                Ok(adopted) => adopted,
                Err(error) => {
                    // What cannot be read is unknown, not dead.
                    tracing::warn!(id = %self.active.id, %error, "cannot tell whether a worker runs");
                    self.pause().await?;
                    continue;
                }
            };
            let end = match adopted {
                Adopted::NeverStarted => match self.start().await {
                    Ok(Started::Running(held)) => {
                        self.refill().await;
                        self.follow(held).await?
                    }
                    Ok(Started::Before) => continue,
                    Err(NotStarted::Stopping) => return Err(Stopping),
                    Err(NotStarted::Cancelled) => End::cancelled(),
                    Err(NotStarted::Failed(class, error)) => End::not_started(class, error),
                },
                Adopted::Running(held) => self.follow(held).await?,
                Adopted::Ended(record) => self.ended(Ended::Recorded(record)).await?,
                Adopted::Vanished(vanished) => self.ended(Ended::Vanished(vanished)).await?,
            };
            return self.finish(end).await;
        }
    }

    /// Fills the pool up again that a worktree was just taken from, behind everything else.
    async fn refill(&self) {
        let (shared, active) = (Arc::clone(&self.shared), Arc::clone(&self.active));
        let path = move || shared.permitted(Path::new(&active.body.repo_path));
        if let Ok(Some(repo)) = tokio::task::spawn_blocking(path).await {
            self.shared.warm(repo);
        }
    }

    /// What is known of a run that is over, once its log is read to the end.
    async fn ended(&self, ended: Ended) -> Result<End, Stopping> {
        let record = match ended {
            Ended::Recorded(record) => Some(record),
            Ended::Vanished(vanished) => {
                self.end_leftovers(&vanished).await?;
                None
            }
        };
        let summary = self.read_to_end().await?;
        Ok(End::of_run(record, summary))
    }

    /// Nothing is finished while something of the worker may still write.
    async fn end_leftovers(&self, vanished: &coord_worker::held::Vanished) -> Result<(), Stopping> {
        loop {
            match vanished.end_leftovers().await {
                Ok(left) if left.is_empty() => return Ok(()),
                Ok(left) => tracing::warn!(id = %self.active.id, ?left, "cannot be killed"),
                Err(error) => {
                    tracing::warn!(id = %self.active.id, %error, "cannot look for leftovers");
                }
            }
            self.pause().await?;
        }
    }

    /// Waits a moment, unless the agent is about to end.
    async fn pause(&self) -> Result<(), Stopping> {
        let mut stopping = self.shared.stopping.subscribe();
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => Err(Stopping),
            () = tokio::time::sleep(PAUSE) => Ok(()),
        }
    }

    fn set_phase(&self, phase: Phase) {
        self.active.live.send_modify(|live| live.phase = phase);
    }

    fn is_cancelled(&self) -> bool {
        *self.active.cancel.borrow()
    }

    fn is_stopping(&self) -> bool {
        *self.shared.stopping.borrow()
    }
}

/// An error with everything that caused it, in one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Waits until the flag is up; for ever when nobody can raise it any more.
async fn raised(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|up| *up).await.is_err() {
        std::future::pending::<()>().await;
    }
}
