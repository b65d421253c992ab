//! The loop around a running worker: copies what it says, carries out orders, watches the clock, and ends only when
//! nothing of the worker's process tree is left.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ChildStderr, ChildStdout};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};

use crate::control::{Control, Order};
use crate::deadlines::Deadlines;
use crate::line::LineScanner;
use crate::log::Log;
use crate::record::Reason;
use crate::stderr_log::StderrLog;
use crate::steering::Steering;
use crate::system;

/// What a worker left running gets at most this long between SIGTERM and SIGKILL.
const LEFTOVER_GRACE: Duration = Duration::from_secs(2);
/// How often the ends of processes that are not ours to wait for are looked for, while everything is to end.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The longest pause between two rounds of killing: what cannot die yet (in the kernel) is not chased.
const KILL_PAUSE_LIMIT: Duration = Duration::from_millis(500);
/// Orphans that ended are collected at least this often; they cost nothing but an entry in the process table.
const COLLECT_EVERY: Duration = Duration::from_secs(30);
/// How often a worker's end is looked for where the system has no way to announce it.
const UNANNOUNCED_END: Duration = Duration::from_millis(50);
/// How much is read at once: what a pipe holds.
const BUFFER: usize = 64 * 1024;
/// What can still be in a pipe after everybody who wrote to it is dead. More comes from a stranger.
const REST_LIMIT: usize = 1024 * 1024;

/// A worker that was just started.
pub(crate) struct Worker {
    pub(crate) pid: Pid,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
    pub(crate) steering: Option<Steering>,
}

/// How it ended.
pub(crate) struct End {
    pub(crate) reason: Reason,
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) error: Option<String>,
    pub(crate) log_bytes: u64,
    pub(crate) lost_bytes: u64,
}

/// Where the run stands.
#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// SIGTERM was sent; SIGKILL follows.
    Ending {
        reason: Reason,
        kill_at: Instant,
        orphans_told: bool,
    },
    /// SIGKILL is sent, again and again.
    Killing {
        reason: Reason,
        pause: Duration,
    },
}

/// Which of the things waited for have happened.
#[derive(Default)]
struct Ready {
    stdout: bool,
    stderr: bool,
    control: bool,
    stdin: bool,
}

/// Everything about the one worker of this process.
pub(crate) struct Tender {
    worker: Worker,
    status: Option<WaitStatus>,
    exit_watch: Option<OwnedFd>,
    /// Nobody is left to wait for. As the keeper of all orphans this process then knows that the whole tree is gone.
    nobody_left: bool,
    phase: Phase,
    log: Log<File>,
    stderr_log: StderrLog,
    control: Control,
    scanner: LineScanner,
    deadlines: Deadlines,
    buffer: Vec<u8>,
}

impl Tender {
    pub(crate) fn new(
        worker: Worker,
        log: Log<File>,
        stderr_log: StderrLog,
        control: Control,
        deadlines: Deadlines,
    ) -> Self {
        Self {
            exit_watch: system::exit_watch(worker.pid),
            worker,
            status: None,
            nobody_left: false,
            phase: Phase::Running,
            log,
            stderr_log,
            control,
            scanner: LineScanner::default(),
            deadlines,
            buffer: vec![0; BUFFER],
        }
    }

    /// Stays with the worker until nothing of it is left.
    pub(crate) fn run(mut self) -> End {
        let reason = loop {
            let ready = self.wait();
            self.handle(&ready);
            self.collect();
            if let Some(reason) = self.advance(Instant::now()) {
                break reason;
            }
        };
        system::sweep_group(self.worker.pid);
        self.read_the_rest();
        self.log.finish();
        let lost = self.log.lost();
        End {
            reason,
            code: self.status.and_then(WaitStatus::exit_status),
            signal: self.status.and_then(WaitStatus::terminating_signal),
            error: (lost > 0).then(|| format!("{lost} bytes of the log were lost")),
            log_bytes: self.log.written(),
            lost_bytes: lost,
        }
    }

    /// Sleeps until something happens or is due.
    fn wait(&self) -> Ready {
        let stdin = self
            .worker
            .steering
            .as_ref()
            .filter(|steering| steering.is_waiting());
        let watched = [
            (self.worker.stdout.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.worker.stderr.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (Some(self.control.as_fd()), PollFlags::IN),
            (stdin.map(AsFd::as_fd), PollFlags::OUT),
            (self.exit_watch.as_ref().map(AsFd::as_fd), PollFlags::IN),
        ];
        let mut fds: Vec<PollFd<'_>> = watched
            .iter()
            .filter_map(|(fd, flags)| fd.map(|fd| PollFd::from_borrowed_fd(fd, *flags)))
            .collect();
        let timeout = Timespec::try_from(self.patience(Instant::now())).ok();
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return Ready::default();
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        let [stdout, stderr, control, stdin, _exit] =
            watched.map(|(fd, _)| fd.is_some() && happened.next().unwrap_or(false));
        Ready {
            stdout,
            stderr,
            control,
            stdin,
        }
    }

    fn patience(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Running => {
                let due = self
                    .deadlines
                    .next()
                    .map_or(COLLECT_EVERY, |(at, _)| at.saturating_duration_since(now));
                let unannounced = self.exit_watch.is_none().then_some(UNANNOUNCED_END);
                due.min(COLLECT_EVERY)
                    .min(unannounced.unwrap_or(COLLECT_EVERY))
            }
            Phase::Ending { kill_at, .. } => kill_at.saturating_duration_since(now).min(LOOK_AGAIN),
            Phase::Killing { pause, .. } => pause,
        }
    }

    fn handle(&mut self, ready: &Ready) {
        if ready.stdout {
            self.copy_stdout();
        }
        if ready.stderr {
            self.copy_stderr();
        }
        if ready.control {
            for order in self.control.read(&mut self.buffer) {
                self.obey(&order);
            }
        }
        if ready.stdin {
            self.flush_stdin();
        }
    }

    /// Bytes copied; 0 if there are none now, or none any more.
    fn copy_stdout(&mut self) -> usize {
        let Some(piece) = read_some(&mut self.worker.stdout, &mut self.buffer) else {
            return 0;
        };
        self.log.append(piece);
        self.deadlines
            .heard(self.scanner.scan(piece), Instant::now());
        piece.len()
    }

    fn copy_stderr(&mut self) -> usize {
        let Some(piece) = read_some(&mut self.worker.stderr, &mut self.buffer) else {
            return 0;
        };
        self.stderr_log.append(piece);
        piece.len()
    }

    fn obey(&mut self, order: &Order) {
        match order {
            Order::Stop => self.end(Reason::Stopped, Instant::now()),
            Order::Input(line) => self.input(line),
            Order::Close => {
                if let Some(steering) = &mut self.worker.steering {
                    steering.close();
                }
                self.flush_stdin();
            }
        }
    }

    fn input(&mut self, line: &[u8]) {
        if self
            .worker
            .steering
            .as_mut()
            .is_some_and(|steering| steering.push(line))
        {
            self.deadlines.spoken_to(Instant::now());
            self.flush_stdin();
        } else {
            self.log.note(&format!(
                "an input of {} bytes was dropped: the worker takes no more input",
                line.len()
            ));
        }
    }

    fn flush_stdin(&mut self) {
        if self
            .worker
            .steering
            .as_mut()
            .is_some_and(|steering| !steering.flush())
        {
            self.worker.steering = None;
        }
    }

    /// Asks the worker to end, unless it is ending already.
    fn end(&mut self, reason: Reason, now: Instant) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.worker.steering = None;
        if self.status.is_none() {
            let _ = rustix::process::kill_process_group(self.worker.pid, Signal::TERM);
        }
        self.phase = Phase::Ending {
            reason,
            kill_at: now + self.deadlines.grace(),
            orphans_told: false,
        };
    }

    /// Collects whoever has ended.
    fn collect(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.worker.pid => {
                    self.status = Some(status);
                    self.exit_watch = None;
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                Err(_) => {
                    self.nobody_left = true;
                    return;
                }
            }
        }
    }

    /// Goes on to what is due; says why it ended once it has.
    fn advance(&mut self, now: Instant) -> Option<Reason> {
        match self.phase {
            Phase::Running => {
                if self.status.is_some() {
                    return self.after_exit(Reason::Exited, now + self.deadlines.grace(), now);
                }
                if let Some((_, reason)) = self.deadlines.next().filter(|(at, _)| *at <= now) {
                    self.end(reason, now);
                }
                None
            }
            Phase::Ending {
                reason,
                kill_at,
                orphans_told,
            } => {
                if self.status.is_some() && !orphans_told {
                    return self.after_exit(reason, kill_at, now);
                }
                self.kill_when_due(reason, kill_at, now)
            }
            Phase::Killing { reason, pause } => self.kill(reason, pause * 2),
        }
    }

    /// The worker itself has ended: what it left running is asked to end too.
    fn after_exit(&mut self, reason: Reason, kill_at: Instant, now: Instant) -> Option<Reason> {
        if self.nobody_left {
            return Some(reason);
        }
        system::signal_everything(None, Signal::TERM);
        let kill_at = kill_at.min(now + LEFTOVER_GRACE);
        self.phase = Phase::Ending {
            reason,
            kill_at,
            orphans_told: true,
        };
        None
    }

    fn kill_when_due(&mut self, reason: Reason, kill_at: Instant, now: Instant) -> Option<Reason> {
        if self.nobody_left {
            return Some(reason);
        }
        if now < kill_at {
            return None;
        }
        self.kill(reason, Duration::from_millis(1))
    }

    fn kill(&mut self, reason: Reason, pause: Duration) -> Option<Reason> {
        if self.nobody_left {
            return Some(reason);
        }
        // Once the worker is collected its number may belong to a stranger; then only the tree below us counts.
        let group = self.status.is_none().then_some(self.worker.pid);
        system::signal_everything(group, Signal::KILL);
        self.phase = Phase::Killing {
            reason,
            pause: pause.min(KILL_PAUSE_LIMIT),
        };
        None
    }

    /// Reads what is still in the pipes. A stranger who got hold of one (not our descendant) cannot keep us waiting.
    fn read_the_rest(&mut self) {
        for fd in [
            self.worker.stdout.as_ref().map(AsFd::as_fd),
            self.worker.stderr.as_ref().map(AsFd::as_fd),
        ] {
            let _ = fd.map(|fd| ioctl_fionbio(fd, true));
        }
        drain(|| self.copy_stdout());
        drain(|| self.copy_stderr());
    }
}

fn drain(mut copy: impl FnMut() -> usize) {
    let mut total = 0;
    while total < REST_LIMIT {
        match copy() {
            0 => return,
            count => total += count,
        }
    }
}

/// The next piece of a pipe that is readable; at its end the pipe is given up.
fn read_some<'a>(pipe: &mut Option<impl Read>, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    use std::io::ErrorKind::{Interrupted, WouldBlock};
    match pipe.as_mut()?.read(buffer) {
        Ok(count) if count > 0 => buffer.get(..count),
        Err(error) if matches!(error.kind(), Interrupted | WouldBlock) => None,
        Ok(_) | Err(_) => {
            *pipe = None;
            None
        }
    }
}
