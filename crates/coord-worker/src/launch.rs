//! Starts a worker: writes down what is to be run and has a supervisor run it.
//!
//! The supervisor is a program of its own ([`coord_supervisor`]); what is started here outlives this process.
//! What to run is decided elsewhere.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use coord_core::failure::FailureClass;
use coord_supervisor::{FailureKind, Instructions, Readiness, files};

pub use coord_supervisor::{HookMode, HookMoment, Limits};

use crate::held::{Held, HeldError, MARKER};

/// One worker to be started.
#[derive(Debug, Clone)]
pub struct LaunchSpec {
    /// The assignment's folder, which exists. One worker is started in it, ever.
    pub dir: PathBuf,
    /// Program and arguments; the program is looked up in the `PATH` of `env`.
    pub argv: Vec<OsString>,
    /// The working folder of the worker.
    pub cwd: PathBuf,
    /// The whole environment of the worker, but for [`MARKER`], which is added.
    pub env: Vec<(OsString, OsString)>,
    /// What the worker reads.
    pub stdin: Stdin,
    /// Lines that open the log, with or without a leading `#`.
    pub header: Vec<String>,
    /// When the worker is ended without being asked.
    pub limits: Limits,
}

/// What the worker reads on its stdin.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// These bytes, then the end.
    File(Vec<u8>),
    /// This line, then whatever [`Held::input`] adds, until [`Held::close_input`].
    Steerable(Vec<u8>),
}

/// Where the supervisor's program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    program: PathBuf,
    prefix: Vec<OsString>,
}

/// Why no worker was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file of the assignment could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The supervisor itself cannot be run.
    #[error("cannot run the supervisor {}", program.display())]
    Supervisor {
        /// Its program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The program that was taken for the supervisor is none.
    #[error("{} is not a supervisor", program.display())]
    NotASupervisor {
        /// The program.
        program: PathBuf,
    },
    /// A worker runs in this folder, or ran there: adopt it.
    #[error("a worker was started in {} before", dir.display())]
    AlreadyStarted {
        /// The assignment's folder.
        dir: PathBuf,
    },
    /// The supervisor could not start the worker. The message names the program or folder.
    #[error("{message}")]
    Failed {
        /// What it failed at.
        kind: FailureKind,
        /// One line for a person.
        message: String,
    },
    /// The worker was started and cannot be adopted.
    #[error("cannot adopt the worker that was started")]
    Adopt(#[from] HeldError),
}

impl LaunchError {
    /// Whether waiting helps, or somebody has to change something.
    pub fn class(&self) -> FailureClass {
        let full = match self {
            Self::Failed {
                kind: FailureKind::Space,
                ..
            } => true,
            Self::Write { source, .. } | Self::Supervisor { source, .. } => {
                matches!(
                    source.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
                )
            }
            Self::Failed { .. }
            | Self::NotASupervisor { .. }
            | Self::AlreadyStarted { .. }
            | Self::Adopt(_) => false,
        };
        if full {
            FailureClass::Environmental { retry_at: None }
        } else {
            FailureClass::Configuration
        }
    }
}

impl Supervisor {
    /// `coord-supervisor` next to the running program (or one level up, for test binaries), else the
    /// running program itself with [`coord_supervisor::SUBCOMMAND`].
    ///
    /// # Errors
    /// If the running program cannot be told.
    pub fn locate() -> io::Result<Self> {
        let own = std::env::current_exe()?;
        let folder = own.parent().unwrap_or(Path::new("/"));
        let above = folder
            .parent()
            .filter(|_| folder.file_name() == Some(OsStr::new("deps")));
        let beside = [Some(folder), above]
            .into_iter()
            .flatten()
            .map(|folder| folder.join("coord-supervisor"));
        let found = beside.into_iter().find(|path| path.is_file());
        Ok(match found {
            Some(program) => Self::with_program(program, []),
            None => Self::with_program(own, [OsString::from(coord_supervisor::SUBCOMMAND)]),
        })
    }

    /// That program, called with these arguments before the supervisor's own.
    pub fn with_program(
        program: impl Into<PathBuf>,
        prefix: impl IntoIterator<Item = OsString>,
    ) -> Self {
        Self {
            program: program.into(),
            prefix: prefix.into_iter().collect(),
        }
    }

    /// Its program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The shell command with which the CLI asks the agent about a tool call of the worker in `dir`,
    /// the assignment's folder; `None` where a path is no text.
    ///
    /// The CLI gives it to `/bin/sh -c` and takes every exit code but 2 for consent (2.1.330), also 127: in strict
    /// mode the edit is denied too when the program has been replaced, moved or deleted.
    #[must_use]
    pub fn hook(&self, moment: HookMoment, mode: HookMode, dir: &Path) -> Option<String> {
        let program = std::path::absolute(&self.program).ok()?;
        let file = dir.join(files::HOOK);
        let mut words = vec![quoted(program.to_str()?)];
        for word in &self.prefix {
            words.push(quoted(word.to_str()?));
        }
        words.extend(["hook", moment.as_str(), mode.as_str()].map(str::to_owned));
        words.push(quoted(file.to_str()?));
        if (moment, mode) == (HookMoment::Before, HookMode::Strict) {
            words.push("|| exit 2".to_owned());
        }
        Some(words.join(" "))
    }

    /// Runs the first stage, which ends once the worker runs.
    async fn start(&self, dir: &Path) -> io::Result<Output> {
        tokio::process::Command::new(&self.program)
            .args(&self.prefix)
            .arg("launch")
            .arg(dir)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .await
    }
}

/// One word for a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Starts the worker and returns once it runs.
///
/// Safe to repeat after a crash at any point: a folder in which a worker was ever started gives
/// [`LaunchError::AlreadyStarted`]. Dropping the future does not take the start back.
///
/// # Errors
/// See [`LaunchError`]. Unless it is `Write`, `Supervisor` or `NotASupervisor`, the folder may have an exit record
/// with the reason `spawn_failed`.
pub async fn launch(supervisor: &Supervisor, spec: &LaunchSpec) -> Result<Held, LaunchError> {
    let already_started = || LaunchError::AlreadyStarted {
        dir: spec.dir.clone(),
    };
    if !write_down(spec.clone()).await? {
        return Err(already_started());
    }
    let failed = |source| LaunchError::Supervisor {
        program: supervisor.program.clone(),
        source,
    };
    let output = supervisor.start(&spec.dir).await.map_err(failed)?;
    match Readiness::parse(&String::from_utf8_lossy(&output.stdout)) {
        Some(Readiness::Started) => adopt_started(&spec.dir).await,
        Some(Readiness::Held | Readiness::AlreadyStarted) => Err(already_started()),
        Some(Readiness::Failed { kind, message }) => Err(LaunchError::Failed { kind, message }),
        None => Err(LaunchError::NotASupervisor {
            program: supervisor.program.clone(),
        }),
    }
}

/// The worker can end before we look.
async fn adopt_started(dir: &Path) -> Result<Held, LaunchError> {
    match Held::of_run(dir).await? {
        Some(held) => Ok(held),
        None => Err(LaunchError::AlreadyStarted {
            dir: dir.to_path_buf(),
        }),
    }
}

/// Writes the supervisor's instructions; `false` if a worker was started here before.
async fn write_down(spec: LaunchSpec) -> Result<bool, LaunchError> {
    let dir = spec.dir.clone();
    let task = tokio::task::spawn_blocking(move || write_files(spec));
    task.await.unwrap_or_else(|stopped| {
        Err(LaunchError::Write {
            path: dir,
            source: io::Error::other(stopped),
        })
    })
}

fn write_files(spec: LaunchSpec) -> Result<bool, LaunchError> {
    let dir = spec
        .dir
        .canonicalize()
        .map_err(|source| LaunchError::Write {
            path: spec.dir.clone(),
            source,
        })?;
    if dir.join(files::STARTING).exists() {
        return Ok(false);
    }
    let stdin = match spec.stdin {
        Stdin::File(prompt) => {
            replace(&dir, files::PROMPT, &prompt)?;
            coord_supervisor::Stdin::PromptFile
        }
        Stdin::Steerable(first) => coord_supervisor::Stdin::Steered(first),
    };
    let mut env = spec.env;
    env.retain(|(key, _)| key != MARKER);
    env.push((MARKER.into(), dir.clone().into_os_string()));
    let instructions = Instructions {
        argv: spec.argv,
        cwd: spec.cwd,
        env,
        stdin,
        header: spec.header,
        limits: spec.limits,
    };
    replace(&dir, files::LAUNCH, &instructions.encode())?;
    Ok(true)
}

/// Replaces a file whole, so that a supervisor started by somebody else at this moment reads the old or the new one.
fn replace(dir: &Path, name: &str, content: &[u8]) -> Result<(), LaunchError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let scratch = dir.join(format!("{name}.{}.{count}", std::process::id()));
    let path = dir.join(name);
    let written = write_private(&scratch, content).and_then(|()| std::fs::rename(&scratch, &path));
    written.map_err(|source| {
        let _ = std::fs::remove_file(&scratch);
        LaunchError::Write { path, source }
    })
}

/// The instructions hold the worker's environment, secrets included.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    const OWNER_ONLY: u32 = 0o600;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(OWNER_ONLY)
        .open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_stands_in_for_a_missing_supervisor() {
        let found = Supervisor::locate().unwrap();
        let beside = found.program().ends_with("coord-supervisor") && found.prefix.is_empty();
        let itself = found.prefix == [OsString::from("__supervise")];
        assert!(beside || itself, "{found:?}");
    }

    #[test]
    fn a_hook_is_one_command_whatever_the_paths() {
        let supervisor = Supervisor::with_program("/it's a/b", ["__supervise".into()]);
        let hook = |moment, mode| supervisor.hook(moment, mode, Path::new("/a $(b)"));
        assert_eq!(
            hook(HookMoment::Before, HookMode::Strict).unwrap(),
            r"'/it'\''s a/b' '__supervise' hook pre strict '/a $(b)/hook' || exit 2"
        );
        assert_eq!(
            hook(HookMoment::After, HookMode::Strict).unwrap(),
            r"'/it'\''s a/b' '__supervise' hook post strict '/a $(b)/hook'"
        );
        assert!(
            !hook(HookMoment::Before, HookMode::Warn)
                .unwrap()
                .contains("||")
        );
    }

    #[test]
    fn only_a_full_disk_is_worth_waiting_for() {
        let failed = |kind| LaunchError::Failed {
            kind,
            message: "x".to_owned(),
        };
        assert_eq!(
            failed(FailureKind::Space).class(),
            FailureClass::Environmental { retry_at: None }
        );
        assert_eq!(
            failed(FailureKind::Program).class(),
            FailureClass::Configuration
        );
        let full = LaunchError::Write {
            path: "/x".into(),
            source: io::ErrorKind::StorageFull.into(),
        };
        assert_eq!(full.class(), FailureClass::Environmental { retry_at: None });
    }
}
