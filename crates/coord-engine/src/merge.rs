//! Merging: what the forge says to the merge of a branch, and the proof that its base has it then.

use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::ids::{CommitId, IssueRef, RepoName};
use coord_core::policy::Gate;
use coord_forge::{Forge, ForgeError, MergeOutcome, Pull, PullMerge, PullState};
use coord_git::{GitError, Repo};

use crate::ci::{Ci, are_bad, not_yet};
use crate::effects::{Halt, Later, blocking};
use crate::engine::Engine;
use crate::error::{EngineError, with_causes};

/// How often a merge is looked for that the forge reports and the base branch does not show.
const LOOKS: u32 = 8;

/// What is to be merged.
pub(crate) struct Wish<'a> {
    pub(crate) issue: &'a IssueRef,
    pub(crate) title: &'a str,
    pub(crate) branch: &'a str,
    pub(crate) merge: PullMerge,
    /// The tree of the result that was tested.
    pub(crate) tree: Option<&'a str>,
}

/// A merge that the forge reports.
struct Landed<'a> {
    repo: &'a RepoName,
    base: String,
    commit: CommitId,
    tested: Option<&'a str>,
}

/// What the base branch shows of a merge.
struct Shown {
    contains: bool,
    /// The tree of the commit, where it was asked for and this machine has it.
    tree: Option<String>,
}

impl Engine {
    /// `attempts` counts this one.
    pub(crate) async fn merge(&self, wish: &Wish<'_>, attempts: u32) -> Result<Outcome, Later> {
        match self.try_merge(wish, attempts).await {
            Ok(outcome) => Ok(outcome),
            Err(halt) => halt.settle(),
        }
    }

    async fn try_merge(&self, wish: &Wish<'_>, attempts: u32) -> Result<Outcome, Halt> {
        let repo = &wish.issue.repo;
        let halt = |error| Halt::from(self.forge_failed(repo, error));
        let failed = |error| halt(EngineError::forge(repo)(error));
        let forge = self.forge(repo).map_err(halt)?;
        let pull = self.pull_to_merge(wish).await.map_err(halt)?;
        let before = pull.state != PullState::Open;
        if !before {
            let checks = self.last_look(wish, forge, &pull.base).await;
            if let Some(refused) = checks.map_err(halt)? {
                return Ok(refused);
            }
        }
        let merged = forge.merge_pull(pull.number, &wish.merge).await;
        Ok(match merged.map_err(failed)? {
            MergeOutcome::Merged { commit } => {
                let landed = Landed {
                    repo,
                    base: pull.base,
                    commit,
                    tested: wish.tree,
                };
                self.prove(landed, before && attempts >= LOOKS).await?
            }
            MergeOutcome::Conflict { base, paths } => Outcome::MergeConflict { base, paths },
            MergeOutcome::BaseMoved { base } => Outcome::BaseMoved { base },
            MergeOutcome::HeadMoved { head } => Outcome::HeadMoved { head },
            MergeOutcome::Refused { reason } => Outcome::MergeRefused { reason },
        })
    }

    /// The pull request that an earlier try has merged, else the open one, else a new one.
    async fn pull_to_merge(&self, wish: &Wish<'_>) -> Result<Pull, EngineError> {
        let repo = &wish.issue.repo;
        let found = self.forge(repo)?.pull_for_branch(wish.branch).await;
        let found = found.map_err(EngineError::forge(repo))?;
        let is_it = |pull: &Pull| match pull.state {
            PullState::Open => true,
            PullState::Merged { .. } => pull.head.as_ref() == Some(&wish.merge.head),
            PullState::Closed => false,
        };
        match found.filter(is_it) {
            Some(pull) => Ok(pull),
            None => self.pull_of(wish.issue, wish.branch, wish.title, "").await,
        }
    }

    /// A check may have changed its mind since the gate was open. What a person has set aside is
    /// not looked at.
    async fn last_look(
        &self,
        wish: &Wish<'_>,
        forge: &dyn Forge,
        base: &str,
    ) -> Result<Option<Outcome>, EngineError> {
        let (id, head) = (&wish.merge.assignment, &wish.merge.head);
        let it = self.store().assignment(id).await?;
        if it.is_some_and(|it| it.delivery.overridden(Gate::Ci, head).is_some()) {
            return Ok(None);
        }
        let failed = EngineError::forge(&wish.issue.repo);
        match self.ci(forge, head, base).await.map_err(&failed)? {
            Ci::Bad(names) => Ok(Some(Outcome::MergeRefused {
                reason: are_bad(&names),
            })),
            Ci::Pending(names) => Err(failed(not_yet(&names, None))),
            Ci::Silent | Ci::Good => Ok(None),
        }
    }

    /// The merge, once the base branch shows it; a person has to look where it never does.
    async fn prove(&self, landed: Landed<'_>, last: bool) -> Result<Outcome, Halt> {
        let Shown { contains, tree } = self.look_at_base(&landed).await?;
        let Landed {
            base,
            commit,
            tested,
            ..
        } = landed;
        if contains {
            let warning = tested.zip(tree).and_then(other_tree);
            return Ok(Outcome::Merged { commit, warning });
        }
        let reason = format!(
            "the forge says that it is merged as {}, but `{base}` does not have that commit",
            commit.short()
        );
        match last {
            true => Ok(Outcome::MergeRefused { reason }),
            false => Err(Later::new(reason).into()),
        }
    }

    /// As the checkout here sees the remote, else as the forge tells it.
    async fn look_at_base(&self, landed: &Landed<'_>) -> Result<Shown, Halt> {
        let halt = |error| Halt::from(self.forge_failed(landed.repo, error));
        let context = self.repo(landed.repo).map_err(halt)?;
        if let Some(path) = context.path.clone() {
            let (base, commit) = (landed.base.clone(), landed.commit.clone());
            let wants_tree = landed.tested.is_some();
            let look = move || shown(&Repo::open(path)?, &base, &commit, wants_tree);
            match blocking(look).await? {
                Ok(shown) => return Ok(shown),
                Err(error) => match error.class() {
                    FailureClass::Environmental { retry_at } => {
                        let error = with_causes(&error);
                        return Err(Later {
                            error,
                            at: retry_at,
                        }
                        .into());
                    }
                    // The merge is not to blame: the forge is asked instead.
                    FailureClass::Configuration | FailureClass::Work => {}
                },
            }
        }
        let compared = context
            .forge
            .compare(&landed.base, landed.commit.as_str())
            .await;
        let contains = match compared {
            Ok(compared) => compared.ahead == 0,
            Err(ForgeError::NotFound { .. }) => false,
            Err(error) => return Err(halt(EngineError::forge(landed.repo)(error))),
        };
        Ok(Shown {
            contains,
            tree: None,
        })
    }

    /// The configured branch, else the one that the checkout here says, else the forge's.
    pub(crate) async fn default_branch(&self, name: &RepoName) -> Result<String, EngineError> {
        let policy = self.policy().repos.get(name);
        if let Some(branch) = policy.and_then(|repo| repo.default_branch.clone()) {
            return Ok(branch);
        }
        if let Some(path) = self.repo(name)?.path.clone() {
            let look = move || Repo::open(&path)?.default_branch(None);
            if let Ok(branch) = tokio::task::spawn_blocking(look).await {
                return branch.map_err(|source| EngineError::Git {
                    repo: name.clone(),
                    source,
                });
            }
        }
        let branch = self.forge(name)?.default_branch().await;
        branch.map_err(EngineError::forge(name))
    }
}

fn shown(repo: &Repo, base: &str, commit: &CommitId, wants_tree: bool) -> Result<Shown, GitError> {
    let contains = repo.contains(base, commit)?;
    let tree = match contains && wants_tree {
        true => Some(repo.tree_of(commit)?),
        false => None,
    };
    Ok(Shown { contains, tree })
}

/// A forge whose merge cannot be tied to a base may have merged onto another one.
fn other_tree((tested, landed): (&str, String)) -> Option<String> {
    (tested != landed).then(|| {
        format!("the tree that landed is not the one that was tested: {landed} instead of {tested}")
    })
}
