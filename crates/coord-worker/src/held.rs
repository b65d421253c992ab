//! A worker that a supervisor holds: found again, waited for, stopped, spoken to.
//!
//! Nothing here is tied to the process that launched the worker: everything is read from the assignment's folder, and
//! whether a supervisor lives is told by the lock it holds, never by a process id alone.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_supervisor::files;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::Mutex;

mod folder;
mod record;
mod system;
mod vanished;

pub use record::{ExitReason, ExitRecord, RunRecord};
pub use vanished::Vanished;

use folder::Seen;

/// The variable by which a worker's descendants are recognised when their supervisor is gone: the assignment's folder.
pub const MARKER: &str = "COORD_WORKER_DIR";

/// How long a supervisor may take to take an order.
const ORDER_PATIENCE: Duration = Duration::from_secs(10);
/// How long a supervisor may take from its lock to its worker.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How often a start in progress is looked at.
const START_PAUSE: Duration = Duration::from_millis(10);

/// A worker that runs, or ran when this was made.
#[derive(Debug)]
pub struct Held {
    dir: PathBuf,
    run: RunRecord,
    /// One order at a time: long ones are not written at once.
    writing: Mutex<()>,
}

/// What stands in an assignment's folder.
#[derive(Debug)]
pub enum Adopted {
    /// No worker was ever started here.
    NeverStarted,
    /// One runs.
    Running(Held),
    /// One ran, or could not be started, and how that ended is known.
    Ended(ExitRecord),
    /// The supervisor died without a record, so how the worker ended will never be known.
    Vanished(Vanished),
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// As the supervisor wrote down.
    Recorded(ExitRecord),
    /// The supervisor died without a record.
    Vanished(Vanished),
}

/// Why a held worker cannot be read or spoken to.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    /// A file of the assignment cannot be read. This says nothing about the worker.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A record is there and is not what a supervisor writes.
    #[error("{} is malformed", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A supervisor has the folder and does not get its worker started.
    #[error("a supervisor holds {} and has started nothing yet", dir.display())]
    NotStarting {
        /// The assignment's folder.
        dir: PathBuf,
    },
    /// Nobody takes orders: the worker has ended.
    #[error("the worker in {} has ended", dir.display())]
    NotRunning {
        /// The assignment's folder.
        dir: PathBuf,
    },
    /// The order could not be handed over.
    #[error("cannot give an order through {}", path.display())]
    Order {
        /// The FIFO.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A message to a worker is one line.
    #[error("a message to a worker cannot contain a line break")]
    NotOneLine,
    /// The end of the supervisor cannot be waited for.
    #[error("cannot wait for the supervisor, process {pid}")]
    Wait {
        /// Its process id.
        pid: i32,
        /// What the system says.
        source: io::Error,
    },
}

impl Held {
    /// Says what stands in an assignment's folder, and takes over a worker that runs there.
    ///
    /// Waits for a start that is in progress.
    ///
    /// # Errors
    /// If the folder cannot be read or a start does not get anywhere. Neither means that there is no worker.
    pub async fn adopt(dir: &Path) -> Result<Adopted, HeldError> {
        let deadline = tokio::time::Instant::now() + START_PATIENCE;
        loop {
            match folder::look(dir).await? {
                Seen::NeverStarted => return Ok(Adopted::NeverStarted),
                Seen::Running(run) => return Ok(Adopted::Running(Self::new(dir, run))),
                Seen::Ended(record) => return Ok(Adopted::Ended(record)),
                Seen::Vanished => return Ok(Adopted::Vanished(Vanished::new(dir))),
                Seen::Starting if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(START_PAUSE).await;
                }
                Seen::Starting => {
                    return Err(HeldError::NotStarting {
                        dir: dir.to_path_buf(),
                    });
                }
            }
        }
    }

    /// The worker whose start is recorded in the folder, whether or not it still runs.
    pub(crate) async fn of_run(dir: &Path) -> Result<Option<Self>, HeldError> {
        Ok(folder::read_run(dir).await?.map(|run| Self::new(dir, run)))
    }

    fn new(dir: &Path, run: RunRecord) -> Self {
        Self {
            dir: dir.to_path_buf(),
            run,
            writing: Mutex::new(()),
        }
    }

    /// The assignment's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The worker's process id. It may be another process' by now.
    pub fn worker_pid(&self) -> i32 {
        self.run.pid
    }

    /// The supervisor's process id. It may be another process' by now.
    pub fn supervisor_pid(&self) -> i32 {
        self.run.supervisor_pid
    }

    /// When the worker was started, in seconds since the epoch.
    pub fn started_at(&self) -> f64 {
        self.run.started_at
    }

    /// Waits until nothing of the worker is left, and says how it ended.
    ///
    /// The supervisor's end is announced by the kernel, also when it is not our child. Safe to cancel and to call again.
    ///
    /// # Errors
    /// If the folder cannot be read or the process cannot be watched. Neither means that the worker has ended.
    pub async fn wait(&self) -> Result<Ended, HeldError> {
        loop {
            match folder::look(&self.dir).await? {
                Seen::Ended(record) => return Ok(Ended::Recorded(record)),
                Seen::Vanished | Seen::NeverStarted => {
                    return Ok(Ended::Vanished(Vanished::new(&self.dir)));
                }
                Seen::Running(_) | Seen::Starting => {}
            }
            if !system::end_of_supervisor(&self.dir, &self.run).await? {
                // The lock is held and not by our supervisor: somebody else asks at this very moment.
                tokio::time::sleep(START_PAUSE).await;
            }
        }
    }

    /// Asks the supervisor to end the worker: SIGTERM, and SIGKILL to everything after the grace period.
    ///
    /// Returns once the order is given; [`Held::wait`] tells when it is done. Asking twice is asking once.
    ///
    /// # Errors
    /// [`HeldError::NotRunning`] if there is nothing to stop any more.
    pub async fn stop(&self) -> Result<(), HeldError> {
        self.order("stop".to_owned()).await
    }

    /// Gives a steerable worker one more line on its stdin.
    ///
    /// A worker that takes no input (any more) leaves a note in its log instead.
    ///
    /// # Errors
    /// If the text has a line break, or the worker has ended.
    pub async fn input(&self, line: &str) -> Result<(), HeldError> {
        if line.contains(['\n', '\r']) {
            return Err(HeldError::NotOneLine);
        }
        self.order(format!("input {} {line}", line.len())).await
    }

    /// Closes a steerable worker's stdin, once it has read everything.
    ///
    /// # Errors
    /// [`HeldError::NotRunning`] if the worker has ended.
    pub async fn close_input(&self) -> Result<(), HeldError> {
        self.order("close".to_owned()).await
    }

    /// The line break in front ends whatever an earlier writer, who died half-way, may have left.
    async fn order(&self, order: String) -> Result<(), HeldError> {
        let path = self.dir.join(files::CONTROL);
        let _alone = self.writing.lock().await;
        let write = async {
            let mut fifo = pipe::OpenOptions::new().open_sender(&path)?;
            fifo.write_all(format!("\n{order}\n").as_bytes()).await
        };
        let outcome = match tokio::time::timeout(ORDER_PATIENCE, write).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        outcome.map_err(|source| {
            if is_gone(&source) {
                self.not_running()
            } else {
                HeldError::Order { path, source }
            }
        })
    }

    fn not_running(&self) -> HeldError {
        HeldError::NotRunning {
            dir: self.dir.clone(),
        }
    }
}

/// Nobody reads the FIFO, or it was removed.
fn is_gone(error: &io::Error) -> bool {
    const NOBODY_READS: i32 = rustix::io::Errno::NXIO.raw_os_error();
    error.raw_os_error() == Some(NOBODY_READS)
        || matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::BrokenPipe
        )
}
