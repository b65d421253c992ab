//! The first stage: starts the second in the background, waits for its one line, and goes away.
//!
//! Because this process ends, the one that holds the worker is nobody's child and outlives whoever asked for it.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ExitCode, Stdio};

use crate::readiness::{FailureKind, Readiness};
use crate::{SUBCOMMAND, complain, system};

pub(crate) fn run(dir: &Path) -> ExitCode {
    let readiness = start(dir).unwrap_or_else(|error| Readiness::Failed {
        kind: FailureKind::of(&error),
        message: format!("cannot hold a worker in {}: {error}", dir.display()),
    });
    let _ = writeln!(io::stdout(), "{readiness}");
    match &readiness {
        Readiness::Started => return ExitCode::SUCCESS,
        Readiness::Held => complain("a supervisor holds this folder already"),
        Readiness::AlreadyStarted => complain("a worker was started in this folder before"),
        Readiness::Failed { message, .. } => complain(message),
    }
    ExitCode::FAILURE
}

fn start(dir: &Path) -> io::Result<Readiness> {
    system::keep_descriptors_here();
    let dir = dir.canonicalize()?;
    // What holds the worker is the worker's parent: an environment of the agent's, with its tokens, could be read from there.
    let mut holder = system::own_program()?
        .args([SUBCOMMAND, "hold"])
        .arg(dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = holder.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    Readiness::parse(&line).ok_or_else(|| io::Error::other("the supervisor ended without a word"))
}
