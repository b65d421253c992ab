//! From a request to a published branch, and what can stand in between.

use coord_core::ids::AssignmentId;
use coord_protocol::{
    AgentEventKind, AssignmentStatus, ClientError, EndResult, FailureKind, StatusQuery,
};
use coord_test_support::git_fixture::git;
use coord_test_support::processes;
use std::time::Duration;

use crate::rig::{Rig, Special, events_of, soon};

#[tokio::test]
async fn a_worker_commits_and_the_agent_publishes() {
    let rig = Rig::new();
    let before = git(&rig.repo.clone_path(), &["rev-parse", "HEAD"]).unwrap();
    let mut events = rig.client.events(None).await.unwrap();
    let row = rig.assign(&rig.body(7, "do-commit do-leave")).await;
    assert_eq!(row.status, AssignmentStatus::Pending);
    let events = events_of(&mut events, &row.id).await;

    let AgentEventKind::Finished { end, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}");
    };
    assert_eq!(end.result, EndResult::Done);
    assert_eq!((end.exit_code, end.commits, end.pushed), (Some(0), 1, true));
    assert_eq!(end.base.as_deref(), Some(before.as_str()));
    assert_eq!(end.files, ["hello.txt"]);
    assert_eq!((end.cost_usd, end.session.as_deref()), (0.25, Some("s-1")));
    let branch = end.branch.clone().unwrap();
    assert_eq!(branch, "issue-7-gr-e-fix-it");
    assert_eq!(
        rig.repo.remote_file(&branch, "hello.txt").as_deref(),
        Some("hello")
    );
    let kinds: Vec<&str> = events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds.first(), Some(&"started"));
    let files = events.iter().find_map(|e| match &e.kind {
        AgentEventKind::Files { paths } => Some(paths.clone()),
        _ => None,
    });
    assert_eq!(files.unwrap(), ["hello.txt"]);

    let wip = end.wip_ref.clone().unwrap();
    let saved = git(
        &rig.repo.clone_path(),
        &["show", &format!("{wip}:uncommitted.txt")],
    );
    assert_eq!(saved.unwrap(), "precious");
    let status = git(&rig.repo.clone_path(), &["status", "--porcelain"]).unwrap();
    assert_eq!(status, "", "the person's own checkout was touched");

    let log = rig.client.logs(&row.id, 0).await.unwrap();
    let header = "# agent=laptop repo=shop issue=#7 argv=sh ";
    assert!(log.text.starts_with(header), "{}", log.text);
    let completed = rig.completed(&row.id).await;
    assert_eq!(completed.end.as_ref(), Some(&**end));
    assert_eq!(completed.model_used.as_deref(), Some("claude-test"));
    assert_eq!(
        completed.assignment.branch.as_deref(),
        Some(branch.as_str())
    );
    assert_eq!(rig.client.health().await.unwrap().slots.unwrap().free, 2);
}

#[tokio::test]
async fn one_id_is_one_worker_however_often_it_is_asked_for() {
    let rig = Rig::new();
    let body = rig.body(7, "do-commit do-wait");
    let asked = (0..8).map(|_| {
        let (client, body) = (rig.client.clone(), body.clone());
        tokio::spawn(async move { client.assign(&body).await.unwrap().id })
    });
    for id in asked.collect::<Vec<_>>() {
        assert_eq!(soon(id).await.unwrap(), AssignmentId::from_bits(7));
    }
    rig.says(&AssignmentId::from_bits(7), "waiting").await;
    rig.open_gate();
    let end = rig.end(&AssignmentId::from_bits(7)).await;
    assert_eq!(end.assignment.status, AssignmentStatus::Done);
    let again = rig.assign(&body).await;
    assert_eq!(again.status, AssignmentStatus::Done);
    assert_eq!(rig.starts(), 1);

    let other = rig.client.assign(&rig.body(7, "do-fail")).await;
    let Err(ClientError::Refused {
        status: 409, error, ..
    }) = other
    else {
        panic!("{other:?}");
    };
    assert!(error.contains("000000000007"), "{error}");
}

#[tokio::test]
async fn no_slot_means_later_and_takes_nothing() {
    let rig = Rig::new();
    for number in [1, 2] {
        rig.assign(&rig.body(number, "do-wait")).await;
    }
    let third = rig.client.assign(&rig.body(3, "do-commit")).await;
    let error = third.unwrap_err();
    assert!(
        matches!(error, ClientError::Refused { status: 429, .. }),
        "{error:?}"
    );
    assert!(error.retry_after().is_some());
    assert!(!rig.folder(&AssignmentId::from_bits(3)).exists());
    // The same request for an assignment that has a slot is answered all the same.
    rig.assign(&rig.body(2, "do-wait")).await;
    rig.open_gate();
    for number in [1, 2] {
        rig.end(&AssignmentId::from_bits(number)).await;
    }
    let (_, end) = rig.run(&rig.body(3, "do-commit")).await;
    assert_eq!(end.result, EndResult::Done);
}

#[tokio::test]
async fn a_cancelled_worker_is_gone_with_its_family_and_publishes_nothing() {
    let rig = Rig::new();
    let id = rig
        .assign(&rig.body(7, "do-commit do-leave do-deaf do-wait"))
        .await
        .id;
    rig.says(&id, "waiting").await;
    let status = rig.client.status(StatusQuery::default()).await.unwrap();
    let pid = status.active[0].assignment.pid.unwrap();
    let family = processes::descendants(pid).unwrap();
    assert!(!family.is_empty());
    assert_eq!(status.active[0].files, ["hello.txt"]);

    soon(rig.client.cancel(&id)).await.unwrap();
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Cancelled);
    let end = row.end.unwrap();
    assert_eq!((end.commits, end.pushed), (1, false));
    assert!(end.wip_ref.is_some());
    assert_eq!(rig.repo.remote_branches().unwrap(), ["main"]);
    let pids: Vec<u32> = family.iter().map(|p| p.pid).chain([pid]).collect();
    processes::wait_gone(&pids, Duration::from_secs(10)).unwrap();
    // A second cancel is the same as one.
    let again = soon(rig.client.cancel(&id)).await.unwrap();
    assert_eq!(again.status, AssignmentStatus::Cancelled);
}

#[tokio::test]
async fn what_is_cancelled_before_it_starts_never_starts() {
    let rig = Rig::special(Special {
        repo: "    worktree: {setup: 'echo up > up.txt; sleep 600'}\n",
        ..Special::default()
    });
    let id = rig.assign(&rig.body(7, "do-commit")).await.id;
    let row = soon(rig.client.cancel(&id)).await.unwrap();
    assert!(matches!(
        row.status,
        AssignmentStatus::Cancelled | AssignmentStatus::Pending
    ));
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Cancelled);
    assert_eq!(
        (row.assignment.pid, row.assignment.started_at),
        (None, None)
    );
    assert_eq!(rig.starts(), 0);
}

#[tokio::test]
async fn setup_and_copied_files_come_before_the_worker() {
    let rig = Rig::special(Special {
        repo: "    worktree: {setup: 'cp .env copied.txt', copy: [.env]}\n",
        ..Special::default()
    });
    rig.repo.commit(".gitignore", ".env\n", "ignore").unwrap();
    rig.repo.push().unwrap();
    rig.repo.write(".env", "secret\n").unwrap();
    let (_, end) = rig.run(&rig.body(7, "do-commit")).await;
    assert_eq!(end.result, EndResult::Done, "{end:?}");
    let wip = end.wip_ref.unwrap();
    let copied = git(
        &rig.repo.clone_path(),
        &["show", &format!("{wip}:copied.txt")],
    );
    assert_eq!(copied.unwrap(), "secret");
}

#[tokio::test]
async fn a_failed_worker_publishes_what_it_committed() {
    let rig = Rig::new();
    let (id, end) = rig.run(&rig.body(7, "do-commit do-fail")).await;
    assert_eq!(
        (end.result, end.class),
        (EndResult::Failed, Some(FailureKind::Work))
    );
    assert!(end.pushed && end.error.is_some(), "{end:?}");
    assert_eq!(rig.repo.remote_branches().unwrap().len(), 2);
    assert_eq!(rig.completed(&id).await.assignment.exit_code, Some(1));
}

#[tokio::test]
async fn without_a_commit_there_is_no_branch() {
    let rig = Rig::new();
    let (_, end) = rig.run(&rig.body(7, "do-stuck")).await;
    assert_eq!(
        (end.result, end.branch, end.commits),
        (EndResult::Done, None, 0)
    );
    assert_eq!(end.stuck.as_deref(), Some("which colour?"));
    assert_eq!(rig.repo.remote_branches().unwrap(), ["main"]);
}

#[tokio::test]
async fn a_worker_sees_no_secrets_and_cannot_push() {
    let rig = Rig::special(Special {
        token: Some("s3cret"),
        ..Special::default()
    });
    let (_, end) = rig.run(&rig.body(7, "do-env do-push")).await;
    assert_eq!(end.result, EndResult::Done);
    assert_eq!(rig.repo.remote_branches().unwrap().len(), 2, "it pushed");
    let seen = rig
        .repo
        .remote_file(&end.branch.unwrap(), "seen-env.txt")
        .unwrap();
    assert!(!seen.contains("COORD_AGENT_TOKEN"), "{seen}");
    assert!(seen.lines().any(|name| name == "GATE"), "{seen}");
}

#[tokio::test]
async fn a_branch_is_continued_where_it_was_left() {
    let rig = Rig::new();
    let (_, first) = rig.run(&rig.body(7, "do-commit")).await;
    let branch = first.branch.unwrap();
    let mut body = rig.body(7, "do-env");
    body.id = Some(AssignmentId::from_bits(8));
    body.start_branch = Some(branch.clone());
    let (_, second) = rig.run(&body).await;
    assert_eq!(
        second.branch.as_deref(),
        Some(branch.as_str()),
        "{second:?}"
    );
    assert_eq!(second.commits, 2);
    assert!(rig.repo.remote_file(&branch, "hello.txt").is_some());
    assert!(rig.repo.remote_file(&branch, "seen-env.txt").is_some());
}

#[tokio::test]
async fn the_diff_is_of_the_worktree_and_later_of_the_commits() {
    let rig = Rig::new();
    let id = rig
        .assign(&rig.body(7, "do-commit do-leave do-wait"))
        .await
        .id;
    rig.says(&id, "waiting").await;
    let diff = rig.client.diff(&id).await.unwrap();
    assert!(
        diff.contains("+hello") && diff.contains("+precious"),
        "{diff}"
    );
    let refused = rig.client.delete_worktree(&id).await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Refused { status: 409, .. }),
        "{refused:?}"
    );
    rig.open_gate();
    rig.end(&id).await;
    let diff = rig.client.diff(&id).await.unwrap();
    assert!(
        diff.contains("+hello") && !diff.contains("+precious"),
        "{diff}"
    );
    rig.client.delete_worktree(&id).await.unwrap();
    rig.client.delete_worktree(&id).await.unwrap();
}
