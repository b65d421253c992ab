//! What the supervisor leaves on disk about a run: that it runs, and how it ended.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files;
use crate::json::Object;

/// The reserved space must hold every record, so the free text in it has a limit (bytes);
/// a control character takes six when escaped.
const ERROR_LIMIT: usize = 512;
/// How much is set aside for the exit record: one block of common file systems.
const RESERVE: usize = 4096;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// By itself.
    Exited,
    /// It was asked to.
    Stopped,
    /// The total time was used up.
    Timeout,
    /// Nothing came for too long.
    Stalled,
    /// Nothing came at all.
    NoOutput,
    /// It stayed after its last result.
    Hung,
    /// It never ran.
    SpawnFailed,
}

impl Reason {
    /// The word in `exit.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Stopped => "stopped",
            Self::Timeout => "timeout",
            Self::Stalled => "stalled",
            Self::NoOutput => "no_output",
            Self::Hung => "hung",
            Self::SpawnFailed => "spawn_failed",
        }
    }
}

/// That the worker runs, and who holds it.
pub(crate) struct RunRecord {
    pub(crate) supervisor_pid: i32,
    pub(crate) supervisor_start: Option<u64>,
    pub(crate) pid: i32,
    pub(crate) start_time: Option<u64>,
    pub(crate) started_at: f64,
}

impl RunRecord {
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let object = Object::new()
            .number("supervisor_pid", Some(self.supervisor_pid))
            .number("supervisor_start", self.supervisor_start)
            .number("pid", Some(self.pid))
            .number("start_time", self.start_time)
            .number("started_at", Some(self.started_at));
        files::write_atomically(dir, "run.json.new", files::RUN, &object.finish())
    }
}

/// How it ended.
pub(crate) struct ExitRecord {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) started_at: Option<f64>,
    pub(crate) reason: Reason,
    pub(crate) error: Option<String>,
    pub(crate) log_bytes: u64,
    pub(crate) lost_bytes: u64,
}

impl ExitRecord {
    /// The record of a worker that was never started.
    pub(crate) fn never_ran(error: String) -> Self {
        Self {
            code: None,
            signal: None,
            started_at: None,
            reason: Reason::SpawnFailed,
            error: Some(error),
            log_bytes: 0,
            lost_bytes: 0,
        }
    }

    /// Writes the record, with patience: a disk may be full beyond what was reserved, but not for ever,
    /// and as long as this process lives nobody takes the worker for lost.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        const ATTEMPTS: u32 = 60;
        const PAUSE: Duration = Duration::from_secs(1);
        let content = self.to_json();
        let mut attempt = 1;
        loop {
            match files::write_atomically(dir, files::EXIT_RESERVE, files::EXIT, &content) {
                Err(error) if attempt < ATTEMPTS && error.kind() == io::ErrorKind::StorageFull => {
                    attempt += 1;
                    std::thread::sleep(PAUSE);
                }
                result => return result,
            }
        }
    }

    fn to_json(&self) -> Vec<u8> {
        Object::new()
            .number("code", self.code)
            .number("signal", self.signal)
            .number("started_at", self.started_at)
            .number("finished_at", Some(epoch_seconds()))
            .text("reason", Some(self.reason.as_str()))
            .text("error", self.error.as_deref().map(shorten))
            .number("log_bytes", Some(self.log_bytes))
            .number("lost_bytes", Some(self.lost_bytes))
            .finish()
    }
}

/// Sets space aside for the exit record. Real bytes, because a hole in a file takes none.
pub(crate) fn reserve_exit(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let file = files::open_write(&dir.join(files::EXIT_RESERVE))?;
    file.write_all_at(&[b' '; RESERVE], 0)
}

/// Seconds since the epoch, as the wire has them.
pub(crate) fn epoch_seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn shorten(text: &str) -> &str {
    text.get(..text.floor_char_boundary(ERROR_LIMIT))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_record_fits_the_reserve() {
        let record = ExitRecord {
            code: Some(i32::MIN),
            signal: Some(i32::MIN),
            started_at: Some(epoch_seconds()),
            reason: Reason::SpawnFailed,
            error: Some("\u{1}".repeat(100_000)),
            log_bytes: u64::MAX,
            lost_bytes: u64::MAX,
        };
        let length = record.to_json().len();
        assert!(length > ERROR_LIMIT && length <= RESERVE, "{length} bytes");
    }

    #[test]
    fn text_is_cut_between_characters() {
        let long = "ü".repeat(ERROR_LIMIT);
        assert_eq!(shorten(&long).len(), ERROR_LIMIT);
        assert_eq!(shorten("short"), "short");
        let odd = format!("a{long}");
        assert_eq!(shorten(&odd).len(), ERROR_LIMIT - 1);
    }
}
