//! Files that a worktree needs besides those of its commit (`worktree.copy`), e.g. `.env`.
//!
//! Such files must neither be committed by a worker nor count as its work. Git's `info/exclude`
//! is shared by all worktrees, so writing there would hide files in the person's own checkout.
//! They are listed in a file of the worktree's private git folder instead, and `core.excludesFile`
//! points there in the worker's environment and in our own calls. The file starts with what the
//! person's own excludes file says, because it takes its place.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use gix::glob::wildmatch;

use crate::GitError;

const EXCLUDE: &str = "coord-exclude";

/// What [`copy_files`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// The copied files, relative to both roots, sorted.
    pub files: Vec<String>,
    /// What was not copied: a pattern or a file, and why.
    pub skipped: Vec<(String, SkipReason)>,
}

/// Why something was not copied; none of these is fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// No file of the main checkout matches the pattern.
    NothingMatches,
    /// It is absolute, has `..`, or a symbolic link leads out of one of the roots.
    LeadsOutside,
    /// The worktree has such a file already, mostly because it is tracked.
    Exists,
}

impl SkipReason {
    /// The reason for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingMatches => "nothing matches",
            Self::LeadsOutside => "it leads out of the repository",
            Self::Exists => "the worktree has it already",
        }
    }
}

/// Copies the files of the main checkout that match `patterns` into the worktree. A pattern is a
/// path relative to the root, with `*`, `?`, `[…]` and `**`; a folder stands for all that is in it.
///
/// # Errors
/// When a file cannot be read or written. Patterns that match nothing are reported, not fatal.
pub fn copy_files(
    repo_path: &Path,
    worktree: &Path,
    patterns: &[String],
) -> Result<Copied, GitError> {
    let from = repo_path
        .canonicalize()
        .map_err(GitError::io("read", repo_path))?;
    let mut copied = Copied::default();
    for pattern in patterns {
        let matches = matching(&from, pattern)?;
        if matches.is_empty() {
            let reason = if stays_inside(Path::new(pattern)) {
                SkipReason::NothingMatches
            } else {
                SkipReason::LeadsOutside
            };
            copied.skipped.push((pattern.clone(), reason));
        }
        for file in matches {
            let name = file.to_string_lossy().into_owned();
            match copy_one(&from, worktree, &file)? {
                Ok(()) => copied.files.push(name),
                Err(reason) => copied.skipped.push((name, reason)),
            }
        }
    }
    copied.files.sort();
    copied.files.dedup();
    exclude(worktree, &copied.files)?;
    Ok(copied)
}

fn stays_inside(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, Component::Normal(name) if name != ".git"))
}

/// The files below `root` that the pattern stands for, relative to it, sorted.
fn matching(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, GitError> {
    let pattern = pattern.trim_end_matches('/');
    if pattern.is_empty() || !stays_inside(Path::new(pattern)) {
        return Ok(Vec::new());
    }
    // Only what is below the part without wildcards needs to be looked at.
    let start: PathBuf = Path::new(pattern)
        .components()
        .take_while(|part| {
            !part
                .as_os_str()
                .as_bytes()
                .iter()
                .any(|b| b"*?[\\".contains(b))
        })
        .collect();
    let is_plain = start == Path::new(pattern);
    let mut found = Vec::new();
    let mut todo = vec![start];
    while let Some(path) = todo.pop() {
        let full = root.join(&path);
        // Links to folders are not followed; a link to a file is judged when it is copied.
        let Ok(meta) = full.symlink_metadata() else {
            continue;
        };
        if meta.is_dir() {
            todo.extend(entries(&full)?.into_iter().map(|name| path.join(name)));
        } else if is_plain || stands_for(pattern, &path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<std::ffi::OsString>, GitError> {
    let entries = fs::read_dir(folder).map_err(GitError::io("read", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(GitError::io("read", folder))?.file_name();
        if name != ".git" {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether the pattern matches the path or one of the folders that it is in.
fn stands_for(pattern: &str, path: &Path) -> bool {
    path.ancestors()
        .filter(|part| !part.as_os_str().is_empty())
        .any(|part| {
            gix::glob::wildmatch(
                pattern.as_bytes().into(),
                part.as_os_str().as_bytes().into(),
                wildmatch::Mode::NO_MATCH_SLASH_LITERAL,
            )
        })
}

fn copy_one(from: &Path, to: &Path, file: &Path) -> Result<Result<(), SkipReason>, GitError> {
    let source = match from.join(file).canonicalize() {
        Ok(source) if source.starts_with(from) && source.is_file() => source,
        Ok(_) | Err(_) => return Ok(Err(SkipReason::LeadsOutside)),
    };
    if !make_parents(to, file)? {
        return Ok(Err(SkipReason::LeadsOutside));
    }
    let target = to.join(file);
    // `create_new` follows no link that the commit may have put there.
    let mut output = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&target)
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Ok(Err(SkipReason::Exists));
        }
        Err(error) => return Err(GitError::io("create", target)(error)),
    };
    let mut input = File::open(&source).map_err(GitError::io("read", &source))?;
    std::io::copy(&mut input, &mut output).map_err(GitError::io("write", &target))?;
    let mode = input
        .metadata()
        .map_err(GitError::io("read", &source))?
        .permissions()
        .mode();
    output
        .set_permissions(fs::Permissions::from_mode(mode | 0o200))
        .map_err(GitError::io("write", &target))?;
    Ok(Ok(()))
}

/// Makes the folders that the file needs; `false` when a link of the commit is in the way.
fn make_parents(root: &Path, file: &Path) -> Result<bool, GitError> {
    let mut folder = root.to_owned();
    for part in file.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match folder.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Ok(false),
            Err(_) => fs::create_dir(&folder).map_err(GitError::io("create", &folder))?,
        }
    }
    Ok(true)
}

/// The excludes file of a worktree that has had files copied into it.
pub(crate) fn exclude_file(worktree: &Path) -> Option<PathBuf> {
    let file = private_folder(worktree)?.join(EXCLUDE);
    file.is_file().then_some(file)
}

/// The private git folder of a linked worktree, from its `.git` file.
pub(crate) fn private_folder(worktree: &Path) -> Option<PathBuf> {
    let bytes = fs::read(worktree.join(".git")).ok()?;
    let target = bytes.strip_prefix(b"gitdir: ")?;
    let target = Path::new(OsStr::from_bytes(target.trim_ascii_end()));
    worktree.join(target).canonicalize().ok()
}

fn exclude(worktree: &Path, files: &[String]) -> Result<(), GitError> {
    let Some(folder) = private_folder(worktree).filter(|_| !files.is_empty()) else {
        return Ok(());
    };
    let path = folder.join(EXCLUDE);
    let mut lines = match fs::read(&path) {
        Ok(earlier) => earlier,
        Err(_) => persons_excludes(worktree),
    };
    for file in files.iter().filter(|file| !file.contains('\n')) {
        lines.extend_from_slice(format!("/{}\n", escaped(file)).as_bytes());
    }
    let mut output = File::create(&path).map_err(GitError::io("create", &path))?;
    output
        .write_all(&lines)
        .map_err(GitError::io("write", &path))
}

/// A path as a pattern of gitignore(5) that matches nothing else.
fn escaped(file: &str) -> String {
    let mut pattern = String::with_capacity(file.len());
    for c in file.chars() {
        if matches!(c, '\\' | '*' | '?' | '[' | ' ') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// What the excludes file says that ours takes the place of; ends with a newline if not empty.
fn persons_excludes(worktree: &Path) -> Vec<u8> {
    let configured = crate::repo::open_gix(worktree).ok().and_then(|repo| {
        let path = repo.config_snapshot().trusted_path("core.excludesFile");
        path.ok()?
    });
    let usual = || {
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?;
        Some(folder.join("git/ignore"))
    };
    let mut lines = configured
        .or_else(usual)
        .and_then(|path| fs::read(path).ok())
        .unwrap_or_default();
    if lines.last().is_some_and(|last| *last != b'\n') {
        lines.push(b'\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_paths_and_folders() {
        assert!(stands_for("*.env", Path::new("a.env")));
        assert!(!stands_for("*.env", Path::new("sub/a.env")));
        assert!(stands_for("**/.env", Path::new("sub/deep/.env")));
        assert!(stands_for("conf*", Path::new("config/local/x")));
    }

    #[test]
    fn an_excluded_path_means_only_itself() {
        assert_eq!(escaped("a*b [1].env"), "a\\*b\\ \\[1].env");
    }
}
