//! What a supervisor leaves behind that was itself killed.
//!
//! The kernel then kills the worker (`PDEATHSIG`), but not what the worker had started. Those are recognised by a
//! variable of their environment. What has cleared its environment is not found; only a control group could do that.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::on_blocking_thread;
use super::{HeldError, MARKER};

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
        on_blocking_thread(&self.dir, leftovers).await
    }

    /// Kills what is left of this run; returns what could not be killed within five seconds.
    ///
    /// # Errors
    /// If the folder or the process table cannot be read.
    pub async fn end_leftovers(&self) -> Result<Vec<i32>, HeldError> {
        for _ in 0..ROUNDS {
            let killed = on_blocking_thread(&self.dir, |dir| {
                let found = leftovers(dir)?;
                kill(dir, &found);
                Ok(found)
            });
            if killed.await?.is_empty() {
                return Ok(Vec::new());
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.leftovers().await
    }
}

#[cfg(target_os = "linux")]
fn leftovers(dir: &Path) -> Result<Vec<i32>, HeldError> {
    let marker = marker(dir)?;
    let table = Path::new("/proc");
    let entries = std::fs::read_dir(table).map_err(|source| HeldError::Read {
        path: table.to_path_buf(),
        source,
    })?;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| is_marked(*pid, &marker)).collect())
}

#[cfg(not(target_os = "linux"))]
fn leftovers(_dir: &Path) -> Result<Vec<i32>, HeldError> {
    Ok(Vec::new())
}

/// The variable as it stands in an environment.
#[cfg(target_os = "linux")]
fn marker(dir: &Path) -> Result<Vec<u8>, HeldError> {
    use std::os::unix::ffi::OsStrExt as _;
    let whole = dir.canonicalize().map_err(|source| HeldError::Read {
        path: dir.to_path_buf(),
        source,
    })?;
    Ok([MARKER.as_bytes(), b"=", whole.as_os_str().as_bytes()].concat())
}

/// A process that cannot be read is another user's or gone; a zombie has no environment.
#[cfg(target_os = "linux")]
fn is_marked(pid: i32, marker: &[u8]) -> bool {
    std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == marker)
    })
}

/// A descriptor is taken first and the process asked again, so that no stranger with the same number is hit.
#[cfg(target_os = "linux")]
fn kill(dir: &Path, pids: &[i32]) {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Ok(marker) = marker(dir) else { return };
    for pid in pids {
        let Some(process) =
            Pid::from_raw(*pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        else {
            continue;
        };
        if is_marked(*pid, &marker) {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn kill(_dir: &Path, _pids: &[i32]) {}
