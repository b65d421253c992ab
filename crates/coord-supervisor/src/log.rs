//! The log: what the worker said, byte for byte, and what had to be left out when the disk was full.
//!
//! A loss never cuts a line in two halves that look whole: after it, the log goes on at the start of a line,
//! behind a `# coord:` line that says how much is missing.

use std::io::{self, Write};

/// An append-only log of lines over anything that can be written to.
pub(crate) struct Log<W> {
    out: W,
    /// Whether what was written ends with a newline (or is empty).
    ends_whole: bool,
    /// Whether what was given ended with a newline (or is empty).
    given_whole: bool,
    /// Lost and not yet told, with why.
    untold: Option<Loss>,
    /// Lines of our own that wait for the start of a line.
    notes: Vec<String>,
    written: u64,
    lost: u64,
}

struct Loss {
    bytes: u64,
    why: String,
}

impl<W: Write> Log<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            ends_whole: true,
            given_whole: true,
            untold: None,
            notes: Vec::new(),
            written: 0,
            lost: 0,
        }
    }

    /// Bytes that are in the log.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of the worker that are not.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Adds what the worker said.
    pub(crate) fn append(&mut self, piece: &[u8]) {
        let fresh_line = std::mem::replace(&mut self.given_whole, piece.last() == Some(&b'\n'));
        let piece = if self.untold.is_some() {
            self.resume(piece, fresh_line)
        } else {
            piece
        };
        self.write(piece);
        self.tell_notes();
    }

    /// Adds a `# coord:` line, at the next start of a line.
    pub(crate) fn note(&mut self, text: &str) {
        self.notes.push(format!("# coord: {text}\n"));
        self.tell_notes();
    }

    /// Ends the log with a whole line and tells what is still to be told.
    pub(crate) fn finish(&mut self) {
        if self.untold.is_some() {
            self.tell_loss();
        }
        if !self.ends_whole {
            let _ = self.put(b"\n");
        }
        self.tell_notes();
    }

    /// What of `piece` can be written after a loss: whole lines only, and only once the loss is told.
    fn resume<'a>(&mut self, piece: &'a [u8], fresh_line: bool) -> &'a [u8] {
        let skip = if fresh_line {
            Some(0)
        } else {
            piece
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1)
        };
        let (skipped, rest) = piece.split_at(skip.unwrap_or(piece.len()));
        self.count_lost(skipped.len(), None);
        if skip.is_none() || self.tell_loss() {
            return rest;
        }
        self.count_lost(rest.len(), None);
        &[]
    }

    fn write(&mut self, piece: &[u8]) {
        if let Err((rest, error)) = self.put(piece) {
            self.count_lost(rest, Some(&error));
        }
    }

    fn count_lost(&mut self, bytes: usize, why: Option<&io::Error>) {
        let bytes = bytes as u64;
        self.lost += bytes;
        match &mut self.untold {
            Some(loss) => loss.bytes += bytes,
            None => {
                self.untold = why.map(|error| Loss {
                    bytes,
                    why: error.to_string(),
                });
            }
        }
    }

    /// Whether it could be told.
    fn tell_loss(&mut self) -> bool {
        let Some(loss) = &self.untold else {
            return true;
        };
        let start = if self.ends_whole { "" } else { "\n" };
        let line = format!("{start}# coord: {} bytes lost: {}\n", loss.bytes, loss.why);
        let told = self.put(line.as_bytes()).is_ok();
        if told {
            self.untold = None;
        }
        told
    }

    fn tell_notes(&mut self) {
        if !self.ends_whole || self.untold.is_some() {
            return;
        }
        for note in std::mem::take(&mut self.notes) {
            // A note that finds no room is not worth keeping: it says less than the lines that are lost.
            let _ = self.put(note.as_bytes());
        }
    }

    /// Writes all, or says how many bytes could not be written.
    fn put(&mut self, mut piece: &[u8]) -> Result<(), (usize, io::Error)> {
        while !piece.is_empty() {
            match self.out.write(piece) {
                Ok(0) => return Err((piece.len(), io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    let (done, rest) = piece.split_at(count.min(piece.len()));
                    self.written += done.len() as u64;
                    self.ends_whole = done.last() == Some(&b'\n');
                    piece = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((piece.len(), error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with that much room.
    #[derive(Default)]
    struct Disk {
        content: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            let count = piece.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.content.extend(piece.iter().take(count));
            self.room -= count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(room: usize) -> Log<Disk> {
        Log::new(Disk {
            content: Vec::new(),
            room,
        })
    }

    fn text(log: &Log<Disk>) -> String {
        String::from_utf8(log.out.content.clone()).unwrap()
    }

    #[test]
    fn keeps_bytes_and_completes_the_last_line() {
        let mut log = log(1000);
        log.append(b"{\"a\":");
        log.append(b"1}\nhalf");
        log.finish();
        assert_eq!(text(&log), "{\"a\":1}\nhalf\n");
        assert_eq!((log.written(), log.lost()), (13, 0));
    }

    #[test]
    fn notes_wait_for_the_start_of_a_line() {
        let mut log = log(1000);
        log.append(b"begun ");
        log.note("hello");
        log.append(b"ended\nnext\n");
        assert_eq!(text(&log), "begun ended\nnext\n# coord: hello\n");
    }

    #[test]
    fn a_loss_is_told_and_ends_at_a_line() {
        let mut log = log(9);
        log.append(b"one\ntwo_is_cut\n");
        log.append(b"three\nfo");
        log.out.room = 1000;
        log.append(b"ur\nfive\n");
        assert_eq!(
            text(&log),
            "one\ntwo_i\n# coord: 17 bytes lost: no storage space\nfive\n"
        );
        assert_eq!(log.lost(), 17);
    }

    #[test]
    fn a_loss_at_the_end_is_told_at_the_end() {
        let mut log = log(0);
        log.append(b"all of it\n");
        log.out.room = 1000;
        log.finish();
        assert_eq!(text(&log), "# coord: 10 bytes lost: no storage space\n");
    }

    #[test]
    fn a_long_line_in_pieces_is_skipped_to_its_end() {
        let mut log = log(2);
        log.append(b"abcd");
        log.out.room = 1000;
        log.append(b"efgh");
        log.append(b"i\nnext\n");
        assert_eq!(
            text(&log),
            "ab\n# coord: 8 bytes lost: no storage space\nnext\n"
        );
    }
}
