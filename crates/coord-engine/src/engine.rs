//! The engine as a value: what it is made of, and how a command goes through it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use coord_core::ids::{AssignmentId, CommitId, MachineName, RepoName};
use coord_core::issue::Issue;
use coord_core::{Board, Command, Decision, Policy, decide};
use coord_forge::{Forge, ForgeError};
use coord_protocol::StatusQuery;
use coord_store::{Committed, Store};
use futures_util::future::join_all;

use crate::agents::{AgentView, Agents, ask};
use crate::clock;
use crate::error::EngineError;
use crate::leases::InHand;
use crate::owner::Owner;
use crate::radar::{Memories, Moves};
use crate::repos::RepoContext;
use crate::serving::{ReviewTexts, SmokeCommand};
use crate::tests_run;

/// Everything that an engine is made of.
#[derive(Debug)]
pub struct Setup {
    /// The rules of decisions.
    pub policy: Policy,
    /// The state folder.
    pub home: PathBuf,
    /// Where a person's commands run, those of hooks: the folder of the configuration.
    pub folder: PathBuf,
    /// The board.
    pub store: Store,
    /// The repositories by name; every one that `policy` names.
    pub repos: BTreeMap<RepoName, RepoContext>,
    /// Where each machine has its checkout of each repository, in that machine's spelling.
    pub repo_paths: BTreeMap<(MachineName, RepoName), String>,
    /// The agents by machine; every one that `policy` names.
    pub agents: Agents,
    /// The whole environment of build and test commands.
    pub test_env: Vec<(String, String)>,
    /// What reviewers are told.
    pub reviews: ReviewTexts,
    /// What smoke tests run.
    pub smoke: Option<SmokeCommand>,
}

/// The coordinator. Clones share everything.
#[derive(Debug, Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) policy: Arc<Policy>,
    pub(crate) home: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) store: Store,
    pub(crate) repos: BTreeMap<RepoName, RepoContext>,
    pub(crate) repo_paths: BTreeMap<(MachineName, RepoName), String>,
    pub(crate) agents: Agents,
    pub(crate) test_env: Vec<(String, String)>,
    pub(crate) reviews: ReviewTexts,
    pub(crate) smoke: Option<SmokeCommand>,
    pub(crate) owner: Owner,
    pub(crate) in_hand: InHand,
    pub(crate) memories: Memories,
    pub(crate) moves: Moves,
}

impl Engine {
    /// Puts an engine together. Nothing is carried out before it is asked to.
    ///
    /// # Errors
    /// [`EngineError::Home`] when the state folder cannot be written.
    pub fn new(setup: Setup) -> Result<Self, EngineError> {
        let owners = setup.home.join("owners");
        let owner = Owner::enter(&owners).map_err(|source| EngineError::Home {
            path: owners,
            source,
        })?;
        Ok(Self(Arc::new(Inner {
            policy: Arc::new(setup.policy),
            home: setup.home,
            folder: setup.folder,
            store: setup.store,
            repos: setup.repos,
            repo_paths: setup.repo_paths,
            agents: setup.agents,
            test_env: setup.test_env,
            reviews: setup.reviews,
            smoke: setup.smoke,
            owner,
            in_hand: InHand::default(),
            memories: Memories::default(),
            moves: Moves::default(),
        })))
    }

    /// Gives back what this engine holds, so that others need not find out that it is gone.
    pub async fn close(&self) {
        let released = self.release(self.0.owner.name()).await.is_ok();
        // What was cut off only just now may still be held: then others find that out by the lock.
        if released && self.0.in_hand.is_empty() {
            self.0.owner.forget(self.0.owner.name());
        }
    }

    /// The rules that it decides by.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The board's home.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The agents by machine.
    #[must_use]
    pub fn agents(&self) -> &Agents {
        &self.0.agents
    }

    /// What it knows of a repository.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`] when the configuration does not have it.
    pub fn repo(&self, name: &RepoName) -> Result<&RepoContext, EngineError> {
        self.0
            .repos
            .get(name)
            .ok_or_else(|| EngineError::UnknownRepo(name.clone()))
    }

    /// The forge of a repository.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`] when the configuration does not have it.
    pub fn forge(&self, name: &RepoName) -> Result<&dyn Forge, EngineError> {
        Ok(&*self.repo(name)?.forge)
    }

    /// An issue as its forge has it now.
    ///
    /// # Errors
    /// [`EngineError::UnknownIssue`] when there is none, and the forge's own error when it has not
    /// even the repository, or hides it from this account.
    pub async fn issue(&self, repo: &RepoName, number: u64) -> Result<Issue, EngineError> {
        let forge = self.forge(repo)?;
        let found = forge.issue(number).await;
        if let Some(issue) = found.map_err(EngineError::forge(repo))? {
            return Ok(issue);
        }
        match forge.default_branch().await {
            Err(
                error @ (ForgeError::NotFound { .. }
                | ForgeError::Auth { .. }
                | ForgeError::Refused { .. }),
            ) => Err(EngineError::forge(repo)(error)),
            // Whatever else is wrong there, the issue was asked for and is missing.
            Ok(_) | Err(ForgeError::Transient { .. } | ForgeError::Unusable { .. }) => {
                Err(EngineError::UnknownIssue {
                    repo: repo.clone(),
                    number,
                })
            }
        }
    }

    /// Whether coordinators with another board work on the repository too.
    pub(crate) fn is_shared(&self, name: &RepoName) -> bool {
        self.policy().repos.get(name).is_some_and(|it| it.shared)
    }

    /// Where the output of the test of one commit is kept.
    #[must_use]
    pub fn test_log(&self, id: &AssignmentId, head: &CommitId) -> PathBuf {
        tests_run::log_path(&self.0.home, id, head)
    }

    /// What [`Engine::command`] would decide, without doing it.
    ///
    /// # Errors
    /// When the board cannot be read.
    pub async fn decide(&self, command: &Command) -> Result<Decision, EngineError> {
        let board = self.store().board().await?;
        Ok(decide(&board, self.policy(), command, clock::now()))
    }

    /// Decides on a command and commits what follows, in one transaction. Effects wait in the
    /// outbox until somebody drives them.
    ///
    /// # Errors
    /// When the store fails; nothing has changed then.
    pub async fn command(&self, command: Command) -> Result<Committed, EngineError> {
        let policy = Arc::clone(&self.0.policy);
        let now = clock::now();
        let decide = move |board: &Board| decide(board, &policy, &command, now);
        Ok(self.0.store.transact(now, decide).await?)
    }

    /// The assignment id that `text` is, or is the beginning of.
    ///
    /// # Errors
    /// When none fits, or several do.
    pub async fn resolve(&self, text: &str) -> Result<AssignmentId, EngineError> {
        if let Ok(id) = text.parse::<AssignmentId>()
            && self.0.store.assignment(&id).await?.is_some()
        {
            return Ok(id);
        }
        let mut found = self.0.store.resolve_prefix(text).await?;
        match (found.pop(), found.is_empty()) {
            (Some(id), true) => Ok(id),
            (None, _) => Err(EngineError::UnknownAssignment(text.to_owned())),
            (Some(last), false) => {
                found.push(last);
                Err(EngineError::Ambiguous {
                    prefix: text.to_owned(),
                    found,
                })
            }
        }
    }

    /// Asks every agent, all at once, for what it does; tells the board what it did not know.
    ///
    /// # Errors
    /// When the store fails. An agent that does not answer is part of the answer.
    pub async fn look(&self, only: Option<&MachineName>) -> Result<Vec<AgentView>, EngineError> {
        let machines = self
            .0
            .agents
            .iter()
            .filter(|(name, _)| only.is_none_or(|only| only == *name));
        let views = machines.map(|(machine, client)| async move {
            let board = self.0.store.board().await?;
            let query = StatusQuery {
                completed: Some(1000),
                since: None,
            };
            let answer = ask(client, query, &board, machine).await;
            let view = AgentView {
                machine: machine.clone(),
                answer,
            };
            self.learn(&board, &view).await?;
            Ok(view)
        });
        join_all(views).await.into_iter().collect()
    }
}
