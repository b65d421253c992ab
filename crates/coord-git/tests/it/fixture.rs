//! Repositories in temporary folders, made by the real git in a hermetic environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use coord_core::ids::{AssignmentId, CommitId};
use coord_git::{AcquireSpec, Repo, Worktree, WorktreePool};
use tempfile::TempDir;

/// A folder with a repository `work` and, after [`Site::add_remote`], a bare one `remote.git`.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) work: PathBuf,
}

/// Runs git in `folder`; how it ended is up to the caller.
pub(crate) fn try_git(folder: &Path, args: &[&str]) -> Output {
    Command::new("git")
        .current_dir(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "Ann Author")
        .env("GIT_AUTHOR_EMAIL", "ann@example.org")
        .env("GIT_COMMITTER_NAME", "Ann Author")
        .env("GIT_COMMITTER_EMAIL", "ann@example.org")
        .env("GIT_EDITOR", "true")
        .env("LC_ALL", "C")
        .output()
        .unwrap()
}

/// Runs git in `folder`; gives its trimmed output.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = try_git(folder, args);
    assert!(
        output.status.success(),
        "git {args:?} in {}: {}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Writes a file with the folders that it needs.
pub(crate) fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub(crate) fn read(root: &Path, file: &str) -> String {
    std::fs::read_to_string(root.join(file)).unwrap()
}

/// Writes, adds and commits; gives the commit.
pub(crate) fn commit(root: &Path, file: &str, text: &str, message: &str) -> CommitId {
    write(root, file, text);
    git(root, &["add", "--", file]);
    git(root, &["commit", "--quiet", "-m", message]);
    head(root)
}

pub(crate) fn head(root: &Path) -> CommitId {
    rev(root, "HEAD")
}

pub(crate) fn rev(root: &Path, name: &str) -> CommitId {
    CommitId::new(git(root, &["rev-parse", name]))
}

pub(crate) fn id(n: u64) -> AssignmentId {
    AssignmentId::from_bits(n)
}

impl Site {
    /// A repository on the branch `trunk` with a few files.
    pub(crate) fn new() -> Self {
        Self::in_folder("work")
    }

    pub(crate) fn in_folder(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(&work).unwrap();
        git(&work, &["init", "--quiet", "-b", "trunk"]);
        configure(&work);
        write(&work, ".gitignore", "ignored/\n*.log\n");
        write(&work, "lib.txt", "one\ntwo\nthree\nfour\nfive\n");
        git(&work, &["add", "."]);
        commit(&work, "README", "hello\n", "first");
        Self { folder, work }
    }

    /// Makes `remote.git` the remote `origin` and pushes.
    pub(crate) fn add_remote(&self) -> PathBuf {
        let remote = self.folder.path().join("remote.git");
        let path = remote.to_str().unwrap();
        git(
            self.folder.path(),
            &["init", "--quiet", "--bare", "-b", "trunk", path],
        );
        git(&self.work, &["remote", "add", "origin", path]);
        git(&self.work, &["push", "--quiet", "-u", "origin", "trunk"]);
        git(&self.work, &["remote", "set-head", "origin", "trunk"]);
        remote
    }

    /// Somebody else's clone of the remote.
    pub(crate) fn clone_remote(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let remote = self.folder.path().join("remote.git");
        git(
            self.folder.path(),
            &[
                "clone",
                "--quiet",
                remote.to_str().unwrap(),
                path.to_str().unwrap(),
            ],
        );
        configure(&path);
        path
    }

    pub(crate) fn repo(&self) -> Repo {
        Repo::open(&self.work).unwrap()
    }

    pub(crate) fn pool(&self, warm: usize) -> WorktreePool {
        WorktreePool::new(self.folder.path().join("pool"), warm)
    }

    /// A worktree for assignment `n` on the branch `issue-<n>`, from the tip of `trunk`.
    pub(crate) fn acquire(&self, pool: &WorktreePool, n: u64) -> Worktree {
        let base = rev(&self.work, "trunk");
        pool.acquire(
            &self.repo(),
            AcquireSpec {
                assignment: &id(n),
                branch: &format!("issue-{n}"),
                base: &base,
                start: None,
            },
        )
        .unwrap()
    }

    /// A branch with one commit on top of `from`, made in the main checkout, which goes back to
    /// `trunk`.
    pub(crate) fn branch(&self, name: &str, from: &str, file: &str, text: &str) -> CommitId {
        git(&self.work, &["switch", "--quiet", "-c", name, from]);
        let made = commit(&self.work, file, text, &format!("change {file}"));
        git(&self.work, &["switch", "--quiet", "trunk"]);
        made
    }
}

/// What a person would have in their own configuration, so that nothing of it is needed.
fn configure(work: &Path) {
    for (key, value) in [
        ("user.name", "Ann Author"),
        ("user.email", "ann@example.org"),
        ("commit.gpgSign", "false"),
        ("core.excludesFile", "/dev/null"),
    ] {
        git(work, &["config", key, value]);
    }
}
