//! Lock files of refs that a killed process has left behind.
//!
//! gix takes its locks away however it ends, but for SIGKILL and a power cut. A lock that stays
//! would keep everybody from the ref for ever; git leaves the matter to the person.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use gix::refs::FullName;

/// A ref is locked for milliseconds, so a lock of this age belongs to nobody.
const STALE: Duration = Duration::from_secs(2);

/// Rewriting all packed refs of a large repository takes longer.
const STALE_PACKED: Duration = Duration::from_secs(10);

/// How often a write is tried in all.
const TRIES: usize = 3;

/// Runs `write`, which writes the ref `name`; where a lock stands in its way that nobody holds
/// any more, takes that away and tries again.
pub(super) fn despite_stale_locks<T, E>(
    repo: &gix::Repository,
    name: &FullName,
    write: impl Fn() -> Result<T, E>,
) -> Result<T, E> {
    let mut written = write();
    for _ in 1..TRIES {
        if written.is_ok() || !clear(&locks(repo, name)) {
            break;
        }
        written = write();
    }
    written
}

/// The files that gix and git lock the ref with, and the age from which each is stale.
fn locks(repo: &gix::Repository, name: &FullName) -> [(PathBuf, Duration); 2] {
    let name = name.as_bstr().to_string();
    let folder = if name.starts_with("refs/") {
        repo.common_dir()
    } else {
        repo.git_dir()
    };
    [
        (folder.join(format!("{name}.lock")), STALE),
        (repo.common_dir().join("packed-refs.lock"), STALE_PACKED),
    ]
}

/// Waits until the locks that there are have gone or are stale, and removes those. `false` when
/// there was none: then it is something else that stands in the way.
fn clear(locks: &[(PathBuf, Duration)]) -> bool {
    let mut found = false;
    for (path, stale) in locks {
        let Some(born) = modified(path) else {
            continue;
        };
        found = true;
        sleep(stale.saturating_sub(born.elapsed().unwrap_or_default()));
        // Another one of that name is somebody's who is at work.
        if modified(path) == Some(born) {
            tracing::warn!(lock = %path.display(), "a lock that nobody holds any more is removed");
            // Gone already: somebody else was faster.
            let _ = fs::remove_file(path);
        }
    }
    found
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
