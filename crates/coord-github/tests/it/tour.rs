//! Everything that can be asked of a forge, once: the requests that come of it are the operations
//! that are checked against GitHub's description, all of them and no others.

use std::collections::BTreeSet;
use std::path::Path;

use coord_core::assignment::MergeMethod;
use coord_core::ids::{CommitId, Timestamp};
use coord_forge::{
    Forge, IssueKey, LineComment, MergeOutcome, NewIssue, NewReview, ReviewVerdict, SubIssueLink,
};
use coord_github::Github;
use coord_test_support::github::OPERATIONS;

use crate::credentials::{KEY, app};
use crate::scene::{Scene, merge_of};

#[tokio::test]
async fn every_operation_is_used_and_no_other() {
    let scene = Scene::new().await;
    scene.fake.set_lazy_mergeability(false);
    let number = issues(&scene).await;
    comments(&scene, number).await;
    let head = scene.branch("issue-1-a", "a");
    branches(&scene, &head).await;
    pulls(&scene, &head).await;
    as_app(&scene).await;
    let seen = scene.fake.requests();
    let used: BTreeSet<_> = seen.iter().filter_map(|seen| seen.operation).collect();
    assert_eq!(used, OPERATIONS.iter().copied().collect());
    scene.end();
}

async fn issues(scene: &Scene) -> u64 {
    let new = NewIssue {
        title: "t".to_owned(),
        body: "b".to_owned(),
        labels: vec!["old".to_owned()],
        key: None,
    };
    let number = scene.forge.create_issue(new).await.unwrap().number;
    let (new, old) = (["new".to_owned()], ["old".to_owned()]);
    scene.forge.label_issue(number, &new, &old).await.unwrap();
    scene
        .forge
        .write_section(number, "plan", "text")
        .await
        .unwrap();
    let part = NewIssue {
        title: "p".to_owned(),
        key: Some(IssueKey::new("split=S1 chunk=0", Timestamp::default())),
        ..NewIssue::default()
    };
    let part = scene.forge.create_issue(part).await.unwrap().number;
    let linked = scene.forge.add_sub_issue(number, part).await.unwrap();
    assert_eq!(linked, SubIssueLink::Linked);
    let parts = scene.forge.sub_issues(number).await.unwrap();
    assert_eq!(parts, Some(vec![part]));
    scene.forge.open_issues().await.unwrap();
    scene.forge.issue(number).await.unwrap().unwrap();
    scene
        .forge
        .close_issue(number, Some("Done."))
        .await
        .unwrap();
    number
}

async fn comments(scene: &Scene, number: u64) {
    let posted = scene.forge.create_comment(number, "one").await.unwrap();
    scene.forge.edit_comment(posted.id, "two").await.unwrap();
    let since = Some(posted.at);
    let all = scene.forge.comments(number, since).await.unwrap();
    let recent = scene.forge.recent_comments(since, 10).await.unwrap();
    assert_eq!((all.len(), recent.len()), (2, 2));
}

async fn branches(scene: &Scene, head: &CommitId) {
    scene.forge.default_branch().await.unwrap();
    scene.forge.branch_head("main").await.unwrap().unwrap();
    scene.forge.branches("issue-1-").await.unwrap();
    scene.forge.compare("main", "issue-1-a").await.unwrap();
    scene.forge.checks(head).await.unwrap();
    scene.repo.protect("main", &[]);
    scene.repo.hide_protection();
    scene.forge.required_checks("main").await.unwrap();
}

async fn pulls(scene: &Scene, head: &CommitId) {
    let number = scene.pull("issue-1-a").await.number;
    scene.fake.add_user("anna", "anna");
    let anna = ["anna".to_owned()];
    scene.forge.request_reviewers(number, &anna).await.unwrap();
    let review = NewReview {
        head: head.clone(),
        verdict: ReviewVerdict::Comment,
        body: "r".to_owned(),
        comments: vec![LineComment {
            path: "a".to_owned(),
            line: 1,
            body: "l".to_owned(),
        }],
    };
    scene.forge.create_review(number, &review).await.unwrap();
    scene.forge.reviews(number).await.unwrap();
    scene.forge.pull_files(number).await.unwrap();
    scene.forge.pull_diff(number).await.unwrap();
    scene.forge.pull(number).await.unwrap().unwrap();
    scene
        .forge
        .pull_for_branch("issue-1-a")
        .await
        .unwrap()
        .unwrap();
    let merge = merge_of(head, MergeMethod::Squash);
    let merged = scene.forge.merge_pull(number, &merge).await.unwrap();
    assert!(matches!(merged, MergeOutcome::Merged { .. }), "{merged:?}");
}

/// Who acts as an app asks for a token first.
async fn as_app(scene: &Scene) {
    scene.fake.add_app(12, 34, "acme-coord");
    let source = app(12, Path::new(KEY));
    let options = scene.world.options(&scene.fake.url(), source);
    let github = Github::new(options).unwrap();
    assert_eq!(github.whoami().await.unwrap(), "acme-coord[bot]");
    let forge = github.repo("acme/api");
    forge.default_branch().await.unwrap();
}
