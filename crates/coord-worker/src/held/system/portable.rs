//! Unix systems without pidfd and `/proc`.
//!
//! What this cannot promise: what a killed supervisor's worker left running is not found; waiting takes a thread.

use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::held::folder::on_blocking_thread;
use crate::held::{HeldError, RunRecord};

/// Waits until the supervisor's lock is free, which is when it has ended.
pub(in crate::held) async fn end_of_supervisor(
    dir: &Path,
    _run: &RunRecord,
) -> Result<bool, HeldError> {
    on_blocking_thread(dir, |dir| {
        let path = dir.join(coord_supervisor::files::LOCK);
        let locked = std::fs::File::open(&path)
            .and_then(|lock| Ok(flock(&lock, FlockOperation::LockShared)?));
        locked
            .map(|()| true)
            .map_err(|source| HeldError::Read { path, source })
    })
    .await
}

/// Nobody can be found.
pub(in crate::held) fn marked(_dir: &Path) -> Result<Vec<i32>, HeldError> {
    Ok(Vec::new())
}

/// Nobody can be found.
pub(in crate::held) fn kill_marked(_dir: &Path) -> Result<Vec<i32>, HeldError> {
    Ok(Vec::new())
}
