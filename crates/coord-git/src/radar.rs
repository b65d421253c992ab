//! Which branches would conflict if they were merged: every pair, and each with the base.
//!
//! The verdicts are those of `git merge-tree`. Most pairs have no path in common, and most of the
//! others only lines: those are judged in memory. Where renames, folders, links, submodules or
//! attributes have a part in it, git is asked, about all such pairs at once. Nothing is written to
//! the repository.

mod ask;
mod clash;
mod drivers;
mod elder;
mod judge;
mod kept;
mod sweep;
mod text;

use std::collections::HashMap;

use coord_core::ids::CommitId;
use gix::ObjectId;

use crate::repo::commit;
use crate::{GitError, Repo};

use crate::changes::Changes;
pub use clash::{Clash, ClashFile, ClashHunk, ClashKind, Lines, Scan};
use kept::Kept;
use sweep::{Pair, Sweep};
use text::{Edits, Text};

/// What is known of the branches of one repository. Kept between scans, it makes the next one cheap.
#[derive(Debug, Default)]
pub struct Radar {
    pairs: HashMap<(ObjectId, ObjectId), Pair>,
    kept: Caches,
}

/// What pairs were judged by; each is kept as long as a pair needs it.
#[derive(Debug, Default)]
struct Caches {
    /// From one tree to another.
    changes: Kept<(ObjectId, ObjectId), Changes>,
    /// From one blob to another.
    edits: Kept<(ObjectId, ObjectId), Edits>,
    texts: Kept<ObjectId, Text>,
}

impl Radar {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at every pair of `heads`, and at each with `base`. Only pairs of which one has moved
    /// since the last scan are judged again; what is not in this scan is forgotten.
    ///
    /// # Errors
    /// [`GitError::NoSuchCommit`] (see [`Repo::ensure_commits`]), and when objects cannot be read.
    pub fn scan(
        &mut self,
        repo: &Repo,
        base: &CommitId,
        heads: &[CommitId],
    ) -> Result<Scan, GitError> {
        let mut gix = repo.gix()?;
        gix.object_cache_size_if_unset(OBJECT_CACHE);
        let ids = heads
            .iter()
            .map(|head| Ok(commit(&gix, head)?.id))
            .collect::<Result<Vec<_>, GitError>>()?;
        let places = places(commit(&gix, base)?.id, &ids);
        let mut known = std::mem::take(&mut self.pairs);
        let mut open = Vec::new();
        for (_, _, pair) in &places {
            if let Some(judged) = known.remove(pair) {
                self.pairs.insert(*pair, judged);
            } else if !self.pairs.contains_key(pair) && !open.contains(pair) {
                open.push(*pair);
            }
        }
        let judged = Sweep::begin(repo, &gix, &mut self.kept).judge(&open)?;
        self.pairs.extend(judged);
        drop(known);
        self.kept.forget();
        Ok(self.told(&places))
    }

    fn told(&self, places: &[Place]) -> Scan {
        let clash = |&(one, other, pair): &Place| {
            let files = match self.pairs.get(&pair)? {
                Pair::Unrelated => Vec::new(),
                Pair::Judged { files, .. } if files.is_empty() => return None,
                Pair::Judged { files, .. } => files.clone(),
            };
            Some(Clash { one, other, files })
        };
        Scan {
            clashes: places.iter().filter_map(clash).collect(),
        }
    }
}

impl Caches {
    fn forget(&mut self) {
        self.changes.forget();
        self.edits.forget();
        self.texts.forget();
    }
}

/// Trees and commits that several pairs read.
const OBJECT_CACHE: usize = 16 << 20;

/// A pair by the places of its heads, `None` for the base, and by its commits.
type Place = (usize, Option<usize>, (ObjectId, ObjectId));

fn places(base: ObjectId, heads: &[ObjectId]) -> Vec<Place> {
    let mut places = Vec::new();
    for (one, &head) in heads.iter().enumerate() {
        places.push((one, None, (head, base)));
        for (other, &later) in heads.iter().enumerate().skip(one + 1) {
            places.push((one, Some(other), (head, later)));
        }
    }
    places
}
