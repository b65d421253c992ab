//! A look into this machine's checkout; it blocks.

use std::path::PathBuf;

use coord_core::ids::{AssignmentId, CommitId};
use coord_git::{Clash, GitError, Repo};

use super::heads::Wanted;
use super::memory::Memory;
use crate::error::with_causes;

/// What to look at.
#[derive(Debug)]
pub(super) struct Task {
    /// The checkout.
    pub(super) path: PathBuf,
    /// The default branch, where it is configured.
    pub(super) default: Option<String>,
    /// Its tip, as far as the board knows.
    pub(super) base: Option<CommitId>,
    /// The branches.
    pub(super) heads: Vec<Wanted>,
    /// Those of them that are still worked on.
    pub(super) running: Vec<AssignmentId>,
}

/// What there is to see.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The tip of the base.
    pub(super) base: Option<CommitId>,
    /// Each branch as it is here, or why it is not known.
    pub(super) heads: Vec<Result<CommitId, String>>,
    /// Pairs of places in `heads`.
    pub(super) clashes: Vec<Clash>,
    /// Why nothing can be said.
    pub(super) trouble: Option<String>,
}

impl Task {
    /// Takes in what agents sent, fetches what is missing, and looks at all pairs.
    pub(super) fn carry_out(self, memory: &mut Memory) -> Found {
        let mut found = Found {
            heads: self.heads.iter().map(named).collect(),
            ..Found::default()
        };
        if let Err(error) = self.look(memory, &mut found) {
            found.trouble = Some(with_causes(&error));
        }
        found
    }

    fn look(self, memory: &mut Memory, found: &mut Found) -> Result<(), GitError> {
        let repo = Repo::open(&self.path)?;
        // What is over is known by its commits.
        repo.forget_seen(&self.running)?;
        let finished = self.heads.iter().filter_map(|wanted| match wanted {
            Wanted::Commit(commit) => Some(commit),
            Wanted::Sent { .. } | Wanted::Unknown(_) => None,
        });
        fetch_missing(&repo, self.base.iter().chain(finished), memory);
        let heads = self.heads.into_iter().map(|wanted| here(&repo, wanted));
        found.heads = heads.collect();
        let default = repo.default_branch(self.default.as_deref())?;
        let base = match repo.tip(&default)? {
            Some(base) => base,
            None => return Err(GitError::NoSuchBranch { name: default }),
        };
        let (places, commits): (Vec<usize>, Vec<CommitId>) = known(&found.heads).unzip();
        let scan = memory.radar.scan(&repo, &base, &commits)?;
        found.base = Some(base);
        let clashes = scan.clashes.into_iter();
        found.clashes = clashes
            .filter_map(|clash| renumbered(clash, &places))
            .collect();
        Ok(())
    }
}

fn named(wanted: &Wanted) -> Result<CommitId, String> {
    match wanted {
        Wanted::Commit(commit) | Wanted::Sent { commit, .. } => Ok(commit.clone()),
        Wanted::Unknown(why) => Err(why.clone()),
    }
}

/// Fetches once when a commit is missing. One that the remote does not have is not asked for again.
fn fetch_missing<'c>(
    repo: &Repo,
    wanted: impl Iterator<Item = &'c CommitId> + Clone,
    memory: &mut Memory,
) {
    let is_missing = |commit: &CommitId| !is_here(repo, commit);
    let mut fetched = false;
    for commit in wanted.clone() {
        let is_news = !memory.missing.contains(commit);
        if is_news && !fetched && is_missing(commit) {
            if repo.fetch().is_err() {
                // What is here is looked at; the next look tries again.
                return;
            }
            fetched = true;
        }
    }
    let mut missing = std::mem::take(&mut memory.missing);
    missing.retain(|commit| wanted.clone().any(|it| it == commit));
    if fetched {
        for commit in wanted {
            if is_missing(commit) {
                missing.insert(commit.clone());
            }
        }
    }
    memory.missing = missing;
}

/// Whether the commit is in this checkout. A branch may have the name of one.
pub(super) fn is_here(repo: &Repo, commit: &CommitId) -> bool {
    matches!(repo.resolve(commit.as_str()), Ok(Some(found)) if found == *commit)
}

/// The commit, provided that it is here.
fn here(repo: &Repo, wanted: Wanted) -> Result<CommitId, String> {
    match wanted {
        Wanted::Unknown(why) => Err(why),
        Wanted::Commit(commit) if is_here(repo, &commit) => Ok(commit),
        Wanted::Commit(_) => Err("its commit is not in this checkout".to_owned()),
        // Saved by an agent that shares this checkout, or taken before.
        Wanted::Sent { commit, .. } if is_here(repo, &commit) => Ok(commit),
        Wanted::Sent { id, commit, bundle } => {
            let taken = match bundle.is_empty() {
                // Nothing of it is beyond what is pushed.
                true => repo.ensure_commits(&[&commit]),
                false => repo.take_bundle(&id, &commit, &bundle),
            };
            match taken {
                Ok(()) => Ok(commit),
                // What was seen of it before is better than nothing.
                Err(error) => repo
                    .seen(&id)
                    .ok()
                    .flatten()
                    .ok_or_else(|| with_causes(&error)),
            }
        }
    }
}

fn known(heads: &[Result<CommitId, String>]) -> impl Iterator<Item = (usize, CommitId)> {
    let places = heads.iter().enumerate();
    places.filter_map(|(place, head)| Some((place, head.clone().ok()?)))
}

/// The clash with the places that its branches have among all.
fn renumbered(clash: Clash, places: &[usize]) -> Option<Clash> {
    let other = match clash.other {
        Some(other) => Some(*places.get(other)?),
        None => None,
    };
    Some(Clash {
        one: *places.get(clash.one)?,
        other,
        files: clash.files,
    })
}
