//! `summary.json`: the folded log up to some byte, so that no line is read twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_worker::summary::{Folder, Summary};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::durable;

/// The version of the summary's shape; a checkpoint of another one is made again from the log.
const VERSION: u32 = 3;

/// The least time between two checkpoints.
const EVERY: Duration = Duration::from_secs(2);

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    version: u32,
    summary: Summary,
}

/// When the last checkpoint was written.
#[derive(Debug)]
pub(super) struct Checkpoints {
    last: Instant,
}

impl Checkpoints {
    pub(super) fn new() -> Self {
        Self {
            last: Instant::now(),
        }
    }

    /// Whether it is time for another one; if so, the next is due later.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= EVERY;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

/// Goes on from the checkpoint at `path`; a missing or damaged one means from the beginning.
pub(super) fn resume(path: &Path) -> Folder {
    match durable::read_json::<Checkpoint>(path) {
        Ok(Some(read)) if read.version == VERSION => Folder::resume(read.summary),
        Ok(_) => Folder::default(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a checkpoint cannot be read");
            Folder::default()
        }
    }
}

/// Writes a checkpoint. Without it the log is read again: a failure is no reason to stop.
pub(super) async fn write(path: PathBuf, summary: Summary) {
    let checkpoint = Checkpoint {
        version: VERSION,
        summary,
    };
    let written = tokio::task::spawn_blocking(move || durable::replace_json(&path, &checkpoint));
    match written.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "cannot write a checkpoint"),
        Err(error) => tracing::error!(%error, "writing a checkpoint failed"),
    }
}
