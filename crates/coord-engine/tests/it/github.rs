//! Repositories on a GitHub that several coordinators use, each with a board and an agent of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coord_core::assignment::FreshnessRule;
use coord_core::ids::{AssignmentId, RepoName};
use coord_core::marker;
use coord_core::policy::{ConcurrencyPolicy, Gate, MachinePolicy, Policy, RepoPolicy};
use coord_engine::{Agents, AssignInput, Engine, RepoContext, ReviewTexts, Setup, now};
use coord_github::{CredentialSource, Github, GithubOptions, Secret, Trust};
use coord_protocol::{AgentClient, Timeouts};
use coord_store::Store;
use coord_test_support::git_fixture::RepoFixture;
use coord_test_support::github::{FakeGithub, RepoHandle};
use tempfile::TempDir;

use crate::agent::ScriptedAgent;
use crate::world::{PATIENCE, input, publish};

/// The repositories; `api` depends on `lib`.
const REPOS: [&str; 2] = ["api", "lib"];

/// A GitHub with the repositories `acme/api` and `acme/lib`.
pub(crate) struct Town {
    folder: TempDir,
    pub(crate) github: FakeGithub,
    pub(crate) api: RepoHandle,
    pub(crate) lib: RepoHandle,
    fixtures: BTreeMap<&'static str, RepoFixture>,
}

/// A coordinator with an account, a board, checkouts and an agent of its own.
pub(crate) struct Coordinator {
    name: &'static str,
    home: PathBuf,
    url: String,
    pub(crate) agent: ScriptedAgent,
    checkouts: BTreeMap<&'static str, PathBuf>,
    /// How long one request to GitHub may take.
    pub(crate) patience: Duration,
    /// Whether its engines know of the checkouts.
    pub(crate) has_checkouts: bool,
    /// What has to hold before a merge.
    pub(crate) gates: Vec<Gate>,
}

impl Town {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let github = FakeGithub::start().await.unwrap();
        let fixtures = REPOS.map(|name| {
            let home = folder.path().join(name);
            (name, RepoFixture::create(&home).unwrap())
        });
        let fixtures = BTreeMap::from(fixtures);
        let add = |name: &str| {
            let git = fixtures[name].remote_path();
            github.add_repo(&format!("acme/{name}"), Some(git)).unwrap()
        };
        let api = add("api");
        // Who opens the issues.
        github.set_association("acme/api", "ann", "OWNER");
        Self {
            api,
            lib: add("lib"),
            folder,
            github,
            fixtures,
        }
    }

    /// The bare repository behind a repository of the fake.
    pub(crate) fn remote(&self, repo: &str) -> PathBuf {
        self.fixtures[repo].remote_path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A coordinator whose workers do nothing by themselves.
    pub(crate) fn coordinator(&self, name: &'static str) -> Coordinator {
        let home = self.folder.path().join(name);
        std::fs::create_dir_all(&home).unwrap();
        self.github.add_user(name, &token(name));
        let clone = |repo: &'static str| {
            let (from, to) = (self.fixtures[repo].remote_path(), home.join(repo));
            let paths = [from.to_str().unwrap(), to.to_str().unwrap()];
            crate::github::git(&home, &["clone", "--quiet", paths[0], paths[1]]);
            (repo, to)
        };
        Coordinator {
            name,
            url: self.github.url(),
            agent: ScriptedAgent::start(),
            checkouts: REPOS.map(clone).into(),
            home,
            patience: Duration::from_secs(20),
            gates: vec![Gate::Test],
            has_checkouts: true,
        }
    }

    /// Workers of that coordinator solve their issues at once.
    pub(crate) fn workers_solve(&self, of: &Coordinator) {
        let (remote, desks) = (self.fixtures["api"].remote_path(), of.home.join("desks"));
        of.agent.workers_do(Arc::new(move |body| {
            let branch = body.work_branch.as_deref().unwrap();
            let file = format!("issue-{}.txt", body.issue_number);
            publish(&remote, &desks, branch, &file, "solved\n")
        }));
    }

    /// The comments on an issue of `api`: their authors, and the event of their last marker.
    pub(crate) fn marks(&self, issue: u64) -> Vec<(String, &'static str)> {
        let comments = self.api.comments(issue).into_iter();
        comments
            .map(|it| {
                let event = marker::find_all(&it.body).last().map(|it| it.event);
                (it.author, event.map_or("", |event| event.as_str()))
            })
            .collect()
    }

    /// Nothing was asked or answered that GitHub's own description does not allow.
    pub(crate) fn is_in_order(&self) {
        assert_eq!(self.github.violations(), Vec::<String>::new());
    }
}

impl Coordinator {
    /// An engine, as one process of this coordinator has it.
    pub(crate) async fn engine(&self) -> Engine {
        let store = Store::open(self.home.join("coord.db")).await.unwrap();
        let github = self.account(store.clone());
        let context = |name: &str| RepoContext {
            forge: Arc::new(github.repo(&format!("acme/{name}"))),
            path: self.has_checkouts.then(|| self.checkouts[name].clone()),
            commands: vec!["true".to_owned()],
            test_limit: PATIENCE,
        };
        let repos = REPOS.map(|name| (RepoName::from(name), context(name)));
        let paths = self.checkouts.iter().map(|(repo, path)| {
            let at = ("m1".into(), RepoName::from(*repo));
            (at, path.display().to_string())
        });
        let setup = Setup {
            policy: policy(&self.gates),
            home: self.home.clone(),
            folder: self.home.clone(),
            store,
            repos: repos.into(),
            repo_paths: paths.collect(),
            agents: Agents::new(BTreeMap::from([("m1".into(), self.client())])),
            test_env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
            reviews: ReviewTexts::default(),
            smoke: None,
        };
        Engine::new(setup).unwrap()
    }

    fn account(&self, store: Store) -> Github {
        let token = Secret::new(&token(self.name), "COORD_GITHUB_TOKEN");
        let options = GithubOptions {
            api_url: self.url.clone(),
            credentials: CredentialSource {
                token: Some(token),
                ..CredentialSource::default()
            },
            trust: Trust {
                associations: ["OWNER", "MEMBER", "COLLABORATOR"]
                    .map(str::to_owned)
                    .into(),
                users: Default::default(),
            },
            store,
            timeout: self.patience,
            clock: Arc::new(now),
        };
        Github::new(options).unwrap()
    }

    fn client(&self) -> AgentClient {
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            idle: PATIENCE,
        };
        AgentClient::new(&self.agent.url(), None, timeouts).unwrap()
    }

    /// The checkout of a repository.
    pub(crate) fn checkout(&self, repo: &str) -> PathBuf {
        self.checkouts[repo].clone()
    }

    /// The agent knows of the checkouts that there are.
    pub(crate) fn shows_checkouts(&self) {
        for (repo, path) in &self.checkouts {
            self.agent.has_checkout(repo, path.clone());
        }
    }

    /// The only worker that was started, if one was.
    pub(crate) fn worker(&self) -> Option<AssignmentId> {
        self.agent.seen(|seen| {
            assert!(seen.workers.len() <= 1, "{:?}", seen.workers);
            seen.workers.first().cloned()
        })
    }
}

fn token(name: &str) -> String {
    format!("token-of-{name}")
}

/// A hermetic git that has to succeed.
pub(crate) fn git(folder: &std::path::Path, args: &[&str]) -> String {
    coord_test_support::git_fixture::git(folder, args).unwrap()
}

fn policy(gates: &[Gate]) -> Policy {
    let repo = |depends_on: &[&str]| RepoPolicy {
        depends_on: depends_on.iter().map(|it| RepoName::from(*it)).collect(),
        default_branch: None,
        shared: true,
        github: None,
    };
    let machine = MachinePolicy {
        capabilities: Vec::new(),
        repos: vec!["api".into()],
        max_workers: 200,
        account: None,
    };
    Policy {
        repos: BTreeMap::from([("api".into(), repo(&["lib"])), ("lib".into(), repo(&[]))]),
        machines: BTreeMap::from([("m1".into(), machine)]),
        gates: gates.to_vec(),
        concurrency: ConcurrencyPolicy {
            backoff_base_seconds: 1,
            ..ConcurrencyPolicy::default()
        },
        ..Policy::default()
    }
}

/// What `coord assign - api ISSUE` asks for, without a look at checkouts.
pub(crate) fn wanted(issue: u64) -> AssignInput {
    AssignInput {
        freshness: FreshnessRule::Skip,
        ..input(issue)
    }
}
