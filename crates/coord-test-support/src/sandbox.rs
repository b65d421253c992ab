//! A world of its own for one test: home, state folder, temporary folder, environment.
//!
//! What a test starts through [`Sandbox::command`] sees nothing of the person who runs it: no
//! configuration of git, no tokens, no running agent.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::git_fixture::GIT_ENV;

/// A temporary folder with `home/`, `coord/` and `tmp/`; removed when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    path: PathBuf,
}

impl Sandbox {
    /// Makes the folders.
    ///
    /// # Errors
    /// When the system's temporary folder cannot be written.
    pub fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("coord-test-")?;
        // Resolved, because on macOS the temporary folder stands behind a symbolic link and
        // programs that resolve their paths would otherwise disagree with the test.
        let path = folder.path().canonicalize()?;
        for name in ["home", "coord", "tmp"] {
            let folder = path.join(name);
            std::fs::create_dir(&folder)
                .with_context(|| format!("failed to create {}", folder.display()))?;
        }
        Ok(Self { folder, path })
    }

    /// The folder itself, with symbolic links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `HOME` of what runs inside.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// `COORD_HOME` of what runs inside.
    #[must_use]
    pub fn coord_home(&self) -> PathBuf {
        self.path.join("coord")
    }

    /// The whole environment of what runs inside: nothing else is inherited but `PATH`.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut env = vec![
            ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default()),
            ("HOME".to_owned(), text(self.home())),
            ("COORD_HOME".to_owned(), text(self.coord_home())),
            ("TMPDIR".to_owned(), text(self.path.join("tmp"))),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("NO_COLOR".to_owned(), "1".to_owned()),
        ];
        let git = GIT_ENV
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        env.extend(git);
        env
    }

    /// A command that runs `program` inside, in the sandbox's folder.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.env()).current_dir(&self.path);
        command
    }

    /// Leaves the folder on disk, for a person to look at, and returns its path.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        let _ = self.folder.keep();
        self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_person_shows_inside() {
        let sandbox = Sandbox::new().unwrap();
        let output = sandbox.command("env").output().unwrap();
        let env = String::from_utf8(output.stdout).unwrap();
        let home = format!("HOME={}", sandbox.home().display());
        assert!(env.lines().any(|line| line == home), "{env}");
        assert!(!env.contains("CARGO"), "{env}");
    }

    #[test]
    fn the_folder_goes_with_the_sandbox_unless_it_is_kept() {
        let gone = Sandbox::new().unwrap();
        let path = gone.path().to_path_buf();
        drop(gone);
        assert!(!path.exists());
        let kept = Sandbox::new().unwrap().keep();
        assert!(kept.join("home").is_dir());
        std::fs::remove_dir_all(kept).unwrap();
    }
}
