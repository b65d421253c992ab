//! What the checkouts of this machine say of the files of repositories. It helps a planner to guess;
//! where there is no checkout, or git fails, it guesses without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coord_brain::{Facts, words_wanted};
use coord_core::ids::{CommitId, RepoName};
use coord_core::proposal::Candidates;
use coord_git::{GitError, Repo};
use futures_util::future::join_all;

use super::known::Known;
use super::survey::Survey;
use super::trees::folder_name;
use crate::clock;
use crate::engine::Engine;

/// Where the files of a repository are looked at.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) path: PathBuf,
    pub(super) tip: CommitId,
    /// Where what was seen there is kept.
    pub(super) kept_in: PathBuf,
}

impl Engine {
    /// Everything that a planner knows.
    pub(super) async fn facts<'a>(&'a self, known: &'a Known) -> Facts<'a> {
        let now = clock::now();
        let mut facts = Facts::new(self.policy(), &known.board, &known.candidates, now);
        facts.record.clone_from(&known.record);
        facts.comments.clone_from(&known.comments);
        facts.failures.clone_from(&known.failures);
        let sites = self.sites_of(&known.candidates).await;
        let surveys = sites.iter().map(|(repo, site)| {
            let site = site.clone();
            async move { (repo.clone(), looked(repo, move || Survey::of(site)).await) }
        });
        let mut surveys: BTreeMap<RepoName, Survey> = join_all(surveys)
            .await
            .into_iter()
            .filter_map(|(repo, found)| Some((repo, found?)))
            .collect();
        for (repo, survey) in &surveys {
            facts.repos.insert(repo.clone(), survey.facts.clone());
        }
        let wanted = words_wanted(&facts);
        let searches = wanted.into_iter().filter_map(|(repo, words)| {
            let survey = surveys.remove(&repo)?;
            Some(async move {
                let found = looked(&repo, move || survey.search(&words)).await;
                (repo, found)
            })
        });
        for (repo, found) in join_all(searches).await {
            if let (Some(found), Some(known)) = (found, facts.repos.get_mut(&repo)) {
                known.symbols = found;
            }
        }
        facts
    }

    /// The checkouts of the repositories that have issues to choose.
    pub(super) async fn sites_of(&self, candidates: &Candidates) -> BTreeMap<RepoName, Site> {
        let repos: BTreeSet<&RepoName> = candidates.keys().map(|it| &it.repo).collect();
        let mut sites = BTreeMap::new();
        for repo in repos {
            let path = self.repo(repo).ok().and_then(|it| it.path.clone());
            let configured = self.policy().repos.get(repo);
            let branch = configured.and_then(|it| it.default_branch.clone());
            let Some(path) = path else {
                continue;
            };
            let place = path.clone();
            let found = looked(repo, move || tip(&place, branch.as_deref())).await;
            if let Some(Some(tip)) = found {
                let name = format!("{}.json", folder_name(repo));
                let kept_in = self.0.home.join("plan").join("surveys").join(name);
                let site = Site { path, tip, kept_in };
                sites.insert(repo.clone(), site);
            }
        }
        sites
    }
}

/// What git says; `None` where it fails.
async fn looked<T: Send + 'static>(
    repo: &RepoName,
    look: impl FnOnce() -> Result<T, GitError> + Send + 'static,
) -> Option<T> {
    let found = tokio::task::spawn_blocking(look).await.ok()?;
    found
        .inspect_err(|error| tracing::info!(%repo, %error, "the plan is made without its files"))
        .ok()
}

fn tip(path: &Path, branch: Option<&str>) -> Result<Option<CommitId>, GitError> {
    let repo = Repo::open(path)?;
    let branch = repo.default_branch(branch)?;
    repo.tip(&branch)
}
