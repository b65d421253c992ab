//! What is done when a worker has ended: its work is saved, surveyed, published and written down,
//! and its worktree goes back to the pool. Every step may be repeated.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_git::{GitError, Repo, Worktree};
use coord_protocol::{
    AssignmentRow, AssignmentStatus, CompletedRow, EndReport, EndResult, FailureKind,
};
use coord_worker::held::{self, ExitRecord};
use coord_worker::outcome::{
    ExitFacts, ExitReason, RunOutcome, answered, classify, classify_command, retry_at,
};
use coord_worker::summary::{Answer, Summary};

use super::{Driver, Stopping, prepare, with_sources};
use crate::active::{Active, Phase};
use crate::background::in_background;
use crate::clock;
use crate::folder::Plan;
use crate::shared::Shared;

/// How often a push is tried that fails for a reason that may pass.
const PUSH_TRIES: u32 = 3;

/// How much of the worker's stderr, or of a command's log, is looked at, in bytes.
const TAIL: u64 = 4096;

/// How it came to its end.
#[derive(Debug)]
pub(super) struct End {
    cause: Cause,
    summary: Summary,
}

#[derive(Debug)]
enum Cause {
    /// As its supervisor wrote down.
    Recorded(ExitRecord),
    /// Its supervisor died without a record.
    Vanished,
    /// It never ran.
    NotStarted(FailureClass, String),
    /// It never ran, because somebody asked for it to stop.
    Cancelled,
}

/// What the worker has left in git.
#[derive(Debug, Default)]
struct Survey {
    branch: Option<String>,
    head: Option<CommitId>,
    base: Option<CommitId>,
    commits: u32,
    files: Vec<String>,
    wip_ref: Option<String>,
    /// What was changed that may not be changed; it is thrown away.
    tampered: Vec<String>,
    /// What could not be found out or saved.
    trouble: Option<(FailureClass, String)>,
}

/// Whether the branch is where others see it.
#[derive(Debug)]
enum Published {
    /// It is.
    Yes,
    /// Nothing was to be published.
    Nothing,
    /// It is not.
    No(String),
}

impl End {
    pub(super) fn of_run(record: Option<ExitRecord>, summary: Summary) -> Self {
        let cause = record.map_or(Cause::Vanished, Cause::Recorded);
        Self { cause, summary }
    }

    pub(super) fn not_started(class: FailureClass, error: String) -> Self {
        Self {
            cause: Cause::NotStarted(class, error),
            summary: Summary::default(),
        }
    }

    pub(super) fn cancelled() -> Self {
        Self {
            cause: Cause::Cancelled,
            summary: Summary::default(),
        }
    }

    fn record(&self) -> Option<&ExitRecord> {
        match &self.cause {
            Cause::Recorded(record) => Some(record),
            Cause::Vanished | Cause::NotStarted(..) | Cause::Cancelled => None,
        }
    }

    /// How the request ended by it.
    fn outcome(&self, active: &Active) -> RunOutcome {
        let body = &active.body;
        if body.smoke_command.is_some() {
            return self.judged(tail_of(&active.folder.log()), |_, facts| {
                classify_command(facts)
            });
        }
        let outcome = self.judged(tail_of(&active.folder.path().join("stderr.log")), classify);
        match body.output_schema {
            Some(_) => answered(outcome, &self.summary),
            None => outcome,
        }
    }

    fn judged(
        &self,
        stderr_tail: String,
        judge: impl Fn(&Summary, &ExitFacts) -> RunOutcome,
    ) -> RunOutcome {
        let facts = |code, signal, reason, error| ExitFacts {
            code,
            signal,
            reason,
            error,
            stderr_tail,
        };
        match &self.cause {
            Cause::Recorded(record) => {
                let (code, signal) = (record.code, record.signal);
                let facts = facts(code, signal, record.reason.into(), record.error.clone());
                judge(&self.summary, &facts)
            }
            Cause::Vanished => judge(
                &self.summary,
                &facts(None, None, ExitReason::Vanished, None),
            ),
            Cause::NotStarted(class, error) => RunOutcome {
                result: WorkerResult::Failed(*class),
                error: Some(error.clone()),
            },
            Cause::Cancelled => RunOutcome {
                result: WorkerResult::Cancelled,
                error: None,
            },
        }
    }

    /// The answer in the schema, if it was kept.
    fn answer(&self) -> Option<serde_json::Value> {
        match self.summary.last_result.as_ref()?.answer.as_ref()? {
            Answer::Whole(answer) => Some(answer.clone()),
            Answer::TooLarge(_) => None,
        }
    }

    /// In the words of its last result, else of its supervisor.
    fn stop_reason(&self) -> Option<String> {
        let result = self.summary.last_result.as_ref();
        let told = result.map(|r| {
            r.terminal_reason
                .clone()
                .unwrap_or_else(|| r.subtype.clone())
        });
        told.or_else(|| match &self.cause {
            Cause::Recorded(record) => Some(word(record.reason).to_owned()),
            Cause::Vanished => Some("vanished".to_owned()),
            Cause::NotStarted(..) | Cause::Cancelled => None,
        })
    }
}

impl Driver {
    /// Saves, surveys, publishes and writes down; the row is on disk when it returns.
    pub(super) async fn finish(&self, end: End) -> Result<CompletedRow, Stopping> {
        self.set_phase(Phase::Finishing);
        let cancelled = self.persist("decide how it ended", |active| active.folder.settle());
        let cancelled = cancelled.await?;
        let survey = self.surveyed().await?;
        let end = Arc::new(end);
        let mut outcome = {
            let (end, active) = (Arc::clone(&end), Arc::clone(&self.active));
            self.run_blocking(move || end.outcome(&active)).await?
        };
        if cancelled {
            outcome = RunOutcome {
                result: WorkerResult::Cancelled,
                error: None,
            };
        }
        let published = match outcome.result {
            WorkerResult::Cancelled => Published::Nothing,
            WorkerResult::Done | WorkerResult::Failed(_) => self.publish(&survey).await?,
        };
        let row = self.row(&end, outcome, survey, published);
        let written = row.clone();
        self.persist("write down how it ended", move |active| {
            active.folder.write_outcome(written.clone())
        })
        .await?;
        self.give_back().await?;
        Ok(row)
    }

    /// A folder that cannot be written now, e.g. on a full disk, is tried again.
    async fn persist<T: Send + 'static>(
        &self,
        doing: &str,
        step: impl Fn(&Active) -> io::Result<T> + Send + Sync + 'static,
    ) -> Result<T, Stopping> {
        let step = Arc::new(step);
        loop {
            let (step, active) = (Arc::clone(&step), Arc::clone(&self.active));
            match self.run_blocking(move || step(&active)).await? {
                Ok(value) => return Ok(value),
                Err(error) => {
                    tracing::error!(id = %self.active.id, %error, "cannot {doing}, trying again");
                    self.pause().await?;
                }
            }
        }
    }

    /// A step that panicked is tried again: nothing is concluded from it.
    async fn run_blocking<T: Send + 'static>(
        &self,
        step: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopping> {
        match in_background(step).await {
            Ok(value) => Ok(value),
            Err(error) => {
                tracing::error!(id = %self.active.id, %error, "a step of the end failed");
                Err(Stopping)
            }
        }
    }

    async fn surveyed(&self) -> Result<Survey, Stopping> {
        let (shared, active) = (Arc::clone(&self.shared), Arc::clone(&self.active));
        self.run_blocking(move || survey(&shared, &active)).await
    }

    async fn publish(&self, survey: &Survey) -> Result<Published, Stopping> {
        let (Some(branch), Some(head)) = (&survey.branch, &survey.head) else {
            return Ok(Published::Nothing);
        };
        if !self.active.body.kind.publishes() {
            return Ok(Published::Nothing);
        }
        let mut tries = 0;
        loop {
            tries += 1;
            let (active, branch, head) = (Arc::clone(&self.active), branch.clone(), head.clone());
            let pushed = self
                .run_blocking(move || push(&active, &branch, &head))
                .await?;
            let Err(error) = pushed else {
                return Ok(Published::Yes);
            };
            tracing::warn!(id = %self.active.id, %error, "the branch could not be pushed");
            match error.class() {
                FailureClass::Environmental { .. } if tries < PUSH_TRIES => self.pause().await?,
                FailureClass::Environmental { .. }
                | FailureClass::Configuration
                | FailureClass::Work => return Ok(Published::No(with_sources(&error))),
            }
        }
    }

    fn row(
        &self,
        end: &End,
        outcome: RunOutcome,
        survey: Survey,
        published: Published,
    ) -> CompletedRow {
        let report = end_report(end, outcome, survey, published);
        let live = self.active.live.borrow();
        let record = end.record();
        let finished_at = record.map_or_else(clock::now, |record| record.finished_at);
        let assignment = AssignmentRow {
            id: self.active.id.clone(),
            spec: self.active.body.clone(),
            status: AssignmentStatus::from(report.result),
            pid: live.pid,
            started_at: live
                .started_at
                .or_else(|| record.and_then(|r| r.started_at)),
            finished_at: Some(finished_at),
            exit_code: report.exit_code,
            log_path: Some(self.active.folder.log().to_string_lossy().into_owned()),
            error: report.error.clone(),
            branch: report.branch.clone(),
            worktree_path: live.worktree.clone(),
        };
        CompletedRow {
            assignment,
            model_used: end.summary.model.clone(),
            total_cost_usd: Some(report.cost_usd),
            num_turns: Some(report.turns),
            stop_reason: end.stop_reason(),
            end: Some(report),
        }
    }

    /// Gives the worktree back. It stays where it is when something in it would be lost.
    async fn give_back(&self) -> Result<(), Stopping> {
        let (shared, active) = (Arc::clone(&self.shared), Arc::clone(&self.active));
        let given = self.run_blocking(move || release(&shared, &active)).await?;
        match given {
            Ok(Some(repo)) => self.shared.warm(repo),
            Ok(None) => {}
            Err(error) => {
                let error = error.to_string();
                tracing::warn!(id = %self.active.id, error, "the worktree stays as it is");
            }
        }
        Ok(())
    }
}

fn end_report(end: &End, outcome: RunOutcome, survey: Survey, published: Published) -> EndReport {
    let (mut result, mut error) = (outcome.result, outcome.error);
    // Nobody may take "could not be found out" for "nothing was done".
    if let (WorkerResult::Done, Some((class, trouble))) = (result, &survey.trouble) {
        result = WorkerResult::Failed(*class);
        error = Some(trouble.clone());
    }
    let (kind, class) = match result {
        WorkerResult::Done => (EndResult::Done, None),
        WorkerResult::Failed(class) => (EndResult::Failed, Some(FailureKind::from(class))),
        WorkerResult::Cancelled => (EndResult::Cancelled, None),
    };
    let answer = match result {
        WorkerResult::Done => end.answer(),
        WorkerResult::Failed(_) | WorkerResult::Cancelled => None,
    };
    EndReport {
        result: kind,
        class,
        retry_at: retry_at(result).map(|at| at.as_secs_f64()),
        exit_code: end.record().and_then(|record| record.code),
        error,
        branch: survey.branch,
        head: survey.head.map(|id| id.to_string()),
        base: survey.base.map(|id| id.to_string()),
        commits: survey.commits,
        pushed: matches!(published, Published::Yes),
        push_error: match published {
            Published::No(error) => Some(error),
            Published::Yes | Published::Nothing => None,
        },
        wip_ref: survey.wip_ref,
        files: survey.files,
        cost_usd: end.summary.cost_usd,
        turns: end.summary.turns,
        stuck: end.summary.claims.stuck.clone(),
        session: end.summary.session_id.clone(),
        answer,
        tampered: survey.tampered,
    }
}

/// Saves what is not committed and finds out what is.
fn survey(shared: &Shared, active: &Active) -> Survey {
    let plan = match active.folder.plan() {
        Ok(Some(plan)) => plan,
        Ok(None) => return Survey::default(),
        Err(error) => {
            let error = format!("cannot tell what it committed: {error}");
            return Survey {
                trouble: Some((FailureClass::Configuration, error)),
                ..Survey::default()
            };
        }
    };
    let mut survey = Survey {
        base: Some(plan.base.clone()),
        ..Survey::default()
    };
    if let Some(worktree) = worktree_of(&plan)
        && let Err(error) = match active.body.keeps_nothing() {
            true => survey.look(active, &worktree),
            false => survey.read(shared, active, &worktree),
        }
    {
        let text = format!("cannot tell what it committed: {}", with_sources(&error));
        survey.trouble = Some((error.class(), text));
    }
    survey
}

impl Survey {
    /// Of what keeps nothing: the commit that was looked at, and what was changed that may not be.
    fn look(&mut self, active: &Active, worktree: &Worktree) -> Result<(), GitError> {
        self.head = Some(worktree.base.clone());
        if !active.body.kind.only_reads() {
            return Ok(());
        }
        let repo = Repo::open(&worktree.repo_path)?;
        let head = Repo::open(&worktree.path)?.head()?;
        let mut paths = repo.worktree_changes(&worktree.path)?;
        if head != worktree.base {
            paths.extend(repo.changed_files(&worktree.base, &head)?);
            paths.push(".git/HEAD".to_owned());
        }
        paths.sort();
        paths.dedup();
        self.tampered = paths;
        Ok(())
    }

    fn read(
        &mut self,
        shared: &Shared,
        active: &Active,
        worktree: &Worktree,
    ) -> Result<(), GitError> {
        let repo = Repo::open(&worktree.repo_path)?;
        let head = Repo::open(&worktree.path)?.head()?;
        let commits = repo.commits_between(&worktree.base, &head)?;
        if commits > 0 {
            self.files = repo.changed_files(&worktree.base, &head)?;
            self.branch = Some(worktree.branch.clone());
            self.head = Some(head);
            self.commits = commits;
        }
        match shared.pool.save_wip(worktree, &active.id) {
            Ok(saved) => self.wip_ref = saved.map(|saved| saved.reference),
            // The worktree is not given back with unsaved files in it: nothing is lost.
            Err(error) => {
                tracing::warn!(id = %active.id, %error, "uncommitted files stay in the worktree");
            }
        }
        Ok(())
    }
}

fn worktree_of(plan: &Plan) -> Option<Worktree> {
    Some(Worktree {
        path: plan.worktree.clone()?,
        repo_path: plan.repo.clone(),
        branch: plan.branch.clone(),
        base: plan.base.clone(),
    })
}

fn push(active: &Active, branch: &str, head: &CommitId) -> Result<(), GitError> {
    let path = match active.folder.plan() {
        Ok(Some(plan)) => plan.repo,
        Ok(None) | Err(_) => active.body.repo_path.clone().into(),
    };
    Repo::open(path)?.push_branch(branch, head)
}

/// Gives the worktree back to the pool of its repository, which is returned.
fn release(
    shared: &Shared,
    active: &Active,
) -> Result<Option<std::path::PathBuf>, Box<dyn std::error::Error + Send + Sync>> {
    let Some(plan) = active.folder.plan()? else {
        return Ok(None);
    };
    let Some(worktree) = worktree_of(&plan) else {
        return Ok(None);
    };
    let repo = Repo::open(&plan.repo)?;
    let keep = prepare::settings(shared, &active.body, &plan.repo).keep;
    let _ = match active.body.keeps_nothing() {
        true => shared.pool.discard(&repo, &worktree, &active.id, &keep)?,
        false => shared.pool.release(&repo, &worktree, &keep)?,
    };
    active.folder.mark_released()?;
    Ok(Some(plan.repo))
}

/// The end of a file; empty where there is none.
fn tail_of(path: &Path) -> String {
    let read = || -> io::Result<String> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(len.min(TAIL)).unwrap_or_default()];
        file.read_exact_at(&mut bytes, len.saturating_sub(TAIL))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

fn word(reason: held::ExitReason) -> &'static str {
    match reason {
        held::ExitReason::Exited => "exited",
        held::ExitReason::Stopped => "stopped",
        held::ExitReason::Timeout => "timeout",
        held::ExitReason::Stalled => "stalled",
        held::ExitReason::NoOutput => "no_output",
        held::ExitReason::Hung => "hung",
        held::ExitReason::SpawnFailed => "spawn_failed",
    }
}
