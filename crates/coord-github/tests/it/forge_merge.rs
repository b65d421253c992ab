//! Merging, with the head pinned.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;
use coord_forge::{Forge, ForgeError, MergeOutcome, PullMerge, PullState};
use coord_test_support::git_fixture::git;

use crate::scene::{Scene, merge_of};

async fn scene() -> Scene {
    let scene = Scene::new().await;
    scene.fake.set_lazy_mergeability(false);
    scene
}

fn reason(outcome: MergeOutcome) -> String {
    match outcome {
        MergeOutcome::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_method_leaves_its_commits() {
    for (method, parents, message) in [
        (MergeMethod::Rebase, 1, "Change file"),
        (
            MergeMethod::Squash,
            1,
            "Subject\n\nText.\n\nCloses: #1\nCoord-Assignment: 0000000000ab",
        ),
        (
            MergeMethod::Merge,
            2,
            "Subject\n\nText.\n\nCloses: #1\nCoord-Assignment: 0000000000ab",
        ),
    ] {
        let scene = scene().await;
        scene.repo.push_file("main", "before", "").unwrap();
        let head = scene.branch("issue-1-a", "file");
        scene.repo.push_file("main", "after", "").unwrap();
        let number = scene.pull("issue-1-a").await.number;
        let merge = merge_of(&head, method);
        let MergeOutcome::Merged { commit } = scene.forge.merge_pull(number, &merge).await.unwrap()
        else {
            panic!("{method:?}");
        };
        assert_eq!(
            scene.repo.branch("main").unwrap().as_deref(),
            Some(commit.as_str())
        );
        let show = |format: &str| {
            git(
                &scene.repo.git_path(),
                &["show", "-s", format, commit.as_str()],
            )
            .unwrap()
        };
        assert_eq!(show("--format=%P").split_whitespace().count(), parents);
        assert_eq!(show("--format=%B"), message);
        let again = scene.forge.merge_pull(number, &merge).await.unwrap();
        assert_eq!(
            again,
            MergeOutcome::Merged {
                commit: commit.clone()
            }
        );
        let pull = scene.forge.pull(number).await.unwrap().unwrap();
        assert_eq!(
            (pull.state, pull.head),
            (PullState::Merged { commit }, Some(head))
        );
        assert_eq!(scene.count("PUT", "/merge"), 1);
        scene.end();
    }
}

#[tokio::test]
async fn only_the_commit_that_was_tested_is_merged() {
    let scene = scene().await;
    let tested = scene.branch("issue-1-a", "a");
    let number = scene.pull("issue-1-a").await.number;
    let moved = scene.branch("issue-1-a", "b");
    let merge = merge_of(&tested, MergeMethod::Squash);
    let outcome = scene.forge.merge_pull(number, &merge).await.unwrap();
    let head = moved.clone();
    assert_eq!(outcome, MergeOutcome::HeadMoved { head });
    let newer = merge_of(&moved, MergeMethod::Squash);
    scene.forge.merge_pull(number, &newer).await.unwrap();
    let refused = reason(scene.forge.merge_pull(number, &merge).await.unwrap());
    assert!(refused.contains("was merged with"), "{refused}");
    assert_eq!(scene.count("PUT", "/merge"), 1);
    scene.end();
}

fn pinned(head: &CommitId, onto: &CommitId) -> PullMerge {
    PullMerge {
        onto: Some(onto.clone()),
        ..merge_of(head, MergeMethod::Squash)
    }
}

fn tip(scene: &Scene, branch: &str) -> CommitId {
    CommitId::new(scene.repo.branch(branch).unwrap().unwrap())
}

#[tokio::test]
async fn a_base_that_moved_is_not_merged_onto() {
    let scene = scene().await;
    let (base, head) = (tip(&scene, "main"), scene.branch("issue-1-a", "a"));
    let number = scene.pull("issue-1-a").await.number;
    // Where it conflicts with the new base, that is found out when it is tested there.
    for file in ["b", "a"] {
        scene.repo.push_file("main", file, "other\n").unwrap();
        let outcome = scene.forge.merge_pull(number, &pinned(&head, &base)).await;
        let base = tip(&scene, "main");
        assert_eq!(outcome.unwrap(), MergeOutcome::BaseMoved { base });
    }
    assert_eq!(scene.count("PUT", "/merge"), 0);

    let head = scene.branch("issue-2-b", "c");
    let number = scene.pull("issue-2-b").await.number;
    let merge = pinned(&head, &tip(&scene, "main"));
    let merged = scene.forge.merge_pull(number, &merge).await.unwrap();
    assert!(matches!(merged, MergeOutcome::Merged { .. }), "{merged:?}");
    // The base is another one by this very merge.
    let again = scene.forge.merge_pull(number, &merge).await.unwrap();
    assert_eq!(again, merged);
    // A head that moved is told before a base that did.
    let head = scene.branch("issue-3-c", "d");
    let number = scene.pull("issue-3-c").await.number;
    let merge = pinned(&head, &base);
    let head = scene.branch("issue-3-c", "e");
    let outcome = scene.forge.merge_pull(number, &merge).await.unwrap();
    assert_eq!(outcome, MergeOutcome::HeadMoved { head });
    scene.end();
}

#[tokio::test]
async fn what_moves_while_github_merges_is_sorted_by_what_it_was() {
    for pin in [true, false] {
        let scene = scene().await;
        let (base, head) = (tip(&scene, "main"), scene.branch("issue-1-a", "a"));
        let number = scene.pull("issue-1-a").await.number;
        let merge = PullMerge {
            onto: pin.then_some(base),
            ..merge_of(&head, MergeMethod::Squash)
        };
        scene.repo.push_during_merge("main", "b", "other\n");
        let outcome = scene.forge.merge_pull(number, &merge).await;
        let base = tip(&scene, "main");
        if pin {
            assert_eq!(outcome.unwrap(), MergeOutcome::BaseMoved { base });
        } else {
            scene.pass(outcome.unwrap_err());
        }

        scene.repo.push_before_merge("issue-1-a", "c", "newer\n");
        let merge = PullMerge {
            onto: pin.then(|| tip(&scene, "main")),
            ..merge
        };
        let outcome = scene.forge.merge_pull(number, &merge).await.unwrap();
        let head = tip(&scene, "issue-1-a");
        assert_eq!(outcome, MergeOutcome::HeadMoved { head });
        assert_eq!(scene.count("PUT", "/merge"), 2);
        assert!(scene.repo.pulls()[0].open);
        scene.end();
    }
}

/// GitHub has no way to pin the base: what it landed on is seen in the commit.
#[tokio::test]
async fn a_base_that_moves_at_the_last_moment_is_seen_afterwards() {
    let scene = scene().await;
    let (base, head) = (tip(&scene, "main"), scene.branch("issue-1-a", "a"));
    let number = scene.pull("issue-1-a").await.number;
    scene.repo.push_before_merge("main", "b", "other\n");
    let outcome = scene.forge.merge_pull(number, &pinned(&head, &base)).await;
    let MergeOutcome::Merged { commit } = outcome.unwrap() else {
        panic!("GitHub does not know what it was tested on");
    };
    let git_path = scene.repo.git_path();
    let parent = git(&git_path, &["rev-parse", &format!("{commit}^")]).unwrap();
    assert_ne!(parent, base.as_str());
    scene.end();
}

#[tokio::test]
async fn what_cannot_be_merged_is_told_apart() {
    let scene = scene().await;
    let nobody = merge_of(&CommitId::from("0"), MergeMethod::Squash);
    let error = scene.forge.merge_pull(999, &nobody).await.unwrap_err();
    assert!(matches!(error, ForgeError::NotFound { .. }), "{error:?}");

    let head = scene.branch("issue-1-a", "a");
    let number = scene.pull("issue-1-a").await.number;
    let base = CommitId::new(scene.repo.push_file("main", "a", "other\n").unwrap());
    let merge = merge_of(&head, MergeMethod::Merge);
    let outcome = scene.forge.merge_pull(number, &merge).await.unwrap();
    let paths = Vec::new();
    assert_eq!(outcome, MergeOutcome::Conflict { base, paths });

    scene.repo.close_issue(number, "acme");
    let refused = reason(scene.forge.merge_pull(number, &merge).await.unwrap());
    assert_eq!(refused, format!("pull request {number} is closed"));
    scene.end();
}

#[tokio::test]
async fn a_check_that_is_missing_is_said_in_githubs_words() {
    let scene = scene().await;
    scene.repo.protect("main", &["ci"]);
    let head = scene.branch("issue-1-a", "a");
    let number = scene.pull("issue-1-a").await.number;
    let merge = merge_of(&head, MergeMethod::Squash);
    let refused = reason(scene.forge.merge_pull(number, &merge).await.unwrap());
    assert_eq!(refused, "required status check \"ci\" is expected");
    scene
        .repo
        .set_check(head.as_str(), "ci", "completed", Some("success"));
    let outcome = scene.forge.merge_pull(number, &merge).await.unwrap();
    assert!(matches!(outcome, MergeOutcome::Merged { .. }));
    scene.end();
}

#[tokio::test]
async fn what_github_is_still_finding_out_is_asked_again_soon() {
    let scene = Scene::new().await;
    let head = scene.branch("issue-1-a", "a");
    let number = scene.pull("issue-1-a").await.number;
    let merge = merge_of(&head, MergeMethod::Rebase);
    let error = scene.forge.merge_pull(number, &merge).await.unwrap_err();
    let ForgeError::Transient { retry_at, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(retry_at, Some(scene.world.now().plus_secs(2)));
    let outcome = scene.forge.merge_pull(number, &merge).await.unwrap();
    assert!(matches!(outcome, MergeOutcome::Merged { .. }));
    scene.end();
}
