//! What changed between two commits, file by file.
//!
//! One run of git tells names, counts and hunks. Names come between NULs, so that they may hold
//! anything; the hunks follow in the same order.

use coord_core::ids::CommitId;

use super::{Repo, history};
use crate::GitError;

/// A file that differs between two commits. Bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the root, as it is called after the change.
    pub path: String,
    /// What happened to it.
    pub kind: FileChangeKind,
    /// Lines that were added; 0 for binary files.
    pub additions: u64,
    /// Lines that were removed; 0 for binary files.
    pub deletions: u64,
    /// Its hunks in unified format; `None` where there are none: binary files, and changes of name
    /// or mode alone. `None` also where the diff of all files together is too long.
    pub patch: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its contents, mode or type changed.
    Modified,
    /// It has another name.
    Renamed {
        /// What it was called before.
        from: String,
    },
}

/// No more than this is read of the diff of two commits.
const MOST: usize = 32 << 20;

/// Before the options that say what to show. `diff-tree` does without the settings that a person
/// has for reading diffs, and these without those of the repository.
pub(super) const PLAIN: [&str; 9] = [
    "-r",
    "-M",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--unified=3",
    "--inter-hunk-context=0",
    "--ignore-submodules=none",
    "--submodule=short",
];

impl Repo {
    /// The files that differ, by path, as [`Repo::diff`] shows them; the hunks of the first 32 MiB.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when git fails.
    pub fn file_changes(
        &self,
        base: &CommitId,
        head: &CommitId,
    ) -> Result<Vec<FileChange>, GitError> {
        let fork = history::fork_point(&self.gix()?, base, head)?;
        let printed = self
            .run("diff-tree")
            .args(PLAIN)
            .args(["-z", "--raw", "--numstat", "--patch"])
            .args([fork.to_string().as_str(), head.as_str(), "--"])
            .keep(MOST)
            .success()?;
        let mut files = read(&printed.stdout, printed.left_out > 0)
            .ok_or("it does not have the expected form")
            .map_err(GitError::library("read what `git diff-tree` printed"))?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

/// The line `:100644 100755 <id> <id> M`.
struct Raw<'a> {
    kind: FileChangeKind,
    path: &'a [u8],
    /// It became, or was, a link or a submodule: git shows one removal and one addition.
    retyped: bool,
}

/// `cut` says that hunks are missing at the end.
fn read(out: &[u8], cut: bool) -> Option<Vec<FileChange>> {
    let mut fields = Fields(out);
    let mut raws = Vec::new();
    while fields.0.first() == Some(&b':') {
        raws.push(fields.raw()?);
    }
    let mut counts = Vec::with_capacity(raws.len());
    for raw in &raws {
        counts.push(fields.counts(&raw.kind)?);
    }
    // A NUL of its own parts the hunks from the rest.
    let patches = fields.0.strip_prefix(b"\0").unwrap_or(fields.0);
    let mut patches = sections(patches);
    if cut {
        patches.pop();
    }
    let mut patches = patches.into_iter();
    let mut files = Vec::with_capacity(raws.len());
    for (raw, (additions, deletions)) in raws.into_iter().zip(counts) {
        let sections = if raw.retyped { 2 } else { 1 };
        let shown: Vec<String> = patches.by_ref().take(sections).collect();
        let whole = shown.len() == sections;
        if !whole && !cut {
            return None;
        }
        let hunks: String = shown.iter().map(|section| hunks(section)).collect();
        files.push(FileChange {
            path: text(raw.path),
            kind: raw.kind,
            additions,
            deletions,
            patch: (whole && !hunks.is_empty()).then_some(hunks),
        });
    }
    patches.next().is_none().then_some(files)
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (field, rest) = self.0.split_at(end);
        self.0 = rest.get(1..)?;
        Some(field)
    }

    fn raw(&mut self) -> Option<Raw<'a>> {
        let line = str::from_utf8(self.next()?).ok()?;
        let mut words = line.strip_prefix(':')?.split(' ');
        let (old, new) = (words.next()?, words.next()?);
        let status = words.nth(2)?;
        let first = self.next()?;
        let (kind, path) = match status.bytes().next()? {
            b'A' => (FileChangeKind::Added, first),
            b'D' => (FileChangeKind::Removed, first),
            b'M' | b'T' => (FileChangeKind::Modified, first),
            b'R' => (FileChangeKind::Renamed { from: text(first) }, self.next()?),
            _ => return None,
        };
        Some(Raw {
            kind,
            path,
            // The first three digits of a mode are the type.
            retyped: status == "T" && old.get(..3) != new.get(..3),
        })
    }

    /// `12\t3\tpath`, or `-\t-\tpath` for binary files; both names of a renamed one come after.
    fn counts(&mut self, kind: &FileChangeKind) -> Option<(u64, u64)> {
        let line = self.next()?;
        let mut words = line.splitn(3, |&byte| byte == b'\t');
        let mut number = || -> Option<u64> {
            match str::from_utf8(words.next()?).ok()? {
                "-" => Some(0),
                digits => digits.parse().ok(),
            }
        };
        let counts = (number()?, number()?);
        if let FileChangeKind::Renamed { .. } = kind {
            self.next()?;
            self.next()?;
        }
        Some(counts)
    }
}

/// A diff cut before each of its headers. Lines of files start with a sign or a space.
fn sections(diff: &[u8]) -> Vec<String> {
    let mut sections: Vec<String> = Vec::new();
    for line in diff.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b"diff --git ") {
            sections.push(String::new());
        }
        if let Some(last) = sections.last_mut() {
            last.push_str(&String::from_utf8_lossy(line));
        }
    }
    sections
}

/// What comes after the header of a section.
fn hunks(section: &str) -> String {
    let lines = section.split_inclusive('\n');
    lines.skip_while(|line| !line.starts_with("@@")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_form_is_no_list() {
        let raw = ":100644 100644 1 2 M\0a\0";
        let patch = "diff --git a/a b/a\n@@ -1 +1 @@\n-x\n+y\n";
        let whole = format!("{raw}1\t1\ta\0\0{patch}");
        assert_eq!(
            read(whole.as_bytes(), false).map(|files| files.len()),
            Some(1)
        );
        assert_eq!(read(b"", false), Some(Vec::new()));
        for other in [
            ":100644 100644 1 2 M\0a".to_owned(),
            format!("{}1\t1\ta\0\0{patch}", raw.replace('M', "U")),
            format!("{raw}\0{patch}"),
            format!("{raw}x\t1\ta\0\0{patch}"),
            format!("{raw}1\t1\ta\0\0"),
            format!("{whole}{patch}"),
            patch.to_owned(),
        ] {
            assert_eq!(read(other.as_bytes(), false), None, "{other:?}");
        }
    }

    #[test]
    fn what_a_cut_has_touched_has_no_hunks() {
        let names = ":1 2 1 2 M\0a\0:1 2 1 2 M\0b\0:1 2 1 2 M\0c\0";
        let counts = "1\t1\ta\x001\t1\tb\x001\t1\tc\0\0";
        let patches =
            "diff --git a/a b/a\n@@ -1 +1 @@\n-x\n+y\ndiff --git a/b b/b\n@@ -1 +1 @@\n-x\n";
        let out = format!("{names}{counts}{patches}");
        let files = read(out.as_bytes(), true).unwrap();
        let shown: Vec<_> = files.iter().map(|file| file.patch.as_deref()).collect();
        assert_eq!(shown, [Some("@@ -1 +1 @@\n-x\n+y\n"), None, None]);
        assert_eq!(read(out.as_bytes(), false), None);
    }
}
