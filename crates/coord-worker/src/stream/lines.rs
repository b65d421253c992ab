//! Lines out of chunks that end anywhere, in bounded memory.

use memchr::memchr;

/// The longest line that is read; a longer one is skipped and counted. The longest one measured had
/// 0.4 MB, and what a model or a tool prints has no limit.
pub const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// Puts lines together from chunks.
#[derive(Debug, Default)]
pub struct Lines {
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Bytes of an overlong line that were dropped, while its end has not come yet.
    dropped: u64,
}

/// What a chunk completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Slice<'a> {
    /// A line without its line end.
    Line(&'a [u8]),
    /// A line of more than [`MAX_LINE_BYTES`], which is gone.
    Overlong {
        /// Its length without its line end.
        len: u64,
    },
}

impl Slice<'_> {
    /// Bytes of the line, without its line end.
    #[must_use]
    pub const fn len(&self) -> u64 {
        match self {
            Self::Line(line) => line.len() as u64,
            Self::Overlong { len } => *len,
        }
    }

    /// Whether the line is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Lines {
    /// Hands every line that `chunk` completes to `take`. Lines that lie within the chunk are not copied.
    pub fn feed(&mut self, mut chunk: &[u8], mut take: impl FnMut(Slice<'_>)) {
        while let Some(end) = memchr(b'\n', chunk) {
            let line = &chunk[..end];
            if self.pending() == 0 {
                take(checked(line));
            } else {
                self.keep(line);
                self.finish(&mut take);
            }
            chunk = &chunk[end + 1..];
        }
        self.keep(chunk);
    }

    /// Hands out what has come of a line without its end: the process that wrote it is gone.
    pub fn finish(&mut self, mut take: impl FnMut(Slice<'_>)) {
        if self.pending() == 0 {
            return;
        }
        if self.dropped > 0 {
            take(Slice::Overlong { len: self.dropped });
        } else {
            take(Slice::Line(&self.partial));
        }
        self.dropped = 0;
        self.partial.clear();
        // A line of megabytes is rare; its memory is not kept for the next one.
        self.partial.shrink_to(64 * 1024);
    }

    /// Bytes that have come of the line that is not complete yet.
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.dropped + self.partial.len() as u64
    }

    fn keep(&mut self, part: &[u8]) {
        if self.dropped == 0 && self.partial.len() + part.len() <= MAX_LINE_BYTES {
            self.partial.extend_from_slice(part);
        } else {
            self.dropped += (self.partial.len() + part.len()) as u64;
            self.partial = Vec::new();
        }
    }
}

fn checked(line: &[u8]) -> Slice<'_> {
    if line.len() > MAX_LINE_BYTES {
        Slice::Overlong {
            len: line.len() as u64,
        }
    } else {
        Slice::Line(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<Result<String, u64>> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        let mut take = |slice: Slice<'_>| {
            seen.push(match slice {
                Slice::Line(line) => Ok(String::from_utf8_lossy(line).into_owned()),
                Slice::Overlong { len } => Err(len),
            });
        };
        for chunk in chunks {
            lines.feed(chunk, &mut take);
        }
        lines.finish(&mut take);
        seen
    }

    #[test]
    fn lines_are_put_together() {
        let seen = lines(&[b"a\nb", b"c", b"\n\nd"]);
        assert_eq!(
            seen,
            [
                Ok("a".into()),
                Ok("bc".into()),
                Ok(String::new()),
                Ok("d".into())
            ]
        );
    }

    #[test]
    fn an_overlong_line_is_skipped_wherever_it_is_cut() {
        let long = vec![b'x'; MAX_LINE_BYTES + 1];
        let len = long.len() as u64;
        let mut whole = long.clone();
        whole.extend_from_slice(b"\nnext");
        assert_eq!(lines(&[&whole]), [Err(len), Ok("next".into())]);
        let (head, tail) = whole.split_at(1000);
        assert_eq!(lines(&[head, tail]), [Err(len), Ok("next".into())]);
        let (head, tail) = whole.split_at(MAX_LINE_BYTES + 1);
        assert_eq!(lines(&[head, tail]), [Err(len), Ok("next".into())]);
    }

    #[test]
    fn the_longest_line_is_still_read() {
        let long = vec![b'x'; MAX_LINE_BYTES];
        assert!(matches!(
            &lines(&[&long[..10], &long[10..], b"\n"])[..],
            [Ok(_)]
        ));
    }
}
