//! What a supervisor leaves behind that was itself killed.
//!
//! The kernel then kills the worker (`PDEATHSIG`), but not what the worker had started. Those are recognised by a
//! variable of their environment. What has cleared its environment is not found; only a control group could do that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::on_blocking_thread;
use super::{HeldError, system};

/// How often those that do not die are killed again, and the pause between.
const ROUNDS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// A run whose supervisor died without a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vanished {
    dir: PathBuf,
}

impl Vanished {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
        }
    }

    /// The assignment's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The processes of this run that still live, as far as they can be found. Empty where there is no `/proc`.
    ///
    /// # Errors
    /// If the folder or the process table cannot be read.
    pub async fn leftovers(&self) -> Result<Vec<i32>, HeldError> {
        on_blocking_thread(&self.dir, system::marked).await
    }

    /// Kills what is left of this run; returns what could not be killed within five seconds.
    ///
    /// # Errors
    /// If the folder or the process table cannot be read.
    pub async fn end_leftovers(&self) -> Result<Vec<i32>, HeldError> {
        for _ in 0..ROUNDS {
            if on_blocking_thread(&self.dir, system::kill_marked)
                .await?
                .is_empty()
            {
                return Ok(Vec::new());
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.leftovers().await
    }
}
