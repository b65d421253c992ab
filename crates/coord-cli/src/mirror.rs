//! What is on GitHub, as the mirror in the store has it: how commands read it, and how one issue
//! of it is refreshed. Reading asks nobody.

use coord_core::ids::{RepoName, Timestamp};
use coord_core::issue::Issue;
use coord_engine::{Engine, EngineError, now};
use coord_forge::{Comment, ForgeError};
use coord_store::{Mirror, MirroredComment, StoreError};

use crate::failure::Failure;

/// When the mirror was filled last; one that never was is of no use.
pub(crate) async fn age(mirror: &Mirror, repo: &RepoName) -> Result<Timestamp, Failure> {
    mirror.synced_at().await?.ok_or_else(|| {
        Failure::failed(format!(
            "`{repo}` was never synced: its issues are not known here"
        ))
        .with_hint(format!(
            "`coord sync --repo {repo}` fetches them from GitHub"
        ))
    })
}

/// Asks the forge for one issue with all of its comments.
pub(crate) async fn refresh_issue(
    engine: &Engine,
    mirror: &Mirror,
    repo: &RepoName,
    number: u64,
) -> Result<(), EngineError> {
    let forge = engine.forge(repo)?;
    let issue = engine.issue(repo, number).await?;
    let comments = forge.comments(number, None).await.map_err(failed(repo))?;
    let comments = comments.into_iter().map(|it| (number, kept(it)));
    mirror.put_comments(comments.collect()).await?;
    Ok(mirror.put_issue(issue, now()).await?)
}

/// One issue of the mirror with the comments that are known.
pub(crate) async fn issue(
    mirror: &Mirror,
    number: u64,
) -> Result<Option<(Issue, Vec<Comment>)>, StoreError> {
    let Some(issue) = mirror.issue(number).await? else {
        return Ok(None);
    };
    let comments = mirror.comments(number).await?;
    Ok(Some((issue, comments.into_iter().map(shown).collect())))
}

fn kept(comment: Comment) -> MirroredComment {
    MirroredComment {
        id: comment.id,
        author: comment.author,
        trusted: comment.trusted,
        body: comment.body,
        at: comment.at,
    }
}

fn shown(comment: MirroredComment) -> Comment {
    Comment {
        id: comment.id,
        author: comment.author,
        trusted: comment.trusted,
        body: comment.body,
        at: comment.at,
    }
}

/// A failure of the forge of `repo`.
pub(crate) fn failed(repo: &RepoName) -> impl Fn(ForgeError) -> EngineError {
    let repo = repo.clone();
    move |source| EngineError::Forge {
        repo: repo.clone(),
        source,
    }
}
