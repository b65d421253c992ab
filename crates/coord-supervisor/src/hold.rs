//! The second stage: takes the folder, starts the worker at most once, and leaves the record of its end.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, getpid};

use crate::control::Control;
use crate::deadlines::Deadlines;
use crate::instructions::{self, Instructions};
use crate::log::Log;
use crate::readiness::{FailureKind, Readiness};
use crate::record::{ExitRecord, RunRecord, epoch_seconds, reserve_exit};
use crate::stderr_log::StderrLog;
use crate::steering::Steering;
use crate::tend::{Tender, Worker};
use crate::{files, system};

pub(crate) fn run(dir: &Path) -> ExitCode {
    let (readiness, held) = match take_and_start(dir) {
        Ok(held) => (Readiness::Started, Some(held)),
        Err(readiness) => (readiness, None),
    };
    // The launcher may be gone. The pipe stays open, but its other end does not, so it keeps nobody waiting.
    let _ = writeln!(io::stdout(), "{readiness}");
    match held {
        Some(held) => held.tend(dir),
        None => ExitCode::FAILURE,
    }
}

/// A started worker, and the lock that says so.
struct Held {
    _lock: File,
    tender: Tender,
    started_at: f64,
}

impl Held {
    fn tend(self, dir: &Path) -> ExitCode {
        sweep(dir, &[files::LAUNCH]);
        let end = self.tender.run();
        let record = ExitRecord {
            code: end.code,
            signal: end.signal,
            started_at: Some(self.started_at),
            reason: end.reason,
            error: end.error,
            log_bytes: end.log_bytes,
            lost_bytes: end.lost_bytes,
        };
        // Before the record: whoever sees that finds nothing else going on here.
        sweep(dir, &[files::LAUNCH, files::CONTROL]);
        if record.write(dir).is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn take_and_start(dir: &Path) -> Result<Held, Readiness> {
    let lock = take_folder(dir)?;
    let instructions = read_instructions(dir)?;
    let opened = Opened::prepare(dir)
        .map_err(|error| failed(&error, "cannot prepare the assignment's folder"))?;
    mark(dir).map_err(|error| failed(&error, "cannot mark the start"))?;
    start_marked(dir, instructions, opened, lock).inspect_err(|readiness| {
        if let Readiness::Failed { message, .. } = readiness {
            sweep(dir, &[files::LAUNCH, files::CONTROL]);
            // Without the record the mark still stands, and that is told as a loss: never as a second start.
            let _ = ExitRecord::never_ran(message.clone()).write(dir);
        }
    })
}

/// Removes what is of no more use. The instructions hold the worker's environment, and a second launch may write them again
/// while the first worker runs.
fn sweep(dir: &Path, names: &[&str]) {
    for name in names {
        let _ = fs::remove_file(dir.join(name));
    }
}

/// Gets the lock for life, if nobody has it and nothing was ever started here.
fn take_folder(dir: &Path) -> Result<File, Readiness> {
    rustix::process::setsid()
        .map_err(io::Error::from)
        .and_then(|_| system::become_keeper())
        .map_err(|error| failed(&error, "cannot get a session of its own"))?;
    let lock = files::open_write(&dir.join(files::LOCK))
        .map_err(|error| failed(&error, "cannot open the lock"))?;
    lock_patiently(&lock)?;
    if [files::RUN, files::EXIT]
        .iter()
        .any(|name| dir.join(name).exists())
    {
        return Err(Readiness::AlreadyStarted);
    }
    if dir.join(files::STARTING).exists() {
        let error = "an earlier start was interrupted before it was recorded".to_owned();
        let _ = ExitRecord::never_ran(error).write(dir);
        return Err(Readiness::AlreadyStarted);
    }
    Ok(lock)
}

/// Somebody who merely asks whether the folder is held has the lock for an instant too.
fn lock_patiently(lock: &File) -> Result<(), Readiness> {
    const ATTEMPTS: u32 = 10;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..ATTEMPTS {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            Err(error) => return Err(failed(&error.into(), "cannot lock the assignment's folder")),
        }
    }
    Err(Readiness::Held)
}

fn read_instructions(dir: &Path) -> Result<Instructions, Readiness> {
    let bytes = fs::read(dir.join(files::LAUNCH))
        .map_err(|error| failed(&error, "cannot read the launch instructions"))?;
    Instructions::decode(&bytes).map_err(|error| Readiness::Failed {
        kind: FailureKind::Other,
        message: error.to_string(),
    })
}

/// What must be open before a worker may be started.
struct Opened {
    log: Log<File>,
    stderr_log: StderrLog,
    control: Control,
}

impl Opened {
    fn prepare(dir: &Path) -> io::Result<Self> {
        reserve_exit(dir)?;
        Ok(Self {
            log: Log::new(files::open_append(&dir.join(files::LOG))?),
            stderr_log: StderrLog::open(dir)?,
            control: Control::create(dir)?,
        })
    }
}

/// From here on nobody starts a worker in this folder again, not even after a power cut.
fn mark(dir: &Path) -> io::Result<()> {
    files::open_write(&dir.join(files::STARTING))?;
    files::sync_folder(dir)
}

fn start_marked(
    dir: &Path,
    instructions: Instructions,
    mut opened: Opened,
    lock: File,
) -> Result<Held, Readiness> {
    for line in &instructions.header {
        opened.log.append(header_line(line).as_bytes());
    }
    let started_at = epoch_seconds();
    let mut child = spawn(dir, &instructions)?;
    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else {
        return Err(Readiness::Failed {
            kind: FailureKind::Other,
            message: "the worker has no process id".to_owned(),
        });
    };
    let begun = worker(&mut child, pid, &instructions).and_then(|worker| {
        record_start(dir, pid, started_at)?;
        Ok(worker)
    });
    let worker = begun.map_err(|error| {
        system::signal_everything(Some(pid), rustix::process::Signal::KILL);
        let _ = child.wait();
        failed(&error, "cannot record the start")
    })?;
    let deadlines = Deadlines::new(instructions.limits, Instant::now());
    let tender = Tender::new(
        worker,
        opened.log,
        opened.stderr_log,
        opened.control,
        deadlines,
    );
    Ok(Held {
        _lock: lock,
        tender,
        started_at,
    })
}

/// One line that begins with `#`, whatever the text is.
fn header_line(text: &str) -> String {
    let line = text.replace(['\n', '\r'], " ");
    if line.starts_with('#') {
        format!("{line}\n")
    } else {
        format!("# {line}\n")
    }
}

fn spawn(dir: &Path, instructions: &Instructions) -> Result<Child, Readiness> {
    use std::os::unix::process::CommandExt as _;
    if !instructions.cwd.is_dir() {
        let message = format!(
            "the working folder {} does not exist",
            instructions.cwd.display()
        );
        return Err(Readiness::Failed {
            kind: FailureKind::Folder,
            message,
        });
    }
    let stdin =
        stdin(dir, instructions).map_err(|error| failed(&error, "cannot open the prompt"))?;
    let mut command = Command::new(instructions.program());
    command
        .args(instructions.argv.iter().skip(1))
        .env_clear()
        .envs(instructions.env.iter().map(|(key, value)| (key, value)))
        .current_dir(&instructions.cwd)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    system::die_with_parent(&mut command);
    command
        .spawn()
        .map_err(|error| spawn_failed(&error, instructions))
}

fn stdin(dir: &Path, instructions: &Instructions) -> io::Result<Stdio> {
    match &instructions.stdin {
        instructions::Stdin::PromptFile => Ok(File::open(dir.join(files::PROMPT))?.into()),
        instructions::Stdin::Steered(_) => Ok(Stdio::piped()),
    }
}

fn worker(child: &mut Child, pid: Pid, instructions: &Instructions) -> io::Result<Worker> {
    let steering = match (&instructions.stdin, child.stdin.take()) {
        (instructions::Stdin::Steered(first), Some(pipe)) => Some(Steering::new(pipe, first)?),
        (instructions::Stdin::Steered(_) | instructions::Stdin::PromptFile, _) => None,
    };
    Ok(Worker {
        pid,
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
        steering,
    })
}

fn record_start(dir: &Path, pid: Pid, started_at: f64) -> io::Result<()> {
    let supervisor_pid = getpid().as_raw_nonzero().get();
    let pid = pid.as_raw_nonzero().get();
    RunRecord {
        supervisor_pid,
        supervisor_start: system::start_time(supervisor_pid),
        pid,
        start_time: system::start_time(pid),
        started_at,
    }
    .write(dir)
}

fn spawn_failed(error: &io::Error, instructions: &Instructions) -> Readiness {
    let kind = match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ExecutableFileBusy => FailureKind::Program,
        _ => FailureKind::Other,
    };
    let program = Path::new(instructions.program()).display();
    Readiness::Failed {
        kind,
        message: format!("cannot start {program}: {error}"),
    }
}

fn failed(error: &io::Error, doing: &str) -> Readiness {
    Readiness::Failed {
        kind: FailureKind::of(error),
        message: format!("{doing}: {error}"),
    }
}
