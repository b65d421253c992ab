//! Real git repositories for tests: a bare remote and a clone, sealed off from the machine's
//! configuration of git.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// The environment that makes git hermetic: no configuration but the repository's own, a fixed
/// author, fixed dates, no prompt.
pub const GIT_ENV: &[(&str, &str)] = &[
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_AUTHOR_NAME", "Test"),
    ("GIT_AUTHOR_EMAIL", "test@example.invalid"),
    ("GIT_COMMITTER_NAME", "Test"),
    ("GIT_COMMITTER_EMAIL", "test@example.invalid"),
    ("GIT_TERMINAL_PROMPT", "0"),
];

/// Variables through which a calling git (a hook, a rebase) would redirect ours.
const INHERITED: &[&str] = &["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// A hermetic git in `folder`, its arguments to be added.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    for name in INHERITED {
        command.env_remove(name);
    }
    command.current_dir(folder).envs(GIT_ENV.iter().copied());
    command
}

/// Runs git in `folder` and returns its stdout without the line end.
///
/// # Errors
/// When git is missing or ends with another code than 0; the message holds its stderr.
pub fn git(folder: &Path, args: &[&str]) -> Result<String> {
    let output = command(folder)
        .args(args)
        .output()
        .context("failed to run git")?;
    if !output.status.success() {
        bail!(
            "git {} failed in {}: {}",
            args.join(" "),
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

/// Runs git in `folder` with `input` on its stdin; what it prints is dropped.
///
/// # Errors
/// When git is missing, does not read all of it, or ends with another code than 0.
pub fn feed_git(folder: &Path, args: &[&str], input: &str) -> Result<()> {
    let mut child = command(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("failed to run git")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let status = child.wait()?;
    ensure!(
        status.success(),
        "git {} ended with {status}",
        args.join(" ")
    );
    Ok(())
}

/// A bare remote `remote.git` and a clone `clone` of it, side by side in one folder.
#[derive(Debug, Clone)]
pub struct RepoFixture {
    folder: PathBuf,
    branch: String,
}

impl RepoFixture {
    /// Makes both with one commit (`README.md`) on `main`.
    ///
    /// # Errors
    /// When `folder` cannot be written or git fails.
    pub fn create(folder: &Path) -> Result<Self> {
        Self::with_branch(folder, "main")
    }

    /// Makes both with one commit (`README.md`) on the default branch `branch`.
    ///
    /// # Errors
    /// When `folder` cannot be written or git fails.
    pub fn with_branch(folder: &Path, branch: &str) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let fixture = Self {
            folder: folder.to_path_buf(),
            branch: branch.to_owned(),
        };
        let head = format!("--initial-branch={branch}");
        git(folder, &["init", "--quiet", "--bare", &head, "remote.git"])?;
        git(folder, &["clone", "--quiet", "remote.git", "clone"])?;
        git(
            &fixture.clone_path(),
            &["checkout", "--quiet", "-B", branch],
        )?;
        fixture.commit("README.md", "# fixture\n", "first commit")?;
        fixture.push()?;
        Ok(fixture)
    }

    /// The bare repository.
    #[must_use]
    pub fn remote_path(&self) -> PathBuf {
        self.folder.join("remote.git")
    }

    /// The clone with a working tree.
    #[must_use]
    pub fn clone_path(&self) -> PathBuf {
        self.folder.join("clone")
    }

    /// The default branch.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Writes `path` in the clone, its folders included.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let file = self.clone_path().join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))
    }

    /// Writes `path` in the clone, commits everything there, and returns the commit.
    ///
    /// # Errors
    /// When the file cannot be written or git fails.
    pub fn commit(&self, path: &str, text: &str, message: &str) -> Result<String> {
        self.write(path, text)?;
        let clone = self.clone_path();
        git(&clone, &["add", "--all"])?;
        git(&clone, &["commit", "--quiet", "--message", message])?;
        git(&clone, &["rev-parse", "HEAD"])
    }

    /// Commits `count` small files in folders of a hundred, and returns the commit.
    ///
    /// # Errors
    /// When a file cannot be written or git fails.
    pub fn commit_many(&self, count: usize) -> Result<String> {
        let tree = self.clone_path().join("tree");
        for n in 0..count {
            let folder = tree.join(format!("d{:04}", n / 100));
            if n % 100 == 0 {
                std::fs::create_dir_all(&folder)?;
            }
            std::fs::write(folder.join(format!("f{n:06}.txt")), format!("file {n}\n"))?;
        }
        self.commit("tree/COUNT", &format!("{count}\n"), "many files")
    }

    /// Pushes the default branch.
    ///
    /// # Errors
    /// When git fails.
    pub fn push(&self) -> Result<()> {
        git(
            &self.clone_path(),
            &["push", "--quiet", "origin", &self.branch],
        )?;
        Ok(())
    }

    /// The branches of the remote, in order of name.
    ///
    /// # Errors
    /// When git fails.
    pub fn remote_branches(&self) -> Result<Vec<String>> {
        let format = "--format=%(refname:short)";
        let names = git(&self.remote_path(), &["for-each-ref", format, "refs/heads"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The content of `path` on a branch of the remote; `None` when it is not there.
    #[must_use]
    pub fn remote_file(&self, branch: &str, path: &str) -> Option<String> {
        let object = format!("{branch}:{path}");
        git(&self.remote_path(), &["cat-file", "blob", &object]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_reaches_the_remote_when_it_is_pushed() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = RepoFixture::with_branch(folder.path(), "trunk").unwrap();
        assert_eq!(fixture.remote_branches().unwrap(), ["trunk"]);
        fixture.commit("src/a.txt", "a\n", "a").unwrap();
        assert_eq!(fixture.remote_file("trunk", "src/a.txt"), None);
        fixture.push().unwrap();
        let content = fixture.remote_file("trunk", "src/a.txt");
        assert_eq!(content.as_deref(), Some("a"));
    }

    #[test]
    fn a_failure_says_what_git_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = git(folder.path(), &["rev-parse", "HEAD"]).unwrap_err();
        assert!(
            error.to_string().contains("not a git repository"),
            "{error}"
        );
    }

    #[test]
    fn many_files_are_that_many() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = RepoFixture::create(folder.path()).unwrap();
        fixture.commit_many(250).unwrap();
        let files = git(&fixture.clone_path(), &["ls-files", "tree/d*"]).unwrap();
        assert_eq!(files.lines().count(), 250);
    }
}
