//! One repository on this machine: opening it, its state, its branches.
//!
//! A remote is always `origin`. Where there is one, its branches as of the last fetch decide;
//! local branches are what is left when the remote does not have the branch.

mod checkouts;
mod compare;
mod content;
mod fetch;
mod files;
mod history;
mod merged;
mod merging;
mod push;
mod refs;
mod stale;
mod survey;

use std::path::{Path, PathBuf};

use coord_core::ids::CommitId;
use gix::ObjectId;

use crate::{Git, GitError};

pub(crate) use checkouts::checkouts_of;
pub use compare::Divergence;
pub use files::{FileChange, FileChangeKind};
pub(crate) use history::merge_base;
pub(crate) use merged::{merged_as, parents_of, tree_of};
pub(crate) use push::{PushOutcome, push_with_lease};
pub(crate) use refs::{
    STAND_IN, branch_ref, collect, delete_ref, has_origin, local_tip, read, save_ref, set_head,
    set_ref, short_branch, stand_ins, tip,
};
pub use survey::{PastChange, WordHit};

/// A repository on this machine. Cheap to clone; it holds paths, not open files.
#[derive(Debug, Clone)]
pub struct Repo {
    git: Git,
    path: PathBuf,
    common_dir: PathBuf,
}

/// What `GET /repos` tells of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoStatus {
    /// The commit that is checked out; `None` without any commit.
    pub sha: Option<CommitId>,
    /// The branch that is checked out; `None` when HEAD is detached.
    pub branch: Option<String>,
    /// Whether tracked files differ from that commit.
    pub dirty: bool,
    /// The root of the checkout, or the bare repository.
    pub path: PathBuf,
}

impl Repo {
    /// Opens the repository whose checkout (or bare folder) is `path`.
    ///
    /// # Errors
    /// Says apart what is not there, what is no repository, and what has the wrong object format.
    /// A repository without commits opens; [`Repo::head`] reports it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GitError> {
        Self::open_with(Git::locate()?, path)
    }

    /// Like [`Repo::open`], with a `git` program of the caller's choice.
    ///
    /// # Errors
    /// Those of [`Repo::open`].
    pub fn open_with(git: Git, path: impl AsRef<Path>) -> Result<Self, GitError> {
        let path = path.as_ref();
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(GitError::NotThere { path: path.into() });
            }
            Err(error) => return Err(GitError::io("open", path)(error)),
        };
        let repo = open_gix(&path)?;
        let common_dir = repo
            .common_dir()
            .canonicalize()
            .map_err(GitError::io("open", repo.common_dir()))?;
        Ok(Self {
            git,
            path,
            common_dir,
        })
    }

    /// The root of the checkout, or the bare repository; absolute, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that all worktrees share (`.git` of the main checkout).
    pub(crate) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    /// A fresh handle: configuration and refs as they are now.
    pub(crate) fn gix(&self) -> Result<gix::Repository, GitError> {
        open_gix(&self.path)
    }

    /// A `git` command in this repository.
    pub(crate) fn run(&self, subcommand: &str) -> crate::cli::Run<'_> {
        self.git.run_in(&self.path, subcommand)
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    /// [`GitError::NoCommits`] before the first commit.
    pub fn head(&self) -> Result<CommitId, GitError> {
        let repo = self.gix()?;
        let mut head = repo.head().map_err(GitError::library("read HEAD"))?;
        let id = head
            .try_peel_to_id()
            .map_err(GitError::library("read HEAD"))?;
        match id {
            Some(id) => Ok(commit_id(id)),
            None => Err(GitError::NoCommits {
                path: self.path.clone(),
            }),
        }
    }

    /// What is checked out, and whether it is as committed.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub fn status(&self) -> Result<RepoStatus, GitError> {
        let sha = match self.head() {
            Ok(sha) => Some(sha),
            Err(GitError::NoCommits { .. }) => None,
            Err(error) => return Err(error),
        };
        let repo = self.gix()?;
        let branch = repo
            .head_name()
            .map_err(GitError::library("read HEAD"))?
            .map(|name| short_branch(name.as_ref()));
        Ok(RepoStatus {
            sha,
            branch,
            dirty: self.is_dirty(&repo)?,
            path: self.path.clone(),
        })
    }

    fn is_dirty(&self, repo: &gix::Repository) -> Result<bool, GitError> {
        if repo.workdir().is_none() {
            return Ok(false);
        }
        let changes = self
            .run("status")
            .args(["--porcelain", "-z", "--untracked-files=no"])
            .bytes()?;
        Ok(!changes.is_empty())
    }

    /// The branch that work is merged into: the configured one, else the remote's HEAD, else the
    /// only branch, else `main` or `master`, else the one that is checked out.
    ///
    /// # Errors
    /// [`GitError::NoDefaultBranch`] when none of these is there, and [`GitError::InvalidName`].
    pub fn default_branch(&self, configured: Option<&str>) -> Result<String, GitError> {
        if let Some(name) = configured {
            branch_ref(name)?;
            return Ok(name.to_owned());
        }
        let repo = self.gix()?;
        if let Some(name) = refs::remote_head(&repo)? {
            return Ok(name);
        }
        let mut names: Vec<String> = refs::branches(&repo)?.into_keys().collect();
        if names.len() == 1 {
            return Ok(names.remove(0));
        }
        if let Some(usual) = ["main", "master"]
            .into_iter()
            .find(|usual| names.iter().any(|name| name == usual))
        {
            return Ok(usual.to_owned());
        }
        let current = repo.head_name().map_err(GitError::library("read HEAD"))?;
        match current {
            Some(name) => Ok(short_branch(name.as_ref())),
            None => Err(GitError::NoDefaultBranch {
                path: self.path.clone(),
            }),
        }
    }

    /// Whether there is a remote `origin`.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub fn has_remote(&self) -> Result<bool, GitError> {
        Ok(refs::has_origin(&self.gix()?))
    }

    /// The tip of a branch: the remote's as of the last fetch where it has the branch, else the
    /// local one, else `None`.
    ///
    /// # Errors
    /// [`GitError::InvalidName`], and when the refs cannot be read.
    pub fn tip(&self, branch: &str) -> Result<Option<CommitId>, GitError> {
        let tip = refs::tip(&self.gix()?, branch)?;
        Ok(tip.map(commit_id))
    }

    /// The branches whose name starts with `prefix`, each once, with the tip that
    /// [`Repo::tip`] gives, sorted by name.
    ///
    /// # Errors
    /// When the refs cannot be read.
    pub fn branches_with_prefix(&self, prefix: &str) -> Result<Vec<(String, CommitId)>, GitError> {
        let branches = refs::branches(&self.gix()?)?;
        Ok(branches
            .into_iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(name, tip)| (name, commit_id(tip)))
            .collect())
    }
}

/// Opens exactly `path`; identities fall back to the coordinator's.
pub(crate) fn open_gix(path: &Path) -> Result<gix::Repository, GitError> {
    let options = gix::open::Options::default().config_overrides([
        "gitoxide.author.nameFallback=coord",
        "gitoxide.author.emailFallback=coord@localhost",
        "gitoxide.committer.nameFallback=coord",
        "gitoxide.committer.emailFallback=coord@localhost",
        // As many threads as there are cores: a third of the time on a tree of 20,000 files.
        "checkout.workers=0",
    ]);
    let opened = options.open(path);
    if let Some(format) = foreign_format(path) {
        return Err(GitError::ObjectFormat {
            path: path.to_owned(),
            format,
        });
    }
    match opened {
        Ok(repo) => Ok(repo.to_thread_local()),
        Err(_) if !looks_like_a_repository(path) => Err(GitError::NotARepository {
            path: path.to_owned(),
        }),
        Err(error) => Err(GitError::library("open the repository")(error)),
    }
}

fn looks_like_a_repository(path: &Path) -> bool {
    path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir())
}

/// The object format of a repository where it is not `sha1`.
fn foreign_format(path: &Path) -> Option<String> {
    let config = [path.join(".git/config"), path.join("config")]
        .into_iter()
        .find(|file| file.is_file())?;
    let config =
        gix::config::File::from_path_no_includes(config, gix::config::Source::Local).ok()?;
    let format = config.string("extensions.objectFormat")?.to_string();
    (!format.eq_ignore_ascii_case("sha1")).then_some(format)
}

/// Our id for an object id of gix.
pub(crate) fn commit_id(id: impl Into<ObjectId>) -> CommitId {
    CommitId::new(id.into().to_hex().to_string())
}

/// The object id of gix for ours; ids come from outside, so they are checked.
pub(crate) fn object_id(id: &CommitId) -> Result<ObjectId, GitError> {
    ObjectId::from_hex(id.as_str().as_bytes()).map_err(|_| GitError::NoSuchCommit {
        id: id.as_str().to_owned(),
    })
}

/// The commit with that id, which has to be here.
pub(crate) fn commit<'repo>(
    repo: &'repo gix::Repository,
    id: &CommitId,
) -> Result<gix::Commit<'repo>, GitError> {
    repo.find_commit(object_id(id)?)
        .map_err(|_| GitError::NoSuchCommit {
            id: id.as_str().to_owned(),
        })
}
