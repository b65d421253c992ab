//! The agent is killed with SIGKILL at one point after the other, and nothing is lost or doubled.

use std::time::Duration;

use coord_core::ids::AssignmentId;
use coord_protocol::{AssignmentStatus, FailureKind, StatusQuery};
use coord_test_support::git_fixture::git;
use coord_test_support::processes;

use crate::rig::{Rig, Special, soon};

#[tokio::test]
async fn a_running_worker_is_adopted() {
    let mut rig = Rig::new();
    let id = rig
        .assign(&rig.body(7, "do-commit do-leave do-wait do-talk"))
        .await
        .id;
    rig.says(&id, "waiting").await;
    rig.kill();
    rig.start();
    let status = rig.client.status(StatusQuery::default()).await.unwrap();
    assert_eq!(status.active.len(), 1);
    rig.open_gate();
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Done);
    let end = row.end.unwrap();
    assert!(end.pushed && end.wip_ref.is_some(), "{end:?}");
    assert!(end.turns > 200, "lines were missed: {end:?}");
    assert_eq!(rig.starts(), 1);
}

#[tokio::test]
async fn an_end_that_nobody_saw_is_finished() {
    let mut rig = Rig::new();
    let id = rig.assign(&rig.body(7, "do-commit do-wait")).await.id;
    rig.says(&id, "waiting").await;
    rig.kill();
    rig.open_gate();
    let exit = rig.folder(&id).join("exit.json");
    soon(async {
        while !exit.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    rig.start();
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Done);
    assert!(row.end.unwrap().pushed);
}

#[tokio::test]
async fn a_worker_whose_supervisor_was_killed_is_gone_and_its_work_is_not() {
    let rig = Rig::new();
    let id = rig
        .assign(&rig.body(7, "do-commit do-leave do-deaf do-wait"))
        .await
        .id;
    rig.says(&id, "waiting").await;
    let run = std::fs::read_to_string(rig.folder(&id).join("run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let pid = u32::try_from(run["pid"].as_u64().unwrap()).unwrap();
    let family = processes::descendants(pid).unwrap();
    let kill = format!("kill -9 {}", run["supervisor_pid"]);
    std::process::Command::new("sh")
        .args(["-c", &kill])
        .status()
        .unwrap();
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Failed);
    let end = row.end.unwrap();
    assert_eq!(end.class, Some(FailureKind::Environmental), "{end:?}");
    assert!(end.pushed && end.wip_ref.is_some(), "{end:?}");
    let pids: Vec<u32> = family.iter().map(|p| p.pid).chain([pid]).collect();
    processes::wait_gone(&pids, Duration::from_secs(10)).unwrap();
}

#[tokio::test]
async fn a_cancel_that_was_answered_holds() {
    let mut rig = Rig::special(Special {
        repo: "    worktree: {setup: 'sleep 0.5'}\n",
        ..Special::default()
    });
    let id = rig.assign(&rig.body(7, "do-commit")).await.id;
    std::fs::write(rig.folder(&id).join("cancel"), "").unwrap();
    rig.kill();
    rig.start();
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Cancelled);
    assert_eq!(rig.starts(), 0);
}

#[tokio::test]
async fn what_has_ended_is_still_known() {
    let mut rig = Rig::new();
    let (id, end) = rig.run(&rig.body(7, "do-commit")).await;
    rig.kill();
    rig.start();
    assert_eq!(rig.completed(&id).await.end, Some(end));
    let row = rig.assign(&rig.body(7, "do-commit")).await;
    assert_eq!(row.status, AssignmentStatus::Done);
    assert_eq!(rig.starts(), 1);
}

/// Delays spread over preparation, run and end; a list instead of chance, so that a failure comes
/// back with the same number.
#[tokio::test]
async fn killed_at_many_moments_it_ends_the_same() {
    let mut rig = Rig::new();
    for (n, delay) in [0, 3, 8, 15, 25, 40, 60, 90, 130, 180]
        .into_iter()
        .enumerate()
    {
        let number = 100 + n as u64;
        rig.assign(&rig.body(number, "do-commit do-leave")).await;
        tokio::time::sleep(Duration::from_millis(delay)).await;
        rig.kill();
        rig.start();
        let id = AssignmentId::from_bits(number);
        let row = rig.end(&id).await;
        assert_eq!(
            row.assignment.status,
            AssignmentStatus::Done,
            "{delay} ms: {row:?}"
        );
        let end = row.end.unwrap();
        assert!(end.pushed && end.commits == 1, "{delay} ms: {end:?}");
        let wip = format!("{}:uncommitted.txt", end.wip_ref.unwrap());
        let saved = git(&rig.repo.clone_path(), &["show", &wip]).unwrap();
        assert_eq!(saved, "precious", "{delay} ms");
        assert_eq!(rig.starts(), n + 1, "{delay} ms");
    }
}
