//! A file that another process, or another task of this one, is writing: shown line by line.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it is looked at: nobody announces that a file has grown.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is in a file from now on. What stands in it already belongs to somebody else.
pub(crate) struct Live {
    path: PathBuf,
    /// The file as it was; `None` once it has changed.
    before: Option<Seen>,
    offset: u64,
    /// A line without its end.
    rest: Vec<u8>,
}

/// What tells one state of a file from another; `None`: there is no file.
type Seen = Option<(u64, Option<SystemTime>)>;

impl Live {
    /// Looks at the file before anybody writes to it.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            before: Some(seen(std::fs::metadata(path).ok().as_ref())),
            offset: 0,
            rest: Vec::new(),
        }
    }

    /// Hands over what is left, the last line without its end included.
    pub(crate) fn finish(&mut self, mut show: impl FnMut(&str)) {
        self.look(&mut show);
        if !self.rest.is_empty() {
            show(&String::from_utf8_lossy(&std::mem::take(&mut self.rest)));
        }
    }

    /// Hands over the whole lines that are new. A file that cannot be read is as good as one that
    /// did not grow: it is only watched.
    pub(crate) fn look(&mut self, mut show: impl FnMut(&str)) {
        let now = std::fs::metadata(&self.path).ok();
        let is_now = seen(now.as_ref());
        if self.before == Some(is_now) {
            return;
        }
        self.before = None;
        // Begun anew.
        if now.is_some_and(|file| file.len() < self.offset) {
            self.offset = 0;
            self.rest.clear();
        }
        let mut new = Vec::new();
        if self.read(&mut new).is_err() {
            return;
        }
        self.offset += new.len() as u64;
        self.rest.extend(new);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n');
        let unfinished = self.rest.split_off(whole.map_or(0, |end| end + 1));
        for line in self.rest.split_inclusive(|byte| *byte == b'\n') {
            show(String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']));
        }
        self.rest = unfinished;
    }

    fn read(&self, new: &mut Vec<u8>) -> io::Result<usize> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        file.read_to_end(new)
    }
}

fn seen(file: Option<&Metadata>) -> Seen {
    file.map(|file| (file.len(), file.modified().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_is_not_shown_and_what_comes_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "old\nold\nold\n").unwrap();
        let mut live = Live::new(&path);
        let mut lines = Vec::new();
        live.look(|line: &str| lines.push(line.to_owned()));
        assert_eq!(lines, [""; 0]);
        std::fs::write(&path, "one\r\ntw").unwrap();
        live.look(|line: &str| lines.push(line.to_owned()));
        std::fs::write(&path, "one\r\ntwo\nthree").unwrap();
        live.finish(|line| lines.push(line.to_owned()));
        assert_eq!(lines, ["one", "two", "three"]);
        std::fs::write(&path, "anew\n").unwrap();
        live.finish(|line| lines.push(line.to_owned()));
        assert_eq!(lines[3..], ["anew"]);
    }

    #[test]
    fn a_file_that_is_not_there_yet() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut live = Live::new(&path);
        let mut lines = Vec::new();
        live.finish(|line| lines.push(line.to_owned()));
        std::fs::write(&path, "late\n").unwrap();
        live.finish(|line| lines.push(line.to_owned()));
        assert_eq!(lines, ["late"]);
    }
}
