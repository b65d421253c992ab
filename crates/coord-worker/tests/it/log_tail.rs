//! Followers of logs that grow while they are read.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use coord_worker::tail::{Chunk, LogFollower, LogWatcher, Pace};
use tokio::sync::watch;

struct Log {
    _dir: tempfile::TempDir,
    path: PathBuf,
    end: watch::Sender<bool>,
}

impl Log {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.ndjson");
        Self {
            _dir: dir,
            path,
            end: watch::channel(false).0,
        }
    }

    fn file(&self) -> File {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .unwrap()
    }

    fn append(&self, text: &str) {
        self.file().write_all(text.as_bytes()).unwrap();
    }

    fn follow(&self, watcher: &LogWatcher, from: u64) -> LogFollower {
        watcher.follow(&self.path, from, self.end.subscribe())
    }
}

async fn next(follower: &mut LogFollower) -> Option<Chunk> {
    tokio::time::timeout(Duration::from_secs(30), follower.next())
        .await
        .unwrap()
        .unwrap()
}

async fn text(follower: &mut LogFollower) -> String {
    String::from_utf8(next(follower).await.unwrap().bytes).unwrap()
}

#[tokio::test]
async fn what_was_written_before_and_what_comes() {
    let log = Log::new();
    log.append("one\ntwo\n");
    let mut follower = log.follow(&LogWatcher::new(), 0);
    assert_eq!(text(&mut follower).await, "one\ntwo\n");
    assert_eq!((follower.pace(), follower.position()), (Pace::Pushed, 8));
    log.append("half ");
    log.append("whole\nrest");
    assert_eq!(text(&mut follower).await, "half whole\n");
    log.end.send_replace(true);
    assert_eq!(
        next(&mut follower).await,
        Some(Chunk {
            start: 19,
            end: 23,
            bytes: b"rest".to_vec()
        })
    );
    assert_eq!(next(&mut follower).await, None);
    assert_eq!(next(&mut follower).await, None);
}

#[tokio::test]
async fn goes_on_from_an_offset() {
    let log = Log::new();
    log.append("one\ntwo\n");
    let mut follower = log.follow(&LogWatcher::new(), 4);
    assert_eq!(text(&mut follower).await, "two\n");
}

#[tokio::test]
async fn a_follower_that_waits_is_told() {
    let log = Log::new();
    log.append("");
    let mut follower = log.follow(&LogWatcher::new(), 0);
    let waiting = tokio::spawn(async move { text(&mut follower).await });
    tokio::task::yield_now().await;
    log.append("told\n");
    assert_eq!(waiting.await.unwrap(), "told\n");
}

#[tokio::test]
async fn the_end_wakes_a_follower_that_waits() {
    let log = Log::new();
    log.append("one\n");
    let mut follower = log.follow(&LogWatcher::new(), 0);
    assert_eq!(text(&mut follower).await, "one\n");
    let waiting = tokio::spawn(async move { next(&mut follower).await });
    tokio::task::yield_now().await;
    drop(log.end);
    assert_eq!(waiting.await.unwrap(), None);
}

#[tokio::test]
async fn a_log_that_does_not_exist_yet() {
    let log = Log::new();
    let mut follower = log.follow(&LogWatcher::new(), 0);
    let waiting = tokio::spawn(async move { (text(&mut follower).await, follower) });
    tokio::task::yield_now().await;
    log.append("born\n");
    let (first, mut follower) = waiting.await.unwrap();
    assert_eq!(first, "born\n");
    log.append("grown\n");
    assert_eq!(text(&mut follower).await, "grown\n");
    assert_eq!(follower.pace(), Pace::Pushed);
}

#[tokio::test]
async fn followers_of_one_log_share_a_watch_and_the_last_one_ends_it() {
    let (log, watcher) = (Log::new(), LogWatcher::new());
    log.append("one\n");
    let mut followers = [log.follow(&watcher, 0), log.follow(&watcher, 0)];
    for follower in &mut followers {
        assert_eq!(text(follower).await, "one\n");
    }
    assert_eq!(watcher.watched(), 1);
    let [first, mut second] = followers;
    drop(first);
    assert_eq!(watcher.watched(), 1);
    log.append("two\n");
    assert_eq!(text(&mut second).await, "two\n");
    drop(second);
    assert_eq!(watcher.watched(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_line_is_lost_or_cut_while_somebody_writes() {
    const LINES: usize = 5000;
    let log = Log::new();
    let mut file = log.file();
    let (mut follower, end) = (log.follow(&LogWatcher::new(), 0), log.end.clone());
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            let line = format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(n % 300));
            let (front, back) = line.split_at(line.len() / 2);
            file.write_all(front.as_bytes()).unwrap();
            file.write_all(back.as_bytes()).unwrap();
        }
        end.send_replace(true);
    });
    let (mut all, mut position) = (Vec::new(), 0);
    while let Some(chunk) = impatient(&mut follower).await {
        assert!(chunk.bytes.ends_with(b"\n"));
        assert_eq!(
            (chunk.start, chunk.end),
            (position, position + chunk.bytes.len() as u64)
        );
        position = chunk.end;
        all.extend(chunk.bytes);
    }
    writer.join().unwrap();
    assert_eq!(all, std::fs::read(&log.path).unwrap());
    assert_eq!(all.iter().filter(|byte| **byte == b'\n').count(), LINES);
}

/// Gives up a first call in the middle of whatever it was doing, which must cost nothing, and calls again.
async fn impatient(follower: &mut LogFollower) -> Option<Chunk> {
    tokio::select! {
        biased;
        chunk = follower.next() => return chunk.unwrap(),
        () = tokio::task::yield_now() => {}
    }
    next(follower).await
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_an_error() {
    let log = Log::new();
    std::fs::create_dir(&log.path).unwrap();
    let mut follower = log.follow(&LogWatcher::new(), 0);
    let error = follower.next().await.unwrap_err();
    assert!(error.to_string().contains("log.ndjson"), "{error}");
}
