//! How a question comes to its end, asked for or not.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use coord_supervisor::files;
use tokio::time::{Instant, sleep, timeout};

use super::place::Place;
use crate::held::{Adopted, Ended, Held, HeldError};
use crate::outcome::{ExitFacts, ExitReason};

/// How long ending may take: grace, kill, and what the system needs.
const PATIENCE: Duration = Duration::from_secs(10);
/// A start that nobody waits for any more shows within this time.
const STARTING: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(10);
/// How much of what it wrote to stderr is looked at, in bytes.
const TAIL: u64 = 4096;

/// What the supervisor knows of the end.
pub(super) fn facts(ended: &Ended, stderr_tail: String) -> ExitFacts {
    match ended {
        Ended::Recorded(record) => ExitFacts {
            code: record.code,
            signal: record.signal,
            reason: record.reason.into(),
            error: record.error.clone(),
            stderr_tail,
        },
        Ended::Vanished(_) => ExitFacts {
            code: None,
            signal: None,
            reason: ExitReason::Vanished,
            error: None,
            stderr_tail,
        },
    }
}

/// The end of what it wrote to stderr; empty where that cannot be read.
pub(super) fn stderr_tail(dir: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let file = File::open(dir.join(files::STDERR))?;
        let len = file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(len.min(TAIL)).unwrap_or_default()];
        file.read_exact_at(&mut bytes, len.saturating_sub(TAIL))?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Ends what runs in the folder, and waits for that. A thread and a loop of its own: whoever drops
/// the question may be in the middle of one.
pub(super) fn end_now(dir: &Path) {
    std::thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let ended = runtime.map(|it| it.block_on(async { timeout(PATIENCE, end(dir)).await }));
            if !matches!(ended, Ok(Ok(Ok(())))) {
                tracing::warn!(path = %dir.display(), "what was asked may still run: {ended:?}");
            }
        });
        // It only warns.
        let _ = ending.join();
    });
}

async fn end(dir: &Path) -> Result<(), HeldError> {
    let began = Instant::now();
    loop {
        match Held::adopt(dir).await? {
            Adopted::Running(held) => {
                // It may end by itself at this moment.
                let _ = held.stop().await;
                if let Ended::Vanished(left) = held.wait().await? {
                    left.end_leftovers().await?;
                }
                return Ok(());
            }
            Adopted::Vanished(left) => {
                left.end_leftovers().await?;
                return Ok(());
            }
            Adopted::Ended(_) => return Ok(()),
            Adopted::NeverStarted if !dir.join(files::LAUNCH).exists() => return Ok(()),
            Adopted::NeverStarted if began.elapsed() > STARTING => return Ok(()),
            Adopted::NeverStarted => sleep(PAUSE).await,
        }
    }
}

/// Ends what askers have left behind that were killed.
pub(super) async fn sweep(home: &Path) {
    let home = home.to_owned();
    let swept = tokio::task::spawn_blocking(move || {
        let entries = std::fs::read_dir(&home).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| Place::abandoned(&entry.path()))
            .for_each(drop);
    });
    if let Err(error) = swept.await {
        tracing::warn!(%error, "what earlier questions left behind was not looked for");
    }
}
