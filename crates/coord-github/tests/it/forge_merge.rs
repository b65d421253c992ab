//! Merging, with the head pinned.

use coord_core::assignment::MergeMethod;
use coord_core::ids::CommitId;
use coord_forge::{Forge, ForgeError, MergeOutcome, PullState};
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
    let expected = format!(
        "the branch `issue-1-a` points at {} now, not at {}",
        moved.short(),
        tested.short()
    );
    assert_eq!(
        reason(scene.forge.merge_pull(number, &merge).await.unwrap()),
        expected
    );
    let newer = merge_of(&moved, MergeMethod::Squash);
    scene.forge.merge_pull(number, &newer).await.unwrap();
    let refused = reason(scene.forge.merge_pull(number, &merge).await.unwrap());
    assert!(refused.contains("was merged with"), "{refused}");
    assert_eq!(scene.count("PUT", "/merge"), 1);
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
