//! Follows a log that a supervisor is writing, and hands out whole lines as they come.
//!
//! One [`LogWatcher`] serves a whole agent: systems allow only few watchers (128 on Linux by default).
//! What the lines mean is decided elsewhere.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

mod reader;
mod watcher;

pub use watcher::LogWatcher;

use reader::LineReader;
use watcher::Subscription;

/// How often a log is looked at that cannot be watched.
const POLL: Duration = Duration::from_millis(100);

/// Whole lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The byte offset of the first line.
    pub start: u64,
    /// The byte offset after the last line: where to go on from.
    pub end: u64,
    /// The lines with their line breaks. Only the last chunk of a log that was cut off can lack one.
    pub bytes: Vec<u8>,
}

/// How a follower learns that there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The system says so.
    Pushed,
    /// It looks every 100 ms, because the log cannot be watched (no watches left, or it does not exist yet).
    Polled,
}

/// Why a log cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The log.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// One reader of one log. Made by [`LogWatcher::follow`].
#[derive(Debug)]
pub struct LogFollower {
    watcher: LogWatcher,
    subscription: Option<Subscription>,
    refused: bool,
    reader: Arc<LineReader>,
    position: u64,
    ended: watch::Receiver<bool>,
    finished: bool,
}

impl LogWatcher {
    /// Follows the log at `path` from the byte offset `from`, which should be the start of a line.
    ///
    /// The log need not exist yet. The follower ends after the last byte once `ended` is true, or nobody can set it any more.
    pub fn follow(&self, path: &Path, from: u64, ended: watch::Receiver<bool>) -> LogFollower {
        LogFollower {
            watcher: self.clone(),
            subscription: None,
            refused: false,
            reader: Arc::new(LineReader::new(path)),
            position: from,
            ended,
            finished: false,
        }
    }
}

impl LogFollower {
    /// How it learns that there is more; settled with the first call of [`LogFollower::next`].
    pub fn pace(&self) -> Pace {
        if self.subscription.is_some() {
            Pace::Pushed
        } else {
            Pace::Polled
        }
    }

    /// The offset after everything that was handed out.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next whole lines; `None` once the log has ended. Safe to cancel: nothing is lost or handed out twice.
    ///
    /// # Errors
    /// If the log cannot be read. The next call tries again.
    pub async fn next(&mut self) -> Result<Option<Chunk>, TailError> {
        while !self.finished {
            // The order matters: watch, then ask whether it has ended, then read. Then whatever is written after
            // the read announces itself, and whatever was written before the end is read.
            self.subscribe();
            let is_last = self.has_ended();
            if let Some(chunk) = self.read(is_last).await? {
                self.position = chunk.end;
                return Ok(Some(chunk));
            }
            if is_last {
                self.finished = true;
            } else {
                self.sleep().await;
            }
        }
        Ok(None)
    }

    fn has_ended(&mut self) -> bool {
        self.ended.has_changed().is_err() || *self.ended.borrow_and_update()
    }

    /// Marks everything up to now as seen, and watches the log if it is not watched yet and can be.
    fn subscribe(&mut self) {
        if let Some(subscription) = &mut self.subscription {
            subscription.mark_seen();
            return;
        }
        if self.refused {
            return;
        }
        match self.watcher.subscribe(self.reader.path()) {
            Ok(subscription) => self.subscription = subscription,
            Err(error) => {
                self.refused = true;
                tracing::warn!(log = %self.reader.path().display(), %error, "the log cannot be watched, looking at it instead");
            }
        }
    }

    async fn read(&self, is_last: bool) -> Result<Option<Chunk>, TailError> {
        let (reader, position) = (Arc::clone(&self.reader), self.position);
        let read = tokio::task::spawn_blocking(move || reader.read(position, is_last)).await;
        read.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
            .map_err(|source| TailError::Read {
                path: self.reader.path().to_path_buf(),
                source,
            })
    }

    /// Until there may be more, or no more.
    async fn sleep(&mut self) {
        let changed = async {
            match &mut self.subscription {
                Some(subscription) => subscription.changed().await,
                None => tokio::time::sleep(POLL).await,
            }
        };
        tokio::select! {
            () = changed => {}
            _ = self.ended.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_watcher_the_log_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "one\n").unwrap();
        let (end, ended) = watch::channel(false);
        let mut follower = LogWatcher::blind().follow(&path, 0, ended);
        assert_eq!(follower.next().await.unwrap().unwrap().bytes, b"one\n");
        assert_eq!(follower.pace(), Pace::Polled);
        let waiting =
            tokio::spawn(async move { (follower.next().await.unwrap().unwrap(), follower) });
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        let (chunk, mut follower) = waiting.await.unwrap();
        assert_eq!(
            chunk,
            Chunk {
                start: 4,
                end: 8,
                bytes: b"two\n".to_vec()
            }
        );
        end.send(true).unwrap();
        assert_eq!(follower.next().await.unwrap().unwrap().bytes, b"thr");
        assert_eq!(follower.next().await.unwrap(), None);
    }
}
