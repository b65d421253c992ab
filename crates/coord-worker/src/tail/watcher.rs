//! The one watcher of an agent: tells every follower of a log that the log has grown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

/// Watches any number of logs with one watcher of the system. Clones are the same watcher.
#[derive(Debug, Clone)]
pub struct LogWatcher {
    shared: Arc<Shared>,
}

/// Two locks, always taken in this order. The system watcher's own thread takes the second one alone, so nobody may hold
/// that while talking to the system watcher.
#[derive(Debug)]
struct Shared {
    /// `None` if there is none to be had.
    system: Mutex<Option<RecommendedWatcher>>,
    logs: Arc<Mutex<Logs>>,
}

type Logs = HashMap<PathBuf, watch::Sender<()>>;

/// One follower's interest in one log.
#[derive(Debug)]
pub(super) struct Subscription {
    shared: Arc<Shared>,
    path: PathBuf,
    grown: watch::Receiver<()>,
}

impl LogWatcher {
    /// A watcher. Where the system has none left, logs are looked at every 100 ms instead, and a warning says so.
    pub fn new() -> Self {
        let logs = Arc::new(Mutex::new(Logs::new()));
        let told = Arc::clone(&logs);
        let system = notify::recommended_watcher(move |event| tell(&told, event));
        let system = system.inspect_err(|error| {
            tracing::warn!(%error, "files cannot be watched, logs are looked at every 100 ms instead");
        });
        Self {
            shared: Arc::new(Shared {
                system: Mutex::new(system.ok()),
                logs,
            }),
        }
    }

    /// Starts telling about a log. `None` if it does not exist yet or nothing can be watched.
    pub(super) fn subscribe(&self, path: &Path) -> notify::Result<Option<Subscription>> {
        let mut system = lock(&self.shared.system);
        let Some(watcher) = system.as_mut() else {
            return Ok(None);
        };
        let known = lock(&self.shared.logs)
            .get(path)
            .map(watch::Sender::subscribe);
        let grown = match known {
            Some(grown) => grown,
            None => {
                let (sender, grown) = watch::channel(());
                lock(&self.shared.logs).insert(path.to_path_buf(), sender);
                if let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive) {
                    lock(&self.shared.logs).remove(path);
                    return if is_absent(&error) {
                        Ok(None)
                    } else {
                        Err(error)
                    };
                }
                grown
            }
        };
        Ok(Some(Subscription {
            shared: Arc::clone(&self.shared),
            path: path.to_path_buf(),
            grown,
        }))
    }

    /// What is left where the system has no watcher to give.
    #[cfg(test)]
    pub(super) fn blind() -> Self {
        let logs = Arc::new(Mutex::new(Logs::new()));
        Self {
            shared: Arc::new(Shared {
                system: Mutex::new(None),
                logs,
            }),
        }
    }

    /// How many logs are being watched.
    pub fn watched(&self) -> usize {
        lock(&self.shared.logs).len()
    }
}

impl Default for LogWatcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Subscription {
    /// Everything so far is known.
    pub(super) fn mark_seen(&mut self) {
        self.grown.mark_unchanged();
    }

    /// Until the log has grown since [`Subscription::mark_seen`].
    pub(super) async fn changed(&mut self) {
        if self.grown.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    /// The last one to go ends the watching.
    fn drop(&mut self) {
        let mut system = lock(&self.shared.system);
        let is_last = lock(&self.shared.logs)
            .get(&self.path)
            .is_some_and(|log| log.receiver_count() <= 1);
        if !is_last {
            return;
        }
        lock(&self.shared.logs).remove(&self.path);
        if let Some(watcher) = system.as_mut() {
            // A log that was removed has lost its watch already.
            let _ = watcher.unwatch(&self.path);
        }
    }
}

/// Runs on the system watcher's thread. Our own opening and reading is reported too and must not wake anybody.
fn tell(logs: &Mutex<Logs>, event: notify::Result<Event>) {
    let logs = lock(logs);
    match event {
        Ok(event) if event.need_rescan() => logs.values().for_each(wake),
        Ok(event) if matches!(event.kind, EventKind::Modify(_) | EventKind::Create(_)) => {
            event
                .paths
                .iter()
                .filter_map(|path| logs.get(path))
                .for_each(wake);
        }
        Ok(_) => {}
        // Something was missed: everybody looks.
        Err(_) => logs.values().for_each(wake),
    }
}

fn wake(log: &watch::Sender<()>) {
    log.send_replace(());
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// A panic elsewhere leaves these maps whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
