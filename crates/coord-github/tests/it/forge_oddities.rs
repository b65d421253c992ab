//! Answers as old servers and gone accounts give them.

use coord_core::assignment::MergeMethod;
use coord_forge::{ChangeKind, Forge, ForgeError, MergeOutcome, PullState, RequiredChecks};

use crate::scene::merge_of;
use crate::scripted::{Reply, Scripted};
use crate::world::World;

async fn server(replies: &[(u16, &str)]) -> Scripted {
    let reply = |(status, body): &(u16, &str)| Reply::json(*status, body);
    Scripted::start(|_| replies.iter().map(reply).collect()).await
}

#[tokio::test]
async fn what_a_gone_account_wrote_is_a_ghosts() {
    let world = World::new().await;
    let issue =
        r#"{"number":7,"title":"t","state":"open","user":null,"author_association":"OWNER"}"#;
    let server = server(&[(200, issue)]).await;
    let issue = world.forge(server.url()).issue(7).await.unwrap().unwrap();
    assert_eq!((issue.author.as_str(), issue.trusted), ("ghost", false));
    assert_eq!((issue.body.as_str(), issue.labels.len()), ("", 0));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_deleted_issue_is_none() {
    let world = World::new().await;
    let server = server(&[(410, r#"{"message":"This issue was deleted"}"#)]).await;
    assert_eq!(world.forge(server.url()).issue(7).await.unwrap(), None);
}

#[tokio::test]
async fn a_repository_without_commits_has_no_branches() {
    let world = World::new().await;
    let server = server(&[(409, r#"{"message":"Git Repository is empty."}"#)]).await;
    let forge = world.forge(server.url());
    assert_eq!(forge.branch_head("main").await.unwrap(), None);
    assert_eq!(forge.branches("issue-").await.unwrap(), []);
}

#[tokio::test]
async fn numbers_that_are_none_are_errors() {
    for number in ["-1", "1e99", "\"7\""] {
        let world = World::new().await;
        let issue = format!(r#"{{"number":{number},"title":"t","state":"open","user":null}}"#);
        let server = server(&[(200, &issue)]).await;
        let error = world.forge(server.url()).issue(7).await.unwrap_err();
        assert!(matches!(error, ForgeError::Unusable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn every_word_for_a_changed_file_is_understood() {
    let world = World::new().await;
    let words = [
        "added",
        "removed",
        "modified",
        "renamed",
        "copied",
        "changed",
        "unchanged",
    ];
    let files: Vec<String> = words
        .iter()
        .map(|word| {
            format!(r#"{{"filename":"{word}","previous_filename":"p","status":"{word}","additions":0,"deletions":0}}"#)
        })
        .collect();
    let server = server(&[(200, &format!("[{}]", files.join(",")))]).await;
    let files = world.forge(server.url()).pull_files(1).await.unwrap();
    let found: Vec<_> = files
        .iter()
        .map(|file| (file.path.as_str(), file.kind, file.renamed_from.as_deref()))
        .collect();
    let expected = [
        ("added", ChangeKind::Added, None),
        ("changed", ChangeKind::Modified, None),
        ("copied", ChangeKind::Added, None),
        ("modified", ChangeKind::Modified, None),
        ("removed", ChangeKind::Removed, None),
        ("renamed", ChangeKind::Renamed, Some("p")),
    ];
    assert_eq!(found, expected);
    assert!(files.iter().all(|file| file.patch.is_none()));
}

/// One pull request of a list: its number, state and where its head is.
fn pull(number: u64, state: &str, head_repo: &str) -> String {
    let merged = match state {
        "merged" => r#""closed","merged_at":"2026-01-01T00:00:00Z","merge_commit_sha":"c0""#,
        state => &format!("\"{state}\""),
    };
    format!(
        r#"{{"number":{number},"title":"t","state":{merged},"base":{{"ref":"main","sha":"b"}},
            "head":{{"ref":"issue-1-a","sha":"a","repo":{head_repo}}}}}"#
    )
}

#[tokio::test]
async fn branches_of_forks_are_not_ours() {
    let ours = r#"{"full_name":"Acme/API"}"#;
    let fork = r#"{"full_name":"acme/fork"}"#;
    let list = [
        pull(9, "open", fork),
        pull(8, "open", "null"),
        pull(7, "merged", ours),
        pull(6, "closed", ours),
    ];
    let world = World::new().await;
    let server = server(&[(200, &format!("[{}]", list.join(",")))]).await;
    let forge = world.forge(server.url());
    let found = forge.pull_for_branch("issue-1-a").await.unwrap().unwrap();
    let commit = "c0".into();
    assert_eq!(
        (found.number, found.state),
        (7, PullState::Merged { commit })
    );
    assert_eq!(forge.pull_for_branch("other").await.unwrap(), None);
}

#[tokio::test]
async fn where_the_plan_has_no_protection_nothing_is_required() {
    let words = r#"{"message":"Upgrade to GitHub Pro or make this repository public to enable this feature."}"#;
    let branch = r#"{"protected":false}"#;
    let world = World::new().await;
    let server = server(&[(403, words), (403, words), (200, branch)]).await;
    let found = world.forge(server.url()).required_checks("main").await;
    assert_eq!(found.unwrap(), RequiredChecks::Known(Vec::new()));
}

#[tokio::test]
async fn a_protection_that_is_not_shown_is_hidden() {
    let not_found = r#"{"message":"Not Found"}"#;
    let branch = r#"{"protected":true,"protection":{}}"#;
    let world = World::new().await;
    let server = server(&[(404, not_found), (404, not_found), (200, branch)]).await;
    let found = world
        .forge(server.url())
        .required_checks("main")
        .await
        .unwrap();
    let reason = "Not Found".to_owned();
    assert_eq!(found, RequiredChecks::Hidden { reason });
}

/// A merge that GitHub refuses with 405 and these words, while the pull request is and stays such.
async fn refused_merge(words: &str, mergeable: &str) -> Result<MergeOutcome, ForgeError> {
    let ours = r#"{"full_name":"acme/api"}"#;
    let pull = |mergeable: &str| {
        pull(7, "open", ours).replacen('{', &format!(r#"{{"mergeable":{mergeable},"#), 1)
    };
    let words = format!(r#"{{"message":"{words}"}}"#);
    let base = r#"{"ref":"refs/heads/main","object":{"sha":"b2"}}"#;
    let replies = [
        (200, pull("true")),
        (405, words),
        (200, pull(mergeable)),
        (200, base.to_owned()),
    ];
    let replies: Vec<_> = replies.iter().map(|(s, body)| (*s, &**body)).collect();
    let server = server(&replies).await;
    let world = World::new().await;
    let merge = merge_of(&"a".into(), MergeMethod::Rebase);
    world.forge(server.url()).merge_pull(7, &merge).await
}

#[tokio::test]
async fn a_merge_that_something_else_is_in_the_way_of_is_tried_again() {
    for (words, mergeable) in [
        (
            "Base branch was modified. Review and try the merge again.",
            "true",
        ),
        (
            "Head branch was modified. Review and try the merge again.",
            "true",
        ),
        ("Merge already in progress", "true"),
        ("Pull Request is not mergeable", "null"),
    ] {
        let error = refused_merge(words, mergeable).await.unwrap_err();
        let ForgeError::Transient { retry_at, .. } = error else {
            panic!("{words}: {error:?}");
        };
        assert!(retry_at.is_some(), "{words}");
    }
}

#[tokio::test]
async fn a_merge_that_does_not_work_out_is_over() {
    let conflict = MergeOutcome::Conflict {
        base: "b2".into(),
        paths: Vec::new(),
    };
    let refused = |reason: &str| MergeOutcome::Refused {
        reason: reason.to_owned(),
    };
    for (words, mergeable, outcome) in [
        ("This branch can't be rebased", "true", conflict.clone()),
        ("Pull Request is not mergeable", "false", conflict),
        (
            "Pull Request is not mergeable",
            "true",
            refused("pull Request is not mergeable"),
        ),
        (
            "Rebase merges are not allowed on this repository.",
            "true",
            refused("rebase merges are not allowed on this repository"),
        ),
    ] {
        let found = refused_merge(words, mergeable).await.unwrap();
        assert_eq!(found, outcome, "{words}");
    }
}

/// GitHub has merged, and something in between spoilt the answer.
#[tokio::test]
async fn a_merge_whose_answer_cannot_be_read_is_looked_for() {
    let ours = r#"{"full_name":"acme/api"}"#;
    let open = pull(7, "open", ours).replacen('{', r#"{"mergeable":true,"#, 1);
    let merged = pull(7, "merged", ours);
    let server = server(&[(200, &open), (200, "<html>"), (200, &merged)]).await;
    let world = World::new().await;
    let merge = merge_of(&"a".into(), MergeMethod::Squash);
    let outcome = world.forge(server.url()).merge_pull(7, &merge).await;
    let commit = "c0".into();
    assert_eq!(outcome.unwrap(), MergeOutcome::Merged { commit });
}
