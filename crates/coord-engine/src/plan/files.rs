//! What the checkouts of this machine say of the files of repositories. It helps a planner to guess;
//! where there is no checkout, or git fails, it guesses without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use coord_brain::{Facts, PastChange, RepoFacts, words_wanted};
use coord_core::ids::{CommitId, RepoName};
use coord_core::proposal::Candidates;
use coord_git::{GitError, Repo};
use futures_util::future::join_all;

use super::known::Known;
use crate::clock;
use crate::engine::Engine;

/// How many of the last changes count.
const CHANGES: usize = 500;
/// How many words git looks for at once.
const WORDS: usize = 64;

/// Where the files of a repository are looked at.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) path: PathBuf,
    pub(super) tip: CommitId,
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
            async move { (repo.clone(), looked(repo, move || survey(&site)).await) }
        });
        for (repo, found) in join_all(surveys).await {
            if let Some(found) = found {
                facts.repos.insert(repo, found);
            }
        }
        let wanted = words_wanted(&facts);
        let searches = wanted.into_iter().filter_map(|(repo, words)| {
            let site = sites.get(&repo)?.clone();
            Some(async move {
                let found = looked(&repo, move || search(&site, &words)).await;
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
                sites.insert(repo.clone(), Site { path, tip });
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
        .inspect_err(|error| tracing::warn!(%repo, %error, "the plan is made without its files"))
        .ok()
}

fn tip(path: &Path, branch: Option<&str>) -> Result<Option<CommitId>, GitError> {
    let repo = Repo::open(path)?;
    let branch = repo.default_branch(branch)?;
    repo.tip(&branch)
}

fn survey(site: &Site) -> Result<RepoFacts, GitError> {
    let repo = Repo::open(&site.path)?;
    let changes = repo.recent_changes(&site.tip, CHANGES)?.into_iter();
    Ok(RepoFacts {
        files: repo.tracked_files(&site.tip)?,
        changes: changes
            .map(|it| PastChange {
                subject: it.subject,
                files: it.files,
            })
            .collect(),
        symbols: BTreeMap::new(),
    })
}

fn search(site: &Site, words: &[String]) -> Result<BTreeMap<String, Vec<String>>, GitError> {
    let repo = Repo::open(&site.path)?;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for words in words.chunks(WORDS) {
        for hit in repo.grep(&site.tip, words)? {
            found.entry(hit.word).or_default().push(hit.path);
        }
    }
    Ok(found)
}
