//! Fresh repositories for demonstrations: a bare remote and clones of it with one commit.

use std::fs;
use std::path::Path;

use crate::cli::Git;
use crate::{GitError, Repo};

/// Makes `dir/remote.git` and its clone `dir/project`, whose first commit on `branch` holds
/// `files` (path and content).
///
/// What an earlier call has finished is left as it is; what it left half done is made again.
///
/// # Errors
/// When git is missing or a file cannot be written.
pub fn create(dir: &Path, branch: &str, files: &[(&str, &str)]) -> Result<Repo, GitError> {
    let git = Git::locate()?;
    let (remote, project) = (dir.join("remote.git"), dir.join("project"));
    if !project.exists() {
        let building = dir.join(".scratch");
        remove(&building)?;
        remove(&remote)?;
        init(&git, &remote, branch, true)?;
        init(&git, &building, branch, false)?;
        fill(&building, files)?;
        git.run_in(&building, "add").arg("--all").bytes()?;
        commit(&git, &building)?;
        git.run_in(&building, "remote")
            .args(["add", "origin", "../remote.git"])
            .bytes()?;
        git.run_in(&building, "push")
            .args(["--quiet", "--set-upstream", "origin", branch])
            .bytes()?;
        // The clone is there whole, or not at all.
        fs::rename(&building, &project).map_err(GitError::io("create", &project))?;
    }
    Repo::open(&project)
}

/// Makes one more clone `dir/name` of what [`create`] has made; one that is there is left as it is.
///
/// # Errors
/// When git is missing or a file cannot be written.
pub fn create_clone(dir: &Path, name: &str, branch: &str) -> Result<Repo, GitError> {
    let git = Git::locate()?;
    let clone = dir.join(name);
    if !clone.exists() {
        let building = dir.join(".scratch-clone");
        remove(&building)?;
        init(&git, &building, branch, false)?;
        identify(&git, &building)?;
        git.run_in(&building, "remote")
            .args(["add", "origin", "../remote.git"])
            .bytes()?;
        git.run_in(&building, "pull")
            .args(["--quiet", "--ff-only", "origin", branch])
            .bytes()?;
        git.run_in(&building, "branch")
            .args(["--quiet", "--set-upstream-to", &format!("origin/{branch}")])
            .bytes()?;
        fs::rename(&building, &clone).map_err(GitError::io("create", &clone))?;
    }
    Repo::open(&clone)
}

fn init(git: &Git, path: &Path, branch: &str, bare: bool) -> Result<(), GitError> {
    fs::create_dir_all(path).map_err(GitError::io("create", path))?;
    let init =
        git.run_in(path, "init")
            .args(["--quiet", "--template=", "--initial-branch", branch]);
    let init = if bare { init.arg("--bare") } else { init };
    init.bytes().map(drop)
}

/// The identity is the demonstration's own, and stays in its repository: workers commit with it.
fn identify(git: &Git, path: &Path) -> Result<(), GitError> {
    for (key, value) in [
        ("user.name", "coord demo"),
        ("user.email", "demo@localhost"),
        ("commit.gpgsign", "false"),
    ] {
        git.run_in(path, "config").args([key, value]).bytes()?;
    }
    Ok(())
}

fn commit(git: &Git, path: &Path) -> Result<(), GitError> {
    identify(git, path)?;
    git.run_in(path, "commit")
        .args(["--quiet", "--message", "Begin"])
        .bytes()
        .map(drop)
}

fn fill(path: &Path, files: &[(&str, &str)]) -> Result<(), GitError> {
    for (name, content) in files {
        let file = path.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(GitError::io("create", folder))?;
        }
        fs::write(&file, content).map_err(GitError::io("write", &file))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), GitError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GitError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
