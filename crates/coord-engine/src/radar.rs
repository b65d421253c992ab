//! The conflict radar: which branches that are being worked on, or wait for their merge, are going to
//! conflict with each other or with their base, as they are now.
//!
//! It looks into this machine's checkout, where the work of other machines is taken first. Nothing is
//! asked again and again: a look follows something that was heard. What it finds is a courtesy: no
//! failure of it holds anything up.

mod heads;
mod memory;
mod scan;
mod watch;

use std::collections::BTreeSet;

use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::ids::{AssignmentId, CommitId, IssueRef, MachineName, RepoName};
use coord_core::radar::{Clash, Seen, Sighting};
use coord_core::{Board, Command};
use coord_git::ClashFile;
use futures_util::future::join_all;

pub(crate) use memory::{Memories, Moves};

use crate::engine::Engine;
use crate::error::EngineError;
use scan::Found;

/// The branches of a repository, and those that are going to conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadarPicture {
    /// The repository.
    pub repo: RepoName,
    /// The tip of its default branch, as this machine's checkout knows it.
    pub base: Option<CommitId>,
    /// The branches, those that began first first.
    pub branches: Vec<RadarBranch>,
    /// The pairs that are going to conflict, in the order of the branches.
    pub pairs: Vec<RadarPair>,
    /// Why nothing can be said, in one line.
    pub trouble: Option<String>,
}

/// A branch that is being worked on, or waits for its merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadarBranch {
    /// The assignment whose work it is.
    pub id: AssignmentId,
    /// Its issue.
    pub issue: IssueRef,
    /// The title of that.
    pub title: String,
    /// Where its worker runs, or ran.
    pub machine: MachineName,
    /// Where it stands.
    pub state: AssignmentState,
    /// What it is now, uncommitted changes included; else why that is not known, in one line.
    pub head: Result<CommitId, String>,
}

/// Two branches that are going to conflict, or a branch and its base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RadarPair {
    /// The one that began later.
    pub one: AssignmentId,
    /// The other one; `None`: the base.
    pub other: Option<AssignmentId>,
    /// Where; empty if they have no history in common.
    pub files: Vec<ClashFile>,
}

impl RadarPicture {
    /// Of a repository that nobody works on.
    fn empty(repo: &RepoName) -> Self {
        Self {
            repo: repo.clone(),
            base: None,
            branches: Vec::new(),
            pairs: Vec::new(),
            trouble: None,
        }
    }

    /// For the board; `None` where nothing can be said.
    fn sighting(&self) -> Option<Sighting> {
        let head = |it: &RadarBranch| Some((it.id.clone(), it.head.clone().ok()?));
        let seen = |pair: &RadarPair| Seen {
            one: pair.one.clone(),
            other: pair.other.clone(),
            paths: pair.files.iter().map(|file| file.path.clone()).collect(),
        };
        Some(Sighting {
            repo: self.repo.clone(),
            base: self.base.clone().filter(|_| self.trouble.is_none())?,
            heads: self.branches.iter().filter_map(head).collect(),
            // Those without any history in common have no file that a worker could mind.
            conflicts: self
                .pairs
                .iter()
                .filter(|pair| !pair.files.is_empty())
                .map(seen)
                .collect(),
        })
    }
}

impl Engine {
    /// Which branches are going to conflict as they are now, in every repository or only this one.
    /// Repositories come in the order of their names. The board stays as it is.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`], and when the board cannot be read. What cannot be looked into is
    /// part of the answer.
    pub async fn radar(&self, only: Option<&RepoName>) -> Result<Vec<RadarPicture>, EngineError> {
        let repos = self.radar_repos(only)?;
        let looks = repos.into_iter().map(|repo| self.picture(repo));
        join_all(looks).await.into_iter().collect()
    }

    fn radar_repos(&self, only: Option<&RepoName>) -> Result<Vec<&RepoName>, EngineError> {
        if let Some(name) = only {
            self.repo(name)?;
        }
        let all = self.0.repos.keys();
        Ok(all
            .filter(|name| only.is_none_or(|it| it == *name))
            .collect())
    }

    /// One look; those at the same repository wait for each other.
    async fn picture(&self, name: &RepoName) -> Result<RadarPicture, EngineError> {
        let mut memory = self.0.memories.of(name).await;
        let board = self.store().board().await?;
        let all: Vec<&Assignment> = branches(&board, name);
        let picture = RadarPicture {
            branches: all.iter().map(|it| branch(it)).collect(),
            ..RadarPicture::empty(name)
        };
        if all.is_empty() && !has_conflicts(&board, name) {
            return Ok(picture);
        }
        let Some(path) = self.repo(name)?.path.clone() else {
            let trouble = Some(format!("this machine has no checkout of `{name}`"));
            return Ok(RadarPicture { trouble, ..picture });
        };
        let mut wips = self.wips(&board, &all, &path, &mut memory).await;
        let task = scan::Task {
            path,
            default: self.configured_branch(name),
            base: board.bases.get(name).cloned(),
            heads: all
                .iter()
                .map(|it| heads::wanted(&board, it, wips.remove(&it.id)))
                .collect(),
            running: all
                .iter()
                .filter(|it| it.is_at_work())
                .map(|it| it.id.clone())
                .collect(),
        };
        // Even when nobody waits for it any more, what it has found is kept.
        let looked = tokio::task::spawn_blocking(move || task.carry_out(&mut memory)).await;
        Ok(match looked {
            Ok(found) => picture.with(found),
            Err(error) => RadarPicture {
                trouble: Some(error.to_string()),
                ..picture
            },
        })
    }

    fn configured_branch(&self, name: &RepoName) -> Option<String> {
        let policy = self.policy().repos.get(name);
        policy.and_then(|repo| repo.default_branch.clone())
    }

    /// Tells the board what is new to it. `before` is what it knew before the look: `false` where
    /// somebody else has told it something since then, who may have looked later.
    async fn sighted(
        &self,
        picture: &RadarPicture,
        before: &BTreeSet<Clash>,
    ) -> Result<bool, EngineError> {
        let Some(sighting) = picture.sighting() else {
            return Ok(true);
        };
        if self.store().board().await?.conflicts != *before {
            return Ok(false);
        }
        let command = Command::RadarSeen(Box::new(sighting));
        if !self.decide(&command).await?.events.is_empty() {
            self.command(command).await?;
        }
        Ok(true)
    }
}

impl RadarPicture {
    fn with(mut self, found: Found) -> Self {
        self.base = found.base;
        self.trouble = found.trouble;
        for (branch, head) in self.branches.iter_mut().zip(found.heads) {
            branch.head = head;
        }
        let id = |place: usize| self.branches.get(place).map(|it| it.id.clone());
        let pair = |clash: coord_git::Clash| {
            let (later, earlier) = match clash.other {
                Some(other) => (id(clash.one.max(other))?, Some(id(clash.one.min(other))?)),
                None => (id(clash.one)?, None),
            };
            Some(RadarPair {
                one: later,
                other: earlier,
                files: clash.files,
            })
        };
        self.pairs = found.clashes.into_iter().filter_map(pair).collect();
        self
    }
}

/// What is being worked on in the repository, or waits for its merge, in the order in which it began.
/// Whoever puts a branch right is as early as whoever began it.
fn branches<'b>(board: &'b Board, repo: &RepoName) -> Vec<&'b Assignment> {
    let counts = |it: &&Assignment| {
        let waits = it.is_finished_branch() && it.merged_as().is_none();
        it.issue.repo == *repo && it.kind.writes() && (it.holds_lease() || waits)
    };
    let mut all: Vec<&Assignment> = board.assignments.values().filter(counts).collect();
    all.sort_by_key(|it| {
        let first = board.chain(it).last().unwrap_or(it);
        (first.requested_at, &first.id)
    });
    all
}

/// Whether there is something to take back.
fn has_conflicts(board: &Board, repo: &RepoName) -> bool {
    let owner = |clash: &Clash| board.assignments.get(&clash.id);
    board
        .conflicts
        .iter()
        .any(|clash| owner(clash).is_some_and(|it| it.issue.repo == *repo))
}

fn branch(it: &Assignment) -> RadarBranch {
    RadarBranch {
        id: it.id.clone(),
        issue: it.issue.clone(),
        title: it.title.clone(),
        machine: it.machine.clone(),
        state: it.state,
        head: Err("nobody has looked yet".to_owned()),
    }
}
