//! The program that the CLI calls before and after a worker's tool calls: it asks the agent.
//!
//! `hook pre|post strict|warn FILE` hands its stdin to the agent as it is, and prints what the agent
//! answers. It starts for every edit of every worker, so it parses nothing and decides nothing but
//! what holds where nobody answers: the CLI lets a call through whenever its hook fails (exit 1, no
//! such program, time-out; measured with 2.1.330), so in strict mode this program never fails, it denies.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::door::{self, Door};
use crate::{complain, files};

/// Of all exit codes the only one that keeps the CLI from making the call (2.1.330).
const DENIED: u8 = 2;
/// How long an agent is looked for: one that is started again is back within that time.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest call that is written down for later, in bytes.
const LONGEST_NOTE: usize = 64 * 1024;
/// How much is written down in all, in bytes.
const MOST_NOTES: u64 = 1024 * 1024;

/// What the worker is told in strict mode where nobody answers.
const NOBODY_ANSWERS: &str = "\
The coordinator's agent on this machine does not answer, so nobody can say whether somebody else is changing \
this file; it was not changed. Go on with something else and try again in a minute. End with a line \
`STUCK: the coordinator's agent does not answer` if it stays like this. Do not change the file in another way.";

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookMoment {
    /// Before a tool call, which it can deny.
    Before,
    /// After a tool call.
    After,
}

/// What a hook does where the agent cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookMode {
    /// It denies the call.
    Strict,
    /// It lets the call through and writes it down.
    Warn,
}

impl HookMoment {
    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "pre",
            Self::After => "post",
        }
    }

    fn parse(word: &OsStr) -> Option<Self> {
        [Self::Before, Self::After]
            .into_iter()
            .find(|it| word == it.as_str())
    }

    /// How long the agent may take. After a call it looks at the whole worktree.
    const fn limit(self) -> Duration {
        match self {
            Self::Before => Duration::from_secs(10),
            Self::After => Duration::from_secs(60),
        }
    }
}

impl HookMode {
    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Warn => "warn",
        }
    }

    fn parse(word: &OsStr) -> Option<Self> {
        [Self::Strict, Self::Warn]
            .into_iter()
            .find(|it| word == it.as_str())
    }
}

/// Runs with these arguments; `None` if they are not a hook's.
pub(crate) fn run(moment: &OsStr, mode: &OsStr, file: &Path) -> Option<ExitCode> {
    let (moment, mode) = (HookMoment::parse(moment)?, HookMode::parse(mode)?);
    let answered = called().and_then(|call| {
        ask_patiently(file, &call, moment.limit())
            .inspect_err(|_| {
                if (moment, mode) == (HookMoment::Before, HookMode::Warn) {
                    write_down(file, &call);
                }
            })
            .and_then(|answer| say(&answer))
    });
    Some(match (answered, moment, mode) {
        (Err(_), HookMoment::Before, HookMode::Strict) => {
            complain(NOBODY_ANSWERS);
            ExitCode::from(DENIED)
        }
        (Ok(()) | Err(_), _, _) => ExitCode::SUCCESS,
    })
}

/// What the CLI says about the call.
fn called() -> io::Result<Vec<u8>> {
    let mut call = Vec::new();
    io::stdin().read_to_end(&mut call)?;
    Ok(call)
}

fn say(answer: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(answer)?;
    stdout.flush()
}

/// The agent may be about to come back, at another address: the file says which.
fn ask_patiently(file: &Path, call: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    let start = Instant::now();
    loop {
        let asked = Door::read(file).and_then(|it| door::knock(&it, call, start + limit));
        match asked {
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            asked => return asked,
        }
    }
}

/// For the agent, who reads it when it is back. What is not written down is found in the worktree.
fn write_down(file: &Path, call: &[u8]) {
    if call.len() > LONGEST_NOTE {
        return;
    }
    let mut line: Vec<u8> = call.to_vec();
    line.iter_mut()
        .filter(|byte| **byte == b'\n')
        .for_each(|byte| *byte = b' ');
    line.push(b'\n');
    let notes = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file.with_file_name(files::UNCHECKED));
    // Whoever could be told of a failure does not answer.
    let _ = notes.and_then(|mut notes| match notes.metadata()?.len() < MOST_NOTES {
        true => notes.write_all(&line),
        false => Ok(()),
    });
}
