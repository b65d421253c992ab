//! Builds the commits of a merge in the object database, without any checkout.

use coord_core::assignment::MergeMethod;
use gix::ObjectId;
use gix::merge::blob::builtin_driver::text::Labels;
use gix::merge::tree::TreatAsUnresolved;

use super::TRAILER;
use crate::repo::{merge_base, parents_of, tree_of};
use crate::{GitError, Repo};

/// The tree of a merge, or the paths in conflict.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Built {
    Tree(ObjectId),
    Conflict(Vec<String>),
}

/// What building the commits of a merge gave.
pub(crate) enum Result {
    /// The new tip of the base; the base itself when there is nothing to add.
    Commit(ObjectId),
    Conflict(Vec<String>),
    Unrelated,
}

/// How the commits of a merge are made.
pub(crate) struct How<'a> {
    pub(crate) method: MergeMethod,
    /// Of a squash or merge commit, whole.
    pub(crate) message: &'a str,
}

pub(crate) fn build(
    repo: &Repo,
    gix: &gix::Repository,
    how: &How<'_>,
    base: ObjectId,
    head: ObjectId,
) -> std::result::Result<Result, GitError> {
    if merge_base(gix, base, head)?.is_none() {
        return Ok(Result::Unrelated);
    }
    let parents = match how.method {
        MergeMethod::Rebase => return rebase(repo, gix, base, head),
        MergeMethod::Squash => vec![base],
        MergeMethod::Merge => vec![base, head],
    };
    Ok(match merge_commits(gix, base, head)? {
        Built::Tree(tree) => {
            let commit = gix
                .new_commit(how.message, tree, parents)
                .map_err(GitError::library("write a commit"))?;
            Result::Commit(commit.id)
        }
        Built::Conflict(paths) => Result::Conflict(paths),
    })
}

/// Merges two commits of one history into a tree.
pub(crate) fn merge_commits(
    repo: &gix::Repository,
    ours: ObjectId,
    theirs: ObjectId,
) -> std::result::Result<Built, GitError> {
    let options = repo
        .tree_merge_options()
        .map_err(GitError::library("read the merge options"))?;
    let outcome = repo
        .merge_commits(ours, theirs, Labels::default(), options.into())
        .map_err(GitError::library("merge two commits"))?;
    built(outcome.tree_merge)
}

fn built(mut outcome: gix::merge::tree::Outcome<'_>) -> std::result::Result<Built, GitError> {
    let how = TreatAsUnresolved::git();
    if outcome.has_unresolved_conflicts(how) {
        let mut paths: Vec<String> = outcome
            .conflicts
            .iter()
            .filter(|conflict| conflict.is_unresolved(how))
            .flat_map(|conflict| [conflict.ours.location(), conflict.theirs.location()])
            .map(ToString::to_string)
            .collect();
        paths.sort();
        paths.dedup();
        return Ok(Built::Conflict(paths));
    }
    let tree = outcome
        .tree
        .write()
        .map_err(GitError::library("write a tree"))?;
    Ok(Built::Tree(tree.detach()))
}

/// The commits that `git rebase` would pick, again on top of `base`.
fn rebase(
    repo: &Repo,
    gix: &gix::Repository,
    base: ObjectId,
    head: ObjectId,
) -> std::result::Result<Result, GitError> {
    let picks = repo
        .run("rev-list")
        .args(["--topo-order", "--reverse", "--no-merges"])
        .args(["--cherry-pick", "--right-only", &format!("{base}...{head}")])
        .text()?;
    let mut tip = base;
    for pick in picks.lines() {
        let pick = ObjectId::from_hex(pick.as_bytes())
            .map_err(GitError::library("read the list of commits"))?;
        match replay(gix, pick, tip)? {
            Replayed::Commit(commit) => tip = commit,
            Replayed::Conflict(paths) => return Ok(Result::Conflict(paths)),
        }
    }
    Ok(Result::Commit(tip))
}

enum Replayed {
    Commit(ObjectId),
    Conflict(Vec<String>),
}

/// One commit again with `onto` as its parent; author, message and encoding stay, a signature
/// would no longer be true and goes. A commit that adds nothing any more is left out.
fn replay(
    repo: &gix::Repository,
    pick: ObjectId,
    onto: ObjectId,
) -> std::result::Result<Replayed, GitError> {
    let parent = parents_of(repo, pick)?.first().copied();
    if parent == Some(onto) {
        return Ok(Replayed::Commit(pick));
    }
    let ancestor = match parent {
        Some(parent) => tree_of(repo, parent)?,
        None => ObjectId::empty_tree(repo.object_hash()),
    };
    let ours = tree_of(repo, onto)?;
    let options = repo
        .tree_merge_options()
        .map_err(GitError::library("read the merge options"))?;
    let outcome = repo
        .merge_trees(
            ancestor,
            ours,
            tree_of(repo, pick)?,
            Labels::default(),
            options,
        )
        .map_err(GitError::library("replay a commit"))?;
    match built(outcome)? {
        Built::Conflict(paths) => Ok(Replayed::Conflict(paths)),
        Built::Tree(tree) if tree == ours => Ok(Replayed::Commit(onto)),
        Built::Tree(tree) => recommit(repo, pick, tree, onto).map(Replayed::Commit),
    }
}

fn recommit(
    repo: &gix::Repository,
    pick: ObjectId,
    tree: ObjectId,
    parent: ObjectId,
) -> std::result::Result<ObjectId, GitError> {
    let doing = "write a commit";
    let original = repo.find_commit(pick).map_err(GitError::library(doing))?;
    let original = original.decode().map_err(GitError::library(doing))?;
    let committer = repo
        .committer()
        .transpose()
        .map_err(GitError::library(doing))?
        .ok_or("no committer")
        .map_err(GitError::library(doing))?;
    let author = original.author().map_err(GitError::library(doing))?;
    let commit = gix::objs::Commit {
        tree,
        parents: [parent].into_iter().collect(),
        author: author.into(),
        committer: committer.into(),
        encoding: original.encoding.map(ToOwned::to_owned),
        message: original.message.to_owned(),
        extra_headers: Vec::new(),
    };
    let id = repo
        .write_object(commit)
        .map_err(GitError::library(doing))?;
    Ok(id.detach())
}

/// The message with the trailer in its last paragraph, where that consists of trailers.
pub(super) fn with_trailer(message: &str, assignment: &str) -> String {
    let message = message.trim_end();
    let is_trailer = |line: &str| {
        line.split_once(": ").is_some_and(|(key, _)| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    };
    let joins = message
        .rsplit_once("\n\n")
        .is_some_and(|(_, last)| last.lines().all(is_trailer));
    let gap = if joins { "\n" } else { "\n\n" };
    format!("{message}{gap}{TRAILER}{assignment}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trailer_joins_other_trailers_only() {
        assert_eq!(
            with_trailer("fix: a title\n", "0a"),
            "fix: a title\n\nCoord-Assignment: 0a\n"
        );
        assert_eq!(
            with_trailer("Title\n\nBody text.\n\nCloses: #1\n", "0a"),
            "Title\n\nBody text.\n\nCloses: #1\nCoord-Assignment: 0a\n"
        );
        assert_eq!(
            with_trailer("Title\n\nBody text.", "0a"),
            "Title\n\nBody text.\n\nCoord-Assignment: 0a\n"
        );
    }
}
