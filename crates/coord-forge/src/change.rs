//! What a branch changes.

use coord_core::ids::CommitId;

/// How one commit stands to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Commits of the head that the base does not have.
    pub ahead: u64,
    /// Commits of the base that the head does not have.
    pub behind: u64,
    /// Where the two parted.
    pub merge_base: CommitId,
}

/// A file that a pull request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedFile {
    /// Relative to the root of the repository, as it is called after the change.
    pub path: String,
    /// What it was called before, where it was renamed.
    pub renamed_from: Option<String>,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Lines that were added.
    pub additions: u64,
    /// Lines that were removed.
    pub deletions: u64,
    /// Its hunks in unified format, without the header; `None` where the forge shows none: for
    /// binary files and very long diffs.
    pub patch: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its contents or mode changed, under the same name.
    Modified,
    /// It has another name, and maybe other contents.
    Renamed,
}

/// The lines of the new file that the hunks of `patch` show, in order: those on which a review can
/// comment. What is not a hunk is passed over.
#[must_use]
pub fn lines_in_diff(patch: &str) -> Vec<u32> {
    let mut lines = Vec::new();
    let mut next = None;
    for line in patch.lines() {
        if line.starts_with("@@") {
            next = first_line(line);
            continue;
        }
        let Some(number) = next else { continue };
        if line.starts_with('+') || line.starts_with(' ') || line.is_empty() {
            lines.push(number);
            next = number.checked_add(1);
        }
    }
    lines
}

/// The `12` of `@@ -1,2 +12,3 @@`.
fn first_line(header: &str) -> Option<u32> {
    let (_, new) = header.split_once('+')?;
    let digits = new.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_new_file() {
        let patch = "@@ -1,3 +1,3 @@ fn a\n one\n-two\n+zwei\n three\n@@ -10 +10,2 @@\n ten\n+eleven\n\\ No newline at end of file";
        assert_eq!(lines_in_diff(patch), [1, 2, 3, 10, 11]);
    }

    #[test]
    fn a_patch_that_is_none_has_no_lines() {
        for text in ["", "no hunk", "@@ nonsense @@\n+a", "+a\n b"] {
            assert_eq!(lines_in_diff(text), [], "{text}");
        }
        assert_eq!(lines_in_diff("@@ -0,0 +4294967295 @@\n+a\n+b"), [u32::MAX]);
    }
}
