//! A smoke assignment with a command: the agent runs it itself, and no model is started.
//!
//! The supervisor holds it as it holds a worker, so that it survives the agent, can be stopped, and
//! is gone with all its children at its time limit.

use std::ffi::OsString;
use std::time::Duration;

use coord_worker::launch::{LaunchSpec, Limits, Stdin};

use crate::active::Active;
use crate::shared::Shared;
use crate::worker::{Place, environment, header};

/// Both streams are the log; a line that the shell itself writes about the command too.
const SHELL: [&str; 4] = ["sh", "-c", "exec sh -c \"$1\" 2>&1", "sh"];

/// Everything that the supervisor needs. Reads the repository's git folder.
pub(crate) fn launch_spec(
    shared: &Shared,
    active: &Active,
    place: &Place,
    command: &str,
) -> LaunchSpec {
    let body = &active.body;
    let told = ["sh".to_owned(), "-c".to_owned(), command.to_owned()];
    let argv = SHELL.into_iter().chain([command]).map(OsString::from);
    LaunchSpec {
        dir: active.folder.path().to_path_buf(),
        argv: argv.collect(),
        cwd: place.worktree.path.clone(),
        env: environment(shared, body, &place.worktree.path),
        stdin: Stdin::File(Vec::new()),
        header: header(&shared.config.machine, body, place, &told),
        limits: limits(shared, body.timeout_seconds),
    }
}

/// A test may be silent for as long as it likes.
fn limits(shared: &Shared, asked: Option<u64>) -> Limits {
    let settings = &shared.config.worker;
    let timeout = asked.map_or(settings.timeout, Duration::from_secs);
    Limits {
        grace: settings.grace,
        timeout: Some(timeout),
        ..Limits::default()
    }
}
