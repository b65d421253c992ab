//! The worker's stdin while it is steered: lines go in as fast as it reads, and the supervisor never waits for it.

use std::io::{self, ErrorKind, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ChildStdin;

/// The most that waits for a worker that does not read, in bytes.
const PENDING_LIMIT: usize = 8 * 1024 * 1024;

/// The writing end of the worker's stdin.
pub(crate) struct Steering {
    pipe: ChildStdin,
    pending: Vec<u8>,
    closing: bool,
}

impl Steering {
    pub(crate) fn new(pipe: ChildStdin, first: &[u8]) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let mut steering = Self {
            pipe,
            pending: Vec::new(),
            closing: false,
        };
        if !first.is_empty() && !steering.push(first) {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "the first message is too long",
            ));
        }
        Ok(steering)
    }

    /// Adds a line; `false` if there is no room for it or stdin is being closed.
    pub(crate) fn push(&mut self, line: &[u8]) -> bool {
        if self.closing || self.pending.len() + line.len() >= PENDING_LIMIT {
            return false;
        }
        self.pending.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.pending.push(b'\n');
        }
        true
    }

    /// Takes no more lines, and ends once everything is written.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether there is something to write.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes what fits now; `false` once there is nothing more to be done with this pipe.
    pub(crate) fn flush(&mut self) -> bool {
        let mut done = 0;
        let open = loop {
            let rest = self.pending.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break true;
            }
            match self.pipe.write(rest) {
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::WouldBlock,
            }
        };
        self.pending.drain(..done);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
        open && !(self.closing && self.pending.is_empty())
    }
}

impl AsFd for Steering {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
