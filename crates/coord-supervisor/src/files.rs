//! The names of the files in an assignment's folder, and the two ways in which they are made durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The encoded [`crate::Instructions`]. Holds the worker's environment, so it is removed once the worker runs.
pub const LAUNCH: &str = "launch";
/// What the worker reads on stdin, unless it is steered.
pub const PROMPT: &str = "prompt.txt";
/// Locked with `flock` by the supervisor for as long as it lives. Never removed.
pub const LOCK: &str = "lock";
/// Empty; exists since before the worker was started. Where it stands, nothing is ever started again.
pub const STARTING: &str = "starting";
/// Process ids and start times, once the worker runs.
pub const RUN: &str = "run.json";
/// `#` lines of the supervisor, then the worker's stdout as it came.
pub const LOG: &str = "log.ndjson";
/// The worker's stderr, cut at [`STDERR_LIMIT`].
pub const STDERR: &str = "stderr.log";
/// The FIFO on which the supervisor takes orders.
pub const CONTROL: &str = "control";
/// How it ended.
pub const EXIT: &str = "exit.json";
/// Space set aside for [`EXIT`], which must be writable on a full disk.
pub const EXIT_RESERVE: &str = "exit.json.reserve";

/// Where the worker's hooks find the agent, see [`crate::Door`]. Written by the agent.
pub const HOOK: &str = "hook";
/// Calls that a hook let through because the agent could not be asked: one JSON line each, as the CLI told of it.
pub const UNCHECKED: &str = "unchecked";

/// The most of the worker's stderr that is kept, in bytes.
pub const STDERR_LIMIT: u64 = 1024 * 1024;

/// The folder can hold secrets of the worker's environment and text of private issues.
const PRIVATE: u32 = 0o600;

/// Opens for appending, made if absent, readable by the owner alone.
pub(crate) fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(PRIVATE)
        .open(path)
}

/// Opens for writing without truncation, made if absent, readable by the owner alone.
pub(crate) fn open_write(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .open(path)
}

/// Makes `name` appear in `dir` with exactly `content`, or not at all, also when the machine stops.
///
/// `scratch` names the file that is written first; where it exists, the space it has is used.
pub(crate) fn write_atomically(
    dir: &Path,
    scratch: &str,
    name: &str,
    content: &[u8],
) -> io::Result<()> {
    let scratch = dir.join(scratch);
    let file = open_write(&scratch)?;
    file.write_all_at(content, 0)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()?;
    std::fs::rename(&scratch, dir.join(name))?;
    sync_folder(dir)
}

/// Makes the creation or renaming of files in `dir` durable.
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
