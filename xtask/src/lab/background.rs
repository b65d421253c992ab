//! A `coord` command that goes on in the background.

use std::fs::File;
use std::process::{Child, Stdio};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};

use super::Lab;

/// A running command; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Background(Child);

impl Lab {
    /// Starts `coord ARGS`, whose output goes to `NAME.log` in the sandbox.
    pub(crate) fn start(&self, args: &[&str]) -> Result<Background> {
        let name = args.first().copied().unwrap_or_default();
        let log = File::create(self.sandbox.path().join(format!("{name}.log")))?;
        let mut command = self.command(&self.binaries.coord());
        command
            .arg("--config")
            .arg(self.config())
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(Background(command.spawn()?))
    }
}

impl Background {
    /// Asks it to end, and waits until it has.
    pub(crate) fn end(self) -> Result<()> {
        self.ended_by(Signal::TERM).map(drop)
    }

    /// The same as a person asks for it with Ctrl-C; the exit code, unless a signal ended it.
    pub(crate) fn interrupt(self) -> Result<Option<i32>> {
        self.ended_by(Signal::INT)
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(self) -> Result<()> {
        self.ended_by(Signal::KILL).map(drop)
    }

    fn ended_by(mut self, signal: Signal) -> Result<Option<i32>> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| matches!(self.0.try_wait(), Ok(None))) {
            // It may end just now by itself.
            let _ = kill_process(pid, signal);
        }
        Ok(self.0.wait()?.code())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
