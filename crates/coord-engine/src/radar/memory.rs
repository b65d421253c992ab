//! What this process remembers from one look to the next, and what it has heard in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use coord_core::Board;
use coord_core::ids::{AssignmentId, CommitId, RepoName};
use coord_git::Radar;
use tokio::sync::{OwnedMutexGuard, watch};

/// One memory for each repository.
#[derive(Debug, Default)]
pub(crate) struct Memories(Mutex<BTreeMap<RepoName, Arc<tokio::sync::Mutex<Memory>>>>);

impl Memories {
    /// Waits for whoever is looking.
    pub(super) async fn of(&self, repo: &RepoName) -> OwnedMutexGuard<Memory> {
        let memory = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(repo.clone()).or_default())
        };
        memory.lock_owned().await
    }
}

/// Of one repository.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// What it knows of pairs.
    pub(super) radar: Radar,
    /// What agents said last about the work of those that run.
    pub(super) asked: BTreeMap<AssignmentId, Asked>,
    /// Commits that are on no branch of the remote.
    pub(super) missing: BTreeSet<CommitId>,
}

/// The answer of an agent.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// How often something had been heard of the assignment before it was asked for.
    pub(super) heard: u64,
    /// What its work is saved as; `None`: it is not.
    pub(super) commit: Option<CommitId>,
}

/// How often something was heard of an assignment that may have moved its work.
#[derive(Debug, Default)]
pub(crate) struct Moves(watch::Sender<BTreeMap<AssignmentId, u64>>);

impl Moves {
    /// Something was heard of it.
    pub(crate) fn heard_of(&self, id: &AssignmentId) {
        self.0
            .send_modify(|moves| *moves.entry(id.clone()).or_default() += 1);
    }

    /// Wakes up whenever something is heard.
    pub(super) fn watch(&self) -> watch::Receiver<BTreeMap<AssignmentId, u64>> {
        self.0.subscribe()
    }

    pub(super) fn count(&self, id: &AssignmentId) -> u64 {
        self.0.borrow().get(id).copied().unwrap_or_default()
    }

    /// Forgets what is not on the board; agents name what they like.
    pub(super) fn keep(&self, board: &Board) {
        self.0.send_if_modified(|moves| {
            moves.retain(|id, _| board.assignments.contains_key(id));
            false
        });
    }
}
