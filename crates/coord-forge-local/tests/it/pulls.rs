//! Branches, pull requests and merges, with a remote and without one.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;
use coord_forge::{Forge, ForgeError, MergeOutcome, Mergeable, Pull, PullMerge, PullState};
use coord_git::{MergeSpec, Repo, merge_branch};
use coord_test_support::git_fixture::git;

use crate::world::{World, commit, new_issue, new_pull, squash};

async fn worlds() -> [World; 2] {
    [World::new().await, World::alone().await]
}

#[tokio::test]
async fn branches_are_those_of_the_remote_or_the_local_ones() {
    for world in worlds().await {
        let nine = world.branch("issue-9-b", "b", "b");
        let two = world.branch("issue-2-a", "a", "a");
        world.branch("other", "c", "c");
        let found = world.forge.branches("issue-").await.unwrap();
        let found: Vec<_> = found.iter().map(|b| (b.name.as_str(), &b.head)).collect();
        assert_eq!(found, [("issue-2-a", &two), ("issue-9-b", &nine)]);
        assert_eq!(world.forge.branches("issue-3").await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_branch_that_the_remote_has_dropped_is_no_evidence() {
    let world = World::new().await;
    world.branch("issue-2-a", "a", "a");
    assert_eq!(world.forge.branches("issue-").await.unwrap().len(), 1);
    git(
        world.published(),
        &["branch", "--delete", "--force", "issue-2-a"],
    )
    .unwrap();
    assert_eq!(world.forge.branches("issue-").await.unwrap(), []);
}

#[tokio::test]
async fn a_remote_that_cannot_be_asked_is_not_an_empty_one() {
    let world = World::new().await;
    let gone = world.published().with_extension("moved");
    std::fs::rename(world.published(), gone).unwrap();
    let error = world.forge.branches("issue-").await.unwrap_err();
    assert!(
        matches!(
            error,
            ForgeError::Unusable { .. } | ForgeError::Transient { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_pull_is_opened_once_for_a_branch_that_is_there() {
    for world in worlds().await {
        world.forge.create_issue(new_issue("t", "")).await.unwrap();
        let head = world.branch("issue-1-t", "a", "a");
        let pull = world.pull("issue-1-t").await;
        assert_eq!((pull.number, &pull.state), (2, &PullState::Open));
        assert_eq!(pull.head, Some(head));
        assert_eq!(world.pull("issue-1-t").await, pull);
        let by_branch = world.forge.pull_for_branch("issue-1-t").await.unwrap();
        assert_eq!(by_branch.as_ref(), Some(&pull));
        let known = Pull {
            mergeable: Mergeable::Yes,
            ..pull
        };
        assert_eq!(world.forge.pull(2).await.unwrap(), Some(known));
        assert_eq!(world.forge.pull(1).await.unwrap(), None);

        let error = world
            .forge
            .open_pull(new_pull("nowhere"))
            .await
            .unwrap_err();
        assert!(matches!(error, ForgeError::Refused { .. }), "{error:?}");
        assert_eq!(world.forge.pull_for_branch("nowhere").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_merge_is_in_the_base_once_however_often_it_is_asked_for() {
    for method in [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase] {
        for world in worlds().await {
            let head = world.branch("issue-1-t", "a", "work");
            let pull = world.pull("issue-1-t").await;
            let mut merge = squash(&head);
            merge.method = method;
            let merged = world.forge.merge_pull(pull.number, &merge).await.unwrap();
            let MergeOutcome::Merged { commit } = &merged else {
                unreachable!("{merged:?}");
            };
            assert_eq!(world.main_has("a").as_deref(), Some("work"));
            let length = world.main_length();

            let again = world.forge.merge_pull(pull.number, &merge).await.unwrap();
            assert_eq!(again, merged);
            assert_eq!(world.main_length(), length);
            let pull = world.forge.pull(pull.number).await.unwrap().unwrap();
            let commit = commit.clone();
            assert_eq!(pull.state, PullState::Merged { commit });
            assert_eq!(pull.head, Some(head));
        }
    }
}

#[tokio::test]
async fn a_merge_that_was_not_written_down_is_found_in_git() {
    for world in worlds().await {
        let head = world.branch("issue-1-t", "a", "work");
        let pull = world.pull("issue-1-t").await;
        let merge = squash(&head);
        // What git has done before the coordinator died.
        let spec = MergeSpec {
            branch: pull.branch.clone(),
            head: head.clone(),
            base_branch: pull.base.clone(),
            method: merge.method,
            message: merge.message.clone(),
            assignment: merge.assignment.clone(),
            onto: None,
        };
        let repo = Repo::open(&world.clone).unwrap();
        let _ = merge_branch(&repo, &spec).unwrap();
        let length = world.main_length();

        let merged = world.forge.merge_pull(pull.number, &merge).await.unwrap();
        assert!(matches!(merged, MergeOutcome::Merged { .. }), "{merged:?}");
        assert_eq!(world.main_length(), length);
        let pull = world.forge.pull(pull.number).await.unwrap().unwrap();
        assert!(matches!(pull.state, PullState::Merged { .. }));
    }
}

#[tokio::test]
async fn two_that_change_the_same_lines_conflict_and_change_nothing() {
    for world in worlds().await {
        let one = world.branch("issue-1-a", "same", "one");
        let two = world.branch("issue-2-b", "same", "two");
        let (first, second) = (world.pull("issue-1-a").await, world.pull("issue-2-b").await);
        let merged = world.forge.merge_pull(first.number, &squash(&one)).await;
        let MergeOutcome::Merged { commit } = merged.unwrap() else {
            unreachable!("the first has nothing to conflict with");
        };
        let length = world.main_length();
        let conflict = world.forge.merge_pull(second.number, &squash(&two)).await;
        let paths = vec!["same".to_owned()];
        let expected = MergeOutcome::Conflict {
            base: commit,
            paths,
        };
        assert_eq!(conflict.unwrap(), expected);
        assert_eq!(world.main_length(), length);
        let second = world.forge.pull(second.number).await.unwrap().unwrap();
        assert_eq!(second.state, PullState::Open);
        assert_eq!(second.mergeable, Mergeable::No);
    }
}

#[tokio::test]
async fn only_the_commit_that_was_tested_is_merged() {
    for world in worlds().await {
        let tested = world.branch("issue-1-t", "a", "tested");
        let pull = world.pull("issue-1-t").await;
        let worker = ["other", "worktree"]
            .map(|kind| world.clone.parent().unwrap().join(kind).join("issue-1-t"))
            .into_iter()
            .find(|path| path.exists())
            .unwrap();
        let newer = commit(&worker, "a", "untested");
        if world.published() != world.clone {
            git(&worker, &["push", "--quiet", "origin", "issue-1-t"]).unwrap();
        }
        let merged = world.forge.merge_pull(pull.number, &squash(&tested)).await;
        let head = newer.clone();
        assert_eq!(merged.unwrap(), MergeOutcome::HeadMoved { head });
        assert_eq!(world.main_has("a"), None);

        let merged = world.forge.merge_pull(pull.number, &squash(&newer)).await;
        assert!(matches!(merged.unwrap(), MergeOutcome::Merged { .. }));
        let stale = world.forge.merge_pull(pull.number, &squash(&tested)).await;
        assert!(matches!(stale.unwrap(), MergeOutcome::Refused { .. }));
        let missing = world.forge.merge_pull(99, &squash(&newer)).await;
        assert!(matches!(missing, Err(ForgeError::NotFound { .. })));
    }
}

#[tokio::test]
async fn a_merge_lands_on_the_base_that_it_was_tested_on_or_not_at_all() {
    for world in worlds().await {
        let one = world.branch("issue-1-a", "same", "one");
        let two = world.branch("issue-2-b", "same", "two");
        let three = world.branch("issue-3-c", "c", "three");
        let start = git(world.published(), &["rev-parse", "main"]).unwrap();
        let onto = |head, onto: &CommitId| PullMerge {
            onto: Some(onto.clone()),
            ..squash(head)
        };
        let start = CommitId::new(start);
        let first = world.pull("issue-1-a").await.number;
        let merge = onto(&one, &start);
        let merged = world.forge.merge_pull(first, &merge).await.unwrap();
        let MergeOutcome::Merged { commit } = &merged else {
            unreachable!("{merged:?}");
        };
        // The base is another one now, also for the one that conflicts with it.
        let base = commit.clone();
        let length = world.main_length();
        for (branch, head) in [("issue-2-b", &two), ("issue-3-c", &three)] {
            let number = world.pull(branch).await.number;
            let moved = world.forge.merge_pull(number, &onto(head, &start)).await;
            let base = base.clone();
            assert_eq!(moved.unwrap(), MergeOutcome::BaseMoved { base });
            let pull = world.forge.pull(number).await.unwrap().unwrap();
            assert_eq!(pull.state, PullState::Open);
        }
        assert_eq!(world.main_length(), length);
        let third = world.pull("issue-3-c").await.number;
        let third = world.forge.merge_pull(third, &onto(&three, &base)).await;
        assert!(matches!(third.unwrap(), MergeOutcome::Merged { .. }));
        let again = world.forge.merge_pull(first, &merge).await.unwrap();
        assert_eq!(again, merged);
    }
}
