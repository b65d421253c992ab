//! Keeping what was last seen of forges on the network, so that reading asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::ids::{RepoName, Timestamp};
use coord_forge::{Comment, Forge, ForgeError};
use coord_store::{Mirror, MirroredComment, SyncReport};

use crate::clock;
use crate::engine::Engine;
use crate::error::EngineError;

/// How many comments are asked for at most: a forge that shows a hundred at once is asked 40 times.
const COMMENTS: usize = 4000;

/// What came of bringing a mirror up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synced {
    /// The forge is in the store itself: there is nothing to bring up to date.
    Local,
    /// The mirror is as the forge was just now.
    Mirrored(SyncedRepo),
}

/// What was new on a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncedRepo {
    /// Of the issues.
    pub report: SyncReport,
    /// How many comments were new or changed. Only the latest 4,000 are looked at, of a repository
    /// that is seen for the first time and of what changed since the last time.
    pub comments: usize,
    /// When the forge was asked.
    pub at: Timestamp,
}

impl Engine {
    /// What was last seen of the repository on its forge; `None` for a forge that is in the store
    /// itself and needs no mirror.
    #[must_use]
    pub fn mirror(&self, repo: &RepoName) -> Option<Mirror> {
        let mirror = || Mirror::new(self.store().clone(), repo.clone());
        self.is_shared(repo).then(mirror)
    }

    /// Takes over the open issues, the order of those that are sub-issues, and the latest comments
    /// of a repository.
    ///
    /// # Errors
    /// When the repository is not in the configuration, the forge does not answer, or the store
    /// fails.
    pub async fn sync(&self, repo: &RepoName) -> Result<Synced, EngineError> {
        let forge = self.forge(repo)?;
        let Some(mirror) = self.mirror(repo) else {
            return Ok(Synced::Local);
        };
        let at = clock::now();
        let open = forge.open_list().await;
        let open = open.map_err(EngineError::forge(repo))?;
        let report = mirror.replace_open(open.issues, at).await?;
        sync_sub_issues(forge, &mirror, open.parents, EngineError::forge(repo)).await?;
        self.tell_closed(repo).await?;
        let comments = sync_comments(forge, &mirror, EngineError::forge(repo)).await?;
        Ok(Synced::Mirrored(SyncedRepo {
            report,
            comments,
            at,
        }))
    }
}

/// Takes over the sub-issues of `parents`, and of whatever else has open ones in the mirror: those
/// may be nobody's any more.
async fn sync_sub_issues(
    forge: &dyn Forge,
    mirror: &Mirror,
    parents: Vec<u64>,
    failed: impl Fn(ForgeError) -> EngineError,
) -> Result<(), EngineError> {
    let mut asked: BTreeSet<u64> = mirror.parents_of_open().await?.into_iter().collect();
    asked.extend(parents);
    for parent in asked {
        let children = match forge.sub_issues(parent).await {
            Ok(children) => children,
            // It was deleted, or moved to another repository.
            Err(ForgeError::NotFound { .. }) => Some(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        mirror
            .set_sub_issues(parent, children.unwrap_or_default())
            .await?;
    }
    Ok(())
}

/// Takes over the comments that changed since the last time, and answers how many did.
async fn sync_comments(
    forge: &dyn Forge,
    mirror: &Mirror,
    failed: impl Fn(ForgeError) -> EngineError,
) -> Result<usize, EngineError> {
    let cursor = mirror.comments_cursor().await?;
    let recent = forge.recent_comments(cursor, COMMENTS).await;
    let recent = recent.map_err(failed)?;
    // By the forge's clock, and no later than any change that is still to come.
    let newest = recent.iter().map(|(_, comment)| comment.at).max();
    let changed = take_over(mirror, recent).await?;
    if let Some(newest) = newest.filter(|newest| Some(*newest) > cursor) {
        mirror.set_comments_cursor(newest).await?;
    }
    Ok(changed)
}

/// Keeps what is new or otherwise than it was, and answers how many that are.
async fn take_over(mirror: &Mirror, recent: Vec<(u64, Comment)>) -> Result<usize, EngineError> {
    let mut by_issue: BTreeMap<u64, BTreeMap<u64, MirroredComment>> = BTreeMap::new();
    for (number, comment) in recent {
        let comment = mirrored(comment);
        by_issue
            .entry(number)
            .or_default()
            .insert(comment.id, comment);
    }
    let mut fresh = Vec::new();
    for (number, mut comments) in by_issue {
        for known in mirror.comments(number).await? {
            if comments.get(&known.id) == Some(&known) {
                comments.remove(&known.id);
            }
        }
        fresh.extend(comments.into_values().map(|comment| (number, comment)));
    }
    let count = fresh.len();
    if count > 0 {
        mirror.put_comments(fresh).await?;
    }
    Ok(count)
}

fn mirrored(comment: Comment) -> MirroredComment {
    let Comment {
        id,
        author,
        trusted,
        body,
        at,
    } = comment;
    MirroredComment {
        id,
        author,
        trusted,
        body,
        at,
    }
}
