//! What a worker has left in git: its commits, files that are not committed, and what it may not
//! have changed.

use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_git::{GitError, Repo, Worktree};

use super::with_sources;
use crate::active::Active;
use crate::folder::Plan;
use crate::shared::Shared;

/// What the worker has left in git.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) branch: Option<String>,
    pub(super) head: Option<CommitId>,
    pub(super) base: Option<CommitId>,
    pub(super) commits: u32,
    pub(super) files: Vec<String>,
    pub(super) wip_ref: Option<String>,
    /// What was changed that may not be changed; it is thrown away.
    pub(super) tampered: Vec<String>,
    /// What could not be found out or saved.
    pub(super) trouble: Option<(FailureClass, String)>,
}

/// Saves what is not committed and finds out what is.
pub(super) fn survey(shared: &Shared, active: &Active) -> Survey {
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
        let base = measured_against(shared, active, &repo, &worktree.base, &head)?;
        let commits = repo.commits_between(&base, &head)?;
        if commits > 0 {
            self.files = repo.changed_files(&base, &head)?;
            self.base = Some(base);
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

/// The commit that the work ends against: the newest of the base branch that it holds, so that what
/// it was brought up to is not taken for its own. Never one before the point where both parted.
fn measured_against(
    shared: &Shared,
    active: &Active,
    repo: &Repo,
    base: &CommitId,
    head: &CommitId,
) -> Result<CommitId, GitError> {
    let forked = |from: &CommitId| {
        let found = repo.compare(from, head)?;
        Ok::<_, GitError>(found.map(|it| it.merge_base))
    };
    // A history without anything in common is all its own.
    let start = forked(base)?.unwrap_or_else(|| base.clone());
    let Some(tip) = base_tip(shared, active, repo)? else {
        return Ok(start);
    };
    match forked(&tip)?.filter(|it| it != head) {
        Some(newest) => newer(repo, start, newest),
        None => Ok(start),
    }
}

/// As [`measured_against`], for what is in the worktree just now: while the work is brought up to its
/// base, what comes from there may be checked out, or half merged, with nothing of its own on top.
pub(crate) fn compared_with(
    shared: &Shared,
    active: &Active,
    worktree: &Worktree,
) -> Result<CommitId, GitError> {
    let (repo, own) = (
        Repo::open(&worktree.repo_path)?,
        Repo::open(&worktree.path)?,
    );
    let head = own.head()?;
    let mut base = measured_against(shared, active, &repo, &worktree.base, &head)?;
    let Some(tip) = base_tip(shared, active, &repo)? else {
        return Ok(base);
    };
    for taken_in in own.merging()?.into_iter().chain([head]) {
        // Whatever a worker may have written there.
        if let Ok(Some(shared)) = repo.merge_base(&tip, &taken_in) {
            base = newer(&repo, base, shared)?;
        }
    }
    Ok(base)
}

/// Where the base branch is by now; `None` where nothing can have been taken in from it.
fn base_tip(shared: &Shared, active: &Active, repo: &Repo) -> Result<Option<CommitId>, GitError> {
    let configured = shared.configured(repo.path());
    let default = configured.and_then(|it| it.default_branch.as_deref());
    let branch = match &active.body.branch {
        Some(branch) => Some(branch.clone()),
        None => repo.default_branch(default).ok(),
    };
    let tip = branch.map(|branch| repo.tip(&branch)).transpose()?;
    Ok(tip.flatten())
}

/// `other` where it holds all of `known`.
fn newer(repo: &Repo, known: CommitId, other: CommitId) -> Result<CommitId, GitError> {
    match repo.commits_between(&other, &known)? {
        0 => Ok(other),
        _ => Ok(known),
    }
}

/// The worktree that is or was made by `plan`.
pub(crate) fn worktree_of(plan: &Plan) -> Option<Worktree> {
    Some(Worktree {
        path: plan.worktree.clone()?,
        repo_path: plan.repo.clone(),
        branch: plan.branch.clone(),
        base: plan.base.clone(),
    })
}
