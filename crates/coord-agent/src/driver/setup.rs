//! The setup command of a worktree.
//!
//! Its stdin is a locked, empty file, and whatever it starts inherits the lock: an agent that was
//! killed meanwhile and comes back waits for the old command instead of running a second one
//! beside it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use coord_core::failure::FailureClass;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use super::{Driver, NotStarted, raised};
use crate::worker;

/// How often the lock of an earlier command is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// How much of its output an error quotes, in bytes.
const QUOTED: u64 = 300;

impl Driver {
    /// Runs `setup` in `worktree`; its output is kept in `setup.log`.
    pub(super) async fn setup(&self, setup: &str, worktree: &Path) -> Result<(), NotStarted> {
        let limit = self.shared.config.worker.setup_timeout;
        let mut cancel = self.active.cancel.subscribe();
        let mut stopping = self.shared.stopping.subscribe();
        let timeout = tokio::time::sleep(limit);
        tokio::pin!(timeout);
        let lock = tokio::select! {
            lock = self.lock_setup() => lock.map_err(|e| failed(&e.to_string()))?,
            () = raised(&mut cancel) => return Err(NotStarted::Cancelled),
            () = raised(&mut stopping) => return Err(NotStarted::Stopping),
            () = &mut timeout => return Err(failed("an earlier one does not end")),
        };
        let mut child = self
            .spawn_setup(setup, worktree, lock)
            .map_err(|e| failed(&e.to_string()))?;
        let why = tokio::select! {
            status = child.wait() => match status {
                Ok(status) if status.success() => return Ok(()),
                Ok(status) => failed(&format!("{status}{}", self.last_words())),
                Err(error) => failed(&error.to_string()),
            },
            () = raised(&mut cancel) => NotStarted::Cancelled,
            () = raised(&mut stopping) => NotStarted::Stopping,
            () = &mut timeout => failed(&format!("not done after {} s", limit.as_secs())),
        };
        end_group(&mut child).await;
        Err(why)
    }

    async fn lock_setup(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.active.folder.setup_lock())?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    fn spawn_setup(&self, setup: &str, worktree: &Path, lock: File) -> io::Result<Child> {
        let log = File::create(self.active.folder.setup_log())?;
        Command::new("sh")
            .args(["-c", setup])
            .current_dir(worktree)
            .env_clear()
            .envs(worker::environment(
                &self.shared,
                &self.active.body,
                worktree,
            ))
            .stdin(Stdio::from(lock))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .process_group(0)
            .spawn()
    }

    /// The end of the command's output, for the error.
    fn last_words(&self) -> String {
        let read = || -> io::Result<String> {
            use std::os::unix::fs::FileExt as _;
            let file = File::open(self.active.folder.setup_log())?;
            let len = file.metadata()?.len();
            let mut bytes = vec![0; usize::try_from(len.min(QUOTED)).unwrap_or_default()];
            file.read_exact_at(&mut bytes, len.saturating_sub(QUOTED))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_default();
        match text.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => format!(": {}", line.trim()),
            None => String::new(),
        }
    }
}

fn failed(why: &str) -> NotStarted {
    NotStarted::Failed(
        FailureClass::Configuration,
        format!("the setup command of the worktree failed: {why}"),
    )
}

/// Ends the command with everything that has stayed in its process group.
async fn end_group(child: &mut Child) {
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // It may have ended just now; then there is nobody to kill.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}
