//! A GitHub on loopback that remembers: issues, comments, refs, pull requests, reviews, checks and
//! merges, the latter in a real bare repository.
//!
//! Every request is held against GitHub's own OpenAPI description before anything is done, and
//! every answer before it is sent: [`FakeGithub::violations`] must be empty at the end of a test.
//! It answers [`OPERATIONS`] and nothing else. What it does not do: forks, teams, organisations'
//! rules, webhooks, GraphQL, search, and everything that takes GitHub time, but mergeability.

mod account;
mod checks;
mod comments;
mod contract;
mod diff;
mod exchange;
mod fault;
mod gate;
mod git;
mod handle;
mod issues;
mod merge;
mod operations;
mod page;
mod pulls;
mod rate;
mod refs;
mod repo;
mod reviews;
mod routes;
mod server;
mod shape;
mod sub_issues;
mod uri;
mod view;
mod world;

use std::net::TcpListener;
use std::path::PathBuf;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

pub use fault::{Fault, When};
pub use handle::{FakeComment, FakeIssue, FakePull, FakeReview, FakeReviewComment, RepoHandle};
pub use operations::OPERATIONS;
pub use world::Seen;

use account::{App, Grant};
use git::Bare;
use repo::Repo;
use server::Shared;
use world::World;

/// A running server; it ends when this is dropped, and every connection with it.
#[derive(Debug)]
pub struct FakeGithub {
    shared: Shared,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeGithub {
    /// Starts a server like api.github.com, at the root of its address.
    ///
    /// # Errors
    /// When the port or the thread cannot be had.
    pub async fn start() -> Result<Self> {
        Self::launch("")
    }

    /// Starts a server like an Enterprise one, below `/api/v3`.
    ///
    /// # Errors
    /// When the port or the thread cannot be had.
    pub async fn start_enterprise() -> Result<Self> {
        Self::launch("/api/v3")
    }

    /// The same as [`FakeGithub::start`] where there is no runtime: the server has its own.
    ///
    /// # Errors
    /// When the port or the thread cannot be had.
    pub fn start_blocking() -> Result<Self> {
        Self::launch("")
    }

    fn launch(prefix: &'static str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot bind to loopback")?;
        listener.set_nonblocking(true)?;
        let origin = format!("http://{}", listener.local_addr()?);
        let url = format!("{origin}{prefix}");
        let shared = Shared::new(World::new(origin, prefix));
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = shared.clone();
        let thread = std::thread::Builder::new()
            .name("fake-github".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = server::serve(listener, served) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            shared,
            url,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The base of the API, for `github_api_url`; without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// An account with a classic token of scope `repo`.
    pub fn add_user(&self, login: &str, token: &str) {
        self.add_user_with_scopes(login, token, &["repo"]);
    }

    /// An account with a classic token of these scopes.
    ///
    /// Without `repo` a private repository is not there (404, as on GitHub), and a public one
    /// refuses what writes (403). `X-OAuth-Scopes` and `X-Accepted-OAuth-Scopes` come with answers.
    pub fn add_user_with_scopes(&self, login: &str, token: &str, scopes: &[&str]) {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.shared
            .lock()
            .add_token(login, token, Grant::Scopes(scopes));
    }

    /// An account with a fine-grained token, e.g. `[("issues", "read")]`.
    ///
    /// What it does not allow is refused with 403 and `X-Accepted-GitHub-Permissions`.
    pub fn add_user_with_permissions(
        &self,
        login: &str,
        token: &str,
        permissions: &[(&str, &str)],
    ) {
        let pair = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
        let permissions = permissions.iter().map(pair).collect();
        let grant = Grant::Permissions(permissions);
        self.shared.lock().add_token(login, token, grant);
    }

    /// A GitHub App with one installation, which may everything that a coordinator needs.
    ///
    /// The claims of its JWT are checked, the signature is not. Its account is `<slug>[bot]`.
    pub fn add_app(&self, app_id: u64, installation: u64, slug: &str) {
        let app = App::new(slug, installation);
        self.shared.lock().apps.insert(app_id, app);
    }

    /// What the installation of an app may, instead of everything.
    pub fn set_app_permissions(&self, app_id: u64, permissions: &[(&str, &str)]) {
        let pair = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
        if let Some(app) = self.shared.lock().apps.get_mut(&app_id) {
            app.permissions = permissions.iter().map(pair).collect();
        }
    }

    /// Every use of this token is 401 from now on, whether it was made here or by an app.
    pub fn expire_token(&self, token: &str) {
        let mut world = self.shared.lock();
        let now = world.now();
        if let Some(credential) = world.credentials.get_mut(token) {
            credential.expires = Some(now);
        }
    }

    /// Tokens that were made for installations, in no order.
    #[must_use]
    pub fn installation_tokens(&self) -> Vec<String> {
        let world = self.shared.lock();
        let made = |grant: &Grant| matches!(grant, Grant::Installation(_));
        let tokens = world.credentials.iter();
        let tokens = tokens.filter(|(_, credential)| made(&credential.grant));
        tokens.map(|(token, _)| token.clone()).collect()
    }

    /// A private repository with the default branch `main`: on `git`, a bare repository, or on one
    /// of its own with one commit.
    ///
    /// # Errors
    /// When `full_name` is not `owner/name`, or git fails.
    pub fn add_repo(&self, full_name: &str, git: Option<PathBuf>) -> Result<RepoHandle> {
        let (owner, name) = full_name.split_once('/').context("it is not owner/name")?;
        let git = match git {
            Some(path) => Bare::at(&path),
            None => Bare::create()?,
        };
        let mut world = self.shared.lock();
        let id = world.next_id();
        let key = World::key(owner, name);
        world.repos.insert(key, Repo::new(id, owner, name, git));
        drop(world);
        Ok(self.repo(full_name))
    }

    /// A repository that was added.
    #[must_use]
    pub fn repo(&self, full_name: &str) -> RepoHandle {
        RepoHandle::new(self.shared.clone(), full_name)
    }

    /// How somebody stands to a repository: `OWNER`, `MEMBER`, `COLLABORATOR`, `CONTRIBUTOR`, `NONE`.
    ///
    /// Where nothing is set the owner is `OWNER`, accounts with a token are `COLLABORATOR`s, and
    /// everybody else is `NONE`; so are the accounts of apps, as on GitHub.
    pub fn set_association(&self, full_name: &str, login: &str, association: &str) {
        let (login, association) = (login.to_lowercase(), association.to_owned());
        self.repo(full_name).change(|repo| {
            repo.associations.insert(login, association);
        });
    }

    /// The next request that comes meets `fault`.
    pub fn fail_next(&self, fault: Fault) {
        self.schedule(fault, When::Next);
    }

    /// A fault that happens once, at the first request that is meant. Of several that are meant for
    /// one request the one that was scheduled first happens, the others wait.
    pub fn schedule(&self, fault: Fault, when: When) {
        self.shared.lock().faults.schedule(fault, when);
    }

    /// Every call, told by method and path, meets each of these faults once, in this order; from
    /// now on, and counted anew.
    pub fn fail_every_call(&self, faults: &[Fault]) {
        self.shared.lock().faults.for_every_call(faults);
    }

    /// Takes every fault away that has not happened.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// How many scheduled faults have not happened yet.
    #[must_use]
    pub fn pending_faults(&self) -> usize {
        self.shared.lock().faults.scheduled()
    }

    /// Every request so far, in their order.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.lock().seen.clear();
    }

    /// Every request, and every answer of this server, that GitHub's description refuses.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.lock().violations.clone()
    }

    /// What is left of the budget until `reset_epoch`, in seconds; then all of it is there again.
    pub fn set_rate_limit(&self, limit: u64, remaining: u64, reset_epoch: u64) {
        let mut world = self.shared.lock();
        world.rate.limit = limit;
        world.rate.remaining = remaining;
        world.rate.reset = i64::try_from(reset_epoch).unwrap_or(i64::MAX);
    }

    /// Whether the server knows sub-issues, which it does when nothing is said; old Enterprise
    /// servers do not.
    pub fn set_knows_sub_issues(&self, knows: bool) {
        self.shared.lock().knows_sub_issues = knows;
    }

    /// Puts the server's clock forward: tokens expire, budgets come back.
    pub fn advance_clock(&self, seconds: u64) {
        self.shared.lock().advanced += i64::try_from(seconds).unwrap_or(0);
    }

    /// Whether `mergeable` is unknown at the first look after head or base has moved, as on GitHub.
    /// It is so when nothing is said.
    pub fn set_lazy_mergeability(&self, lazy: bool) {
        self.shared.lock().lazy_mergeability = lazy;
    }
}

impl Drop for FakeGithub {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Whoever listened is gone when the thread has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
