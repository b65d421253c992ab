//! Pieces of a log file. Blocks; nothing is read that was not asked for.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Whole lines are sent in messages of about this size; a longer line is a message of its own.
const LINES: usize = 256 * 1024;

/// The longest line that is sent whole; a longer one is cut.
const LONGEST_LINE: usize = 32 * 1024 * 1024;

/// Whole lines of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Without the newline of the last one.
    pub(crate) text: String,
    /// The byte behind them.
    pub(crate) next: u64,
}

/// A log that does not exist yet is empty.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lines of `path` from the byte `from`; `None` when there is no whole one yet. With `ended`,
/// nothing more comes, and what stands behind the last newline is a line too.
pub(crate) fn lines(path: &Path, from: u64, ended: bool) -> io::Result<Option<Lines>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let mut newline = None;
    loop {
        let read = read_piece(&file, from, &mut bytes)?;
        if let Some(at) = memchr::memrchr(b'\n', &bytes[bytes.len() - read..]) {
            newline = Some(bytes.len() - read + at);
        }
        let enough = newline.is_some() && bytes.len() >= LINES;
        if read == 0 || enough || bytes.len() >= LONGEST_LINE {
            break;
        }
    }
    let (len, next) = match newline {
        Some(at) => (at, at + 1),
        None if bytes.is_empty() || !(ended || bytes.len() >= LONGEST_LINE) => return Ok(None),
        None => (bytes.len(), bytes.len()),
    };
    Ok(Some(Lines {
        text: String::from_utf8_lossy(&bytes[..len]).into_owned(),
        next: from + next as u64,
    }))
}

fn read_piece(file: &File, from: u64, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let len = bytes.len();
    bytes.resize(len + PIECE, 0);
    let read = file.read_at(&mut bytes[len..], from + len as u64);
    bytes.truncate(len + *read.as_ref().unwrap_or(&0));
    read
}

/// The part of a log from `from` that begins and ends between characters.
pub(crate) fn whole_characters(file: &File, from: u64) -> io::Result<std::ops::Range<u64>> {
    let len = file.metadata()?.len();
    if from >= len {
        return Ok(len..len);
    }
    let tail_start = len.saturating_sub(4).max(from);
    let tail = read_range(file, tail_start..len)?;
    let end = len - cut_bytes(&tail);
    let head = read_range(file, from..(from + 3).min(end))?;
    let inside = if from == 0 {
        0
    } else {
        continuation_bytes(&head)
    };
    Ok((from + inside).min(end)..end)
}

/// The bytes of `range`, which lies within the file.
pub(crate) fn read_range(file: &File, range: std::ops::Range<u64>) -> io::Result<Vec<u8>> {
    let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

/// How many bytes at the end are the beginning of a character whose rest is missing.
fn cut_bytes(tail: &[u8]) -> u64 {
    let from_end = tail.iter().rev().position(|b| b & 0xC0 != 0x80);
    let Some(after) = from_end else {
        return 0;
    };
    let needed = match tail[tail.len() - 1 - after] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let present = after + 1;
    if present < needed { present as u64 } else { 0 }
}

/// How many bytes at the beginning belong to a character that began before.
fn continuation_bytes(head: &[u8]) -> u64 {
    head.iter().take_while(|b| **b & 0xC0 == 0x80).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn a_line_is_sent_once_it_is_whole() {
        let (_folder, path) = file(b"one\ntwo\nthr");
        let text = |from, ended| lines(&path, from, ended).unwrap().map(|l| (l.text, l.next));
        assert_eq!(text(0, false), Some(("one\ntwo".to_owned(), 8)));
        assert_eq!(text(8, false), None);
        assert_eq!(text(8, true), Some(("thr".to_owned(), 11)));
        assert_eq!(text(11, true), None);
        assert_eq!(text(99, true), None);
        assert_eq!(lines(Path::new("/nowhere/log"), 0, true).unwrap(), None);
    }

    #[test]
    fn a_line_longer_than_a_message_comes_whole() {
        let mut bytes = vec![b'x'; 3 * LINES];
        bytes.extend(b"\nnext\n");
        let (_folder, path) = file(&bytes);
        let first = lines(&path, 0, false).unwrap().unwrap();
        assert!(first.text.len() >= 3 * LINES);
        assert!(first.text.ends_with('x') || first.text.ends_with("next"));
    }

    #[test]
    fn many_lines_come_in_several_messages() {
        let (_folder, path) = file(&b"0123456789\n".repeat(100_000));
        let (mut from, mut messages, mut count) = (0, 0, 0);
        while let Some(lines) = lines(&path, from, true).unwrap() {
            from = lines.next;
            messages += 1;
            count += lines.text.lines().count();
        }
        assert_eq!((from, count), (1_100_000, 100_000));
        assert!(messages >= 4, "{messages}");
    }

    #[test]
    fn no_character_is_cut() {
        for character in ["a", "ü", "€", "🦀"] {
            let text = format!("x{character}");
            for cut in 1..=text.len() {
                let (_folder, path) = file(&text.as_bytes()[..cut]);
                let whole = whole_characters(&File::open(&path).unwrap(), 0).unwrap();
                let expected = if cut == text.len() { cut } else { 1 };
                assert_eq!(whole, 0..expected as u64, "{text} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_start_inside_a_character_moves_behind_it() {
        let (_folder, path) = file("€b".as_bytes());
        let whole = |from| whole_characters(&File::open(&path).unwrap(), from).unwrap();
        assert_eq!(
            [whole(0), whole(1), whole(3), whole(9)],
            [0..4, 3..4, 3..4, 4..4]
        );
    }

    #[test]
    fn what_is_no_utf8_is_passed_on() {
        let (_folder, path) = file(b"\xff\x80\x80\x80\x80");
        let whole = whole_characters(&File::open(&path).unwrap(), 0).unwrap();
        assert_eq!(whole, 0..5);
    }
}
