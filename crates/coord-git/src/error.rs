//! The one error type of this crate, with what to do about it and what class of failure it is.

use std::path::PathBuf;
use std::sync::Arc;

use coord_core::failure::FailureClass;

/// Why a remote did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteFault {
    /// It could not be reached, or hung up: worth another try.
    Unreachable,
    /// It refused the credentials, or there were none.
    Credentials,
    /// It says that there is no such repository.
    NoSuchRepository,
}

/// Anything that can go wrong with a repository.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git` program.
    #[error("cannot find the `git` program")]
    Missing,
    /// The `git` program cannot do what we need.
    #[error("git {found} is too old: {needed} or newer is needed")]
    TooOld {
        /// Its version.
        found: String,
        /// The oldest version that will do.
        needed: String,
    },
    /// Nothing is there.
    #[error("`{}` does not exist", .path.display())]
    NotThere {
        /// Where.
        path: PathBuf,
    },
    /// Something is there, but not a repository.
    #[error("`{}` is not a git repository", .path.display())]
    NotARepository {
        /// Where.
        path: PathBuf,
    },
    /// The repository uses an object format that this program cannot read.
    #[error("`{}` uses the object format `{format}`; only `sha1` is supported", .path.display())]
    ObjectFormat {
        /// Where.
        path: PathBuf,
        /// Which, e.g. `sha256`.
        format: String,
    },
    /// The repository has no commit yet.
    #[error("`{}` has no commit yet", .path.display())]
    NoCommits {
        /// Where.
        path: PathBuf,
    },
    /// Neither the configuration nor the repository says which branch is the default.
    #[error("cannot tell the default branch of `{}`", .path.display())]
    NoDefaultBranch {
        /// Where.
        path: PathBuf,
    },
    /// A branch that somebody named does not exist.
    #[error("there is no branch `{name}`")]
    NoSuchBranch {
        /// The branch.
        name: String,
    },
    /// A commit that somebody named does not exist here.
    #[error("there is no commit `{id}`")]
    NoSuchCommit {
        /// As it was given.
        id: String,
    },
    /// A text that git does not accept as the name of a branch.
    #[error("`{name}` is not a valid name for a branch")]
    InvalidName {
        /// The text.
        name: String,
    },
    /// The branch is checked out somewhere else.
    #[error("the branch `{branch}` is checked out in `{}`", .path.display())]
    BranchInUse {
        /// The branch.
        branch: String,
        /// The worktree that has it.
        path: PathBuf,
    },
    /// Removing or recycling the worktree would lose what stands nowhere else.
    #[error("`{}` holds work that is saved nowhere else: {}", .path.display(), .what.join(", "))]
    WouldLose {
        /// The worktree.
        path: PathBuf,
        /// Paths and commits.
        what: Vec<String>,
    },
    /// A path that is no worktree of the pool, so that it must not be removed or recycled.
    #[error("`{}` is not a worktree of the pool: {why}", .path.display())]
    NotPooled {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A recycled worktree still holds something of its last worker.
    #[error("`{}` could not be recycled: {}", .path.display(), .traces.join(", "))]
    Traces {
        /// The worktree.
        path: PathBuf,
        /// Paths, relative to the worktree.
        traces: Vec<String>,
    },
    /// The remote has commits on the branch that the push does not contain. Never forced.
    #[error("the remote's branch `{branch}` has commits that are not here")]
    NonFastForward {
        /// The branch.
        branch: String,
    },
    /// The base branch moved whenever a merge was about to be published.
    #[error("the branch `{branch}` keeps moving")]
    Contended {
        /// The branch.
        branch: String,
    },
    /// The remote does not accept the push, e.g. a protected branch.
    #[error("the remote refused `{branch}`: {reason}")]
    PushRefused {
        /// The branch.
        branch: String,
        /// In the remote's words.
        reason: String,
    },
    /// Uncommitted work that is too much to be carried to another machine.
    #[error("uncommitted work of more than {limit} bytes is not carried to another machine")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// What another machine sent is not what it should be.
    #[error("the bundle is refused: {why}")]
    BundleRefused {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The remote could not be talked to.
    #[error("git {subcommand} failed: {stderr}")]
    Remote {
        /// Which command.
        subcommand: String,
        /// What kind of failure it is.
        fault: RemoteFault,
        /// Its last words.
        stderr: String,
    },
    /// A command was not over in time, and was killed.
    #[error("git {subcommand} was not over after {seconds} s")]
    TimedOut {
        /// Which command.
        subcommand: String,
        /// The limit.
        seconds: u64,
    },
    /// A command failed.
    #[error("git {subcommand} failed: {stderr}")]
    Command {
        /// Which command.
        subcommand: String,
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
        /// Its last words.
        stderr: String,
    },
    /// A file could not be read or written.
    #[error("cannot {doing} `{}`", .path.display())]
    Io {
        /// What was tried, e.g. `read`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Git's data in the repository could not be read or written.
    #[error("cannot {doing}")]
    Library {
        /// What was tried.
        doing: &'static str,
        /// What gix said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The fetch that several callers shared failed.
    #[error(transparent)]
    Shared(Arc<GitError>),
}

impl GitError {
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    pub(crate) fn library<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Library {
            doing,
            source: source.into(),
        }
    }

    /// What a person can do about it, in one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing => "install git and make sure that it is on the PATH".to_owned(),
            Self::TooOld { needed, .. } => format!("install git {needed} or newer"),
            Self::NotThere { .. } => "check the path in coordinator.yml".to_owned(),
            Self::NotARepository { path } => {
                format!("clone the repository to `{}` first", path.display())
            }
            Self::ObjectFormat { .. } => {
                "use a clone with the object format sha1 (the default of `git init`)".to_owned()
            }
            Self::NoCommits { .. } => "make a first commit".to_owned(),
            Self::NoDefaultBranch { .. } => {
                "set `default_branch` of the repository in coordinator.yml".to_owned()
            }
            Self::NoSuchBranch { .. } | Self::NoSuchCommit { .. } => {
                "look at `git branch --all` and fetch".to_owned()
            }
            Self::BranchInUse { path, .. } => {
                format!("switch `{}` to another branch", path.display())
            }
            Self::WouldLose { path, .. } => format!("look into `{}`", path.display()),
            Self::NonFastForward { .. } => {
                "somebody else pushed to the branch: look at both, and merge by hand".to_owned()
            }
            Self::Remote { fault, .. } => match fault {
                RemoteFault::Unreachable => return None,
                RemoteFault::Credentials => {
                    "check with `git fetch` that git can log in without asking".to_owned()
                }
                RemoteFault::NoSuchRepository => {
                    "check the address with `git remote -v`".to_owned()
                }
            },
            Self::Shared(error) => return error.hint(),
            Self::InvalidName { .. }
            | Self::NotPooled { .. }
            | Self::Traces { .. }
            | Self::PushRefused { .. }
            | Self::Contended { .. }
            | Self::TooLarge { .. }
            | Self::BundleRefused { .. }
            | Self::TimedOut { .. }
            | Self::Command { .. }
            | Self::Io { .. }
            | Self::Library { .. } => return None,
        };
        Some(hint)
    }

    /// What the failure means for what happens next.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        const WAIT: FailureClass = FailureClass::Environmental { retry_at: None };
        match self {
            Self::TimedOut { .. } | Self::Contended { .. } => WAIT,
            Self::Remote { fault, .. } => match fault {
                RemoteFault::Unreachable => WAIT,
                RemoteFault::Credentials | RemoteFault::NoSuchRepository => {
                    FailureClass::Configuration
                }
            },
            // Whatever has no name of its own: another git at work in the repository, a full disk, a
            // ruin that the next try clears away. A try again costs little, and giving up loses work.
            Self::Command { .. } | Self::Io { .. } | Self::Library { .. } => WAIT,
            Self::Shared(error) => error.class(),
            Self::NonFastForward { .. } => FailureClass::Work,
            Self::Missing
            | Self::TooOld { .. }
            | Self::NotThere { .. }
            | Self::NotARepository { .. }
            | Self::ObjectFormat { .. }
            | Self::NoCommits { .. }
            | Self::NoDefaultBranch { .. }
            | Self::NoSuchBranch { .. }
            | Self::NoSuchCommit { .. }
            | Self::InvalidName { .. }
            | Self::BranchInUse { .. }
            | Self::WouldLose { .. }
            | Self::NotPooled { .. }
            | Self::Traces { .. }
            | Self::TooLarge { .. }
            | Self::BundleRefused { .. }
            | Self::PushRefused { .. } => FailureClass::Configuration,
        }
    }
}
