//! Build and test commands in a throwaway worktree, with a time limit and the output on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_core::assignment::TestResult;
use coord_core::ids::{AssignmentId, CommitId};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::shell::{Ended, Shell};

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
        let shell = Shell {
            command,
            folder: &plan.worktree,
            env: Some(&plan.env),
            stdin: Vec::new(),
            limit: plan.limit.saturating_sub(started.elapsed()),
        };
        let (status, last) = match shell.run(&mut log).await? {
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
