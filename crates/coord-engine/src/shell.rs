//! One command line in a shell: with a time limit, its output on disk, and everything that it
//! started ended with it.

use std::path::Path;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::task::JoinSet;

/// What to run, where, and for how long.
#[derive(Debug)]
pub(crate) struct Shell<'a> {
    /// For `sh -c`.
    pub(crate) command: &'a str,
    /// The folder to run it in.
    pub(crate) folder: &'a Path,
    /// The whole environment; `None`: that of this process.
    pub(crate) env: Option<&'a [(String, String)]>,
    /// What it can read.
    pub(crate) stdin: Vec<u8>,
    /// It is ended after so long.
    pub(crate) limit: Duration,
}

/// How it ended.
pub(crate) enum Ended {
    /// By itself.
    Exited {
        /// With this status.
        status: ExitStatus,
        /// The last line of its output.
        last: String,
    },
    /// By us.
    TimedOut,
}

impl Shell<'_> {
    /// Runs it to its end; stdout and stderr go to `log`. Dropped before that, it ends at once.
    ///
    /// # Errors
    /// It could not be started, or its output not be kept.
    pub(crate) async fn run(&self, log: &mut File) -> std::io::Result<Ended> {
        // One pipe for both streams keeps their order; the group is what a time-out ends.
        let (reader, writer) = std::io::pipe()?;
        let mut child = self.start(writer)?;
        let group = Group(child.id());
        let _feeding = feed(child.stdin.take(), self.stdin.clone());
        let output = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
        let last = LastLine::default();
        let mut copying = pin!(copy(output, log, &last));
        let mut whole = false;
        let status = tokio::time::timeout(self.limit, async {
            tokio::select! {
                status = child.wait() => status,
                copied = &mut copying => { whole = true; copied?; child.wait().await }
            }
        });
        let Ok(status) = status.await else {
            return Ok(Ended::TimedOut);
        };
        // Whatever the command left running keeps the pipe open: end it, then read what is in there.
        drop(group);
        if !whole && let Ok(copied) = tokio::time::timeout(DRAIN, copying).await {
            copied?;
        }
        Ok(Ended::Exited {
            status: status?,
            last: last.take(),
        })
    }

    fn start(&self, output: std::io::PipeWriter) -> std::io::Result<tokio::process::Child> {
        let mut command = Command::new("sh");
        if let Some(env) = self.env {
            command.env_clear().envs(env.iter().map(|(k, v)| (k, v)));
        }
        let stdin = match self.stdin.is_empty() {
            true => Stdio::null(),
            false => Stdio::piped(),
        };
        command
            .args(["-c", self.command])
            .current_dir(self.folder)
            .stdin(stdin)
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

/// Writes to a command that may read it late, in part, or not at all; stops when dropped.
fn feed(stdin: Option<ChildStdin>, bytes: Vec<u8>) -> JoinSet<()> {
    let mut feeding = JoinSet::new();
    if let Some(mut stdin) = stdin {
        feeding.spawn(async move {
            // Nobody has to read it.
            let _ = stdin.write_all(&bytes).await;
        });
    }
    feeding
}

/// How long output is read on after the command itself has ended.
const DRAIN: Duration = Duration::from_secs(2);

/// Ends the whole process group when dropped: also when the run itself is dropped, so that a
/// Ctrl-C leaves no test running.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self
            .0
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // No such group: everything has ended by itself.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The last line that was not blank, cut to what fits a table.
#[derive(Default)]
struct LastLine(Mutex<Option<String>>);

impl LastLine {
    fn see(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if !text.is_empty() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(text.chars().take(200).collect());
        }
    }

    fn take(&self) -> String {
        let line = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        line.unwrap_or_else(|| "no output".to_owned())
    }
}

/// Copies the output to the log, line by line; an endless line is cut into pieces of 64 KiB.
async fn copy(
    output: impl AsyncRead + Unpin,
    log: &mut File,
    last: &LastLine,
) -> std::io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while (&mut output)
        .take(64 * 1024)
        .read_until(b'\n', &mut line)
        .await?
        > 0
    {
        log.write_all(&line).await?;
        log.flush().await?;
        last.see(&line);
        line.clear();
    }
    Ok(())
}
