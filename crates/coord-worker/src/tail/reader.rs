//! Reads whole lines of a growing file, from any offset.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Chunk;

/// How much is read at once, and about how much a chunk holds unless a single line is longer.
const BLOCK: usize = 256 * 1024;

/// A file that is opened when it exists and stays open (opening it would be reported as an event).
#[derive(Debug)]
pub(super) struct LineReader {
    path: PathBuf,
    file: OnceLock<File>,
    /// Up to here there is no line break since the last chunk: a long line that comes in pieces is searched once.
    searched: AtomicU64,
}

impl LineReader {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            file: OnceLock::new(),
            searched: AtomicU64::new(0),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The whole lines at `start`, about a block of them; with `is_last` also what follows the last line break.
    /// `None` if there are none. A later call must not have a smaller `start`.
    pub(super) fn read(&self, start: u64, is_last: bool) -> io::Result<Option<Chunk>> {
        let Some(file) = self.file()? else {
            return Ok(None);
        };
        let mut block = vec![0; BLOCK];
        let mut at = start.max(self.searched.load(Ordering::Relaxed));
        loop {
            let count = read_at(file, &mut block, at)?;
            if let Some(found) = block
                .get(..count)
                .and_then(|read| memchr::memrchr(b'\n', read))
            {
                let end = at + found as u64 + 1;
                if at == start {
                    block.truncate(found + 1);
                    return Ok(Some(Chunk {
                        start,
                        end,
                        bytes: block,
                    }));
                }
                return chunk(file, start, end).map(Some);
            }
            if count == 0 {
                self.searched.store(at, Ordering::Relaxed);
                return if is_last && at > start {
                    chunk(file, start, at).map(Some)
                } else {
                    Ok(None)
                };
            }
            at += count as u64;
        }
    }

    fn file(&self) -> io::Result<Option<&File>> {
        if let Some(file) = self.file.get() {
            return Ok(Some(file));
        }
        match File::open(&self.path) {
            Ok(file) => Ok(Some(self.file.get_or_init(|| file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn chunk(file: &File, start: u64, end: u64) -> io::Result<Chunk> {
    let length = usize::try_from(end - start).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, start)?;
    Ok(Chunk { start, end, bytes })
}

fn read_at(file: &File, block: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(block, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(content: &[u8]) -> (tempfile::TempDir, LineReader) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, content).unwrap();
        (dir, LineReader::new(&path))
    }

    fn bytes(chunk: io::Result<Option<Chunk>>) -> Option<Vec<u8>> {
        chunk.unwrap().map(|chunk| chunk.bytes)
    }

    #[test]
    fn hands_out_whole_lines_and_the_rest_at_the_end() {
        let (dir, reader) = reader(b"one\ntwo\nhal");
        assert_eq!(
            reader.read(0, false).unwrap(),
            Some(Chunk {
                start: 0,
                end: 8,
                bytes: b"one\ntwo\n".to_vec()
            })
        );
        assert_eq!(bytes(reader.read(4, false)), Some(b"two\n".to_vec()));
        assert_eq!(bytes(reader.read(8, false)), None);
        assert_eq!(bytes(reader.read(8, true)), Some(b"hal".to_vec()));
        std::fs::write(dir.path().join("log"), "one\ntwo\nhalf\n").unwrap();
        assert_eq!(bytes(reader.read(8, false)), Some(b"half\n".to_vec()));
        assert_eq!(bytes(reader.read(13, true)), None);
        assert_eq!(bytes(reader.read(99, true)), None);
    }

    #[test]
    fn a_line_longer_than_a_block_stays_whole() {
        let mut content = vec![b'x'; 3 * BLOCK + 7];
        content.extend_from_slice(b"\nnext\n");
        let (_dir, reader) = reader(&content);
        let first = reader.read(0, false).unwrap().unwrap();
        assert!(first.bytes.len() > 3 * BLOCK && first.bytes.ends_with(b"\n"));
        let rest: Vec<u8> = content
            .get(usize::try_from(first.end).unwrap()..)
            .unwrap()
            .to_vec();
        assert_eq!(
            bytes(reader.read(first.end, false)),
            (!rest.is_empty()).then_some(rest)
        );
    }

    #[test]
    fn a_file_that_does_not_exist_yet_has_no_lines() {
        let dir = tempfile::tempdir().unwrap();
        let reader = LineReader::new(&dir.path().join("log"));
        assert_eq!(bytes(reader.read(0, true)), None);
        std::fs::write(dir.path().join("log"), "now\n").unwrap();
        assert_eq!(bytes(reader.read(0, false)), Some(b"now\n".to_vec()));
    }
}
