//! Unix systems without Linux' means: the process group is all there is.
//!
//! What this cannot promise: processes that left the worker's group outlive a stop; a supervisor killed with SIGKILL leaves
//! its worker running; pids are not told apart by start time; the worker's end is noticed after 50 ms, not at once;
//! descriptors that the launcher was given by accident are passed on.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use rustix::process::{self, Pid, Signal};

/// A command that starts this program again.
pub(crate) fn own_program() -> io::Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

/// There is no list of descriptors.
pub(crate) fn keep_descriptors_here() {}

/// Orphans go to init.
pub(crate) fn become_keeper() -> io::Result<()> {
    Ok(())
}

/// There is no parent-death signal.
pub(crate) fn die_with_parent(_command: &mut Command) {}

/// There is nothing to wait for.
pub(crate) fn exit_watch(_pid: Pid) -> Option<OwnedFd> {
    None
}

/// Not known.
pub fn start_time(_pid: i32) -> Option<u64> {
    None
}

/// Signals the worker's group.
pub(crate) fn signal_everything(worker: Option<Pid>, signal: Signal) {
    if let Some(group) = worker {
        let _ = process::kill_process_group(group, signal);
    }
}

/// Kills what the worker left in its group, right after it was collected and before its number can be given to others.
pub(crate) fn sweep_group(worker: Pid) {
    let _ = process::kill_process_group(worker, Signal::KILL);
}

/// Makes a FIFO that only the owner can use.
pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    let status = Command::new("mkfifo")
        .args(["-m", "600", "--"])
        .arg(path)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("mkfifo failed"))
    }
}
