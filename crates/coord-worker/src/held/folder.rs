//! Reads an assignment's folder in the one order that cannot deceive: the lock first, the records after it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use coord_supervisor::files;
use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;

use super::{ExitRecord, HeldError, RunRecord};

/// What the folder shows.
pub(super) enum Seen {
    NeverStarted,
    /// A supervisor has the folder and no worker yet.
    Starting,
    Running(RunRecord),
    Ended(ExitRecord),
    Vanished,
}

/// Looks off the event loop: disks can be slow.
pub(super) async fn look(dir: &Path) -> Result<Seen, HeldError> {
    on_blocking_thread(dir, look_now).await
}

/// The record of the start.
pub(super) async fn read_run(dir: &Path) -> Result<Option<RunRecord>, HeldError> {
    on_blocking_thread(dir, |dir| read_record(&dir.join(files::RUN))).await
}

pub(super) async fn on_blocking_thread<T: Send + 'static>(
    dir: &Path,
    work: impl FnOnce(&Path) -> Result<T, HeldError> + Send + 'static,
) -> Result<T, HeldError> {
    let owned = dir.to_path_buf();
    let task = tokio::task::spawn_blocking(move || work(&owned));
    task.await
        .unwrap_or_else(|stopped| Err(unreadable(dir.to_path_buf())(io::Error::other(stopped))))
}

/// If the lock is free now, no supervisor can write a record any more: what is read after it is final.
fn look_now(dir: &Path) -> Result<Seen, HeldError> {
    let held = is_held(dir)?;
    if let Some(record) = read_record(&dir.join(files::EXIT))? {
        return Ok(Seen::Ended(record));
    }
    let run = read_record(&dir.join(files::RUN))?;
    Ok(match (held, run) {
        (true, Some(run)) => Seen::Running(run),
        (true, None) => Seen::Starting,
        (false, Some(_)) => Seen::Vanished,
        (false, None) if exists(&dir.join(files::STARTING))? => Seen::Vanished,
        (false, None) => Seen::NeverStarted,
    })
}

/// Whether a supervisor lives. Asking takes a shared lock for an instant, which the supervisor's start forgives.
fn is_held(dir: &Path) -> Result<bool, HeldError> {
    let path = dir.join(files::LOCK);
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unreadable(path)(error)),
    };
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(unreadable(path)(error.into())),
    }
}

fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, HeldError> {
    match std::fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(record) => Ok(Some(record)),
            Err(source) => Err(HeldError::Malformed {
                path: path.to_path_buf(),
                source,
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path.to_path_buf())(error)),
    }
}

fn exists(path: &Path) -> Result<bool, HeldError> {
    path.try_exists().map_err(unreadable(path.to_path_buf()))
}

fn unreadable(path: PathBuf) -> impl FnOnce(io::Error) -> HeldError {
    |source| HeldError::Read { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        dir
    }

    const RUN: &str =
        r#"{"supervisor_pid":1,"supervisor_start":1,"pid":2,"start_time":null,"started_at":1.5}"#;
    const EXIT: &str = r#"{"code":0,"signal":null,"started_at":1.5,"finished_at":2,"reason":"exited","error":null}"#;

    #[test]
    fn without_a_lock_the_records_decide() {
        assert!(matches!(
            look_now(folder(&[]).path()),
            Ok(Seen::NeverStarted)
        ));
        assert!(matches!(
            look_now(folder(&[("lock", "")]).path()),
            Ok(Seen::NeverStarted)
        ));
        assert!(matches!(
            look_now(folder(&[("starting", "")]).path()),
            Ok(Seen::Vanished)
        ));
        assert!(matches!(
            look_now(folder(&[("run.json", RUN)]).path()),
            Ok(Seen::Vanished)
        ));
        assert!(matches!(
            look_now(folder(&[("run.json", RUN), ("exit.json", EXIT)]).path()),
            Ok(Seen::Ended(_))
        ));
    }

    #[test]
    fn with_a_lock_somebody_lives() {
        let dir = folder(&[("lock", "")]);
        let lock = File::open(dir.path().join("lock")).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(matches!(look_now(dir.path()), Ok(Seen::Starting)));
        std::fs::write(dir.path().join("run.json"), RUN).unwrap();
        assert!(matches!(look_now(dir.path()), Ok(Seen::Running(run)) if run.pid == 2));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_an_absence() {
        let dir = folder(&[("exit.json", "{\"code\":")]);
        assert!(matches!(
            look_now(dir.path()),
            Err(HeldError::Malformed { .. })
        ));
        let dir = folder(&[]);
        std::fs::create_dir(dir.path().join("run.json")).unwrap();
        assert!(matches!(look_now(dir.path()), Err(HeldError::Read { .. })));
    }
}
