//! The answers of reviewers and authors: whether they are of use, and what is posted of them.
//!
//! A review is posted once. It is looked for by its marker before, so that a crash at any point, or
//! an answer that got lost, is mended by doing the same again.

mod places;
mod read;
mod words;

use std::path::Path;

use coord_core::assignment::AssignmentKind;
use coord_core::delivery::PullText;
use coord_core::effect::{AnswerSpec, CommentEvent, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_forge::{Forge, ForgeError, NewReview, ReviewVerdict, marks};
use coord_git::{FileChange, GitError, Repo};

use crate::effects::{Later, blocking};
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};
use crate::serving::base_of;
use places::Places;
use read::Judgement;

pub(crate) use read::closing_nothing;

impl Engine {
    pub(crate) async fn judge(&self, spec: &AnswerSpec) -> Result<Outcome, Later> {
        match spec.kind {
            AssignmentKind::Review => self.judge_review(spec).await,
            AssignmentKind::Pr => Ok(match read::pull(&spec.answer) {
                Ok(PullText { title, body }) => Outcome::PullWritten { title, body },
                Err(why) => Outcome::AnswerInvalid { why },
            }),
            AssignmentKind::Work
            | AssignmentKind::Continue
            | AssignmentKind::Fix
            | AssignmentKind::Rebase
            | AssignmentKind::Smoke => Ok(Outcome::AnswerInvalid {
                why: "nobody asked for an answer in a schema".to_owned(),
            }),
        }
    }

    async fn judge_review(&self, spec: &AnswerSpec) -> Result<Outcome, Later> {
        let mut judgement = match read::review(&spec.answer) {
            Ok(judgement) => judgement,
            Err(why) => return Ok(Outcome::AnswerInvalid { why }),
        };
        match self.is_posted(spec).await {
            // Its places were right then, whatever has become of the branch.
            Ok(true) => return Ok(reviewed(judgement)),
            Ok(false) => {}
            Err(error) => return self.forge_failed(&spec.issue.repo, error),
        }
        let Some(places) = self.places(spec).await? else {
            return Ok(no_diff(spec));
        };
        if let Err(why) = places.check(&mut judgement.findings) {
            return Ok(Outcome::AnswerInvalid { why });
        }
        match self.post_review(spec, &judgement).await {
            Ok(()) => Ok(reviewed(judgement)),
            Err(error) => self.forge_failed(&spec.issue.repo, error),
        }
    }

    /// The places of the diff: the pull request's, else the checkout's; `None` where there is
    /// neither.
    async fn places(&self, spec: &AnswerSpec) -> Result<Option<Places>, Later> {
        match self.places_of_pull(spec).await {
            Ok(None) => {}
            Ok(Some(places)) => return Ok(Some(places)),
            Err(error) => {
                // What the forge will never show, the checkout may.
                let _ = self.forge_failed(&spec.issue.repo, error)?;
            }
        }
        let path = self
            .repo(&spec.issue.repo)
            .map_err(Later::new)?
            .path
            .clone();
        let default = self.default_branch(&spec.issue.repo).await;
        let (Some(path), Ok(default)) = (path, default) else {
            return Ok(None);
        };
        let (base, head) = (spec.base.clone(), spec.head.clone());
        let changes = blocking(move || changes(&path, base.as_ref(), &head, &default)).await?;
        match changes {
            Ok(changes) => {
                let files = changes.into_iter().map(|file| (file.path, file.patch));
                Ok(Some(Places::new(files)))
            }
            Err(error) => match error.class() {
                FailureClass::Environmental { retry_at } => Err(Later {
                    error: with_causes(&error),
                    at: retry_at,
                }),
                FailureClass::Configuration | FailureClass::Work => Ok(None),
            },
        }
    }

    /// `None` where the forge shows no pull request at the commit that was read.
    async fn places_of_pull(&self, spec: &AnswerSpec) -> Result<Option<Places>, EngineError> {
        let Some(number) = spec.pull else {
            return Ok(None);
        };
        let forge = self.forge(&spec.issue.repo)?;
        let failed = EngineError::forge(&spec.issue.repo);
        let pull = forge.pull(number).await.map_err(&failed)?;
        if pull.and_then(|pull| pull.head).as_ref() != Some(&spec.head) {
            return Ok(None);
        }
        let files = forge.pull_files(number).await.map_err(failed)?;
        let files = files.into_iter().map(|file| (file.path, file.patch));
        Ok(Some(Places::new(files)))
    }

    async fn is_posted(&self, spec: &AnswerSpec) -> Result<bool, EngineError> {
        let forge = self.forge(&spec.issue.repo)?;
        let failed = EngineError::forge(&spec.issue.repo);
        if let Some(pull) = spec.pull {
            let reviews = forge.reviews(pull).await.map_err(&failed)?;
            let ours = |body: &str| marks(body, CommentEvent::Review, &spec.id);
            if reviews.iter().any(|it| it.trusted && ours(&it.body)) {
                return Ok(true);
            }
        }
        let found = forge.find_comment(spec.issue.number, CommentEvent::Review, &spec.id);
        Ok(found.await.map_err(failed)?.is_some())
    }

    /// As a review of the pull request. Nobody may approve or reject what the same account has
    /// opened: then as one that only comments. What the forge does not take as a review at all,
    /// because the branch has moved for example, is a comment on the issue.
    async fn post_review(
        &self,
        spec: &AnswerSpec,
        judgement: &Judgement,
    ) -> Result<(), EngineError> {
        let forge = self.forge(&spec.issue.repo)?;
        let failed = EngineError::forge(&spec.issue.repo);
        if let Some(pull) = spec.pull {
            let mut review = NewReview {
                head: spec.head.clone(),
                verdict: words::verdict(judgement.result),
                body: words::body(spec, judgement, true),
                comments: words::on_lines(judgement),
            };
            if take(forge, pull, &review).await.map_err(&failed)? {
                return Ok(());
            }
            review.verdict = ReviewVerdict::Comment;
            if take(forge, pull, &review).await.map_err(&failed)? {
                return Ok(());
            }
        }
        let body = words::body(spec, judgement, false);
        let posted = forge.create_comment(spec.issue.number, &body).await;
        posted.map(drop).map_err(failed)
    }
}

/// Whether the forge takes the review.
async fn take(forge: &dyn Forge, pull: u64, review: &NewReview) -> Result<bool, ForgeError> {
    match forge.create_review(pull, review).await {
        Ok(_) => Ok(true),
        Err(ForgeError::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn changes(
    path: &Path,
    base: Option<&CommitId>,
    head: &CommitId,
    default: &str,
) -> Result<Vec<FileChange>, GitError> {
    let repo = Repo::open(path)?;
    repo.ensure_commits(&[head])?;
    let base = base_of(&repo, base, head, default)?;
    repo.file_changes(&base, head)
}

fn reviewed(judgement: Judgement) -> Outcome {
    let Judgement {
        result,
        summary,
        findings,
    } = judgement;
    Outcome::Reviewed {
        result,
        summary,
        findings,
    }
}

fn no_diff(spec: &AnswerSpec) -> Outcome {
    let (head, repo) = (spec.head.short(), &spec.issue.repo);
    Outcome::Failed {
        class: FailureClass::Configuration,
        error: format!(
            "nothing shows the diff that the review of {head} is about: there is no pull request at \
             that commit, and this machine has no checkout of `{repo}` that knows it"
        ),
    }
}
