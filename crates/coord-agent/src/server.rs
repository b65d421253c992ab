//! Starting and ending an agent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use coord_core::ids::AssignmentId;
use coord_git::{Git, Repo, WorktreePool};
use coord_worker::launch::Supervisor;
use coord_worker::tail::LogWatcher;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::active::Active;
use crate::clock;
use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::folder::{self, Folder};
use crate::http::guard::Guard;
use crate::http::router;
use crate::hub::Hub;
use crate::leases::{self, Leases};
use crate::registry::Registry;
use crate::shared::Shared;

/// How long open connections may take to end with the agent.
const GRACE: Duration = Duration::from_secs(5);

/// How often the lock on the state folder is tried: a child that an agent was just starting when it was
/// killed holds it until its `exec`.
const LOCK_TRIES: u32 = 50;
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The server of one machine.
#[derive(Debug)]
pub struct Agent;

/// An agent that runs. Dropping it leaves it running until its runtime ends.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    stopping: watch::Sender<bool>,
    served: JoinHandle<io::Result<()>>,
}

/// What was found in the folders of earlier runs.
struct Scanned {
    registry: Registry,
    active: Vec<Arc<Active>>,
    /// Assignments that have ended and whose worktree may still be theirs, by repository.
    unreleased: BTreeMap<PathBuf, Vec<(AssignmentId, Folder)>>,
}

impl Agent {
    /// Starts an agent: takes the state folder, listens, adopts what runs, and serves.
    ///
    /// # Errors
    /// See [`AgentError`]. Nothing runs then.
    pub async fn start(config: AgentConfig) -> Result<Running, AgentError> {
        check(&config)?;
        let assignments = config.home.join("agent/assignments");
        let lock = blocking({
            let (home, assignments) = (config.home.clone(), assignments.clone());
            move || prepare_home(&home, &assignments)
        })
        .await??;
        blocking(Git::locate).await??;
        let supervisor = supervisor(&config)?;
        let listener = listen(config.bind).await?;
        let addr = listener.local_addr().map_err(|source| AgentError::Listen {
            bind: config.bind,
            source,
        })?;
        let scanned = blocking({
            let assignments = assignments.clone();
            let kept = f64::from(config.keep_finished_days) * 86_400.0;
            move || scan(&assignments, clock::now() - kept)
        })
        .await?;
        let Scanned {
            registry,
            active,
            unreleased,
        } = scanned.map_err(home_error("read", &assignments))?;
        let shared = Arc::new(share(config, addr, assignments, supervisor, registry));
        let (recovering, live) = (Arc::clone(&shared), active.clone());
        blocking(move || {
            take_up_leases(&recovering, &live);
            let live: Vec<AssignmentId> = live.iter().map(|active| active.id.clone()).collect();
            recover(&recovering, &live, &unreleased);
        })
        .await?;
        tracing::info!(%addr, adopted = active.len(), "the agent listens");
        for active in active {
            shared.drive(active);
        }
        for repo in shared.config.repos.values() {
            shared.warm(repo.path.clone());
        }
        let stopping = shared.stopping.clone();
        let served = tokio::spawn(serve(listener, shared, lock));
        Ok(Running {
            addr,
            stopping,
            served,
        })
    }
}

impl Running {
    /// Where it listens; the port is a real one also when 0 was asked for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Asks it to end. Workers are not touched: the next agent adopts them.
    pub fn shutdown(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until it has ended and its state folder is free.
    ///
    /// # Errors
    /// What ended it, when nobody had asked it to.
    pub async fn join(self) -> io::Result<()> {
        self.served.await.map_err(io::Error::other)?
    }
}

/// Rules that the configuration has to keep before anything is touched.
fn check(config: &AgentConfig) -> Result<(), AgentError> {
    if config.token.as_ref().is_some_and(String::is_empty) {
        return Err(AgentError::Invalid("the token is empty".to_owned()));
    }
    if config.max_workers == 0 {
        return Err(AgentError::Invalid("`max_workers` is 0".to_owned()));
    }
    if config.worker.command.is_empty() {
        return Err(AgentError::Invalid("`worker.command` is empty".to_owned()));
    }
    let open = config.token.is_none() && !config.insecure;
    match open && !config.bind.ip().is_loopback() {
        true => Err(AgentError::NoToken { bind: config.bind }),
        false => Ok(()),
    }
}

fn supervisor(config: &AgentConfig) -> Result<Supervisor, AgentError> {
    match &config.supervisor {
        Some(program) => {
            let prefix = [coord_supervisor::SUBCOMMAND.into()];
            Ok(Supervisor::with_program(program, prefix))
        }
        None => Supervisor::locate()
            .map_err(|e| AgentError::Invalid(format!("cannot find the own program: {e}"))),
    }
}

/// A step that blocks. It is never cancelled, so that it fails only by panicking.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AgentError> {
    let done = tokio::task::spawn_blocking(step).await;
    done.map_err(|error| AgentError::Invalid(error.to_string()))
}

fn home_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AgentError {
    let path = path.to_path_buf();
    move |source| AgentError::Home {
        doing,
        path,
        source,
    }
}

/// Makes the folders and locks them for as long as the file lives.
fn prepare_home(home: &Path, assignments: &Path) -> Result<File, AgentError> {
    fs::create_dir_all(assignments).map_err(home_error("create", assignments))?;
    let path = home.join("agent/lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(home_error("write", &path))?;
    let mut tries = 0;
    loop {
        tries += 1;
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(fs::TryLockError::WouldBlock) if tries < LOCK_TRIES => thread::sleep(LOCK_PAUSE),
            Err(fs::TryLockError::WouldBlock) => {
                return Err(AgentError::HomeInUse {
                    home: home.to_path_buf(),
                });
            }
            Err(fs::TryLockError::Error(source)) => return Err(home_error("lock", &path)(source)),
        }
    }
}

async fn listen(bind: SocketAddr) -> Result<TcpListener, AgentError> {
    TcpListener::bind(bind)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => AgentError::PortInUse { bind },
            _ => AgentError::Listen { bind, source },
        })
}

fn share(
    config: AgentConfig,
    addr: SocketAddr,
    assignments: PathBuf,
    supervisor: Supervisor,
    registry: Registry,
) -> Shared {
    let mut names = config.hosts.clone();
    names.push(config.machine.clone());
    let boot = uuid::Uuid::new_v4().simple().to_string();
    Shared {
        guard: Guard::new(config.token.clone(), addr, names),
        registry,
        hub: Hub::new(boot),
        leases: Leases::default(),
        addr,
        pool: WorktreePool::new(config.home.join("agent/worktrees"), config.warm),
        supervisor,
        logs: LogWatcher::new(),
        assignments,
        accepting: tokio::sync::Mutex::new(()),
        stopping: watch::Sender::new(false),
        tasks: Mutex::new(JoinSet::new()),
        config,
    }
}

/// Reads every folder once: an ended assignment costs one file. One that ended before `oldest`, in
/// seconds since the epoch, is removed.
fn scan(assignments: &Path, oldest: f64) -> io::Result<Scanned> {
    let mut scanned = Scanned {
        registry: Registry::default(),
        active: Vec::new(),
        unreleased: BTreeMap::new(),
    };
    for (id, folder) in folder::scan(assignments)? {
        // One damaged folder must not keep the others from being adopted.
        if let Err(error) = scanned.add(&id, &folder, oldest) {
            tracing::error!(%id, %error, "an assignment cannot be read and is left alone");
        }
    }
    Ok(scanned)
}

impl Scanned {
    fn add(&mut self, id: &AssignmentId, folder: &Folder, oldest: f64) -> io::Result<()> {
        if let Some(outcome) = folder.outcome()? {
            let ended = outcome.row.assignment.finished_at.unwrap_or(f64::MAX);
            let over = folder.released() || outcome.row.assignment.worktree_path.is_none();
            if over && ended < oldest {
                return folder.remove();
            }
            let left = !folder.released() && outcome.row.assignment.worktree_path.is_some();
            if left && let Some(plan) = folder.plan()? {
                let of_repo = self.unreleased.entry(plan.repo).or_default();
                of_repo.push((id.clone(), folder.clone()));
            }
            return Ok(self.registry.add_finished(outcome.row)?);
        }
        // Without a request in it, nobody was ever told that it was accepted.
        if let Some(spec) = folder.spec()? {
            self.active
                .push(Arc::new(Active::new(spec, folder.clone())));
        }
        Ok(())
    }
}

/// What adopted workers hold is theirs before anybody asks, and their hooks find this agent.
fn take_up_leases(shared: &Shared, live: &[Arc<Active>]) {
    for active in live {
        let asked = Path::new(&active.body.repo_path);
        let repo = asked.canonicalize().unwrap_or_else(|_| asked.to_path_buf());
        leases::hold(shared, active, repo);
        if leases::Check::of(active).is_none() {
            continue;
        }
        let seen = active.folder.watched().seen;
        active
            .live
            .send_modify(|live| live.facts.files = seen.into_iter().collect());
        if let Err(error) = leases::open_door(active, shared.addr) {
            tracing::error!(id = %active.id, %error, "its hooks cannot be told where the agent is");
        }
    }
}

/// Sorts out the worktrees that a crash has left: before anything new is given one.
fn recover(
    shared: &Shared,
    live: &[AssignmentId],
    unreleased: &BTreeMap<PathBuf, Vec<(AssignmentId, Folder)>>,
) {
    let configured = shared.config.repos.values().map(|repo| &repo.path);
    let repos: BTreeSet<PathBuf> = configured
        .chain(unreleased.keys())
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    for path in repos {
        let ended = unreleased.get(&path).map_or(&[][..], Vec::as_slice);
        if let Err(error) = recover_repo(shared, &path, live, ended) {
            tracing::warn!(repo = %path.display(), %error, "cannot sort out its worktrees");
        }
    }
}

fn recover_repo(
    shared: &Shared,
    path: &Path,
    live: &[AssignmentId],
    ended: &[(AssignmentId, Folder)],
) -> Result<(), Box<dyn std::error::Error>> {
    let repo = Repo::open(path)?;
    let keep = shared
        .configured(path)
        .map(|repo| repo.worktree.keep.clone());
    let recovered = shared
        .pool
        .recover(&repo, live, &keep.unwrap_or_default())?;
    for (worktree, error) in &recovered.left {
        let worktree = worktree.display();
        tracing::warn!(%worktree, %error, "a worktree stays as it is");
    }
    let pooled = shared.pool.list(&repo)?;
    for (id, folder) in ended {
        let theirs = pooled.iter().any(|w| w.locked_by.as_ref() == Some(id));
        if !theirs {
            folder.mark_released()?;
        }
    }
    Ok(())
}

/// Serves until asked to end; the lock on the state folder is let go last.
async fn serve(listener: TcpListener, shared: Arc<Shared>, lock: File) -> io::Result<()> {
    let app = router(Arc::clone(&shared));
    let mut stopping = shared.stopping.subscribe();
    let asked = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let server = axum::serve(listener, app).with_graceful_shutdown(asked);
    let mut stopping = shared.stopping.subscribe();
    let overdue = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(GRACE).await;
    };
    let served = tokio::select! {
        served = server => served,
        () = overdue => Ok(()),
    };
    shared.stopping.send_replace(true);
    // Whoever is accepting an assignment just now finishes that first.
    drop(shared.accepting.lock().await);
    let mut tasks = {
        let mut tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *tasks)
    };
    while tasks.join_next().await.is_some() {}
    drop(lock);
    served
}
