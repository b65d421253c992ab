//! What git's diffs say about files and lines.

use std::collections::BTreeSet;

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileChange {
    pub(crate) path: String,
    /// Where it was, when it was renamed.
    pub(crate) previous: Option<String>,
    /// GitHub's word: `added`, `removed`, `modified`, `renamed`, `changed`.
    pub(crate) status: &'static str,
    pub(crate) sha: String,
    /// From the first `@@` on; `None` where there is nothing to show.
    pub(crate) patch: Option<String>,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
}

/// The lines that a diff shows, by side.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Of the old file.
    pub(crate) left: BTreeSet<u64>,
    /// Of the new file.
    pub(crate) right: BTreeSet<u64>,
}

/// From `--raw -z`, which has the names, and the patches, which come in the same order.
pub(crate) fn files(raw: &str, patches: &str) -> Vec<FileChange> {
    let mut fields = raw.split('\0');
    let mut patches = split(patches).into_iter();
    let mut files = Vec::new();
    while let Some(head) = fields.next().and_then(|field| field.strip_prefix(':')) {
        let mut head = head.split(' ').skip(3);
        let sha = head.next().unwrap_or_default().to_owned();
        let status = status(head.next().unwrap_or_default());
        let first = fields.next().unwrap_or_default().to_owned();
        let (path, previous) = match status {
            "renamed" => (fields.next().unwrap_or_default().to_owned(), Some(first)),
            _ => (first, None),
        };
        let patch = patches.next().and_then(hunks);
        let count = |sign| patch.as_deref().map_or(0, |patch| signed(patch, sign));
        files.push(FileChange {
            path,
            previous,
            status,
            sha,
            additions: count('+'),
            deletions: count('-'),
            patch,
        });
    }
    files
}

fn status(letter: &str) -> &'static str {
    match letter.chars().next() {
        Some('A') => "added",
        Some('D') => "removed",
        Some('R') => "renamed",
        Some('T') => "changed",
        Some(_) | None => "modified",
    }
}

/// Lines of a file's content begin with a space, a sign or a backslash, so the head is unique.
fn split(patches: &str) -> Vec<&str> {
    const HEAD: &str = "diff --git ";
    let mut starts: Vec<usize> = patches
        .match_indices(HEAD)
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || patches.as_bytes()[at - 1] == b'\n')
        .collect();
    starts.push(patches.len());
    starts
        .windows(2)
        .map(|pair| &patches[pair[0]..pair[1]])
        .collect()
}

fn hunks(patch: &str) -> Option<String> {
    let at = patch.find("\n@@ ")?;
    Some(patch[at + 1..].trim_end_matches('\n').to_owned())
}

fn signed(patch: &str, sign: char) -> u64 {
    patch
        .split('\n')
        .filter(|line| line.starts_with(sign))
        .count() as u64
}

/// The lines that comments can be put on.
pub(crate) fn lines(patch: &str) -> Lines {
    let mut lines = Lines::default();
    let (mut old, mut new) = (0, 0);
    for line in patch.split('\n') {
        match line.chars().next() {
            Some('@') => (old, new) = starts(line).unwrap_or((old, new)),
            Some('-') => {
                lines.left.insert(old);
                old += 1;
            }
            Some('+') => {
                lines.right.insert(new);
                new += 1;
            }
            // "\ No newline at end of file"
            Some('\\') => {}
            Some(_) | None => {
                lines.left.insert(old);
                lines.right.insert(new);
                old += 1;
                new += 1;
            }
        }
    }
    lines
}

/// The numbers of `@@ -1,2 +3,4 @@`.
fn starts(head: &str) -> Option<(u64, u64)> {
    let mut parts = head.split(' ').skip(1);
    let mut start = |sign| {
        let range = parts.next()?.strip_prefix(sign)?;
        range.split(',').next()?.parse().ok()
    };
    Some((start('-')?, start('+')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "@@ -1,3 +1,3 @@ fn\n a\n-b\n+B\n c\n@@ -10 +10,2 @@\n x\n+y\n\\ No newline";

    #[test]
    fn lines_are_counted_on_both_sides() {
        let lines = lines(PATCH);
        assert_eq!(lines.left, BTreeSet::from([1, 2, 3, 10]));
        assert_eq!(lines.right, BTreeSet::from([1, 2, 3, 10, 11]));
    }

    #[test]
    fn names_and_patches_are_put_together() {
        let zero = "0".repeat(40);
        let one = "1".repeat(40);
        let raw = format!(
            ":100644 100644 {zero} {one} R090\0old name\0new\nname\0\
             :100644 000000 {one} {zero} D\0gone\0"
        );
        let patches = "diff --git a/old name \"b/new\\nname\"\nsimilarity index 90%\n\
                       --- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n\
                       diff --git a/gone b/gone\ndeleted file mode 100644\nBinary files differ\n";
        let files = files(&raw, patches);
        assert_eq!(files[0].path, "new\nname");
        assert_eq!(files[0].previous.as_deref(), Some("old name"));
        assert_eq!(files[0].patch.as_deref(), Some("@@ -1 +1 @@\n-a\n+b"));
        assert_eq!((files[0].additions, files[0].deletions), (1, 1));
        assert_eq!((files[1].status, &files[1].patch), ("removed", &None));
        assert_eq!(files.len(), 2);
    }
}
