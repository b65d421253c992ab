//! What a planner wants to know of a repository: its files, what changed lately, where words stand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coord_core::ids::CommitId;

use super::{Repo, commit};
use crate::GitError;

/// One commit of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// Which.
    pub id: CommitId,
    /// The first line of its message.
    pub subject: String,
    /// The paths that it changed, sorted by git.
    pub files: Vec<String>,
}

/// A file with a word in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WordHit {
    /// The word, as it was asked for.
    pub word: String,
    /// The file.
    pub path: String,
}

/// No more is read of what git prints.
const MOST: usize = 8 << 20;
/// No more commits are looked at.
const MOST_COMMITS: usize = 10_000;
/// A commit of more files says nothing about any of them, and its list is cut here.
const MOST_FILES: usize = 1000;
/// No more words are looked for, none that is longer, and no more files are told of each.
const MOST_WORDS: usize = 64;
const LONGEST_WORD: usize = 100;
const MOST_HITS: usize = 200;
/// Nobody waits longer for a plan's material.
const LIMIT: Duration = Duration::from_secs(20);

impl Repo {
    /// The files and links of a commit, sorted; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when objects cannot be read.
    pub fn tracked_files(&self, id: &CommitId) -> Result<Vec<String>, GitError> {
        let doing = "list the files of a commit";
        let gix = self.gix()?;
        let tree = commit(&gix, id)?.tree().map_err(GitError::library(doing))?;
        let entries = tree
            .traverse()
            .breadthfirst
            .files()
            .map_err(GitError::library(doing))?;
        let mut files: Vec<String> = entries
            .into_iter()
            .filter(|entry| entry.mode.is_blob_or_symlink())
            .map(|entry| entry.filepath.to_string())
            .collect();
        files.sort();
        Ok(files)
    }

    /// The last `limit` commits up to this one, without merges, newest first; the oldest may be
    /// missing where they are enormous.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when git fails or takes too long.
    pub fn recent_changes(&self, id: &CommitId, limit: usize) -> Result<Vec<PastChange>, GitError> {
        let tip = commit(&self.gix()?, id)?.id.to_string();
        let commits = self
            .run("rev-list")
            .args([
                "--no-merges",
                &format!("--max-count={}", limit.min(MOST_COMMITS)),
                &tip,
                "--",
            ])
            .limit(LIMIT)
            .bytes()?;
        let printed = self
            .run("diff-tree")
            .args(["--stdin", "-r", "-z", "--root", "--always", "--no-renames"])
            .args(["--name-only", "--format=%x00%H%x00%s"])
            .input(commits)
            .keep(MOST)
            .limit(LIMIT)
            .success()?;
        let mut changes = past_changes(&printed.stdout)
            .ok_or("it does not have the expected form")
            .map_err(GitError::library("read what `git diff-tree` printed"))?;
        if printed.left_out > 0 {
            changes.pop();
        }
        Ok(changes)
    }

    /// In which files of the commit these words stand, whole and with the same case; sorted. The
    /// first 64 words count, and of each the first 200 files; words with line ends are nowhere.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`], and when git fails or takes too long.
    pub fn grep(&self, id: &CommitId, words: &[String]) -> Result<Vec<WordHit>, GitError> {
        let tip = commit(&self.gix()?, id)?.id.to_string();
        let asked: BTreeSet<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| can_stand(word))
            .take(MOST_WORDS)
            .collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut run = self
            .run("grep")
            .config("grep.lineNumber=false")
            .config("grep.column=false")
            .config("color.grep=false")
            .args([
                "-F",
                "-w",
                "-I",
                "-o",
                "-z",
                "--full-name",
                "--no-recurse-submodules",
            ]);
        for word in &asked {
            run = run.args(["-e", word]);
        }
        let printed = run
            .args([tip.as_str(), "--"])
            .keep(MOST)
            .limit(LIMIT)
            .output()?;
        match printed.code {
            Some(0) => Ok(hits(&printed.stdout, &tip, &asked)),
            // Nothing was found.
            Some(1) => Ok(Vec::new()),
            _ => Err(printed.failure("grep")),
        }
    }
}

fn can_stand(word: &str) -> bool {
    !word.is_empty() && word.len() <= LONGEST_WORD && !word.contains(['\n', '\r', '\0'])
}

/// For each commit an empty field, the id, the subject and, after a line end, its paths.
fn past_changes(out: &[u8]) -> Option<Vec<PastChange>> {
    let mut changes: Vec<PastChange> = Vec::new();
    let mut fields = out.split(|&byte| byte == 0).peekable();
    while let Some(field) = fields.next() {
        if field.is_empty() {
            // The last one ends the list.
            let Some(id) = fields.next() else { break };
            changes.push(PastChange {
                id: CommitId::new(str::from_utf8(id).ok()?),
                subject: text(fields.next().unwrap_or_default()),
                files: Vec::new(),
            });
            continue;
        }
        let last = changes.last_mut()?;
        if last.files.len() < MOST_FILES {
            let path = field.strip_prefix(b"\n").filter(|_| last.files.is_empty());
            last.files.push(text(path.unwrap_or(field)));
        }
    }
    Some(changes)
}

/// `<commit>:<path>`, a NUL, and the word, line by line.
fn hits(out: &[u8], tip: &str, asked: &BTreeSet<&str>) -> Vec<WordHit> {
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut rest = out;
    while let Some(end) = rest.iter().position(|&byte| byte == 0) {
        let (path, after) = (&rest[..end], &rest[end + 1..]);
        let line = after
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(after.len());
        rest = after.get(line + 1..).unwrap_or_default();
        let path = path
            .strip_prefix(tip.as_bytes())
            .and_then(|path| path.strip_prefix(b":"));
        let word = str::from_utf8(&after[..line])
            .ok()
            .and_then(|word| asked.get(word));
        if let (Some(path), Some(word)) = (path, word) {
            let files = found.entry(word).or_default();
            if files.len() < MOST_HITS {
                files.insert(text(path));
            }
        }
    }
    let hit = |word: &str, path| WordHit {
        word: word.to_owned(),
        path,
    };
    found
        .into_iter()
        .flat_map(|(word, paths)| paths.into_iter().map(move |path| hit(word, path)))
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
