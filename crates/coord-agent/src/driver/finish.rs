//! What is done when a worker has ended: its work is saved, surveyed, published and written down,
//! and its worktree goes back to the pool. Every step may be repeated.

use std::io;
use std::sync::Arc;

use coord_core::assignment::WorkerResult;
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_git::{GitError, Repo};
use coord_protocol::{
    AssignmentRow, AssignmentStatus, CompletedRow, EndReport, EndResult, FailureKind,
};
use coord_worker::outcome::{RunOutcome, retry_at};

use super::end::End;
use super::survey::{Survey, survey, worktree_of};
use super::{Driver, Stopping, prepare, with_sources};
use crate::active::{Active, Phase};
use crate::background::in_background;
use crate::clock;
use crate::folder::Plan;
use crate::leases;
use crate::shared::Shared;

/// How often a push is tried that fails for a reason that may pass.
const PUSH_TRIES: u32 = 3;

/// How much of a file's name an error quotes, in characters.
const LONGEST_NAME: usize = 200;

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

impl Driver {
    /// Saves, surveys, publishes and writes down; the row is on disk when it returns.
    pub(super) async fn finish(&self, end: End) -> Result<CompletedRow, Stopping> {
        self.set_phase(Phase::Finishing);
        let cancelled = self.persist("decide how it ended", |active| active.folder.settle());
        let cancelled = cancelled.await?;
        leases::at_the_end(Arc::clone(&self.shared), Arc::clone(&self.active)).await;
        let survey = self.surveyed().await?;
        let end = Arc::new(end);
        let (mut outcome, output) = {
            let (end, active) = (Arc::clone(&end), Arc::clone(&self.active));
            let read = move || (end.outcome(&active), end.output(&active));
            self.run_blocking(read).await?
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
        let mut report = end_report(&end, outcome, survey, published);
        report.output = output;
        let row = self.row(&end, report);
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

    fn row(&self, end: &End, report: EndReport) -> CompletedRow {
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
            edits: live.edits.clone(),
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
    if let (WorkerResult::Done, Some(changed)) = (result, tampering(&survey.tampered)) {
        result = WorkerResult::Failed(FailureClass::Work);
        error = Some(changed);
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
        cost_usd: end.summary.spend.best_usd(),
        turns: end.summary.turns,
        stuck: end.summary.claims.stuck.clone(),
        session: end.summary.session_id.clone(),
        answer,
        output: None,
        tampered: survey.tampered,
    }
}

/// Why what only reads is no good although it ended well.
fn tampering(changed: &[String]) -> Option<String> {
    // Whoever named the file may have put anything into its name.
    let first: String = changed.first()?.chars().take(LONGEST_NAME).collect();
    let first = first.replace(char::is_control, "?");
    let more = match changed.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("it may only read, and has changed {first}{more}"))
}

/// Publishes the branch. One that was continued may have been rewritten, e.g. on top of its base:
/// then it replaces what the worker started from, and nothing else.
fn push(active: &Active, branch: &str, head: &CommitId) -> Result<(), GitError> {
    let plan = active.folder.plan().unwrap_or_else(|error| {
        tracing::warn!(id = %active.id, %error, "what the worktree was made of cannot be read");
        None
    });
    let path = match &plan {
        Some(plan) => plan.repo.clone(),
        None => active.body.repo_path.clone().into(),
    };
    let repo = Repo::open(path)?;
    let pushed = repo.push_branch(branch, head);
    match (&pushed, plan.as_ref().and_then(Plan::replaces)) {
        (Err(GitError::NonFastForward { .. }), Some(start)) => {
            repo.push_branch_over(branch, head, start)
        }
        (Ok(()) | Err(_), _) => pushed,
    }
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
