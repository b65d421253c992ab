//! What is written down about one worktree, and where.

use std::fs;
use std::path::{Path, PathBuf};

use coord_core::ids::{AssignmentId, CommitId};

use crate::lock::FileLock;
use crate::prepare::private_folder;
use crate::{GitError, Repo};

const STATE: &str = "coord-state";
const BUSY: &str = "coord-busy";
/// Start of the reason of git's worktree lock, followed by the assignment's id.
const OWNER: &str = "coord ";

/// Where a worktree of the pool stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorktreeState {
    /// Clean, detached at this commit, free.
    Idle(CommitId),
    /// Being made ready; no worker has been in it yet.
    Preparing,
    /// A worker's: there may be work in it.
    Held,
    /// Everything in it is saved; it is being cleaned.
    Recycling,
    /// Nothing is written down: not made by the pool.
    Unknown,
}

impl WorktreeState {
    fn parse(text: &str) -> Self {
        match text.trim().split_once(' ') {
            Some(("idle", commit)) => Self::Idle(CommitId::new(commit)),
            Some(_) => Self::Unknown,
            None => match text.trim() {
                "preparing" => Self::Preparing,
                "held" => Self::Held,
                "recycling" => Self::Recycling,
                _ => Self::Unknown,
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Idle(commit) => format!("idle {commit}\n"),
            Self::Preparing => "preparing\n".to_owned(),
            Self::Held => "held\n".to_owned(),
            Self::Recycling => "recycling\n".to_owned(),
            Self::Unknown => String::new(),
        }
    }
}

/// A linked worktree that is registered with its repository.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Its root; may be missing.
    pub(crate) path: PathBuf,
    /// Its private git folder, `<repository>/worktrees/<name>`.
    pub(crate) admin: PathBuf,
}

impl Slot {
    /// The registered worktrees whose root lies directly in `folder`.
    pub(crate) fn all(repo: &Repo, folder: &Path) -> Result<Vec<Self>, GitError> {
        let register = repo.common_dir().join("worktrees");
        let entries = match fs::read_dir(&register) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(GitError::io("read", register)(error)),
        };
        let mut slots = Vec::new();
        for entry in entries {
            let admin = entry.map_err(GitError::io("read", &register))?.path();
            if let Some(path) = root_of(&admin).filter(|path| path.parent() == Some(folder)) {
                slots.push(Self { path, admin });
            }
        }
        slots.sort_by_key(|slot| (slot.number(), slot.path.clone()));
        Ok(slots)
    }

    /// The worktree of the pool at `path`.
    pub(crate) fn at(repo: &Repo, folder: &Path, path: &Path) -> Result<Self, GitError> {
        let not_pooled = |why| GitError::NotPooled {
            path: path.to_owned(),
            why,
        };
        let real = path
            .canonicalize()
            .map_err(|_| not_pooled("it does not exist"))?;
        let slot = Self::all(repo, folder)?
            .into_iter()
            .find(|slot| slot.path == real)
            .ok_or_else(|| not_pooled("it is not registered"))?;
        if private_folder(&real).as_ref() == Some(&slot.admin) {
            Ok(slot)
        } else {
            Err(not_pooled("its .git file leads somewhere else"))
        }
    }

    /// The number that is the name of its folder.
    pub(crate) fn number(&self) -> Option<u32> {
        self.path.file_name()?.to_str()?.parse().ok()
    }

    /// Held while files are written or removed in it; waits for whoever does.
    pub(crate) fn busy(&self) -> Result<FileLock, GitError> {
        FileLock::acquire(&self.admin.join(BUSY))
    }

    /// `None` when somebody is at work in it.
    pub(crate) fn try_busy(&self) -> Result<Option<FileLock>, GitError> {
        FileLock::try_acquire(&self.admin.join(BUSY))
    }

    pub(crate) fn state(&self) -> WorktreeState {
        fs::read_to_string(self.admin.join(STATE))
            .map_or(WorktreeState::Unknown, |text| WorktreeState::parse(&text))
    }

    pub(crate) fn set_state(&self, state: &WorktreeState) -> Result<(), GitError> {
        replace(&self.admin.join(STATE), &state.text())
    }

    /// The assignment in the reason of git's lock.
    pub(crate) fn locked_by(&self) -> Option<AssignmentId> {
        let reason = fs::read_to_string(self.admin.join("locked")).ok()?;
        reason.trim().strip_prefix(OWNER)?.parse().ok()
    }

    pub(crate) fn lock_for(&self, owner: &str) -> Result<(), GitError> {
        replace(&self.admin.join("locked"), &format!("{OWNER}{owner}\n"))
    }

    pub(crate) fn unlock(&self) -> Result<(), GitError> {
        let file = self.admin.join("locked");
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::io("remove", file)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Names in the private folder that make it a worktree, and our own; all else in there is a
    /// trace of what was done in the worktree.
    pub(crate) fn is_essential(name: &std::ffi::OsStr) -> bool {
        [
            "HEAD",
            "commondir",
            "gitdir",
            "index",
            "locked",
            STATE,
            BUSY,
        ]
        .iter()
        .any(|essential| name == *essential)
    }
}

/// Where the worktree of a private git folder is, by its `gitdir` file.
fn root_of(admin: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let bytes = fs::read(admin.join("gitdir")).ok()?;
    let dot_git = Path::new(std::ffi::OsStr::from_bytes(bytes.trim_ascii_end()));
    let root = admin.join(dot_git).parent()?.to_owned();
    // A root that is missing keeps the name it was registered with.
    Some(root.canonicalize().unwrap_or(root))
}

/// All or nothing, also when the process dies in between.
pub(crate) fn replace(file: &Path, text: &str) -> Result<(), GitError> {
    let fresh = file.with_extension(format!("coord-new-{}", std::process::id()));
    fs::write(&fresh, text).map_err(GitError::io("write", &fresh))?;
    fs::rename(&fresh, file).map_err(GitError::io("write", file))
}
