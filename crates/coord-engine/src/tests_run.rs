//! Build and test commands in a throwaway worktree, with a time limit and the output on disk.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use coord_core::assignment::TestResult;
use coord_core::ids::{AssignmentId, CommitId};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

/// What to run, where, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct TestPlan {
    /// The commands in order: build, then test. The first that fails ends the run.
    pub(crate) commands: Vec<String>,
    /// The folder to run them in.
    pub(crate) worktree: PathBuf,
    /// Where the whole output goes.
    pub(crate) log: PathBuf,
    /// For all commands together.
    pub(crate) limit: Duration,
    /// The environment, complete.
    pub(crate) env: Vec<(String, String)>,
}

/// A result with its last words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestReport {
    /// Green or red; red as well when the time was up.
    pub(crate) result: TestResult,
    /// One line for people.
    pub(crate) note: String,
}

/// Runs the plan. An error means that the run could not be made, not that the tests are red.
pub(crate) async fn run(plan: &TestPlan) -> std::io::Result<TestReport> {
    if let Some(folder) = plan.log.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let mut log = File::create(&plan.log).await?;
    let started = tokio::time::Instant::now();
    for command in &plan.commands {
        log.write_all(format!("$ {command}\n").as_bytes()).await?;
        let left = plan.limit.saturating_sub(started.elapsed());
        let (status, last) = match run_one(plan, command, left, &mut log).await? {
            Ended::Exited { status, last } => (status, last),
            Ended::TimedOut => return Ok(timed_out(command, plan.limit)),
        };
        if !status.success() {
            let code = status
                .code()
                .map_or_else(|| "a signal".to_owned(), |c| format!("code {c}"));
            let note = format!("`{command}` ended with {code}: {last}");
            return Ok(TestReport {
                result: TestResult::Failed,
                note,
            });
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let note = format!("{} in {seconds:.1} s", plan.commands.join(" && "));
    Ok(TestReport {
        result: TestResult::Passed,
        note,
    })
}

fn timed_out(command: &str, limit: Duration) -> TestReport {
    let note = format!(
        "`{command}` was stopped: the limit of {} s was up",
        limit.as_secs()
    );
    TestReport {
        result: TestResult::Failed,
        note,
    }
}

enum Ended {
    Exited { status: ExitStatus, last: String },
    TimedOut,
}

async fn run_one(
    plan: &TestPlan,
    command: &str,
    left: Duration,
    log: &mut File,
) -> std::io::Result<Ended> {
    // One pipe for both streams keeps their order; the group is what a time-out ends.
    let (reader, writer) = std::io::pipe()?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(&plan.worktree)
        .env_clear()
        .envs(plan.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group(child.id());
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    let last = LastLine::default();
    let mut copying = pin!(copy(output, log, &last));
    let mut whole = false;
    let status = tokio::time::timeout(left, async {
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

/// The place of the output of one test run.
pub(crate) fn log_path(home: &Path, id: &AssignmentId, head: &CommitId) -> PathBuf {
    home.join("tests")
        .join(format!("{id}-{}.log", head.short()))
}

#[cfg(test)]
mod tests {
    use coord_test_support::processes;

    use super::*;

    fn plan(dir: &Path, commands: &[&str], limit: Duration) -> TestPlan {
        TestPlan {
            commands: commands.iter().map(|c| (*c).to_owned()).collect(),
            worktree: dir.to_owned(),
            log: dir.join("log/out.log"),
            limit,
            env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
        }
    }

    #[tokio::test]
    async fn green_when_every_command_is() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(
            dir.path(),
            &["echo built", "echo ok"],
            Duration::from_secs(60),
        );
        assert_eq!(run(&plan).await.unwrap().result, TestResult::Passed);
        let log = std::fs::read_to_string(dir.path().join("log/out.log")).unwrap();
        assert_eq!(log, "$ echo built\nbuilt\n$ echo ok\nok\n");
    }

    #[tokio::test]
    async fn red_names_the_command_and_its_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let commands = [
            "echo fine",
            "echo one; echo two >&2; echo; exit 3",
            "echo never",
        ];
        let report = run(&plan(dir.path(), &commands, Duration::from_secs(60)))
            .await
            .unwrap();
        assert_eq!(report.result, TestResult::Failed);
        assert!(
            report.note.ends_with("ended with code 3: two"),
            "{}",
            report.note
        );
    }

    #[tokio::test]
    async fn a_time_out_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let commands = ["sleep 1000 & echo $! > pid; wait"];
        let report = run(&plan(dir.path(), &commands, Duration::from_secs(1)))
            .await
            .unwrap();
        assert_eq!(report.result, TestResult::Failed);
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        let pid = pid.trim().parse().unwrap();
        processes::wait_gone(&[pid], Duration::from_secs(60)).unwrap();
    }
}
