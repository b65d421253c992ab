//! What the work of each branch is saved as, wherever its worker runs.
//!
//! Every agent is asked for the work of its own. One that shares this checkout answers that nothing
//! is new, because its refs are here.

use std::collections::BTreeMap;
use std::path::Path;

use coord_core::Board;
use coord_core::assignment::{Assignment, AssignmentKind, AssignmentState};
use coord_core::ids::{AssignmentId, CommitId};
use coord_git::Repo;
use coord_protocol::{ClientError, WipAnswer};
use futures_util::future::join_all;

use super::memory::{Asked, Memory};
use super::scan::is_here;
use crate::engine::Engine;

/// What one branch is, before anybody has looked whether it is here.
#[derive(Debug)]
pub(super) enum Wanted {
    /// This commit.
    Commit(CommitId),
    /// What an agent sent.
    Sent {
        /// Whose work.
        id: AssignmentId,
        /// What it is saved as.
        commit: CommitId,
        /// A bundle; untrusted.
        bundle: Vec<u8>,
    },
    /// Nobody knows.
    Unknown(String),
}

/// The work of one that runs.
#[derive(Debug)]
pub(super) enum Wip {
    /// It is saved as this.
    Saved(CommitId),
    /// The agent sent what is new of it.
    Sent(CommitId, Vec<u8>),
    /// It is not known.
    Unknown(String),
}

impl Engine {
    /// Asks agents for the work of those of `all` that something was heard of.
    pub(super) async fn wips(
        &self,
        board: &Board,
        all: &[&Assignment],
        path: &Path,
        memory: &mut Memory,
    ) -> BTreeMap<AssignmentId, Wip> {
        let running: Vec<&Assignment> = all.iter().copied().filter(|it| runs(it)).collect();
        memory
            .asked
            .retain(|id, _| running.iter().any(|it| it.id == *id));
        let here = saved_here(path, &running, memory).await;
        let asks = running.iter().map(|it| {
            let (known, before) = (here.get(&it.id), memory.asked.get(&it.id));
            self.wip(board, it, known, before)
        });
        let answers = join_all(asks).await;
        let mut wips = BTreeMap::new();
        for (it, (asked, wip)) in running.iter().zip(answers) {
            if let Some(asked) = asked {
                memory.asked.insert(it.id.clone(), asked);
            }
            wips.insert(it.id.clone(), wip);
        }
        wips
    }

    /// What its agent has of it. An agent that cannot be asked changes nothing.
    async fn wip(
        &self,
        board: &Board,
        it: &Assignment,
        known: Option<&CommitId>,
        before: Option<&Asked>,
    ) -> (Option<Asked>, Wip) {
        let last = |why: &str| match known {
            Some(commit) => Wip::Saved(commit.clone()),
            None => Wip::Unknown(why.to_owned()),
        };
        // Counted first: what is heard meanwhile is asked for again.
        let heard = self.0.moves.count(&it.id);
        if before.is_some_and(|before| before.heard == heard) {
            return (None, last(NOT_SAVED));
        }
        let silent = board.machines.get(&it.machine);
        if silent.is_some_and(|facts| facts.silent_since.is_some()) {
            return (None, last("its agent does not answer"));
        }
        let Some(client) = self.agents().get(&it.machine) else {
            return (
                None,
                last("its machine is not in the configuration any more"),
            );
        };
        let asked = |commit: Option<&CommitId>| {
            Some(Asked {
                heard,
                commit: commit.cloned(),
            })
        };
        match client.wip(&it.id, known).await {
            Ok(WipAnswer::Same) => (asked(known), last(NOT_SAVED)),
            Ok(WipAnswer::Bundle { commit, bytes }) => {
                (asked(Some(&commit)), Wip::Sent(commit, bytes.into()))
            }
            Err(ClientError::Refused {
                status: 404 | 409, ..
            }) => (asked(known), last(NOT_SAVED)),
            Err(error) => (None, last(&error.to_string())),
        }
    }
}

const NOT_SAVED: &str = "nothing of its work is saved yet";

fn runs(it: &Assignment) -> bool {
    match it.state {
        AssignmentState::Requested | AssignmentState::Running => true,
        AssignmentState::Waiting
        | AssignmentState::Done
        | AssignmentState::Failed
        | AssignmentState::Cancelled
        | AssignmentState::Lost => false,
    }
}

/// What is known here of the work of those that run: saved by an agent on this checkout, or told by
/// another one, which may be part of what is pushed, or taken from it.
async fn saved_here(
    path: &Path,
    running: &[&Assignment],
    memory: &Memory,
) -> BTreeMap<AssignmentId, CommitId> {
    let told = |it: &Assignment| memory.asked.get(&it.id)?.commit.clone();
    let ids: Vec<_> = running.iter().map(|it| (it.id.clone(), told(it))).collect();
    let path = path.to_owned();
    let look = move || {
        let Ok(repo) = Repo::open(&path) else {
            return BTreeMap::new();
        };
        let told_here = |told: Option<CommitId>| told.filter(|told| is_here(&repo, told));
        let saved = |(id, told): (AssignmentId, Option<CommitId>)| {
            let own = repo.wip(&id).ok().flatten();
            let taken = || repo.seen(&id).ok().flatten();
            let commit = own.or_else(|| told_here(told)).or_else(taken)?;
            Some((id, commit))
        };
        ids.into_iter().filter_map(saved).collect()
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// What the branch of `it` is. Before anything of somebody's work is saved who goes on with a branch,
/// that is where it was left.
pub(super) fn wanted(board: &Board, it: &Assignment, wip: Option<Wip>) -> Wanted {
    match wip {
        None => match it.deliverable() {
            Some(work) => Wanted::Commit(work.head.clone()),
            None => Wanted::Unknown("it has no commits".to_owned()),
        },
        Some(Wip::Saved(commit)) => Wanted::Commit(commit),
        Some(Wip::Sent(commit, bundle)) => Wanted::Sent {
            id: it.id.clone(),
            commit,
            bundle,
        },
        Some(Wip::Unknown(why)) => match left(board, it) {
            Some(head) => Wanted::Commit(head.clone()),
            None => Wanted::Unknown(why),
        },
    }
}

/// Where the branch was left that it goes on with. A rebase begins by leaving that behind.
fn left<'b>(board: &'b Board, it: &'b Assignment) -> Option<&'b CommitId> {
    if it.kind == AssignmentKind::Rebase {
        return None;
    }
    let mut before = board.chain(it).skip(1);
    before.find_map(|it| Some(it.deliverable()?.head))
}
