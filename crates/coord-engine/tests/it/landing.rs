//! Merging what was tested, onto what it was tested on, and the proof that it landed.

use coord_core::assignment::MergeMethod;
use coord_core::effect::{CombinationEntry, CombinedResult, Effect, Outcome};
use coord_core::ids::{CommitId, IssueRef};
use coord_engine::Engine;
use coord_forge::Forge;
use coord_test_support::git_fixture::git;

use crate::combining::{entry, push_to_base, tip};
use crate::github::{Coordinator, Town};
use crate::world::{World, carried, outcome, publish, put_off};

/// The merge of an entry for the first issue.
fn merge(entry: &CombinationEntry, onto: Option<&CommitId>, tree: Option<&str>) -> Effect {
    Effect::Merge {
        id: entry.id.clone(),
        issue: IssueRef {
            repo: "api".into(),
            number: 1,
        },
        title: "Solve it".to_owned(),
        branch: entry.branch.clone(),
        head: entry.head.clone(),
        method: entry.method,
        onto: onto.cloned(),
        tree: tree.map(str::to_owned),
    }
}

/// The base that an entry was tested on, and the tree that was tested.
async fn tested(engine: &Engine, entry: &CombinationEntry) -> (CommitId, String) {
    let effect = Effect::TestCombination {
        repo: "api".into(),
        entries: vec![entry.clone()],
    };
    let found = outcome(carried(engine, "combine:it:1", effect).await);
    let Outcome::Combined { base, mut results } = found else {
        panic!("{found:?}");
    };
    let CombinedResult::Green { tree: Some(tree) } = results.remove(0).result else {
        panic!("it is not green");
    };
    (base, tree)
}

#[tokio::test]
async fn what_lands_is_what_was_tested() {
    for method in [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase] {
        let world = World::with_idle_workers().await;
        let engine = world.engine().await;
        let mut entry = entry(&world, 1, "a.txt", "a\n");
        entry.method = method;
        push_to_base(&world, "more.txt", "more\n");
        let (base, tree) = tested(&engine, &entry).await;
        let effect = merge(&entry, Some(&base), Some(&tree));
        let first = outcome(carried(&engine, "merge:it:1", effect.clone()).await);
        let commit = CommitId::new(tip(&world));
        let warning = None;
        assert_eq!(first, Outcome::Merged { commit, warning });
        let again = outcome(carried(&engine, "merge:it:2", effect).await);
        assert_eq!(again, first, "another try finds the same merge");
    }
}

/// GitHub closes what a commit on the base branch says that it closes, and the title is a stranger's.
#[tokio::test]
async fn the_title_of_an_issue_closes_no_other() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let mut entry = entry(&world, 1, "a.txt", "a\n");
    entry.method = MergeMethod::Squash;
    let mut effect = merge(&entry, None, None);
    if let Effect::Merge { title, .. } = &mut effect {
        "Solve it, closes #7".clone_into(title);
    }
    let merged = outcome(carried(&engine, "merge:it:1", effect).await);
    assert!(matches!(merged, Outcome::Merged { .. }), "{merged:?}");
    let remote = world.fixture.remote_path();
    let subject = git(&remote, &["log", "-1", "--format=%s", "main"]).unwrap();
    assert_eq!(subject, "Solve it, closes #\u{200b}7 (#1)");
    let pull = world.forge.pull_for_branch(&entry.branch).await.unwrap();
    assert_eq!(pull.unwrap().title, "Solve it, closes #\u{200b}7");
}

#[tokio::test]
async fn a_base_that_moved_after_the_test_takes_nothing() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let entry = entry(&world, 1, "a.txt", "a\n");
    let (base, tree) = tested(&engine, &entry).await;
    let moved = push_to_base(&world, "more.txt", "more\n");
    let effect = merge(&entry, Some(&base), Some(&tree));
    let found = outcome(carried(&engine, "merge:it:1", effect).await);
    assert_eq!(
        found,
        Outcome::BaseMoved {
            base: moved.clone()
        }
    );
    assert_eq!(tip(&world), moved.as_str());
}

#[tokio::test]
async fn a_branch_that_moved_after_the_test_is_not_merged() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let mut entry = entry(&world, 1, "a.txt", "a\n");
    let (base, _) = tested(&engine, &entry).await;
    let head = std::mem::replace(&mut entry.head, base.clone());
    let head_is_old = merge(&entry, Some(&base), None);
    // The commit of the base is in the base: nothing tells that from a merge that was made.
    let there = outcome(carried(&engine, "merge:it:1", head_is_old).await);
    assert!(matches!(there, Outcome::Merged { .. }), "{there:?}");

    let desk = world.path("desks").join(&entry.branch);
    let commit = ["commit", "--quiet", "--allow-empty", "--message", "more"];
    git(&desk, &commit).unwrap();
    git(&desk, &["push", "--quiet", "origin", "HEAD"]).unwrap();
    let newer = CommitId::new(git(&desk, &["rev-parse", "HEAD"]).unwrap());
    entry.head = head;
    let found = carried(&engine, "merge:it:2", merge(&entry, Some(&base), None)).await;
    assert_eq!(outcome(found), Outcome::HeadMoved { head: newer });
    assert_eq!(tip(&world), base.as_str());
}

#[tokio::test]
async fn another_tree_than_the_one_that_was_tested_is_merged_with_a_warning() {
    let world = World::with_idle_workers().await;
    let engine = world.engine().await;
    let entry = entry(&world, 1, "a.txt", "a\n");
    let found = carried(&engine, "merge:it:1", merge(&entry, None, Some("12ab"))).await;
    let Outcome::Merged { warning, .. } = outcome(found) else {
        panic!("it is not merged");
    };
    let warning = warning.unwrap();
    let start = "the tree that landed is not the one that was tested: ";
    assert!(warning.starts_with(start), "{warning}");
    assert!(warning.ends_with(" instead of 12ab"), "{warning}");
}

/// A coordinator on GitHub, and a branch of its first issue.
struct Shared {
    town: Town,
    ann: Coordinator,
    entry: CombinationEntry,
}

impl Shared {
    async fn new() -> Self {
        let town = Town::new().await;
        town.github.set_lazy_mergeability(false);
        let ann = town.coordinator("ann");
        town.api.open_issue("Solve it", "", &[], "ann");
        let desks = ann.checkout("api").with_file_name("desks");
        let end = publish(&town.api.git_path(), &desks, "issue-1-it", "a.txt", "a\n");
        let entry = CombinationEntry {
            id: coord_core::ids::AssignmentId::from_bits(1),
            branch: "issue-1-it".to_owned(),
            head: CommitId::new(end.head.unwrap()),
            method: MergeMethod::Squash,
            tested: true,
        };
        Self { town, ann, entry }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_that_moves_while_github_merges_is_seen_by_the_tree() {
    let shared = Shared::new().await;
    let engine = shared.ann.engine().await;
    let (base, tree) = tested(&engine, &shared.entry).await;
    shared
        .town
        .api
        .push_before_merge("main", "more.txt", "more\n");
    let effect = merge(&shared.entry, Some(&base), Some(&tree));
    let found = outcome(carried(&engine, "merge:it:1", effect).await);
    let Outcome::Merged { warning, .. } = found else {
        panic!("{found:?}");
    };
    assert!(warning.is_some_and(|text| text.contains(&tree)));
    shared.town.is_in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_that_the_base_does_not_show_is_looked_for_again() {
    let shared = Shared::new().await;
    let engine = shared.ann.engine().await;
    let (base, tree) = tested(&engine, &shared.entry).await;
    // The checkout sees another remote, which never hears of the merge.
    let (checkout, remote) = (shared.ann.checkout("api"), shared.town.api.git_path());
    let stale = checkout.with_file_name("stale.git");
    let (from, to) = (remote.to_str().unwrap(), stale.to_str().unwrap());
    let sees = |url: &str| git(&checkout, &["remote", "set-url", "origin", url]).unwrap();
    git(&checkout, &["clone", "--quiet", "--bare", from, to]).unwrap();
    sees(to);
    let effect = merge(&shared.entry, Some(&base), Some(&tree));
    let why = put_off(carried(&engine, "merge:it:1", effect.clone()).await);
    assert!(
        why.contains("but `main` does not have that commit"),
        "{why}"
    );
    assert!(!shared.town.api.pulls()[0].open);

    sees(from);
    let found = outcome(carried(&engine, "merge:it:2", effect).await);
    let warning = None;
    let commit = CommitId::new(git(&remote, &["rev-parse", "main"]).unwrap());
    assert_eq!(found, Outcome::Merged { commit, warning });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_checkout_the_forge_proves_it() {
    let mut shared = Shared::new().await;
    shared.ann.has_checkouts = false;
    let engine = shared.ann.engine().await;
    let found = carried(
        &engine,
        "merge:it:1",
        merge(&shared.entry, None, Some("12ab")),
    )
    .await;
    let remote = shared.town.api.git_path();
    let commit = CommitId::new(git(&remote, &["rev-parse", "main"]).unwrap());
    let warning = None;
    assert_eq!(outcome(found), Outcome::Merged { commit, warning });
    shared.town.is_in_order();
}
