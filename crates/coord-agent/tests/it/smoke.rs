//! A smoke command: run by the agent, judged by its exit code, held like a worker.

use std::time::Duration;

use coord_core::ids::AssignmentId;
use coord_protocol::{
    AssignBody, AssignmentStatus, AssignmentType, ClientError, EndResult, FailureKind,
};
use coord_test_support::git_fixture::git;
use coord_test_support::processes;

use crate::rig::{Rig, soon};

fn smoke(rig: &Rig, number: u64, command: &str) -> AssignBody {
    AssignBody {
        kind: AssignmentType::Smoke,
        smoke_command: Some(command.to_owned()),
        ..rig.body(number, "not read by anybody")
    }
}

#[tokio::test]
async fn the_exit_code_is_the_verdict_and_both_streams_are_the_log() {
    let rig = Rig::new();
    let result = r#"{"type":"result","is_error":true,"total_cost_usd":9}"#;
    let green = format!("echo out; echo err >&2; echo '{result}'; echo x > left.txt");
    let (id, end) = rig.run(&smoke(&rig, 7, &green)).await;
    assert_eq!((end.result, end.exit_code), (EndResult::Done, Some(0)));
    assert_eq!((end.cost_usd, end.turns, end.session), (0.0, 0, None));
    assert_eq!((end.wip_ref, end.branch, end.commits), (None, None, 0));
    assert_eq!(end.head, end.base);
    assert_eq!(end.output, Some(format!("out\nerr\n{result}\n")));
    let log = rig.client.logs(&id, 0).await.unwrap().text;
    let (header, output) = log.split_once('\n').unwrap();
    assert!(header.starts_with("# agent=laptop repo=shop issue=#7 argv=sh -c echo out"));
    assert_eq!(output, format!("out\nerr\n{result}\n"));

    let (_, end) = rig
        .run(&smoke(&rig, 8, "echo fine; echo not ok >&2; exit 3"))
        .await;
    assert_eq!((end.result, end.exit_code), (EndResult::Failed, Some(3)));
    assert_eq!(end.class, Some(FailureKind::Work));
    assert_eq!(end.error.as_deref(), Some("not ok (exit code 3)"));
    assert_eq!(end.output.as_deref(), Some("fine\nnot ok\n"));

    let (_, end) = rig.run(&smoke(&rig, 9, "no-such-tool --check")).await;
    assert_eq!(end.class, Some(FailureKind::Configuration));
    assert!(end.error.unwrap().contains("no-such-tool"));
    let (_, end) = rig.run(&smoke(&rig, 10, "if then")).await;
    assert_eq!(end.result, EndResult::Failed);
    let (_, end) = rig.run(&smoke(&rig, 11, "exit 1")).await;
    assert_eq!(
        end.error.as_deref(),
        Some("it printed nothing (exit code 1)")
    );
    assert_eq!(end.output.as_deref(), Some(""));
    let long = "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo \"line $i\"; done; exit 1";
    let (_, end) = rig.run(&smoke(&rig, 12, long)).await;
    let output = end.output.unwrap();
    assert!((4000..=4096).contains(&output.len()), "{}", output.len());
    assert!(output.starts_with("line ") && output.ends_with("\nline 1000\n"));

    assert_eq!(rig.starts(), 0, "a worker was started");
    let heads = git(
        &rig.repo.clone_path(),
        &["for-each-ref", "refs/heads", "refs/coord"],
    );
    assert_eq!(heads.unwrap().lines().count(), 1);
}

#[tokio::test]
async fn it_has_no_access_to_the_model_and_its_pushes_lead_nowhere() {
    let rig = Rig::new();
    let mut body = smoke(
        &rig,
        7,
        "printenv | cut -d= -f1; git push origin HEAD:refs/heads/x",
    );
    body.env
        .insert("ANTHROPIC_API_KEY".to_owned(), "k".to_owned());
    let (id, end) = rig.run(&body).await;
    assert_eq!(end.result, EndResult::Failed, "it pushed");
    let log = rig.client.logs(&id, 0).await.unwrap().text;
    assert!(log.lines().any(|name| name == "GATE"), "{log}");
    let model = |name: &str| name.starts_with("ANTHROPIC_") || name.starts_with("CLAUDE_");
    assert!(!log.lines().any(model), "{log}");
    assert_eq!(rig.repo.remote_branches().unwrap(), ["main"]);
}

#[tokio::test]
async fn at_its_time_limit_everything_of_it_ends() {
    let rig = Rig::new();
    // The process ids are written down: at the limit nobody may be there yet to look for them.
    let family = "setsid sh -c 'trap \"\" TERM; echo $$ >> \"$GATE\"; sleep 600' & \
                  echo $$ >> \"$GATE\"; sleep 600";
    let mut body = smoke(&rig, 7, family);
    body.timeout_seconds = Some(3);
    let (_, end) = rig.run(&body).await;
    assert_eq!(end.result, EndResult::Failed);
    assert_eq!(end.class, Some(FailureKind::Environmental));
    assert!(end.error.unwrap().contains("timed out"));
    let pids = std::fs::read_to_string(rig.gate()).unwrap();
    let pids: Vec<u32> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    processes::wait_gone(&pids, Duration::from_secs(10)).unwrap();
}

#[tokio::test]
async fn it_outlives_the_agent_and_can_be_stopped() {
    let mut rig = Rig::new();
    let wait = "echo up; while [ ! -e \"$GATE\" ]; do sleep 0.02; done; echo over; exit 4";
    let id = rig.assign(&smoke(&rig, 7, wait)).await.id;
    rig.says(&id, "up").await;
    rig.kill();
    rig.start();
    let stopped = rig.assign(&smoke(&rig, 8, "echo up; sleep 600")).await.id;
    rig.says(&stopped, "up").await;
    soon(rig.client.cancel(&stopped)).await.unwrap();
    let row = rig.end(&stopped).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Cancelled);

    rig.open_gate();
    let end = rig.end(&id).await.end.unwrap();
    assert_eq!((end.result, end.exit_code), (EndResult::Failed, Some(4)));
    let log = rig.client.logs(&id, 0).await.unwrap().text;
    assert!(log.ends_with("up\nover\n"), "{log}");
}

#[tokio::test]
async fn a_command_is_for_smoke_alone_and_without_one_a_worker_is_asked() {
    let rig = Rig::new();
    let refused = AssignBody {
        kind: AssignmentType::Review,
        ..smoke(&rig, 7, "true")
    };
    for body in [refused, smoke(&rig, 7, " ")] {
        let refusal = rig.client.assign(&body).await;
        assert!(
            matches!(refusal, Err(ClientError::Refused { status: 400, .. })),
            "{refusal:?}"
        );
    }
    assert!(!rig.folder(&AssignmentId::from_bits(7)).exists());
    let asked = AssignBody {
        smoke_command: None,
        ..smoke(&rig, 8, "true")
    };
    let (_, end) = rig.run(&asked).await;
    assert_eq!((end.result, rig.starts()), (EndResult::Done, 1));
}
