//! From a request to a worktree that a worker can start in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_core::issue::branch_name;
use coord_git::{AcquireSpec, GitError, Repo, prepare};
use coord_protocol::AssignBody;

use super::{Driver, NotStarted, pull};
use crate::active::Active;
use crate::background::in_background;
use crate::config::WorktreeSettings;
use crate::folder::Plan;
use crate::shared::Shared;
use crate::worker::Place;

impl Driver {
    /// Each step may have been done before by an agent that was killed.
    pub(super) async fn prepare(&self) -> Result<Place, NotStarted> {
        self.check()?;
        let prepared = self.blocking(checkout).await??;
        let (path, base) = (&prepared.worktree.path, &prepared.worktree.base);
        self.active.live.send_modify(|live| {
            live.branch = Some(prepared.worktree.branch.clone());
            live.base = Some(base.to_string());
            live.worktree = Some(path.to_string_lossy().into_owned());
        });
        self.check()?;
        // Who only reads needs nothing that is not in the commit, and `.env` is none of its business.
        if self.active.body.kind.only_reads() {
            return Ok(prepared);
        }
        let settings = self.blocking(copy_files).await??;
        if let Some(setup) = &settings.setup {
            self.setup(setup, path).await?;
        }
        self.check()?;
        Ok(prepared)
    }

    /// Whether there is still a reason to go on.
    fn check(&self) -> Result<(), NotStarted> {
        match () {
            () if self.is_cancelled() => Err(NotStarted::Cancelled),
            () if self.is_stopping() => Err(NotStarted::Stopping),
            () => Ok(()),
        }
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Shared, &Active) -> T + Send + 'static,
    ) -> Result<T, NotStarted> {
        let (shared, active) = (Arc::clone(&self.shared), Arc::clone(&self.active));
        let done = in_background(move || step(&shared, &active)).await;
        done.map_err(|error| NotStarted::Failed(FailureClass::Configuration, error.to_string()))
    }
}

/// How worktrees of the request's repository are prepared; the request may say otherwise.
pub(super) fn settings(shared: &Shared, body: &AssignBody, repo: &Path) -> WorktreeSettings {
    let configured = shared.configured(repo);
    let mut settings = configured.map(|r| r.worktree.clone()).unwrap_or_default();
    if let Some(asked) = &body.worktree {
        settings.setup.clone_from(&asked.setup);
        settings.copy.clone_from(&asked.copy);
    }
    settings
}

fn copy_files(shared: &Shared, active: &Active) -> Result<WorktreeSettings, NotStarted> {
    let plan = plan_of(active)?;
    let Some((plan, worktree)) = plan.and_then(|plan| Some((plan.repo, plan.worktree?))) else {
        return Ok(WorktreeSettings::default());
    };
    let settings = settings(shared, &active.body, &plan);
    let copied = prepare::copy_files(&plan, &worktree, &settings.copy)?;
    if !copied.skipped.is_empty() {
        tracing::warn!(id = %active.id, skipped = ?copied.skipped, "nothing to copy");
    }
    Ok(settings)
}

fn plan_of(active: &Active) -> Result<Option<Plan>, NotStarted> {
    active.folder.plan().map_err(|error| storage(&error))
}

/// The folder of the assignment cannot be read or written.
pub(super) fn storage(error: &std::io::Error) -> NotStarted {
    let class = match error.kind() {
        std::io::ErrorKind::StorageFull => FailureClass::Environmental { retry_at: None },
        _ => FailureClass::Configuration,
    };
    NotStarted::Failed(
        class,
        format!("cannot use the assignment's folder: {error}"),
    )
}

/// Gets the worktree of the assignment, made from a commit that is decided once.
fn checkout(shared: &Shared, active: &Active) -> Result<Place, NotStarted> {
    let asked = Path::new(&active.body.repo_path);
    let path = shared.permitted(asked).ok_or_else(|| {
        let error = format!("`{}` is no repository of this machine", asked.display());
        NotStarted::Failed(FailureClass::Configuration, error)
    })?;
    let repo = Repo::open(&path)?;
    let configured = shared.configured(&path);
    let default_branch = configured.and_then(|r| r.default_branch.clone());
    let base_branch = match &active.body.branch {
        Some(branch) => branch.clone(),
        None => repo.default_branch(default_branch.as_deref())?,
    };
    let mut plan = match plan_of(active)? {
        Some(plan) => plan,
        None => make_plan(shared, active, &repo, path, &base_branch)?,
    };
    let worktree = shared.pool.acquire(
        &repo,
        AcquireSpec {
            assignment: &active.id,
            branch: &plan.branch,
            base: &plan.base,
            start: plan.start.as_deref(),
        },
    )?;
    plan.worktree = Some(worktree.path.clone());
    active.folder.write_plan(&plan).map_err(|e| storage(&e))?;
    let before_usd = plan.session_cost_usd;
    active
        .live
        .send_modify(|live| live.session_cost_usd = before_usd);
    Ok(Place {
        worktree,
        base_branch,
        test_command: configured.and_then(|r| r.test_command.clone()),
        pulled: plan.pulled,
    })
}

fn make_plan(
    shared: &Shared,
    active: &Active,
    repo: &Repo,
    path: PathBuf,
    base_branch: &str,
) -> Result<Plan, NotStarted> {
    let body = &active.body;
    let pulled = pull::pull_all(shared, &body.pull_repos);
    let start = body.start_branch.clone();
    let start = start.filter(|_| body.kind.publishes());
    let base = match body.kind.publishes() {
        true => base_commit(repo, body, base_branch, start.is_some())?,
        false => commit_to_look_at(repo, body, base_branch)?,
    };
    let session = body.resume_session.as_ref();
    let mut plan = Plan::new(path, work_branch(active), base);
    plan.start_tip = start.as_ref().map(|it| repo.tip(it)).transpose()?.flatten();
    plan.start = start;
    plan.session_cost_usd = session.map_or(0.0, |it| shared.registry.session_cost_usd(it));
    plan.pulled = pulled;
    active.folder.write_plan(&plan).map_err(|e| storage(&e))?;
    Ok(plan)
}

/// The commit to start from. What is there already needs no remote.
fn base_commit(
    repo: &Repo,
    body: &AssignBody,
    base_branch: &str,
    needs_branch: bool,
) -> Result<CommitId, GitError> {
    let wanted = body.base_sha.clone().map(CommitId::from);
    if let Some(commit) = &wanted
        && !needs_branch
        && repo.commits_between(commit, commit).is_ok()
    {
        return Ok(commit.clone());
    }
    repo.fetch()?;
    match wanted {
        Some(commit) => {
            repo.commits_between(&commit, &commit)?;
            Ok(commit)
        }
        None => match repo.tip(base_branch)? {
            Some(commit) => Ok(commit),
            None => Err(missing_base(repo, base_branch)),
        },
    }
}

/// What a kind is about that publishes nothing: what the request names most precisely.
fn commit_to_look_at(
    repo: &Repo,
    body: &AssignBody,
    base_branch: &str,
) -> Result<CommitId, GitError> {
    let target = body.review_target.as_ref().or(body.start_branch.as_ref());
    let Some(target) = target.filter(|_| body.base_sha.is_none()) else {
        return base_commit(repo, body, base_branch, false);
    };
    repo.fetch()?;
    let commit = CommitId::new(target.clone());
    if is_full_id(target) && repo.commits_between(&commit, &commit).is_ok() {
        return Ok(commit);
    }
    let tip = repo.tip(target)?;
    tip.ok_or_else(|| GitError::NoSuchBranch {
        name: target.clone(),
    })
}

fn is_full_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A repository without any commit has no branch either; say what is really missing.
fn missing_base(repo: &Repo, base_branch: &str) -> GitError {
    match repo.head() {
        Err(error @ GitError::NoCommits { .. }) => error,
        Ok(_) | Err(_) => GitError::NoSuchBranch {
            name: base_branch.to_owned(),
        },
    }
}

/// What is not to be published gets a name that nobody takes for a claim on the issue.
fn work_branch(active: &Active) -> String {
    let body = &active.body;
    if !body.kind.publishes() {
        return format!("coord/{}/{}", body.kind, active.id);
    }
    let named = body
        .work_branch
        .clone()
        .or_else(|| body.start_branch.clone());
    named.unwrap_or_else(|| branch_name(body.issue_number, &body.issue_title))
}
