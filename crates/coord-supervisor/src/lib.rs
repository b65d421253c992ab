//! The tiny program that holds one worker: its own session, the whole process tree, the log, the exit record.
//!
//! A worker belongs to no daemon. `launch DIR` starts `hold DIR` in a session of its own and goes away;
//! `hold` starts the worker that [`Instructions`] in `DIR` describe and stays until nothing of it is left.
//! Whoever launched it may die, be upgraded and come back: everything it needs to know stands in `DIR`
//! (see [`files`]).
//!
//! The third stage, `hook`, is what the worker's CLI calls before and after its tool calls: it asks the agent, see
//! [`Door`].
//!
//! It knows nothing of assignments, git or the worker's protocol beyond one fact: which lines are results.
//! It uses the standard library and `rustix` only, one thread and one `poll` loop, so that a machine full of workers
//! pays well under 2 MB for each.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

mod control;
mod deadlines;
mod door;
pub mod files;
mod hold;
mod hook;
mod instructions;
mod json;
mod launch;
mod line;
mod log;
mod readiness;
mod record;
mod stderr_log;
mod steering;
mod system;
mod tend;

pub use deadlines::Limits;
pub use door::Door;
pub use hook::{HookMode, HookMoment};
pub use instructions::{Instructions, MalformedInstructions, Stdin};
pub use readiness::{FailureKind, Readiness};
pub use record::Reason;
pub use system::start_time;

/// The hidden first argument under which other binaries offer this program.
///
/// A program whose `argv[1]` is this word hands its remaining arguments to [`run`].
pub const SUBCOMMAND: &str = "__supervise";

/// Runs one stage: `launch DIR`, `hold DIR` or `hook pre|post strict|warn FILE`, with or without a leading
/// [`SUBCOMMAND`].
///
/// `launch` prints one [`Readiness`] line; the exit code is 0 only if this call started the worker.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.skip_while(|arg| arg == SUBCOMMAND).collect();
    let ran = match args.as_slice() {
        [stage, dir] if stage == "launch" => Some(launch::run(Path::new(dir))),
        [stage, dir] if stage == "hold" => Some(hold::run(Path::new(dir))),
        [stage, moment, mode, file] if stage == "hook" => hook::run(moment, mode, Path::new(file)),
        _ => None,
    };
    ran.unwrap_or_else(|| {
        complain(
            "usage: coord-supervisor launch DIR\n(started by coord-agent; not meant to be used by hand)",
        );
        ExitCode::from(2)
    })
}

/// Tells the caller on stderr; a caller that has gone cannot be told anything.
fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}
