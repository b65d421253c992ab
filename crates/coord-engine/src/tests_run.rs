//! Build and test commands in a folder, with a time limit and the output on disk: green, red, or
//! kept from an answer by something that says nothing about the code.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, RepoName};
use coord_core::verdict::OUTPUT;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use crate::shell::{Ended, Shell};
use crate::tail;

/// What to run, where, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct TestPlan {
    /// The commands in order: build, then test. The first that fails ends the run.
    pub(crate) commands: Vec<String>,
    /// The folder to run them in.
    pub(crate) worktree: PathBuf,
    /// Where the whole output goes.
    pub(crate) log: PathBuf,
    /// Whether it goes behind what is there already.
    pub(crate) append: bool,
    /// For all commands together.
    pub(crate) limit: Duration,
    /// The environment, complete.
    pub(crate) env: Vec<(String, String)>,
}

/// What a run came to; every note is one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestReport {
    /// Every command ended well.
    Green {
        /// What ran, and for how long.
        note: String,
    },
    /// A command says that something is wrong.
    Red {
        /// Which one, with its last words.
        note: String,
        /// The end of the log, at most [`OUTPUT`] bytes.
        output: String,
    },
    /// A command could not be run, or not to its end: that says nothing about the code.
    Broken {
        /// Whether it is worth another try.
        class: FailureClass,
        /// Why.
        why: String,
    },
}

/// Runs the plan. An error means that the output could not be kept, or no shell be started.
pub(crate) async fn run(plan: &TestPlan) -> std::io::Result<TestReport> {
    let mut log = open(plan).await?;
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
        let ended = shell.run(&mut log).await?;
        log.flush().await?;
        let (status, last) = match ended {
            Ended::Exited { status, last } => (status, last),
            Ended::TimedOut => return Ok(timed_out(command, plan.limit)),
        };
        if let Some(broken) = broken(command, status, &last) {
            return Ok(broken);
        }
        if !status.success() {
            let note = format!("`{command}` ended with {}: {last}", how(status));
            let output = tail::end_of(&plan.log, OUTPUT).await?;
            return Ok(TestReport::Red { note, output });
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let note = format!("{} in {seconds:.1} s", plan.commands.join(" && "));
    Ok(TestReport::Green { note })
}

async fn open(plan: &TestPlan) -> std::io::Result<File> {
    if let Some(folder) = plan.log.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let mut options = OpenOptions::new();
    options
        .create(true)
        .write(true)
        .append(plan.append)
        .truncate(!plan.append);
    options.open(&plan.log).await
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no code".to_owned(),
    }
}

fn timed_out(command: &str, limit: Duration) -> TestReport {
    TestReport::Broken {
        class: FailureClass::Environmental { retry_at: None },
        why: format!(
            "`{command}` was stopped: the limit of {} s was up",
            limit.as_secs()
        ),
    }
}

/// The report of a command that was kept from an answer; `None` when it gave one. A shell has two
/// codes for what it cannot start (POSIX, 2.8.2), and gives 128 and the signal for what was killed.
fn broken(command: &str, status: ExitStatus, last: &str) -> Option<TestReport> {
    if let Some(code @ (126 | 127)) = status.code() {
        return Some(TestReport::Broken {
            class: FailureClass::Configuration,
            why: format!("`{command}` cannot be run here (code {code}): {last}"),
        });
    }
    let signal = status.signal().or_else(|| status.code()?.checked_sub(128));
    let name = signal.and_then(killing)?;
    Some(TestReport::Broken {
        class: FailureClass::Environmental { retry_at: None },
        why: format!("`{command}` was killed ({name}): {last}"),
    })
}

/// The signals that somebody else sends. The others are a crash of the code that is tested.
fn killing(signal: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    let names = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::TERM, "SIGTERM"),
    ];
    let found = names.iter().find(|(it, _)| it.as_raw() == signal);
    found.map(|(_, name)| *name)
}

/// The place of the output of one test run.
pub(crate) fn log_path(home: &Path, id: &AssignmentId, head: &CommitId) -> PathBuf {
    home.join("tests")
        .join(format!("{id}-{}.log", head.short()))
}

/// The place of the output of the test of one combination.
pub(crate) fn combination_log(home: &Path, repo: &RepoName, commit: &CommitId) -> PathBuf {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let repo = repo.as_str().replace(|c| !safe(c), "-");
    home.join("tests")
        .join(format!("combine-{repo}-{}.log", commit.short()))
}

#[cfg(test)]
mod tests {
    use coord_test_support::processes;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn plan(dir: &Path, commands: &[&str], limit: Duration) -> TestPlan {
        TestPlan {
            commands: commands.iter().map(|c| (*c).to_owned()).collect(),
            worktree: dir.to_owned(),
            log: dir.join("log/out.log"),
            append: false,
            limit,
            env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
        }
    }

    async fn ran(commands: &[&str]) -> TestReport {
        let dir = tempfile::tempdir().unwrap();
        run(&plan(dir.path(), commands, MINUTE)).await.unwrap()
    }

    #[tokio::test]
    async fn green_when_every_command_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut plan = plan(dir.path(), &["echo built", "echo ok"], MINUTE);
        let report = run(&plan).await.unwrap();
        assert!(matches!(report, TestReport::Green { .. }), "{report:?}");
        let log = || std::fs::read_to_string(dir.path().join("log/out.log")).unwrap();
        let once = "$ echo built\nbuilt\n$ echo ok\nok\n";
        assert_eq!(log(), once);
        let _ = run(&plan).await.unwrap();
        assert_eq!(log(), once, "a second run writes over the first");
        plan.append = true;
        let _ = run(&plan).await.unwrap();
        assert_eq!(log(), once.repeat(2));
    }

    #[tokio::test]
    async fn red_names_the_command_and_its_last_line() {
        let commands = [
            "echo fine",
            "echo one; echo two >&2; echo; exit 3",
            "echo never",
        ];
        let TestReport::Red { note, output } = ran(&commands).await else {
            panic!("it is not red");
        };
        assert!(note.ends_with("ended with code 3: two"), "{note}");
        assert!(output.starts_with("$ echo fine\nfine\n"), "{output}");
        assert!(output.ends_with("one\ntwo"), "{output}");
    }

    #[tokio::test]
    async fn the_output_of_a_red_run_is_its_end_and_bounded() {
        let TestReport::Red { output, .. } =
            ran(&["yes ä | head -c 21000; printf '\\033[31mlast\\033[0m\\n'; exit 1"]).await
        else {
            panic!("it is not red");
        };
        assert!(output.len() <= OUTPUT && output.len() > OUTPUT - 4);
        assert!(output.ends_with("ä\nlast"), "{output}");
    }

    fn class(report: TestReport) -> (FailureClass, String) {
        match report {
            TestReport::Broken { class, why } => (class, why),
            TestReport::Green { note } | TestReport::Red { note, .. } => {
                panic!("it gave an answer: {note}")
            }
        }
    }

    #[tokio::test]
    async fn a_tool_that_is_missing_is_not_red() {
        let (found, why) = class(ran(&["no-such-tool --all"]).await);
        assert_eq!(found, FailureClass::Configuration);
        assert!(
            why.contains("(code 127)") && why.contains("not found"),
            "{why}"
        );
        let (found, _) = class(ran(&["touch tool; ./tool"]).await);
        assert_eq!(found, FailureClass::Configuration);
    }

    #[tokio::test]
    async fn what_is_killed_is_not_red() {
        // The shell itself, what it became, and what it waited for.
        for command in [
            "kill -KILL $$",
            "exec sh -c 'kill $$'",
            "sh -c 'kill -KILL $$'; exit $?",
        ] {
            let (found, why) = class(ran(&[command]).await);
            assert_eq!(found, FailureClass::Environmental { retry_at: None });
            assert!(why.contains("was killed (SIG"), "{why}");
        }
    }

    #[tokio::test]
    async fn what_crashes_is_red() {
        for command in ["kill -ABRT $$", "sh -c 'kill -SEGV $$'; exit $?"] {
            let report = ran(&[command]).await;
            assert!(matches!(report, TestReport::Red { .. }), "{report:?}");
        }
    }

    #[tokio::test]
    async fn a_time_out_ends_the_whole_group_and_is_not_red() {
        let dir = tempfile::tempdir().unwrap();
        let commands = ["sleep 1000 & echo $! > pid; wait"];
        let plan = plan(dir.path(), &commands, Duration::from_secs(1));
        let (found, why) = class(run(&plan).await.unwrap());
        assert_eq!(found, FailureClass::Environmental { retry_at: None });
        assert!(why.ends_with("the limit of 1 s was up"), "{why}");
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        let pid = pid.trim().parse().unwrap();
        processes::wait_gone(&[pid], MINUTE).unwrap();
    }

    #[test]
    fn the_log_of_a_combination_is_one_file_whatever_the_name() {
        let commit: CommitId = "0123456789abcdef0123456789abcdef01234567".into();
        let path = combination_log(Path::new("/home"), &"acme/api".into(), &commit);
        let name = format!("/home/tests/combine-acme-api-{}.log", commit.short());
        assert_eq!(path, PathBuf::from(name));
    }
}
