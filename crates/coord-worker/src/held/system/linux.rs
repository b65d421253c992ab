//! Linux: pidfd and `/proc`.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::{Interest, unix::AsyncFd};

use crate::held::{HeldError, MARKER, RunRecord};

/// Waits until the supervisor of `run` has ended; `false` if it had ended before.
pub(in crate::held) async fn end_of_supervisor(
    _dir: &Path,
    run: &RunRecord,
) -> Result<bool, HeldError> {
    let failed = |source| HeldError::Wait {
        pid: run.supervisor_pid,
        source,
    };
    let Some(pid) = Pid::from_raw(run.supervisor_pid) else {
        return Ok(false);
    };
    let fd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::SRCH) => return Ok(false),
        Err(error) => return Err(failed(error.into())),
    };
    // The descriptor names one process for good; only now is it worth asking whether it is the right one.
    if coord_supervisor::start_time(run.supervisor_pid) != run.supervisor_start {
        return Ok(false);
    }
    #[expect(
        unsafe_code,
        reason = "tokio asks for a promise about the descriptor that its type cannot express"
    )]
    // SAFETY: the `OwnedFd` is valid, moves into the registration, and is neither replaced nor closed while it is there.
    let watch = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    let watch = watch.map_err(|error| failed(error.into()))?;
    watch.readable().await.map(|_| true).map_err(failed)
}

/// The processes whose environment names the folder.
pub(in crate::held) fn marked(dir: &Path) -> Result<Vec<i32>, HeldError> {
    let marker = marker(dir)?;
    let table = Path::new("/proc");
    let entries = std::fs::read_dir(table).map_err(unreadable(table))?;
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| is_marked(*pid, &marker)).collect())
}

/// Kills the processes whose environment names the folder; says which.
pub(in crate::held) fn kill_marked(dir: &Path) -> Result<Vec<i32>, HeldError> {
    let (marker, pids) = (marker(dir)?, marked(dir)?);
    for pid in &pids {
        let Some(process) =
            Pid::from_raw(*pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        else {
            continue;
        };
        // Asked again behind the descriptor, so that no stranger with the same number is hit.
        if is_marked(*pid, &marker) {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
    Ok(pids)
}

/// The variable as it stands in an environment.
fn marker(dir: &Path) -> Result<Vec<u8>, HeldError> {
    let whole = dir.canonicalize().map_err(unreadable(dir))?;
    Ok([MARKER.as_bytes(), b"=", whole.as_os_str().as_bytes()].concat())
}

/// A process that cannot be read is another user's or gone; a zombie has no environment.
fn is_marked(pid: i32, marker: &[u8]) -> bool {
    std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == marker)
    })
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> HeldError {
    let path = PathBuf::from(path);
    |source| HeldError::Read { path, source }
}
