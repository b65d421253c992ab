//! Linux: subreaper, parent-death signal, pidfd and `/proc`.

use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{self, Pid, Signal};

/// A command that starts this program again, also when its file has been replaced or removed since.
pub(crate) fn own_program() -> io::Result<Command> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("coord-supervisor");
    Ok(command)
}

/// Makes sure that what is started from here gets none of the descriptors that this process was started with by accident:
/// somebody may wait for the other end of a pipe to close, and a supervisor lives long.
#[expect(
    unsafe_code,
    reason = "descriptors that nobody here owns can only be named by their numbers"
)]
pub(crate) fn keep_descriptors_here() {
    let Ok(open) = fs::read_dir("/proc/self/fd") else {
        return;
    };
    for number in open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
    {
        // SAFETY: the list is read from the kernel one step ago in a process of one thread, so the descriptor is open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl_setfd(descriptor, FdFlags::CLOEXEC);
    }
}

/// Makes every orphan below this process its child, and gives it a name that `top` can show
/// (started through `/proc/self/exe` it would be called "exe").
pub(crate) fn become_keeper() -> io::Result<()> {
    let _ = fs::write("/proc/self/comm", "coord-supervis");
    Ok(process::set_child_subreaper(Some(process::getpid()))?)
}

/// Makes the kernel kill the command's process when this one dies, however it dies.
#[expect(
    unsafe_code,
    reason = "the signal must be armed between fork and exec; a second exec would cost a millisecond"
)]
pub(crate) fn die_with_parent(command: &mut Command) {
    let parent = process::getpid();
    let arm = move || {
        process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // Had the parent died before the line above, nobody would send the signal any more.
        if process::getppid() == Some(parent) {
            Ok(())
        } else {
            Err(io::Error::from(Errno::SRCH))
        }
    };
    // SAFETY: after fork the closure makes two system calls and allocates nothing, so it is async-signal-safe.
    unsafe {
        command.pre_exec(arm);
    }
}

/// Something that `poll` finds readable once the process has ended.
pub(crate) fn exit_watch(pid: Pid) -> Option<OwnedFd> {
    process::pidfd_open(pid, process::PidfdFlags::empty()).ok()
}

/// When the process started, in clock ticks since boot: with the pid it names a process for good.
///
/// `None` if there is no such process.
pub fn start_time(pid: i32) -> Option<u64> {
    const FIELDS_AFTER_NAME: usize = 19; // starttime is field 22 of proc_pid_stat(5), the name is field 2
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name
        .split_ascii_whitespace()
        .nth(FIELDS_AFTER_NAME)?
        .parse()
        .ok()
}

/// Signals what is below this process in the tree, whatever group or session it has moved to.
///
/// `worker` is the process group while it is certain that its number has not been given to others.
pub(crate) fn signal_everything(worker: Option<Pid>, signal: Signal) {
    if let Some(group) = worker {
        let _ = process::kill_process_group(group, signal);
    }
    for pid in descendants() {
        let _ = process::kill_process(pid, signal);
    }
}

/// Nothing is left to sweep: the tree below a subreaper is complete.
pub(crate) fn sweep_group(_worker: Pid) {}

/// Makes a FIFO that only the owner can use.
pub(crate) fn make_fifo(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, mkfifoat};
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// Everything below this process at about this moment. Who forks meanwhile is missed: look again until nobody is left.
fn descendants() -> Vec<Pid> {
    let mut found = children_of(process::getpid());
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children_of(pid));
        next += 1;
    }
    found
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())) else {
        return Vec::new();
    };
    let lists = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_ascii_whitespace()
                .filter_map(parse_pid)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn parse_pid(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_tell_processes_apart() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(start_time(own), start_time(own));
        assert!(start_time(own) > start_time(1));
        assert_eq!(start_time(i32::MAX), None);
    }
}
