//! What a worker costs while it runs, and what happens when that is too much.

use coord_core::ids::AssignmentId;
use coord_protocol::{
    AgentEventKind, AgentEvents, AssignBody, EndResult, FailureKind, StatusQuery,
};
use futures_util::StreamExt as _;

use crate::rig::{Rig, events_of, soon};

/// What the only worker has cost, once that is more than `more_than`: its log is read behind it.
async fn cost_so_far(rig: &Rig, events: &mut AgentEvents, more_than: f64) -> f64 {
    soon(async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            let enough = |cost_usd: f64| cost_usd > more_than;
            if matches!(event.kind, AgentEventKind::Spent { cost_usd } if enough(cost_usd)) {
                break;
            }
        }
    })
    .await;
    let status = soon(rig.client.status(StatusQuery::default())).await;
    status.unwrap().active[0].cost_so_far
}

#[tokio::test]
async fn a_worker_that_goes_on_over_its_budget_is_stopped_and_its_work_is_saved() {
    let rig = Rig::new();
    let words = "do-commit do-leave do-spend do-spend do-spend do-wait";
    let body = AssignBody {
        max_budget_usd: Some(0.5),
        ..rig.body(7, words)
    };
    let mut events = rig.client.events(None).await.unwrap();
    let id = rig.assign(&body).await.id;
    let events = events_of(&mut events, &id).await;
    let AgentEventKind::Finished { end, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}");
    };
    assert_eq!(end.result, EndResult::Failed, "{end:?}");
    assert_eq!(end.class, Some(FailureKind::Work));
    let error = end.error.as_deref().unwrap();
    assert!(
        error.starts_with("reached its budget of $0.50: "),
        "{error}"
    );
    assert!((end.commits, end.pushed) == (1, true) && end.wip_ref.is_some());
    assert!((1.2..1.3).contains(&end.cost_usd), "{}", end.cost_usd);
    let spent = |kind: &AgentEventKind| matches!(kind, AgentEventKind::Spent { .. });
    assert!(events.iter().any(|event| spent(&event.kind)), "{events:?}");
}

#[tokio::test]
async fn what_happened_without_the_agent_counts() {
    let mut rig = Rig::new();
    let body = AssignBody {
        max_budget_usd: Some(0.5),
        ..rig.body(7, "do-spend do-wait do-spend do-spend do-hang")
    };
    let mut events = rig.client.events(None).await.unwrap();
    let id = rig.assign(&body).await.id;
    let cost = cost_so_far(&rig, &mut events, 0.3).await;
    assert!((0.4..0.5).contains(&cost), "{cost}");
    rig.says(&id, "waiting").await;
    rig.kill();
    rig.open_gate();
    rig.start();
    let end = rig.end(&id).await.end.unwrap();
    assert_eq!(end.result, EndResult::Failed, "{end:?}");
    assert!(end.error.unwrap().starts_with("reached its budget"));
    assert!((1.2..1.3).contains(&end.cost_usd), "{}", end.cost_usd);
}

#[tokio::test]
async fn what_a_session_had_cost_before_uses_up_no_budget() {
    let rig = Rig::new();
    let (_, first) = rig.run(&rig.body(7, "do-commit")).await;
    assert_eq!(first.cost_usd, 0.25);
    let body = AssignBody {
        id: Some(AssignmentId::from_bits(8)),
        start_branch: first.branch.clone(),
        resume_session: first.session.clone(),
        issue_body: Some("the issue".to_owned()),
        max_budget_usd: Some(0.5),
        ..rig.body(7, "do-spend do-wait")
    };
    let mut events = rig.client.events(None).await.unwrap();
    let id = rig.assign(&body).await.id;
    let cost = cost_so_far(&rig, &mut events, 0.3).await;
    assert!((0.65..0.7).contains(&cost), "{cost}");
    rig.says(&id, "waiting").await;
    let log = rig.client.logs(&id, 0).await.unwrap().text;
    assert!(log.contains("--max-budget-usd 0.5"), "{log}");
    rig.open_gate();
    let end = rig.end(&id).await.end.unwrap();
    assert_eq!((end.result, end.cost_usd), (EndResult::Done, 0.25));
}
