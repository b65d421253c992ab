//! Carrying effects out. Doing one twice is the same as doing it once.

use std::time::Duration;

use coord_core::command::Command;
use coord_core::effect::{CommentSpec, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{CommitId, EffectKey, IssueRef, RepoName, Timestamp};
use coord_core::issue::IssueState;
use coord_core::marker::Marker;
use coord_forge::{ForgeError, PullMerge};
use coord_git::GitError;
use coord_store::LeasedEffect;

use crate::answers::closing_nothing;
use crate::clock;
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};
use crate::leases::{Held, LEASE_SECONDS};
use crate::merge::Wish;

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
pub(crate) struct Later {
    pub(crate) error: String,
    /// Not before this instant, where somebody said so.
    pub(crate) at: Option<Timestamp>,
}

impl Later {
    #[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
    pub(crate) fn new(error: impl ToString) -> Self {
        Self {
            error: error.to_string(),
            at: None,
        }
    }
}

/// Why an attempt goes no further.
pub(crate) enum Halt {
    /// It could not be done now.
    Later(Later),
    /// It is over.
    Over(Outcome),
}

impl Halt {
    /// What the attempt came to.
    pub(crate) fn settle(self) -> Result<Outcome, Later> {
        match self {
            Self::Later(later) => Err(later),
            Self::Over(outcome) => Ok(outcome),
        }
    }
}

impl From<Later> for Halt {
    fn from(later: Later) -> Self {
        Self::Later(later)
    }
}

impl From<Result<Outcome, Later>> for Halt {
    fn from(attempt: Result<Outcome, Later>) -> Self {
        match attempt {
            Ok(outcome) => Self::Over(outcome),
            Err(later) => Self::Later(later),
        }
    }
}

impl Engine {
    /// Carries one leased effect out, keeping the lease alive meanwhile.
    pub(crate) async fn carry_out(self, held: Held) -> Result<Carried, EngineError> {
        let LeasedEffect { key, attempts, .. } = held.leased.clone();
        let attempt = async {
            tokio::select! {
                done = self.attempt(&held.leased) => Some(done),
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
                let until = self.until(at, attempts);
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

    /// When to try again: at the instant that was asked for, though never at once.
    fn until(&self, asked: Option<Timestamp>, attempts: u32) -> Timestamp {
        let now = clock::now();
        match asked {
            Some(at) => at.max(now.plus_secs(1)),
            None => now.plus_secs(self.back_off(attempts)),
        }
    }

    fn back_off(&self, attempts: u32) -> u64 {
        let longest = self.policy().concurrency.backoff_base_seconds.max(1);
        (1 << attempts.saturating_sub(1).min(16)).min(longest)
    }

    async fn attempt(&self, leased: &LeasedEffect) -> Result<Outcome, Later> {
        let LeasedEffect {
            effect, attempts, ..
        } = leased;
        let again = *attempts > 1;
        match effect {
            Effect::Dispatch(spec) => self.dispatch(spec, again).await,
            Effect::Claim { comment, above } => self.claim(comment, *above, again).await,
            Effect::ReleaseClaim { issue, id, machine } => {
                self.take_claim_back(issue, id, machine).await
            }
            Effect::Cancel { machine, id } => self.cancel(machine, id).await,
            Effect::Guide {
                machine,
                id,
                guidance,
                seq,
            } => self.guide_worker(machine, id, guidance, *seq).await,
            Effect::Tell {
                machine,
                id,
                text,
                seq,
            } => self.tell_worker(machine, id, text, *seq).await,
            Effect::Split(spec) => self.split(spec).await,
            Effect::PostComment(comment) => self.comment(comment).await,
            Effect::RunTest {
                id, issue, head, ..
            } => self.test(id, issue, head).await,
            Effect::OpenPull { issue, .. } => {
                let opened = self.open_pull(effect).await;
                opened.or_else(|error| self.forge_failed(&issue.repo, error))
            }
            Effect::JudgeAnswer(spec) => self.judge(spec).await,
            Effect::ReadChecks { issue, head, .. } => {
                self.read_checks(&leased.key, issue, head).await
            }
            Effect::TestCombination { repo, entries } => {
                self.test_combination(repo, entries, *attempts).await
            }
            Effect::Merge {
                id,
                issue,
                title,
                branch,
                head,
                method,
                onto,
                tree,
            } => {
                let wish = Wish {
                    issue,
                    title,
                    branch,
                    merge: PullMerge {
                        head: head.clone(),
                        method: *method,
                        message: format!("{} (#{})", closing_nothing(title), issue.number),
                        assignment: id.clone(),
                        onto: onto.clone(),
                    },
                    tree: tree.as_deref(),
                };
                self.merge(&wish, *attempts).await
            }
            Effect::CloseIssue { issue, commit } => self.close_issue(issue, commit).await,
            Effect::RunStep { seq, place, what } => self.run_step(*seq, *place, what).await,
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
        let failed = EngineError::forge(repo);
        let number = comment.issue.number;
        let found = forge
            .find_comment(number, comment.event, &comment.assignment)
            .await;
        if found.map_err(&failed)?.is_some() {
            return Ok(());
        }
        let posted = forge.create_comment(number, &with_marker(comment)).await;
        posted.map(drop).map_err(failed)
    }

    /// Sorts a forge's failure: what may pass is tried again when the forge said so, and so is what
    /// it does not let this account do: a person may put that right, and nothing is lost until
    /// then. What it refuses is final.
    pub(crate) fn forge_failed(
        &self,
        repo: &RepoName,
        error: EngineError,
    ) -> Result<Outcome, Later> {
        let source = match error {
            EngineError::Forge { source, .. } => source,
            EngineError::UnknownRepo(_) => {
                return Ok(Outcome::Failed {
                    class: FailureClass::Configuration,
                    error: with_causes(&error),
                });
            }
            EngineError::Store(_)
            | EngineError::UnknownIssue { .. }
            | EngineError::UnknownAssignment(_)
            | EngineError::UnknownProposal(_)
            | EngineError::Ambiguous { .. }
            | EngineError::Git { .. }
            | EngineError::Home { .. } => return Err(Later::new(with_causes(&error))),
        };
        let mut error = format!("the forge of `{repo}`: {}", with_causes(&source));
        if let Some(hint) = source.hint() {
            error.push_str("; ");
            error.push_str(hint);
        }
        if matches!(source, ForgeError::Auth { .. }) {
            return Err(Later::new(error));
        }
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

    async fn close_issue(&self, issue: &IssueRef, _: &CommitId) -> Result<Outcome, Later> {
        match self.close_there(issue).await {
            Ok(()) => Ok(Outcome::IssueClosed),
            Err(error) => self.forge_failed(&issue.repo, error),
        }
    }

    pub(crate) async fn close_there(&self, issue: &IssueRef) -> Result<(), EngineError> {
        let closed = self.forge(&issue.repo)?.close_issue(issue.number, None);
        closed.await.map_err(EngineError::forge(&issue.repo))?;
        let Some(mirror) = self.mirror(&issue.repo) else {
            return Ok(());
        };
        if let Some(mut known) = mirror.issue(issue.number).await? {
            known.state = IssueState::Closed;
            mirror.put_issue(known, clock::now()).await?;
        }
        Ok(())
    }
}

/// A comment as it is posted.
pub(crate) fn with_marker(comment: &CommentSpec) -> String {
    format!("{}\n\n{}", comment.text, Marker::from(comment))
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

/// Asks git away from the event loop.
pub(crate) async fn git<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Result<T, Halt> {
    let done = blocking(work).await?;
    done.map_err(|error| git_failed(&error).into())
}

/// Runs what blocks away from the event loop.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Later> {
    tokio::task::spawn_blocking(work).await.map_err(Later::new)
}
