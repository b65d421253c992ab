//! Waits for the end of a process that need not be our child.

use std::path::Path;

use super::{HeldError, RunRecord};

/// Waits until the supervisor of `run` has ended; `false` if it had ended before.
#[cfg(target_os = "linux")]
pub(super) async fn ended(_dir: &Path, run: &RunRecord) -> Result<bool, HeldError> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use tokio::io::{Interest, unix::AsyncFd};
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

/// Waits until the supervisor's lock is free, which is when it has ended. Takes a thread for as long as it takes.
#[cfg(not(target_os = "linux"))]
pub(super) async fn ended(dir: &Path, _run: &RunRecord) -> Result<bool, HeldError> {
    use rustix::fs::{FlockOperation, flock};
    super::folder::on_blocking_thread(dir, |dir| {
        let path = dir.join(coord_supervisor::files::LOCK);
        let locked = std::fs::File::open(&path)
            .and_then(|lock| Ok(flock(&lock, FlockOperation::LockShared)?));
        locked
            .map(|()| true)
            .map_err(|source| HeldError::Read { path, source })
    })
    .await
}
