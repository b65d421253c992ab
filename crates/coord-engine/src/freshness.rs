//! Whether the machines' checkouts are what their forges have.
//!
//! Nothing waits for the answer: whatever is not known in time is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use coord_core::assignment::FreshnessRule;
use coord_core::effect::DispatchSpec;
use coord_core::graph::DependencyGraph;
use coord_core::ids::{CommitId, MachineName, RepoName};
use coord_protocol::{RepoState, Repos};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use crate::engine::Engine;
use crate::error::with_causes;

/// For everything that is asked together.
const LIMIT: Duration = Duration::from_secs(10);

/// How many are asked at once.
const PARALLEL: usize = 8;

/// How a checkout stands to its forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// It has everything that the default branch has on the forge.
    Current,
    /// It does not.
    Stale {
        /// How many commits it lacks; `None` where the forge does not know its commit.
        behind: Option<u64>,
    },
    /// Tracked files in it are changed, whatever it stands at.
    Dirty,
    /// The machine has no checkout of the repository.
    Missing,
    /// The forge or the agent could not be asked.
    Unknown {
        /// Why, for people; may hold untrusted text.
        why: String,
    },
}

/// One repository on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoFreshness {
    /// The machine.
    pub machine: MachineName,
    /// The repository.
    pub repo: RepoName,
    /// How its checkout stands to the forge.
    pub state: Freshness,
    /// The commit that is checked out, where it is known.
    pub here: Option<CommitId>,
    /// The tip of the default branch on the forge, where it is known.
    pub there: Option<CommitId>,
}

/// What a dispatch adds to its request for how things stand at that moment.
#[derive(Debug, Default)]
pub(crate) struct Circumstances {
    /// The repositories that the agent is to bring up to date.
    pub(crate) pull_repos: Vec<String>,
    /// What the worker is told.
    pub(crate) context: Option<String>,
}

type Answers<K, T> = BTreeMap<K, Result<T, String>>;

impl Engine {
    /// Compares every machine's checkouts, of its repositories and of all that they depend on,
    /// with what the forges have. Takes ten seconds at most.
    pub async fn freshness(&self, only: Option<&MachineName>) -> Vec<RepoFreshness> {
        let graph = DependencyGraph::of(self.policy());
        let machines = self.policy().machines.iter();
        let pairs: BTreeSet<_> = machines
            .filter(|(name, _)| only.is_none_or(|only| only == *name))
            .flat_map(|(name, machine)| machine.repos.iter().map(move |repo| (name, repo)))
            .flat_map(|(name, repo)| {
                let repos = graph.upstreams(repo).into_iter().chain([repo]);
                repos.map(|repo| (name.clone(), repo.clone()))
            })
            .collect();
        self.compare(pairs).await
    }

    /// What the dispatch says of the checkouts that its worker may look at.
    pub(crate) async fn circumstances(&self, spec: &DispatchSpec) -> Circumstances {
        let repo = &spec.issue.repo;
        if !self.is_shared(repo) || spec.freshness == FreshnessRule::Skip {
            return Circumstances::default();
        }
        let repos = DependencyGraph::of(self.policy()).upstreams(repo);
        let pairs = repos.into_iter().chain([repo]);
        let pairs = pairs.map(|repo| (spec.machine.clone(), repo.clone()));
        let found = self.compare(pairs.collect()).await;
        let (pulled, left): (Vec<_>, Vec<_>) = found
            .into_iter()
            .filter(|it| it.state != Freshness::Current)
            .partition(|it| is_pulled(it, spec.freshness));
        Circumstances {
            pull_repos: pulled.into_iter().map(|it| it.repo.to_string()).collect(),
            context: self.told(&left),
        }
    }

    /// The section of the briefing about checkouts that are not what they should be. Nothing of
    /// what forges, agents and repositories say is in it.
    fn told(&self, left: &[RepoFreshness]) -> Option<String> {
        if left.is_empty() {
            return None;
        }
        let mut text =
            "These checkouts on this machine are not what their forge has:\n\n".to_owned();
        for it in left {
            let at = (it.machine.clone(), it.repo.clone());
            let path = self.0.repo_paths.get(&at);
            let path = path.map_or_else(String::new, |path| format!(" (`{path}`)"));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "- `{}`{path}: {}", it.repo, said(&it.state));
        }
        text.push_str(
            "\nYour own worktree is not one of them: it starts from what the forge has. Do not \
             bring them up to date yourself; say so if they stop you.",
        );
        Some(text)
    }

    async fn compare(&self, pairs: BTreeSet<(MachineName, RepoName)>) -> Vec<RepoFreshness> {
        let deadline = Instant::now() + LIMIT;
        let there: BTreeSet<_> = pairs
            .iter()
            .filter(|it| self.has_path(it))
            .cloned()
            .collect();
        let repos = there.iter().map(|(_, repo)| repo.clone()).collect();
        let machines = there.iter().map(|(machine, _)| machine.clone()).collect();
        let (heads, checkouts) = tokio::join!(
            ask_all(repos, deadline, |repo| self.clone().head(repo).boxed()),
            ask_all(machines, deadline, |name| self
                .clone()
                .checkouts(name)
                .boxed()),
        );
        let found = pairs.into_iter().map(|(machine, repo)| {
            let (state, here, there) = match there.contains(&(machine.clone(), repo.clone())) {
                true => judge(&repo, heads.get(&repo), checkouts.get(&machine)),
                false => (Freshness::Missing, None, None),
            };
            RepoFreshness {
                machine,
                repo,
                state,
                here,
                there,
            }
        });
        self.count(found.collect(), deadline).await
    }

    fn has_path(&self, at: &(MachineName, RepoName)) -> bool {
        self.0.repo_paths.contains_key(at)
    }

    async fn head(self, repo: RepoName) -> Result<CommitId, String> {
        let branch = self.default_branch(&repo).await;
        let branch = branch.map_err(|error| with_causes(&error))?;
        let forge = self.forge(&repo).map_err(|error| with_causes(&error))?;
        let head = forge.branch_head(&branch).await;
        let head = head.map_err(|error| format!("the forge: {}", with_causes(&error)))?;
        head.ok_or_else(|| format!("the forge has no branch `{branch}`"))
    }

    async fn checkouts(self, machine: MachineName) -> Result<Repos, String> {
        let client = self.agents().get(&machine);
        let client = client.ok_or_else(|| format!("there is no machine `{machine}`"))?;
        let repos = client.repos().await;
        repos.map_err(|error| format!("the agent: {}", with_causes(&error)))
    }

    /// Finds out how far behind the stale ones are, and which of them are ahead and not behind.
    async fn count(&self, mut found: Vec<RepoFreshness>, deadline: Instant) -> Vec<RepoFreshness> {
        let distance = |it: &RepoFreshness| match (&it.state, &it.here, &it.there) {
            (Freshness::Stale { .. }, Some(here), Some(there)) => {
                Some((it.repo.clone(), here.clone(), there.clone()))
            }
            (
                Freshness::Stale { .. }
                | Freshness::Current
                | Freshness::Dirty
                | Freshness::Missing
                | Freshness::Unknown { .. },
                ..,
            ) => None,
        };
        let distances = found.iter().filter_map(distance).collect();
        let counted = ask_all(distances, deadline, |(repo, here, there)| {
            self.clone().behind(repo, here, there).boxed()
        });
        let counted = counted.await;
        for it in &mut found {
            match distance(it).and_then(|key| counted.get(&key)?.as_ref().ok()) {
                Some(0) => it.state = Freshness::Current,
                Some(behind) => {
                    it.state = Freshness::Stale {
                        behind: Some(*behind),
                    };
                }
                None => {}
            }
        }
        found
    }

    async fn behind(self, repo: RepoName, here: CommitId, there: CommitId) -> Result<u64, String> {
        let forge = self.forge(&repo).map_err(|error| with_causes(&error))?;
        let compared = forge.compare(here.as_str(), there.as_str()).await;
        compared
            .map(|it| it.ahead)
            .map_err(|error| with_causes(&error))
    }
}

/// Asks for all of these at once, as far as there is time.
async fn ask_all<K, T>(
    keys: BTreeSet<K>,
    deadline: Instant,
    ask: impl Fn(K) -> BoxFuture<'static, Result<T, String>>,
) -> Answers<K, T>
where
    K: Ord + Clone,
{
    let asked: Vec<_> = keys
        .into_iter()
        .map(|key| (key.clone(), ask(key)))
        .map(|(key, answer)| async move {
            let answer = timeout_at(deadline, answer).await;
            let late = || Err(format!("no answer within {} s", LIMIT.as_secs()));
            (key, answer.unwrap_or_else(|_| late()))
        })
        .collect();
    stream::iter(asked)
        .buffer_unordered(PARALLEL)
        .collect()
        .await
}

type Judgement = (Freshness, Option<CommitId>, Option<CommitId>);

/// How a checkout stands to its forge, as far as two commits alone tell.
fn judge(
    repo: &RepoName,
    head: Option<&Result<CommitId, String>>,
    checkouts: Option<&Result<Repos, String>>,
) -> Judgement {
    let unknown = |why: &str| Freshness::Unknown {
        why: why.to_owned(),
    };
    let there = head.and_then(|head| head.as_ref().ok()).cloned();
    let state = match checkouts {
        Some(Ok(repos)) => repos.get(repo.as_str()),
        Some(Err(why)) => return (unknown(why), None, there),
        None => return (unknown("the agent was not asked"), None, there),
    };
    let (sha, dirty) = match state {
        None => return (Freshness::Missing, None, there),
        Some(RepoState::Broken { missing: true, .. }) => return (Freshness::Missing, None, there),
        Some(RepoState::Broken { error, .. }) => return (unknown(error), None, there),
        Some(RepoState::Ready { sha, dirty, .. }) => (sha, *dirty),
    };
    let Some(here) = commit_id(sha) else {
        return (unknown("the agent names no commit"), None, there);
    };
    let state = match head {
        _ if dirty => Freshness::Dirty,
        Some(Ok(there)) if *there == here => Freshness::Current,
        Some(Ok(_)) => Freshness::Stale { behind: None },
        Some(Err(why)) => unknown(why),
        None => unknown("the forge was not asked"),
    };
    (state, Some(here), there)
}

/// Agents may answer anything.
fn commit_id(sha: &str) -> Option<CommitId> {
    let is_one = sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    is_one.then(|| CommitId::from(sha))
}

fn is_pulled(it: &RepoFreshness, rule: FreshnessRule) -> bool {
    match (rule, &it.state) {
        (FreshnessRule::Pull, Freshness::Stale { .. }) => true,
        (FreshnessRule::Pull | FreshnessRule::Tell | FreshnessRule::Skip, _) => false,
    }
}

/// For the worker.
fn said(state: &Freshness) -> String {
    match state {
        Freshness::Current => "up to date".to_owned(),
        Freshness::Stale { behind: None } => "not at the tip of its default branch".to_owned(),
        Freshness::Stale { behind: Some(1) } => "1 commit behind".to_owned(),
        Freshness::Stale {
            behind: Some(behind),
        } => format!("{behind} commits behind"),
        Freshness::Dirty => "it has changes that are not committed".to_owned(),
        Freshness::Missing => "this machine has none".to_owned(),
        Freshness::Unknown { .. } => "how it stands is not known".to_owned(),
    }
}
