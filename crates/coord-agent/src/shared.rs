//! What handlers and drivers of one agent share.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use coord_git::{Repo, WorktreePool};
use coord_protocol::CompletedRow;
use coord_worker::launch::Supervisor;
use coord_worker::tail::LogWatcher;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::active::{Active, Live, Phase};
use crate::background::in_background;
use crate::config::{AgentConfig, RepoConfig};
use crate::driver;
use crate::http::guard::Guard;
use crate::hub::Hub;
use crate::leases::Leases;
use crate::registry::Registry;

/// One agent.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: AgentConfig,
    pub(crate) guard: Guard,
    pub(crate) registry: Registry,
    pub(crate) hub: Hub,
    /// Who holds which files on this machine.
    pub(crate) leases: Leases,
    /// Where the agent listens.
    pub(crate) addr: SocketAddr,
    pub(crate) pool: WorktreePool,
    pub(crate) supervisor: Supervisor,
    pub(crate) logs: LogWatcher,
    /// `<home>/agent/assignments`.
    pub(crate) assignments: PathBuf,
    /// Held while an assignment is being accepted, so that no slot or id is given twice.
    pub(crate) accepting: tokio::sync::Mutex<()>,
    /// Becomes true when the agent is to end; workers are not touched by that.
    pub(crate) stopping: watch::Sender<bool>,
    /// Drivers, and what else has to be over before the agent is.
    pub(crate) tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    /// Runs `task` until it ends by itself.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Drives `active` to its end.
    pub(crate) fn drive(self: &Arc<Self>, active: Arc<Active>) {
        self.registry.add_active(Arc::clone(&active));
        self.spawn(driver::drive(Arc::clone(self), active));
    }

    /// The repository of the configuration whose checkout is `path`, which is canonical.
    ///
    /// Blocks on the file system.
    pub(crate) fn configured(&self, path: &Path) -> Option<&RepoConfig> {
        let same = |repo: &&RepoConfig| repo.path.canonicalize().is_ok_and(|p| p == path);
        self.config.repos.values().find(same)
    }

    /// `asked` without symbolic links, if workers may be started there.
    ///
    /// Blocks on the file system.
    pub(crate) fn permitted(&self, asked: &Path) -> Option<PathBuf> {
        let path = asked.canonicalize().ok()?;
        let below = |folder: &PathBuf| folder.canonicalize().is_ok_and(|f| path.starts_with(f));
        let allowed = self.configured(&path).is_some() || self.config.allow_paths.iter().any(below);
        allowed.then_some(path)
    }

    /// Makes the end of an assignment known; its `outcome.json` is there already.
    pub(crate) fn announce_end(&self, active: &Active, row: CompletedRow) {
        let assignment = row.assignment.clone();
        let end = row.end.clone();
        self.leases.table.forget(&active.id);
        if let Err(error) = self.registry.add_finished(row) {
            tracing::error!(id = %active.id, %error, "cannot serialise a finished row");
        }
        active.live.send_modify(|live: &mut Live| {
            live.phase = Phase::Ended;
            live.ended = Some(assignment.clone());
        });
        if let Some(end) = end {
            let finished_at = assignment.finished_at.unwrap_or_default();
            let end = Box::new(end);
            let kind = coord_protocol::AgentEventKind::Finished { finished_at, end };
            self.hub.publish(&active.id, kind);
        }
    }

    /// Fills the pool of the repository up, behind everything else.
    pub(crate) fn warm(self: &Arc<Self>, repo: PathBuf) {
        if self.config.warm == 0 || *self.stopping.borrow() {
            return;
        }
        let shared = Arc::clone(self);
        self.spawn(async move {
            let filled = in_background(move || {
                let branch = shared
                    .configured(&repo)
                    .and_then(|r| r.default_branch.clone());
                shared.pool.warm(&Repo::open(&repo)?, branch.as_deref())
            });
            match filled.await {
                Ok(Ok(made)) => tracing::debug!(made, "the worktree pool is filled"),
                Ok(Err(error)) => tracing::warn!(%error, "cannot fill the worktree pool"),
                Err(error) => tracing::error!(%error, "filling the worktree pool failed"),
            }
        });
    }
}
