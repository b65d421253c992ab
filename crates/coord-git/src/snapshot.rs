//! What a worktree holds beyond its commit: listing it, saving it, showing it.
//!
//! Works on a copy of the index, so that neither the worktree nor a worker's `git add` is
//! touched. Ignored files do not count; neither do files that the coordinator copied in.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gix::ObjectId;

use crate::cli::{Git, Run};
use crate::{GitError, prepare};

/// Workers edit while we look: a file that vanishes in between is tried again.
const ATTEMPTS: usize = 3;

/// What differs from the commit that is checked out. Paths are relative to the worktree.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Tracked files that were changed, added or deleted, and untracked files.
    pub(crate) files: Vec<PathBuf>,
    /// Folders with a repository of their own that is no submodule.
    pub(crate) nested: Vec<PathBuf>,
    /// Submodules with other commits or changes; a tree of ours cannot hold those.
    pub(crate) submodules: Vec<PathBuf>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.nested.is_empty() && self.submodules.is_empty()
    }

    /// All of it for people, sorted.
    pub(crate) fn paths(&self) -> Vec<String> {
        let all = self
            .files
            .iter()
            .chain(&self.nested)
            .chain(&self.submodules);
        let mut paths: Vec<String> = all.map(|path| path.display().to_string()).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// A git command in the worktree that overlooks the files that the coordinator copied in.
pub(crate) fn run<'git>(git: &'git Git, worktree: &Path, subcommand: &str) -> Run<'git> {
    let run = git
        .run_in(worktree, subcommand)
        .config("advice.addEmbeddedRepo=false")
        .config("core.splitIndex=false")
        // A checksum over a large index costs as much as all the rest of writing it.
        .config("index.skipHash=true");
    match prepare::exclude_file(worktree) {
        Some(file) => run.config(format!("core.excludesFile={}", file.display())),
        None => run,
    }
}

/// Looks at the worktree.
pub(crate) fn changes(git: &Git, worktree: &Path) -> Result<Changes, GitError> {
    let listing = status(git, worktree, "none").bytes()?;
    Ok(listed(worktree, &listing, |_| true))
}

/// What differs from an index of ours, whatever HEAD is. Files changed in submodules do not count:
/// an index has no place for them.
pub(crate) fn changes_since(git: &Git, worktree: &Path, index: &Path) -> Result<Changes, GitError> {
    let listing = status(git, worktree, "dirty")
        .env("GIT_INDEX_FILE", index)
        .bytes()?;
    // The second letter of `1 XY` is about the worktree; a dot says that nothing differs.
    let differs = |record: &[u8]| record.first() != Some(&b'1') || record.get(3) != Some(&b'.');
    Ok(listed(worktree, &listing, differs))
}

fn status<'git>(git: &'git Git, worktree: &Path, ignored_in_submodules: &str) -> Run<'git> {
    run(git, worktree, "status")
        .args([
            "--porcelain=v2",
            "-z",
            "--untracked-files=all",
            "--no-renames",
        ])
        .arg(format!("--ignore-submodules={ignored_in_submodules}"))
}

fn listed(worktree: &Path, listing: &[u8], counts: impl Fn(&[u8]) -> bool) -> Changes {
    let mut changes = Changes::default();
    for record in listing.split(|byte| *byte == 0) {
        if counts(record) {
            sort_in(record, &mut changes);
        }
    }
    // A tracked file that a repository took the place of is listed as deleted, and no more.
    let (nested, files) = std::mem::take(&mut changes.files)
        .into_iter()
        .partition(|path| worktree.join(path).join(".git").symlink_metadata().is_ok());
    changes.files = files;
    changes.nested.extend::<Vec<PathBuf>>(nested);
    changes
}

/// One record of `git status --porcelain=v2`: `1 XY sub mH mI mW hH hI path`, `u XY sub m1 m2 m3
/// mW h1 h2 h3 path`, `? path` (git-status(1)).
fn sort_in(record: &[u8], changes: &mut Changes) {
    let fields = match record.first() {
        Some(b'1') => 9,
        Some(b'u') => 11,
        Some(b'?') => 2,
        _ => return,
    };
    let parts: Vec<&[u8]> = record.splitn(fields, |byte| *byte == b' ').collect();
    let Some(path) = parts.get(fields - 1) else {
        return;
    };
    let is_submodule = fields > 2 && parts.get(2).is_some_and(|sub| sub.starts_with(b"S"));
    match path.strip_suffix(b"/") {
        Some(folder) if fields == 2 => changes.nested.push(to_path(folder)),
        _ if is_submodule => changes.submodules.push(to_path(path)),
        _ => changes.files.push(to_path(path)),
    }
}

pub(crate) fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

/// The tree of everything in the worktree that is not ignored, written to the object database.
/// `changes` gets the files of nested repositories added.
pub(crate) fn tree(
    git: &Git,
    repo: &gix::Repository,
    worktree: &Path,
    changes: &mut Changes,
) -> Result<ObjectId, GitError> {
    let index = ScratchIndex::copy_of(repo)?;
    stage_nested(git, repo, worktree, &index.path, changes)?;
    stage(git, worktree, &index, changes, "--all")?;
    let files = nested_files(worktree, &changes.nested)?;
    changes.files.extend(files);
    changes.nested.clear();
    write_tree(git, worktree, &index.path)
}

/// The tree of an index of ours, written to the object database.
pub(crate) fn write_tree(git: &Git, worktree: &Path, index: &Path) -> Result<ObjectId, GitError> {
    let written = run(git, worktree, "write-tree")
        .env("GIT_INDEX_FILE", index)
        .text()?;
    ObjectId::from_hex(written.trim().as_bytes()).map_err(GitError::library("read a tree id"))
}

/// Takes what was found by [`changes_since`] into an index of ours, and looks at nothing else.
pub(crate) fn take_in(
    git: &Git,
    repo: &gix::Repository,
    worktree: &Path,
    index: &Path,
    changes: &Changes,
) -> Result<(), GitError> {
    stage_nested(git, repo, worktree, index, changes)?;
    let mut list = Vec::new();
    for path in changes.files.iter().chain(&changes.submodules) {
        list.extend_from_slice(path.as_os_str().as_bytes());
        list.push(0);
    }
    if list.is_empty() {
        return Ok(());
    }
    retried(|| {
        run(git, worktree, "update-index")
            .env("GIT_INDEX_FILE", index)
            .args(["--add", "--remove", "--replace", "-z", "--stdin"])
            .input(list.clone())
            .bytes()
    })
}

/// Copies an index. The copy is as old as the original: git takes a file that is older than its
/// index for what it was.
pub(crate) fn copy_index(from: &Path, to: &Path) -> Result<(), GitError> {
    let copy = || {
        let modified = from.metadata()?.modified()?;
        std::fs::copy(from, to)?;
        std::fs::File::options()
            .write(true)
            .open(to)?
            .set_modified(modified)
    };
    match copy() {
        // A worktree without an index: git starts an empty one.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io("copy", from)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The worktree as it is on disk against a commit, as a unified diff.
pub(crate) fn diff(git: &Git, worktree: &Path, base: ObjectId) -> Result<String, GitError> {
    let repo = crate::repo::open_gix(worktree)?;
    let index = ScratchIndex::copy_of(&repo)?;
    let changes = changes(git, worktree)?;
    if !changes.is_empty() {
        stage_nested(git, &repo, worktree, &index.path, &changes)?;
        stage(git, worktree, &index, &changes, "--intent-to-add")?;
    }
    run(git, worktree, "diff")
        .env("GIT_INDEX_FILE", &index.path)
        .args(["--no-color", "--no-ext-diff", "--no-textconv", "-M"])
        .args([base.to_string().as_str(), "--"])
        .text()
}

fn stage(
    git: &Git,
    worktree: &Path,
    index: &ScratchIndex,
    changes: &Changes,
    how: &str,
) -> Result<(), GitError> {
    let mut excluded = Vec::new();
    for folder in &changes.nested {
        let mut spec = OsString::from(":(exclude,literal)");
        spec.push(folder);
        excluded.push(spec);
    }
    retried(|| {
        run(git, worktree, "add")
            .env("GIT_INDEX_FILE", &index.path)
            .args([how, "--ignore-errors"])
            .args(["--", "."])
            .args(&excluded)
            .bytes()
    })
}

fn retried(attempt: impl Fn() -> Result<Vec<u8>, GitError>) -> Result<(), GitError> {
    let mut result = attempt();
    for _ in 1..ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = attempt();
    }
    result.map(drop)
}

/// Puts the files of nested repositories into the index, where `git add` would put only the id of
/// a commit that exists nowhere else. A tracked file that such a folder replaced goes.
fn stage_nested(
    git: &Git,
    repo: &gix::Repository,
    worktree: &Path,
    index: &Path,
    changes: &Changes,
) -> Result<(), GitError> {
    if changes.nested.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::new();
    let nothing = ObjectId::null(repo.object_hash());
    for folder in &changes.nested {
        lines.extend(index_line("0", nothing, folder));
    }
    for file in nested_files(worktree, &changes.nested)? {
        let (mode, id) = write_file(repo, &worktree.join(&file))?;
        lines.extend(index_line(mode, id, &file));
    }
    run(git, worktree, "update-index")
        .env("GIT_INDEX_FILE", index)
        .args(["-z", "--index-info"])
        .input(lines)
        .bytes()
        .map(drop)
}

/// All files in nested repositories, without what is in their `.git`.
fn nested_files(worktree: &Path, folders: &[PathBuf]) -> Result<Vec<PathBuf>, GitError> {
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = folders.to_vec();
    while let Some(folder) = todo.pop() {
        let full = worktree.join(&folder);
        let entries = std::fs::read_dir(&full).map_err(GitError::io("read", &full))?;
        for entry in entries {
            let entry = entry.map_err(GitError::io("read", &full))?;
            let kind = entry.file_type().map_err(GitError::io("read", &full))?;
            let path = folder.join(entry.file_name());
            if entry.file_name() == ".git" {
                continue;
            }
            if kind.is_dir() {
                todo.push(path);
            } else if kind.is_file() || kind.is_symlink() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `mode id<tab>path<nul>` for `git update-index -z --index-info`; mode 0 removes.
fn index_line(mode: &str, id: ObjectId, path: &Path) -> Vec<u8> {
    let mut line = format!("{mode} {id}\t").into_bytes();
    line.extend_from_slice(path.as_os_str().as_bytes());
    line.push(0);
    line
}

/// Writes a file or link to the object database; gives its mode in the index and its id.
fn write_file(repo: &gix::Repository, file: &Path) -> Result<(&'static str, ObjectId), GitError> {
    let meta = file
        .symlink_metadata()
        .map_err(GitError::io("read", file))?;
    let (mode, content) = if meta.is_symlink() {
        let target = std::fs::read_link(file).map_err(GitError::io("read", file))?;
        ("120000", target.into_os_string().into_vec())
    } else {
        let content = std::fs::read(file).map_err(GitError::io("read", file))?;
        let executable = meta.permissions().mode() & 0o100 != 0;
        (if executable { "100755" } else { "100644" }, content)
    };
    let id = repo
        .write_blob(content)
        .map_err(GitError::library("write a file to the object database"))?;
    Ok((mode, id.detach()))
}

/// A copy of the index, gone when dropped.
struct ScratchIndex {
    path: PathBuf,
}

impl ScratchIndex {
    fn copy_of(repo: &gix::Repository) -> Result<Self, GitError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "coord-index-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let scratch = Self {
            path: repo.git_dir().join(name),
        };
        copy_index(&repo.index_path(), &scratch.path)?;
        Ok(scratch)
    }
}

impl Drop for ScratchIndex {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_all_kinds() {
        let records: [&[u8]; 6] = [
            b"1 .M N... 100644 100644 100644 aaaa bbbb a name.txt",
            b"1 .M S..U 160000 160000 160000 aaaa bbbb sub",
            b"u UU N... 100644 100644 100644 100644 aa bb cc both.txt",
            b"? new file",
            b"? clone/",
            b"",
        ];
        let mut changes = Changes::default();
        for record in records {
            sort_in(record, &mut changes);
        }
        assert_eq!(
            changes.paths(),
            ["a name.txt", "both.txt", "clone", "new file", "sub"]
        );
        assert_eq!(changes.nested, [PathBuf::from("clone")]);
        assert_eq!(changes.submodules, [PathBuf::from("sub")]);
    }
}
