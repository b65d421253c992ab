//! Testing a commit in a throwaway worktree of this machine's checkout.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, CommitId, IssueRef, RepoName};
use coord_core::verdict::TestResult;
use coord_git::{GitError, Repo, ThrowawayWorktree};

use crate::effects::{Halt, Later, blocking, git};
use crate::engine::Engine;
use crate::error::with_causes;
use crate::tests_run::{self, TestPlan, TestReport};

/// Where the commits of one repository are tested.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    /// The checkout on this machine.
    pub(crate) checkout: PathBuf,
    /// Build, then test; not empty.
    commands: Vec<String>,
    limit: Duration,
    env: Vec<(String, String)>,
    /// The folder of the worktrees.
    root: PathBuf,
}

/// The output of a run.
pub(crate) struct Log {
    /// The file.
    pub(crate) path: PathBuf,
    /// Whether it goes behind what is there already.
    pub(crate) append: bool,
}

impl Engine {
    pub(crate) async fn test(
        &self,
        id: &AssignmentId,
        issue: &IssueRef,
        head: &CommitId,
    ) -> Result<Outcome, Later> {
        match self.tested(id, &issue.repo, head).await {
            Ok(outcome) => Ok(outcome),
            Err(halt) => halt.settle(),
        }
    }

    async fn tested(
        &self,
        id: &AssignmentId,
        repo: &RepoName,
        head: &CommitId,
    ) -> Result<Outcome, Halt> {
        let Some(bench) = self.bench(repo)? else {
            return Ok(Outcome::Tested {
                result: TestResult::Skipped,
                note: "no test_command is configured".to_owned(),
                output: None,
            });
        };
        let log = Log {
            path: self.test_log(id, head),
            append: false,
        };
        Ok(match bench.run(head, log).await? {
            TestReport::Green { note } => Outcome::Tested {
                result: TestResult::Passed,
                note,
                output: None,
            },
            TestReport::Red { note, output } => Outcome::Tested {
                result: TestResult::Failed,
                note,
                output: Some(output),
            },
            TestReport::Broken { class, why } => Outcome::Failed { class, error: why },
        })
    }

    /// Where the repository is tested; `None` where nothing is configured to run.
    pub(crate) fn bench(&self, name: &RepoName) -> Result<Option<Bench>, Halt> {
        let configuration = |error: String| {
            Halt::Over(Outcome::Failed {
                class: FailureClass::Configuration,
                error,
            })
        };
        let repo = self.repo(name);
        let repo = repo.map_err(|error| configuration(with_causes(&error)))?;
        if repo.commands.is_empty() {
            return Ok(None);
        }
        let Some(checkout) = repo.path.clone() else {
            let error = format!("this machine has no checkout of `{name}` to test in");
            return Err(configuration(error));
        };
        Ok(Some(Bench {
            checkout,
            commands: repo.commands.clone(),
            limit: repo.test_limit,
            env: self.0.test_env.clone(),
            root: self.0.home.join("tests").join("worktrees"),
        }))
    }
}

impl Bench {
    /// Runs the commands at `commit`.
    pub(crate) async fn run(&self, commit: &CommitId, log: Log) -> Result<TestReport, Halt> {
        let (checkout, root, commit) = (self.checkout.clone(), self.root.clone(), commit.clone());
        let worktree = git(move || check_out(&checkout, &root, &commit)).await?;
        let plan = TestPlan {
            commands: self.commands.clone(),
            worktree: worktree.path().to_owned(),
            log: log.path,
            append: log.append,
            limit: self.limit,
            env: self.env.clone(),
        };
        let report = tests_run::run(&plan).await;
        blocking(move || drop(worktree)).await?;
        Ok(report.map_err(Later::new)?)
    }
}

/// A worktree at `commit`, which is fetched if it is not here yet.
fn check_out(path: &Path, root: &Path, commit: &CommitId) -> Result<ThrowawayWorktree, GitError> {
    let repo = Repo::open(path)?;
    match ThrowawayWorktree::create(&repo, root, commit) {
        Err(GitError::NoSuchCommit { .. }) => {
            repo.fetch()?;
            ThrowawayWorktree::create(&repo, root, commit)
        }
        created => created,
    }
}
