//! What keeps a worker from starting is the assignment's error, and the agent goes on.

use coord_core::ids::AssignmentId;
use coord_protocol::{EndReport, EndResult, FailureKind, RepoState};
use coord_test_support::git_fixture::git;

use crate::rig::{Rig, Special};

fn assert_configuration(end: &EndReport, word: &str) {
    assert_eq!(end.result, EndResult::Failed);
    assert_eq!(end.class, Some(FailureKind::Configuration), "{end:?}");
    let error = end.error.clone().unwrap();
    assert!(error.contains(word), "{error}");
    assert_eq!((end.exit_code, end.commits), (None, 0));
}

#[tokio::test]
async fn a_base_that_does_not_exist() {
    let rig = Rig::new();
    let mut body = rig.body(7, "do-commit");
    body.branch = Some("nowhere".to_owned());
    assert_configuration(&rig.run(&body).await.1, "nowhere");
    let mut body = rig.body(8, "do-commit");
    body.base_sha = Some("1234567890123456789012345678901234567890".to_owned());
    assert_configuration(&rig.run(&body).await.1, "1234567890");
    assert_eq!(rig.starts(), 0);
    let (_, end) = rig.run(&rig.body(9, "do-commit")).await;
    assert_eq!(end.result, EndResult::Done, "{end:?}");
}

#[tokio::test]
async fn a_remote_that_does_not_answer_is_no_defect() {
    let rig = Rig::new();
    let elsewhere = "http://127.0.0.1:1/remote.git";
    git(
        &rig.repo.clone_path(),
        &["remote", "set-url", "origin", elsewhere],
    )
    .unwrap();
    let (_, end) = rig.run(&rig.body(7, "do-commit")).await;
    assert_eq!(end.result, EndResult::Failed);
    assert_eq!(end.class, Some(FailureKind::Environmental), "{end:?}");
}

#[tokio::test]
async fn a_push_that_is_refused_keeps_the_end_and_the_commits() {
    let rig = Rig::new();
    let hook = rig.repo.remote_path().join("hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\necho protected >&2\nexit 1\n").unwrap();
    std::os::unix::fs::chown(&hook, None, None).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, mode).unwrap();
    let (_, end) = rig.run(&rig.body(7, "do-commit")).await;
    assert_eq!((end.result, end.pushed), (EndResult::Done, false));
    assert!(end.push_error.is_some(), "{end:?}");
    let head = git(&rig.repo.clone_path(), &["rev-parse", &end.branch.unwrap()]).unwrap();
    assert_eq!(Some(head), end.head);
}

#[tokio::test]
async fn a_setup_that_fails() {
    let rig = Rig::special(Special {
        repo: "    worktree: {setup: 'echo no such package >&2; exit 3'}\n",
        ..Special::default()
    });
    assert_configuration(
        &rig.run(&rig.body(7, "do-commit")).await.1,
        "no such package",
    );
    assert_eq!(rig.starts(), 0);
}

#[tokio::test]
async fn a_worker_that_is_not_installed() {
    let rig = Rig::special(Special {
        command: Some(vec!["no-such-program-anywhere".to_owned()]),
        ..Special::default()
    });
    let (id, end) = rig.run(&rig.body(7, "do-commit")).await;
    assert_configuration(&end, "no-such-program-anywhere");
    assert!(rig.client.logs(&id, 0).await.is_ok());
}

#[tokio::test]
async fn a_repository_that_has_gone_says_so_and_the_others_do_not() {
    let rig = Rig::special(Special {
        cold: true,
        ..Special::default()
    });
    let id = AssignmentId::from_bits(7);
    let RepoState::Ready { branch, dirty, .. } = rig.client.repos().await.unwrap()["shop"].clone()
    else {
        panic!("the repository is there");
    };
    assert_eq!((branch.as_deref(), dirty), (Some("main"), false));
    std::fs::remove_dir_all(rig.repo.clone_path()).unwrap();
    let state = rig.client.repos().await.unwrap()["shop"].clone();
    assert!(
        matches!(state, RepoState::Broken { missing: true, .. }),
        "{state:?}"
    );
    assert!(rig.client.assign(&rig.body(7, "do-commit")).await.is_err());
    assert!(!rig.folder(&id).exists());
}
