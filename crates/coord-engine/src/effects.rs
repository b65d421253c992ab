//! Carrying effects out. Doing one twice is the same as doing it once.

use std::path::Path;
use std::time::Duration;

use coord_core::Board;
use coord_core::assignment::AssignmentState;
use coord_core::command::{AgentReport, Command};
use coord_core::effect::{CommentSpec, DispatchSpec, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{
    AssignmentId, CommitId, EffectKey, IssueRef, MachineName, RepoName, Timestamp,
};
use coord_core::marker::Marker;
use coord_forge::{MergeOutcome, NewPull, Pull, PullMerge, PullState};
use coord_git::{GitError, Repo, ThrowawayWorktree};
use coord_protocol::{AssignBody, ClientError};
use coord_store::LeasedEffect;

use crate::clock;
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};
use crate::leases::{Held, LEASE_SECONDS};
use crate::tests_run::{self, TestPlan};

/// What carrying an effect out came to.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Carried {
    /// It is over, and the board knows what came of it.
    Settled {
        /// The effect.
        key: EffectKey,
        /// What came of it.
        outcome: Outcome,
    },
    /// It could not be done now and will be tried again.
    Postponed {
        /// The effect.
        key: EffectKey,
        /// Not before this instant.
        until: Timestamp,
        /// Why, for people.
        error: String,
    },
}

impl Carried {
    /// Whether it is over.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Settled { .. })
    }
}

/// It could not be done now.
struct Later {
    error: String,
    /// Not before this instant, where somebody said so.
    at: Option<Timestamp>,
}

impl Later {
    #[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
    fn new(error: impl ToString) -> Self {
        Self {
            error: error.to_string(),
            at: None,
        }
    }
}

impl Engine {
    /// Carries one leased effect out, keeping the lease alive meanwhile.
    pub(crate) async fn carry_out(self, held: Held) -> Result<Carried, EngineError> {
        let LeasedEffect {
            key,
            effect,
            attempts,
        } = held.leased.clone();
        let attempt = async {
            tokio::select! {
                done = self.attempt(&effect, attempts) => Some(done),
                () = self.keep(&key) => None,
            }
        };
        match attempt.await {
            Some(Ok(outcome)) => {
                let settled = Command::Outcome {
                    key: key.clone(),
                    outcome: outcome.clone(),
                };
                self.command(settled).await?;
                Ok(Carried::Settled { key, outcome })
            }
            Some(Err(Later { error, at })) => {
                let until = at.unwrap_or_else(|| clock::now().plus_secs(self.back_off(attempts)));
                self.store()
                    .reschedule(&key, self.owner(), until, &error)
                    .await?;
                Ok(Carried::Postponed { key, until, error })
            }
            None => Ok(Carried::Postponed {
                key,
                until: clock::now(),
                error: "somebody else took it over".to_owned(),
            }),
        }
    }

    /// Prolongs the lease until it is lost.
    async fn keep(&self, key: &EffectKey) {
        loop {
            tokio::time::sleep(Duration::from_secs(LEASE_SECONDS / 3)).await;
            let renewed = self
                .store()
                .renew(key, self.owner(), clock::now(), LEASE_SECONDS)
                .await;
            if matches!(renewed, Ok(false)) {
                return;
            }
        }
    }

    fn back_off(&self, attempts: u32) -> u64 {
        let longest = self.policy().concurrency.backoff_base_seconds.max(1);
        (1 << attempts.saturating_sub(1).min(16)).min(longest)
    }

    async fn attempt(&self, effect: &Effect, attempts: u32) -> Result<Outcome, Later> {
        match effect {
            Effect::Dispatch(spec) => self.dispatch(spec, attempts > 1).await,
            Effect::Cancel { machine, id } => self.cancel(machine, id).await,
            Effect::PostComment(comment) => self.comment(comment).await,
            Effect::RunTest {
                id, issue, head, ..
            } => self.test(id, issue, head).await,
            Effect::Merge { issue, .. } => {
                let merged = self.merge(effect).await;
                merged.or_else(|error| self.forge_failed(&issue.repo, error))
            }
            Effect::CloseIssue { issue, commit } => self.close_issue(issue, commit).await,
        }
    }

    async fn dispatch(&self, spec: &DispatchSpec, again: bool) -> Result<Outcome, Later> {
        let board = self.store().board().await.map_err(Later::new)?;
        if board
            .assignments
            .get(&spec.id)
            .is_none_or(|a| a.stop_requested)
        {
            let error = "it was stopped before it was dispatched".to_owned();
            return Ok(Outcome::Failed {
                class: FailureClass::Configuration,
                error,
            });
        }
        let Some(client) = self.agents().get(&spec.machine) else {
            return Ok(no_machine(&spec.machine));
        };
        let hand_over = async {
            if again && self.has_it_already(client, &board, &spec.id).await? {
                return Ok(());
            }
            client.assign(&self.body(spec)).await.map(drop)
        };
        match hand_over.await {
            Ok(()) => {
                self.answers(&spec.machine).await.map_err(Later::new)?;
                Ok(Outcome::Dispatched)
            }
            Err(error) => self.agent_failed(&spec.machine, error).await,
        }
    }

    fn body(&self, spec: &DispatchSpec) -> AssignBody {
        let at = (spec.machine.clone(), spec.issue.repo.clone());
        let path = self.0.repo_paths.get(&at);
        AssignBody {
            repo_name: spec.issue.repo.to_string(),
            repo_path: path.cloned().unwrap_or_default(),
            issue_number: spec.issue.number,
            issue_title: spec.title.clone(),
            briefing: spec.briefing.clone(),
            issue_body: spec.issue_body.clone(),
            files_allowed: spec.scope.allowed.clone(),
            files_forbidden: spec.scope.forbidden.clone(),
            do_not_touch: spec.do_not_touch.clone(),
            model: spec.model.clone(),
            id: Some(spec.id.clone()),
            work_branch: Some(spec.branch.clone()),
            max_budget_usd: spec.max_budget_usd,
            ..AssignBody::default()
        }
    }

    async fn cancel(&self, machine: &MachineName, id: &AssignmentId) -> Result<Outcome, Later> {
        let Some(client) = self.agents().get(machine) else {
            return Ok(no_machine(machine));
        };
        let board = self.store().board().await.map_err(Later::new)?;
        match self.cancel_there(client, &board, id).await {
            Ok(()) => self.answers(machine).await.map_err(Later::new)?,
            Err(ClientError::Refused { status: 404, .. }) => self.never_heard(&board, id).await?,
            Err(error) => return self.agent_failed(machine, error).await,
        }
        Ok(Outcome::CancelDelivered)
    }

    /// The agent has nothing to stop. `before` is the board from before it was asked: what it had
    /// accepted by then is lost, and what it has accepted since then is to be stopped again.
    async fn never_heard(&self, before: &Board, id: &AssignmentId) -> Result<(), Later> {
        let now = self.store().board().await.map_err(Later::new)?;
        let running = |board: &Board| {
            let it = board.assignments.get(id);
            it.filter(|it| it.state == AssignmentState::Running)
                .cloned()
        };
        match (running(before), running(&now)) {
            (Some(it), _) => {
                let report = self.report(&it.machine, id.clone(), AgentReport::Unknown);
                report.await.map_err(Later::new)
            }
            (None, Some(_)) => Err(Later::new("its dispatch was still on the way")),
            (None, None) => Ok(()),
        }
    }

    /// Sorts an agent's failure: what may pass is tried again, what it refuses is final.
    async fn agent_failed(
        &self,
        machine: &MachineName,
        error: ClientError,
    ) -> Result<Outcome, Later> {
        if matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::TimedOut { .. }
        ) {
            let silent = Command::AgentUnreachable {
                machine: machine.clone(),
                error: error.to_string(),
            };
            self.command(silent).await.map_err(Later::new)?;
        } else {
            self.answers(machine).await.map_err(Later::new)?;
        }
        match error.class() {
            FailureClass::Environmental { retry_at } => {
                let asked = error
                    .retry_after()
                    .map(|after| clock::now().plus_secs(after.as_secs()));
                Err(Later {
                    error: with_causes(&error),
                    at: asked.or(retry_at),
                })
            }
            class @ (FailureClass::Configuration | FailureClass::Work) => Ok(Outcome::Failed {
                class,
                error: with_causes(&error),
            }),
        }
    }

    async fn comment(&self, comment: &CommentSpec) -> Result<Outcome, Later> {
        match self.post(comment).await {
            Ok(()) => Ok(Outcome::CommentPosted),
            Err(error) => self.forge_failed(&comment.issue.repo, error),
        }
    }

    async fn post(&self, comment: &CommentSpec) -> Result<(), EngineError> {
        let repo = &comment.issue.repo;
        let forge = self.forge(repo)?;
        let failed = |source| EngineError::Forge {
            repo: repo.clone(),
            source,
        };
        let number = comment.issue.number;
        let found = forge
            .find_comment(number, comment.event, &comment.assignment)
            .await;
        if found.map_err(failed)?.is_some() {
            return Ok(());
        }
        let body = format!("{}\n\n{}", comment.text, Marker::from(comment));
        forge.create_comment(number, &body).await.map_err(failed)?;
        Ok(())
    }

    fn forge_failed(&self, repo: &RepoName, error: EngineError) -> Result<Outcome, Later> {
        let source = match error {
            EngineError::Forge { source, .. } => source,
            EngineError::NoForge(_) | EngineError::UnknownRepo(_) | EngineError::NoCheckout(_) => {
                return Ok(Outcome::Failed {
                    class: FailureClass::Configuration,
                    error: with_causes(&error),
                });
            }
            EngineError::Store(_)
            | EngineError::UnknownIssue { .. }
            | EngineError::UnknownAssignment(_)
            | EngineError::Ambiguous { .. }
            | EngineError::Git { .. }
            | EngineError::Home { .. } => return Err(Later::new(with_causes(&error))),
        };
        let error = format!("the forge of `{repo}`: {}", with_causes(&source));
        match source.class() {
            FailureClass::Environmental { retry_at } => Err(Later {
                error,
                at: retry_at,
            }),
            class @ (FailureClass::Configuration | FailureClass::Work) => {
                Ok(Outcome::Failed { class, error })
            }
        }
    }

    async fn test(
        &self,
        id: &AssignmentId,
        issue: &IssueRef,
        head: &CommitId,
    ) -> Result<Outcome, Later> {
        let repo = self.repo(&issue.repo).map_err(Later::new)?;
        if repo.commands.is_empty() {
            let note = "no test_command is configured".to_owned();
            return Ok(Outcome::Tested {
                result: coord_core::assignment::TestResult::Skipped,
                note,
            });
        }
        let Some(path) = repo.path.clone() else {
            return Ok(Outcome::Failed {
                class: FailureClass::Configuration,
                error: format!(
                    "this machine has no checkout of `{}` to test in",
                    issue.repo
                ),
            });
        };
        let root = self.0.home.join("tests").join("worktrees");
        let commit = head.clone();
        let worktree = blocking(move || check_out(&path, &root, &commit)).await?;
        let worktree = match worktree {
            Ok(worktree) => worktree,
            Err(error) => return git_failed(&error),
        };
        let plan = TestPlan {
            commands: repo.commands.clone(),
            worktree: worktree.path().to_owned(),
            log: self.test_log(id, head),
            limit: repo.test_limit,
            env: self.0.test_env.clone(),
        };
        let report = tests_run::run(&plan).await;
        blocking(move || drop(worktree)).await?;
        let report = report.map_err(Later::new)?;
        Ok(Outcome::Tested {
            result: report.result,
            note: report.note,
        })
    }

    async fn merge(&self, effect: &Effect) -> Result<Outcome, EngineError> {
        let Effect::Merge {
            id,
            issue,
            title,
            branch,
            head,
            method,
        } = effect
        else {
            return Ok(Outcome::MergeRefused {
                reason: "it is not a merge".to_owned(),
            });
        };
        let repo = &issue.repo;
        let forge = self.forge(repo)?;
        let failed = |source| EngineError::Forge {
            repo: repo.clone(),
            source,
        };
        let pull = match forge.pull_for_branch(branch).await.map_err(failed)? {
            Some(pull) if pull.state == PullState::Open || is_this_merge(&pull, head) => pull,
            Some(_) | None => {
                let new = NewPull {
                    title: title.clone(),
                    body: format!("Closes #{}.", issue.number),
                    branch: branch.clone(),
                    base: self.default_branch(repo).await?,
                };
                forge.open_pull(new).await.map_err(failed)?
            }
        };
        let merge = PullMerge {
            head: head.clone(),
            method: *method,
            message: format!("{title} (#{})", issue.number),
            assignment: id.clone(),
        };
        let merged = forge
            .merge_pull(pull.number, &merge)
            .await
            .map_err(failed)?;
        Ok(match merged {
            MergeOutcome::Merged { commit } => Outcome::Merged { commit },
            MergeOutcome::Conflict { base, paths } => Outcome::MergeConflict { base, paths },
            MergeOutcome::Refused { reason } => Outcome::MergeRefused { reason },
        })
    }

    /// The configured branch, else the one that the checkout here says.
    async fn default_branch(&self, name: &RepoName) -> Result<String, EngineError> {
        let configured = self
            .policy()
            .repos
            .get(name)
            .and_then(|repo| repo.default_branch.clone());
        let path = self.repo(name)?.path.clone();
        match (configured, path) {
            (Some(branch), _) => Ok(branch),
            (None, None) => Err(EngineError::NoCheckout(name.clone())),
            (None, Some(path)) => {
                let branch = move || Repo::open(&path)?.default_branch(None);
                let branch = tokio::task::spawn_blocking(branch).await;
                let branch = branch.map_err(|_| EngineError::NoCheckout(name.clone()))?;
                branch.map_err(|source| EngineError::Git {
                    repo: name.clone(),
                    source,
                })
            }
        }
    }

    async fn close_issue(&self, issue: &IssueRef, _: &CommitId) -> Result<Outcome, Later> {
        let forge = self.forge(&issue.repo).map_err(Later::new)?;
        match forge.close_issue(issue.number, None).await {
            Ok(()) => Ok(Outcome::IssueClosed),
            Err(source) => {
                let error = EngineError::Forge {
                    repo: issue.repo.clone(),
                    source,
                };
                self.forge_failed(&issue.repo, error)
            }
        }
    }
}

/// Whether the pull request was merged at this head: an earlier try of the same merge.
fn is_this_merge(pull: &Pull, head: &CommitId) -> bool {
    matches!(pull.state, PullState::Merged { .. }) && pull.head.as_ref() == Some(head)
}

fn no_machine(machine: &MachineName) -> Outcome {
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: format!("there is no machine `{machine}` in the configuration any more"),
    }
}

fn git_failed(error: &GitError) -> Result<Outcome, Later> {
    let text = with_causes(error);
    match error.class() {
        FailureClass::Environmental { retry_at } => Err(Later {
            error: text,
            at: retry_at,
        }),
        class @ (FailureClass::Configuration | FailureClass::Work) => {
            Ok(Outcome::Failed { class, error: text })
        }
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

/// Runs what blocks away from the event loop.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Later> {
    tokio::task::spawn_blocking(work).await.map_err(Later::new)
}
