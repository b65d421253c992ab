//! The FIFO on which the supervisor takes orders, one a line.
//!
//! A FIFO rather than a socket: its path may be of any length, and writers come and go without a connection.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::files;
use crate::instructions::parse_number;
use crate::system;

/// The longest order, in bytes.
const ORDER_LIMIT: usize = 8 * 1024 * 1024;

/// What can be asked of a supervisor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `stop`: end the worker.
    Stop,
    /// `input LENGTH LINE`: write the line to the worker's stdin. The length tells a whole order from one
    /// whose writer died half-way.
    Input(Vec<u8>),
    /// `close`: close the worker's stdin, once everything is written.
    Close,
}

/// The reading end.
pub(crate) struct Control {
    fifo: File,
    lines: Orders,
}

impl Control {
    /// Makes the FIFO anew. Opened for writing too, so that it never reports an end when a writer goes.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(files::CONTROL);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => system::make_fifo(&path)?,
        }
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        Ok(Self {
            fifo,
            lines: Orders::default(),
        })
    }

    /// The orders that have arrived.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Vec<Order> {
        let count = self.fifo.read(buffer).unwrap_or(0);
        self.lines.take(buffer.get(..count).unwrap_or_default())
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fifo.as_fd()
    }
}

/// Cuts a stream of bytes into orders.
#[derive(Default)]
struct Orders {
    partial: Vec<u8>,
    too_long: bool,
}

impl Orders {
    fn take(&mut self, bytes: &[u8]) -> Vec<Order> {
        let mut orders = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.too_long |= self.partial.len() + piece.len() > ORDER_LIMIT;
            if !self.too_long {
                self.partial.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                if !std::mem::take(&mut self.too_long) {
                    orders.extend(parse(line.trim_ascii_end()));
                }
            }
        }
        orders
    }
}

/// Anything that is no order is ignored: whoever wrote it can do nothing about an answer.
fn parse(line: &[u8]) -> Option<Order> {
    match line {
        b"stop" => Some(Order::Stop),
        b"close" => Some(Order::Close),
        _ => {
            let rest = line.strip_prefix(b"input ")?;
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let (length, text) = (parse_number(rest.get(..space)?)?, rest.get(space + 1..)?);
            (length == text.len() as u64).then(|| Order::Input(text.to_vec()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_arrive_in_any_pieces() {
        let text = b"\nstop\nnonsense\ninput 7 {\"a\":1}\nclose\n";
        let expected = vec![
            Order::Stop,
            Order::Input(b"{\"a\":1}".to_vec()),
            Order::Close,
        ];
        for size in 1..text.len() {
            let mut orders = Orders::default();
            let found: Vec<Order> = text
                .chunks(size)
                .flat_map(|piece| orders.take(piece))
                .collect();
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_half_written_order_is_no_order() {
        let mut orders = Orders::default();
        assert_eq!(
            orders.take(b"input 100 {\"half\":tr\nstop\n"),
            vec![Order::Stop]
        );
    }

    #[test]
    fn an_endless_order_is_dropped_and_the_next_one_taken() {
        let mut orders = Orders::default();
        for _ in 0..9 {
            assert_eq!(orders.take(&vec![b'x'; 1024 * 1024]), vec![]);
        }
        assert!(orders.partial.len() <= ORDER_LIMIT);
        assert_eq!(orders.take(b"\nstop\n"), vec![Order::Stop]);
    }
}
