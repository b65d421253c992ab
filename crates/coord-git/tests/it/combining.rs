//! Combinations that are built before anything is merged, and conflicts that are foreseen.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;
use coord_git::{
    Added, Combination, GitError, MergeReport, MergeSpec, Prediction, Repo, ThrowawayWorktree,
    merge_branch, predict,
};

use crate::fixture::{Site, commit, git, head, id, read, rev};

const METHODS: [MergeMethod; 3] = [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase];

/// `lib.txt` with one line replaced.
fn lib(line: &str, by: &str) -> String {
    "one\ntwo\nthree\nfour\nfive\n".replace(line, by)
}

/// Four branches that go together, the third on top of the second, the fourth already at work with
/// the trunk merged in; then a trunk that has moved.
fn together(site: &Site) -> Vec<(String, CommitId)> {
    let root = &site.work;
    site.branch("issue-1", "trunk", "lib.txt", &lib("one", "ONE"));
    site.branch("issue-2", "trunk", "lib.txt", &lib("five", "FIVE"));
    site.branch("issue-3", "issue-2", "on top", "3\n");
    site.branch("issue-4", "trunk", "other", "4\n");
    commit(root, "trunk", "t\n", "trunk moves");
    git(root, &["switch", "--quiet", "issue-4"]);
    git(root, &["merge", "--quiet", "--no-edit", "trunk"]);
    commit(root, "other", "4 and more\n", "more");
    git(root, &["switch", "--quiet", "trunk"]);
    commit(root, "trunk", "t\nt\n", "trunk moves again");
    (1..=4)
        .map(|n| format!("issue-{n}"))
        .map(|name| (name.clone(), rev(root, &name)))
        .collect()
}

fn published(site: &Site, branch: &str, head: &CommitId, method: MergeMethod) -> CommitId {
    let spec = MergeSpec {
        branch: branch.to_owned(),
        head: head.clone(),
        base_branch: "trunk".to_owned(),
        method,
        message: format!("Merge {branch}"),
        assignment: id(1),
        onto: Some(rev(&site.work, "trunk")),
    };
    match merge_branch(&site.repo(), &spec).unwrap() {
        MergeReport::Merged { commit, .. } | MergeReport::AlreadyMerged { commit } => commit,
        other => panic!("{method:?} {branch}: {other:?}"),
    }
}

fn refs(site: &Site) -> String {
    let status = git(&site.work, &["status", "--porcelain"]);
    format!("{}\n{status}", git(&site.work, &["for-each-ref"]))
}

#[test]
fn what_is_tested_is_what_is_published() {
    for method in METHODS {
        let site = Site::new();
        let branches = together(&site);
        let repo = site.repo();
        let before = refs(&site);
        let mut combination = Combination::begin(&repo, &head(&site.work)).unwrap();
        let mut trees = Vec::new();
        for (name, head) in &branches {
            let added = combination.add(head, method).unwrap();
            let Added::Built { commit, tree } = added else {
                panic!("{method:?} {name}: {added:?}");
            };
            assert_eq!(
                (&commit, &*tree),
                (combination.commit(), combination.tree())
            );
            assert_eq!(repo.tree_of(&commit).unwrap(), tree);
            trees.push(tree);
        }
        assert_eq!(refs(&site), before);
        for ((name, head), tree) in branches.iter().zip(trees) {
            let commit = published(&site, name, head, method);
            assert_eq!(repo.tree_of(&commit).unwrap(), tree, "{method:?} {name}");
        }
    }
}

#[test]
fn a_combination_can_be_checked_out() {
    let site = Site::new();
    let branches = together(&site);
    let repo = site.repo();
    let mut combination = Combination::begin(&repo, &head(&site.work)).unwrap();
    for (_, head) in &branches {
        let _ = combination.add(head, MergeMethod::Squash).unwrap();
    }
    let root = site.folder.path().join("throwaway");
    let worktree = ThrowawayWorktree::create(&repo, &root, combination.commit()).unwrap();
    let both = lib("one", "ONE").replace("five", "FIVE");
    assert_eq!(read(worktree.path(), "lib.txt"), both);
    assert_eq!(read(worktree.path(), "on top"), "3\n");
    assert_eq!(read(worktree.path(), "trunk"), "t\nt\n");
}

#[test]
fn a_conflict_leaves_a_combination_as_it_was() {
    for method in METHODS {
        let site = Site::new();
        let base = head(&site.work);
        let one = site.branch("issue-1", "trunk", "lib.txt", &lib("two", "TWO"));
        let two = site.branch("issue-2", "trunk", "lib.txt", &lib("two", "2"));
        let three = site.branch("issue-3", "trunk", "other", "3\n");
        let repo = site.repo();
        let mut all = Combination::begin(&repo, &base).unwrap();
        let _ = all.add(&one, method).unwrap();
        let before = (all.commit().clone(), all.tree().to_owned());
        let paths = vec!["lib.txt".to_owned()];
        assert_eq!(all.add(&two, method).unwrap(), Added::Conflict { paths });
        assert_eq!((all.commit().clone(), all.tree().to_owned()), before);
        // What is in already changes nothing.
        let (commit, tree) = before;
        assert_eq!(
            all.add(&one, method).unwrap(),
            Added::Built { commit, tree }
        );
        // A clone goes its own way.
        let mut other = all.clone();
        assert!(matches!(
            other.add(&three, method).unwrap(),
            Added::Built { .. }
        ));
        assert_ne!(other.tree(), all.tree());
    }
}

#[test]
fn foreign_histories_and_missing_commits_are_told_apart() {
    let site = Site::new();
    let base = head(&site.work);
    git(&site.work, &["switch", "--quiet", "--orphan", "island"]);
    let island = commit(&site.work, "i", "x", "island");
    let repo = site.repo();
    let nobody = CommitId::new("1".repeat(40));
    let missing = |error: &GitError| matches!(error, GitError::NoSuchCommit { .. });
    assert!(missing(&Combination::begin(&repo, &nobody).unwrap_err()));
    let mut alone = Combination::begin(&repo, &base).unwrap();
    for method in METHODS {
        assert_eq!(alone.add(&island, method).unwrap(), Added::Unrelated);
        assert!(missing(&alone.add(&nobody, method).unwrap_err()));
    }
    assert_eq!(alone.commit(), &base);
}

fn foreseen(repo: &Repo, base: &CommitId, heads: &[&CommitId]) -> Vec<(usize, Option<usize>)> {
    let mut found = Vec::new();
    for method in METHODS {
        let entries: Vec<_> = heads.iter().map(|head| ((*head).clone(), method)).collect();
        let conflicts = predict(repo, base, &entries).unwrap();
        for Prediction { paths, .. } in &conflicts {
            assert_eq!(paths, &["lib.txt"]);
        }
        let pairs: Vec<_> = conflicts.iter().map(|it| (it.entry, it.with)).collect();
        assert!(found.is_empty() || found == pairs, "{method:?}: {pairs:?}");
        found = pairs;
    }
    found
}

#[test]
fn conflicts_are_foreseen_with_the_base_or_the_entry_that_makes_them() {
    let site = Site::new();
    let two = site.branch("two", "trunk", "lib.txt", &lib("two", "TWO"));
    let again = site.branch("again", "trunk", "lib.txt", &lib("two", "2"));
    let five = site.branch("five", "trunk", "lib.txt", &lib("five", "FIVE"));
    let stale = site.branch("stale", "trunk", "lib.txt", &lib("four", "4"));
    let base = commit(&site.work, "lib.txt", &lib("four", "vier"), "trunk moves");
    // Next to the line that the trunk has changed, a branch of today.
    let fresh = site.branch("fresh", "trunk", "other", "o\n");
    let repo = site.repo();
    assert_eq!(foreseen(&repo, &base, &[]), []);
    assert_eq!(foreseen(&repo, &base, &[&fresh, &two]), []);
    assert_eq!(
        foreseen(&repo, &base, &[&two, &fresh, &again]),
        [(2, Some(0))]
    );
    assert_eq!(
        foreseen(&repo, &base, &[&fresh, &again, &two]),
        [(2, Some(1))]
    );
    let all = [&stale, &five, &two, &again];
    assert_eq!(
        foreseen(&repo, &base, &all),
        [(0, None), (1, None), (3, Some(2))]
    );
    // An entry that is left out is in nobody's way.
    let left_out = [&two, &again, &again];
    assert_eq!(
        foreseen(&repo, &base, &left_out),
        [(1, Some(0)), (2, Some(0))]
    );
}
