//! Runs the `git` program; the only module that does.
//!
//! Every call is hermetic: no prompt, no pager, no editor, no hook, messages in English, none of
//! the variables that would point git at another repository, a time limit that kills the whole
//! process group. Callers put names that came from outside behind `--` or into full ref names.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::error::{GitError, RemoteFault};

/// The oldest git that has all we use: `checkout.workers` came with 2.32.
const OLDEST: (u32, u32) = (2, 32);
/// For commands on this machine. A big repository on a busy disk takes minutes; nothing takes longer.
const LOCAL_LIMIT: Duration = Duration::from_secs(900);
/// For commands that talk to a remote; a connection that stalls ends earlier (`lowSpeedTime`).
pub(crate) const REMOTE_LIMIT: Duration = Duration::from_secs(1800);
/// How many of the last lines on stderr go into an error.
const LAST_LINES: usize = 4;

/// Variables that redirect git to another repository, index or configuration, or let it ask.
const SCRUBBED: [&str; 16] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG_PARAMETERS",
    "GIT_QUARANTINE_PATH",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
];

/// A `git` program that is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    program: PathBuf,
    version: (u32, u32, u32),
}

impl Git {
    /// Finds `git` on the `PATH` of this process and checks its version; success is remembered.
    ///
    /// # Errors
    /// [`GitError::Missing`] and [`GitError::TooOld`].
    pub fn locate() -> Result<Self, GitError> {
        static FOUND: OnceLock<Git> = OnceLock::new();
        if let Some(git) = FOUND.get() {
            return Ok(git.clone());
        }
        let git = Self::locate_in(&std::env::var_os("PATH").unwrap_or_default())?;
        Ok(FOUND.get_or_init(|| git).clone())
    }

    /// Finds `git` in a search path with the shape of `PATH`, and checks its version.
    ///
    /// # Errors
    /// [`GitError::Missing`] and [`GitError::TooOld`].
    pub fn locate_in(search: &OsStr) -> Result<Self, GitError> {
        let program = std::env::split_paths(search)
            .filter(|folder| !folder.as_os_str().is_empty())
            .map(|folder| folder.join("git"))
            .find(|file| file.is_file())
            .ok_or(GitError::Missing)?;
        let mut git = Self {
            program,
            version: (0, 0, 0),
        };
        let said = git.run_in(Path::new("/"), "version").text()?;
        git.version = parse_version(&said).ok_or_else(|| too_old(said.trim()))?;
        let (major, minor, _) = git.version;
        if (major, minor) < OLDEST {
            return Err(too_old(said.trim().trim_start_matches("git version ")));
        }
        Ok(git)
    }

    /// Its version, e.g. `(2, 47, 3)`.
    #[must_use]
    pub fn version(&self) -> (u32, u32, u32) {
        self.version
    }

    /// A command `git <subcommand>` in `folder`.
    pub(crate) fn run_in(&self, folder: &Path, subcommand: &str) -> Run<'_> {
        Run {
            git: self,
            folder: folder.to_owned(),
            subcommand: subcommand.to_owned(),
            config: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            input: None,
            keep: usize::MAX,
            limit: LOCAL_LIMIT,
        }
    }
}

fn too_old(found: &str) -> GitError {
    GitError::TooOld {
        found: found.to_owned(),
        needed: format!("{}.{}", OLDEST.0, OLDEST.1),
    }
}

fn parse_version(said: &str) -> Option<(u32, u32, u32)> {
    let number = said.trim().strip_prefix("git version ")?;
    let mut parts = number
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    Some((parts.next()?, parts.next()?, parts.next().unwrap_or(0)))
}

/// One run of git, being put together.
pub(crate) struct Run<'a> {
    git: &'a Git,
    folder: PathBuf,
    subcommand: String,
    config: Vec<String>,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    input: Option<Vec<u8>>,
    keep: usize,
    limit: Duration,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    /// How much more came on stdout than was to be kept.
    pub(crate) left_out: u64,
    pub(crate) stderr: Vec<u8>,
}

impl Run<'_> {
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a configuration key for this run, e.g. `gc.auto=0`.
    pub(crate) fn config(mut self, setting: impl Into<String>) -> Self {
        self.config.push(setting.into());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    pub(crate) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// Keeps no more than the first bytes of what it prints.
    pub(crate) fn keep(mut self, bytes: usize) -> Self {
        self.keep = bytes;
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it; exit codes other than 0 are errors.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, GitError> {
        Ok(self.success()?.stdout)
    }

    /// Like [`Run::bytes`], with everything that it left behind.
    pub(crate) fn success(self) -> Result<Output, GitError> {
        let subcommand = self.subcommand.clone();
        let output = self.output()?;
        if output.code == Some(0) {
            Ok(output)
        } else {
            Err(output.failure(&subcommand))
        }
    }

    /// Like [`Run::bytes`], as text.
    pub(crate) fn text(self) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// Runs it to its end, whatever the exit code.
    pub(crate) fn output(mut self) -> Result<Output, GitError> {
        let started = Instant::now();
        let mut child = self.command().spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound if !self.git.program.is_file() => GitError::Missing,
            _ => GitError::io("run git in", &self.folder)(error),
        })?;
        feed(&mut child, self.input.take());
        let collected = collect(&mut child, started, self.limit, self.keep);
        let Some(((stdout, left_out), (stderr, _))) = collected else {
            end(&mut child);
            return Err(GitError::TimedOut {
                subcommand: self.subcommand,
                seconds: self.limit.as_secs(),
            });
        };
        let status = child
            .wait()
            .map_err(GitError::io("wait for git in", &self.folder))?;
        Ok(Output {
            code: status.code(),
            stdout,
            left_out,
            stderr,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        for name in SCRUBBED {
            command.env_remove(name);
        }
        command
            .current_dir(&self.folder)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", "true")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("LC_ALL", "C")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .arg("--no-pager")
            .args(["-c", "core.hooksPath=/dev/null"])
            // Work that goes on in the background would hold our pipes open.
            .args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"])
            .args(["-c", "core.fsmonitor=false"]);
        for setting in &self.config {
            command.arg("-c").arg(setting);
        }
        command
            .arg(&self.subcommand)
            .args(&self.args)
            .stdin(match self.input {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: a Ctrl-C meant for the coordinator must not end a merge halfway.
            .process_group(0);
        command
    }
}

fn feed(child: &mut Child, input: Option<Vec<u8>>) {
    if let (Some(mut stdin), Some(bytes)) = (child.stdin.take(), input) {
        // A command that ends without reading everything says why on stderr.
        std::thread::spawn(move || stdin.write_all(&bytes).ok());
    }
}

/// What came on a stream, as far as it was to be kept, and how much more there was.
type Collected = (Vec<u8>, u64);

/// Both outputs to their end, or `None` when the time is over.
fn collect(
    child: &mut Child,
    started: Instant,
    limit: Duration,
    keep: usize,
) -> Option<(Collected, Collected)> {
    let stdout = drain(child.stdout.take(), keep);
    let stderr = drain(child.stderr.take(), usize::MAX);
    let left = || limit.saturating_sub(started.elapsed());
    let stdout = stdout.recv_timeout(left()).ok()?;
    let stderr = stderr.recv_timeout(left()).ok()?;
    Some((stdout, stderr))
}

fn drain(stream: Option<impl Read + Send + 'static>, keep: usize) -> mpsc::Receiver<Collected> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut bytes, mut left_out) = (Vec::new(), 0);
        if let Some(mut stream) = stream {
            let keep = u64::try_from(keep).unwrap_or(u64::MAX);
            stream.by_ref().take(keep).read_to_end(&mut bytes).ok();
            left_out = io::copy(&mut stream, &mut io::sink()).unwrap_or(0);
        }
        sender.send((bytes, left_out)).ok();
    });
    receiver
}

/// Ends the child with everything in its process group (ssh, remote helpers).
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    child.wait().ok();
}

impl Output {
    /// The last lines on stderr, as one line.
    pub(crate) fn last_words(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with("hint:"))
            .collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("; ")
    }

    /// The error for a command that failed on this machine.
    pub(crate) fn failure(&self, subcommand: &str) -> GitError {
        GitError::Command {
            subcommand: subcommand.to_owned(),
            code: self.code,
            stderr: self.last_words(),
        }
    }

    /// The error for a command that talked to a remote.
    pub(crate) fn remote_failure(&self, subcommand: &str) -> GitError {
        let text = String::from_utf8_lossy(&self.stderr);
        match remote_fault(&text) {
            Some(fault) => GitError::Remote {
                subcommand: subcommand.to_owned(),
                fault,
                stderr: self.last_words(),
            },
            None => self.failure(subcommand),
        }
    }
}

/// Phrases of git 2.32 to 2.47, curl and OpenSSH under `LC_ALL=C`, most telling first.
fn remote_fault(stderr: &str) -> Option<RemoteFault> {
    const CREDENTIALS: [&str; 8] = [
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "terminal prompts disabled",
        "Permission denied (",
        "Host key verification failed",
        "returned error: 401",
        "returned error: 403",
    ];
    const NO_REPOSITORY: [&str; 3] = [
        "does not appear to be a git repository",
        "Repository not found",
        "returned error: 404",
    ];
    const UNREACHABLE: [&str; 14] = [
        "Could not read from remote repository",
        "unable to access",
        "unable to connect",
        "Could not resolve host",
        "Connection refused",
        "Connection reset",
        "Connection timed out",
        "Operation timed out",
        "Network is unreachable",
        "hung up unexpectedly",
        "early EOF",
        "unexpected disconnect",
        "RPC failed",
        "returned error: 5",
    ];
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| stderr.contains(phrase));
    if says(&CREDENTIALS) {
        Some(RemoteFault::Credentials)
    } else if says(&NO_REPOSITORY)
        || (stderr.contains("repository '") && stderr.contains("not found"))
    {
        Some(RemoteFault::NoSuchRepository)
    } else if says(&UNREACHABLE) {
        Some(RemoteFault::Unreachable)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_several_vendors() {
        assert_eq!(parse_version("git version 2.47.3\n"), Some((2, 47, 3)));
        assert_eq!(
            parse_version("git version 2.39.5 (Apple Git-154)"),
            Some((2, 39, 5))
        );
        assert_eq!(
            parse_version("git version 2.45.1.windows.1"),
            Some((2, 45, 1))
        );
        assert_eq!(parse_version("hub version 1"), None);
    }

    #[test]
    fn what_remotes_say() {
        let cases = [
            (
                "fatal: unable to access 'https://h/': Could not resolve host: h",
                Some(RemoteFault::Unreachable),
            ),
            (
                "fatal: the remote end hung up unexpectedly",
                Some(RemoteFault::Unreachable),
            ),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                Some(RemoteFault::Credentials),
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                Some(RemoteFault::Credentials),
            ),
            (
                "fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                Some(RemoteFault::NoSuchRepository),
            ),
            ("fatal: bad object HEAD", None),
        ];
        for (stderr, fault) in cases {
            assert_eq!(remote_fault(stderr), fault, "{stderr}");
        }
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let git = fake(folder.path(), "sleep 1000 & echo $! > child; wait");
        let error = git
            .run_in(folder.path(), "fetch")
            .limit(Duration::from_secs(3))
            .bytes()
            .unwrap_err();
        assert!(matches!(error, GitError::TimedOut { .. }), "{error}");
        let child = std::fs::read_to_string(folder.path().join("child")).unwrap();
        let pid = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
        // Either it is gone for good, or the end of the process becomes readable.
        if let Ok(process) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        {
            let mut watched = [rustix::event::PollFd::new(
                &process,
                rustix::event::PollFlags::IN,
            )];
            rustix::event::poll(&mut watched, None).unwrap();
        }
    }

    #[test]
    fn the_error_carries_the_command_and_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let git = fake(folder.path(), "echo a >&2; echo 'fatal: b' >&2; exit 7");
        let error = git.run_in(folder.path(), "gc").bytes().unwrap_err();
        assert_eq!(error.to_string(), "git gc failed: a; fatal: b");
    }

    /// Written by another process: a child that a test beside this one forks just then would
    /// inherit our descriptor, and a file that is open for writing cannot be run.
    fn fake(folder: &Path, body: &str) -> Git {
        let program = folder.join("git");
        let written = Command::new("sh")
            .args([
                "-c",
                "printf '#!/bin/sh\\n%s\\n' \"$0\" > git && chmod 755 git",
                body,
            ])
            .current_dir(folder)
            .status();
        assert!(written.unwrap().success());
        Git {
            program,
            version: (2, 47, 3),
        }
    }
}
