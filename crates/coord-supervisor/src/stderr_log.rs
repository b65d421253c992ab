//! The worker's stderr, kept apart so that it never breaks a line of the log, and kept short.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::files;

/// Takes any amount, keeps the first [`files::STDERR_LIMIT`] bytes.
pub(crate) struct StderrLog {
    file: File,
    room: u64,
}

impl StderrLog {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let file = files::open_append(&dir.join(files::STDERR))?;
        Ok(Self {
            file,
            room: files::STDERR_LIMIT,
        })
    }

    /// A disk that is full costs stderr alone, and is told by the log.
    pub(crate) fn append(&mut self, piece: &[u8]) {
        if self.room == 0 {
            return;
        }
        let fitting = usize::try_from(self.room)
            .unwrap_or(usize::MAX)
            .min(piece.len());
        let _ = self.file.write_all(piece.get(..fitting).unwrap_or(piece));
        self.room -= fitting as u64;
        if self.room == 0 {
            let _ = self
                .file
                .write_all(b"\n[coord: the rest of stderr is not kept]\n");
        }
    }
}
