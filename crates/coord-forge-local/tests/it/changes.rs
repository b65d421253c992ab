//! How branches stand to each other, and what pull requests change.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;
use coord_forge::{ChangeKind, ChangedFile, Comparison, Forge, ForgeError, Mergeable};
use coord_git::{MergeSpec, Repo, merge_branch};
use coord_test_support::git_fixture::git;

use crate::world::{World, new_pull, squash};

async fn worlds() -> [World; 2] {
    [World::new().await, World::alone().await]
}

fn main_of(world: &World) -> CommitId {
    let tip = git(world.published(), &["rev-parse", "main"]);
    tip.unwrap().into()
}

fn added(path: &str, text: &str) -> ChangedFile {
    ChangedFile {
        path: path.to_owned(),
        renamed_from: None,
        kind: ChangeKind::Added,
        additions: 1,
        deletions: 0,
        patch: Some(format!(
            "@@ -0,0 +1 @@\n+{text}\n\\ No newline at end of file\n"
        )),
    }
}

#[tokio::test]
async fn branches_are_compared_as_the_remote_has_them() {
    for world in worlds().await {
        let start = main_of(&world);
        let one = world.branch("issue-1-a", "a", "a");
        let two = world.branch("issue-2-b", "b", "b");
        let pull = world.pull("issue-2-b").await;
        let merge = squash(&two);
        world.forge.merge_pull(pull.number, &merge).await.unwrap();
        for (base, head) in [
            ("main", "issue-1-a"),
            (main_of(&world).as_str(), one.as_str()),
        ] {
            let expected = Comparison {
                ahead: 1,
                behind: 1,
                merge_base: start.clone(),
            };
            assert_eq!(world.forge.compare(base, head).await.unwrap(), expected);
        }
        let missing = world.forge.compare("main", "nowhere").await.unwrap_err();
        assert_eq!(missing.to_string(), "`nowhere` in `api` does not exist");

        assert_eq!(world.forge.default_branch().await.unwrap(), "main");
        let head = world.forge.branch_head("issue-1-a").await.unwrap();
        assert_eq!(head, Some(one));
        assert_eq!(world.forge.branch_head("nowhere").await.unwrap(), None);
    }
}

#[tokio::test]
async fn histories_without_a_common_commit_are_not_compared() {
    let world = World::alone().await;
    let empty = world.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let alone = world.git(&["commit-tree", "-m", "alone", &empty]);
    world.git(&["branch", "alone", &alone]);
    let refused = world.forge.compare("main", "alone").await;
    assert!(matches!(refused, Err(ForgeError::Refused { .. })));
}

#[tokio::test]
async fn a_pull_shows_its_own_work_before_and_after_the_merge() {
    for method in [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase] {
        for world in worlds().await {
            let other = world.branch("issue-1-a", "a", "a");
            let head = world.branch("issue-2-b", "b", "bee");
            let first = world.pull("issue-1-a").await;
            let pull = world.pull("issue-2-b").await;
            // The first time it stands on the tip of its base, the second time it does not.
            for (number, head) in [(first.number, other), (pull.number, head)] {
                let open = (
                    world.forge.pull_files(number).await.unwrap(),
                    world.forge.pull_diff(number).await.unwrap(),
                );
                let mut merge = squash(&head);
                merge.method = method;
                world.forge.merge_pull(number, &merge).await.unwrap();
                let merged = (
                    world.forge.pull_files(number).await.unwrap(),
                    world.forge.pull_diff(number).await.unwrap(),
                );
                assert_eq!(merged, open, "{method:?}");
                let now = world.forge.pull(number).await.unwrap().unwrap();
                assert_eq!(now.mergeable, Mergeable::Unknown);
            }
            let files = world.forge.pull_files(pull.number).await.unwrap();
            assert_eq!(files, [added("b", "bee")]);
            let diff = world.forge.pull_diff(pull.number).await.unwrap();
            assert!(diff.contains("+++ b/b\n@@ -0,0 +1 @@\n+bee\n"), "{diff}");
        }
    }
}

#[tokio::test]
async fn a_merge_by_somebody_else_shows_its_work_or_says_that_it_cannot() {
    for (method, shown) in [(MergeMethod::Squash, true), (MergeMethod::Merge, false)] {
        let world = World::new().await;
        let head = world.branch("issue-1-t", "a", "work");
        let pull = world.pull("issue-1-t").await;
        let merge = squash(&head);
        let spec = MergeSpec {
            branch: pull.branch.clone(),
            head: head.clone(),
            base_branch: pull.base.clone(),
            method,
            message: merge.message.clone(),
            assignment: merge.assignment.clone(),
            onto: None,
        };
        let _ = merge_branch(&Repo::open(&world.clone).unwrap(), &spec).unwrap();
        world.forge.merge_pull(pull.number, &merge).await.unwrap();
        match world.forge.pull_files(pull.number).await {
            Ok(files) => assert!(shown && files == [added("a", "work")], "{files:?}"),
            Err(error) => {
                assert!(!shown && matches!(error, ForgeError::Refused { .. }));
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_shown_as_empty() {
    let world = World::new().await;
    let missing = world.forge.pull_files(9).await;
    assert!(matches!(missing, Err(ForgeError::NotFound { .. })));
    world.branch("issue-1-t", "a", "work");
    let pull = world.forge.open_pull(new_pull("issue-1-t")).await.unwrap();
    git(
        world.published(),
        &["branch", "--delete", "--force", "issue-1-t"],
    )
    .unwrap();
    let gone = world.forge.pull_diff(pull.number).await;
    assert!(matches!(gone, Err(ForgeError::NotFound { .. })));
    let pull = world.forge.pull(pull.number).await.unwrap().unwrap();
    assert_eq!((pull.head, pull.mergeable), (None, Mergeable::Unknown));
}
