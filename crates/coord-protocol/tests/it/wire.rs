//! The types against what agents and coordinators really write.

use coord_core::assignment::{WorkerEnd, WorkerResult};
use coord_core::command::AgentReport;
use coord_core::failure::FailureClass;
use coord_core::ids::{AssignmentId, Timestamp};
use coord_core::lease::Denial;
use coord_protocol::{
    AgentEvent, AgentEventKind, AssignmentStatus, AssignmentType, EndReport, EndResult,
    FailureKind, Health, RepoState, Repos, StatusAnswer,
};

/// As an agent of 0.1.0 answers it.
const OLD_STATUS: &str = r#"{
  "active": [{"id": "0a1b2c3d4e5f", "spec": {"repo_name": "shop", "repo_path": "/src/shop",
      "issue_number": 7, "issue_title": "t", "briefing": "b", "files_allowed": null,
      "files_forbidden": [], "branch": null, "pull_repos": [], "type": "work",
      "system_prompt": null, "review_target": null, "deny_commands": null, "model": "opus"},
    "status": "running", "pid": 4711, "started_at": 1700000000.25, "finished_at": null,
    "exit_code": null, "log_path": "/l", "error": null, "branch": "issue-7-t", "worktree_path": "/w",
    "progress": {"updates": ["a"], "stuck": null, "warnings": [], "latest_confidence": 0.8},
    "model_used": null, "turns": null, "cost_so_far": null, "last_tool": null, "rate_limited": false}],
  "completed": [{"id": "0a1b2c3d4e60", "spec": {"repo_name": "shop", "repo_path": "/src/shop",
      "issue_number": 8, "issue_title": "t", "briefing": "b"},
    "status": "done", "pid": 1, "started_at": 1.0, "finished_at": 2.5, "exit_code": 0,
    "log_path": "/l", "error": null, "branch": "issue-8-t", "worktree_path": null,
    "model_used": "claude", "total_cost_usd": 0.5, "num_turns": 3, "stop_reason": "end_turn"}]
}"#;

#[test]
fn the_status_of_an_old_agent() {
    let status: StatusAnswer = serde_json::from_str(OLD_STATUS).unwrap();
    let active = &status.active[0];
    assert_eq!(active.assignment.status, AssignmentStatus::Running);
    assert_eq!((active.turns, active.cost_so_far), (0, 0.0));
    assert_eq!(active.assignment.spec.model.as_deref(), Some("opus"));
    let [AgentReport::Started { at, base: None }] = &active.report()[..] else {
        panic!("{:?}", active.report());
    };
    assert_eq!(*at, Timestamp::from_millis(1_700_000_000_250));

    let completed = status.completed[0].report();
    let [AgentReport::Finished { at, end }] = &completed[..] else {
        panic!("{completed:?}");
    };
    assert_eq!(*at, Timestamp::from_millis(2500));
    assert_eq!(end.result, WorkerResult::Done);
    assert_eq!(
        (end.branch.as_deref(), end.commits, end.pushed),
        (Some("issue-8-t"), 1, true)
    );
    assert_eq!((end.cost_usd, end.turns, &end.error), (0.5, 3, &None));
}

/// Whoever asks an agent learns of what it missed before it learns of the end.
#[test]
fn a_status_tells_what_became_of_edits() {
    let mut status: StatusAnswer = serde_json::from_str(OLD_STATUS).unwrap();
    let path = || "src/a.rs".to_owned();
    let edit = AgentEventKind::EditUnchecked { path: path() };
    status.active[0].edits.push(edit.clone());
    status.completed[0].edits.push(edit);
    let told = AgentReport::EditUnchecked { path: path() };
    assert_eq!(status.active[0].report().last(), Some(&told));
    assert_eq!(status.completed[0].report().first(), Some(&told));
    let again = serde_json::to_string(&status).unwrap();
    assert_eq!(
        serde_json::from_str::<StatusAnswer>(&again).unwrap(),
        status
    );
}

#[test]
fn what_is_told_of_edits_reaches_the_board() {
    let id = AssignmentId::from_bits(7);
    let report = |text: &str| {
        let text = format!(r#"{{"seq":1,"at":1.0,"id":"{id}",{text}}}"#);
        let event: AgentEvent = serde_json::from_str(&text).unwrap();
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(
            written,
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        );
        event.report().map(|(_, report)| report)
    };
    let path = || "src/a.rs".to_owned();
    assert_eq!(
        report(r#""kind":"lease_asked","ask":9007199254740991,"path":"src/a.rs""#),
        Some(AgentReport::LeaseAsked {
            ask: (1 << 53) - 1,
            path: path()
        })
    );
    let denied = |denial: &str| {
        report(&format!(
            r#""kind":"edit_denied","path":"src/a.rs","tool":"Edit","reason":"r",{denial}"#
        ))
    };
    let expected = |why| {
        let tool = "Edit".to_owned();
        Some(AgentReport::EditDenied {
            path: path(),
            tool,
            why,
        })
    };
    let by = AssignmentId::from_bits(8);
    assert_eq!(
        denied(&format!(r#""denial":"leased","by":"{by}""#)),
        expected(Denial::Leased { by })
    );
    assert_eq!(denied(r#""denial":"outside""#), expected(Denial::Outside));
    assert_eq!(
        report(r#""kind":"edit_unchecked","path":"src/a.rs""#),
        Some(AgentReport::EditUnchecked { path: path() })
    );
    assert_eq!(
        report(r#""kind":"files_restored","paths":["src/a.rs"]"#),
        Some(AgentReport::FilesRestored {
            paths: vec![path()]
        })
    );
}

#[test]
fn a_denial_of_a_newer_agent_is_no_error() {
    let text = r#"{"seq":1,"at":1.0,"id":"000000000007","kind":"edit_denied","path":"a","tool":"Edit",
        "reason":"r","denial":"by_decree","of":"somebody"}"#;
    let event: AgentEvent = serde_json::from_str(text).unwrap();
    assert_eq!(event.report(), None);
}

#[test]
fn the_health_and_the_repositories_of_an_old_agent() {
    let health = r#"{"machine":"m","capabilities":[],"repos":["a"],"active":1,"completed":2}"#;
    let health: Health = serde_json::from_str(health).unwrap();
    assert_eq!((health.protocol, health.slots), (None, None));
    let repos =
        r#"{"a":{"sha":"1","branch":"main","dirty":false,"path":"/a"},"b":{"error":"gone"}}"#;
    let repos: Repos = serde_json::from_str(repos).unwrap();
    assert!(matches!(&repos["a"], RepoState::Ready { dirty: false, .. }));
    assert!(matches!(&repos["b"], RepoState::Broken { path: None, .. }));
}

fn end(class: FailureKind) -> EndReport {
    EndReport {
        retry_at: Some(100.5),
        ..EndReport::never_started(EndResult::Failed, Some(class), "limit".to_owned())
    }
}

#[test]
fn an_end_keeps_its_class_and_the_time_to_try_again() {
    let environmental = FailureClass::Environmental {
        retry_at: Some(Timestamp::from_millis(100_500)),
    };
    for (kind, class) in [
        (FailureKind::Environmental, environmental),
        (FailureKind::Configuration, FailureClass::Configuration),
        (FailureKind::Work, FailureClass::Work),
    ] {
        assert_eq!(FailureKind::from(class), kind);
        let worker = WorkerEnd::from(end(kind));
        assert_eq!(worker.result, WorkerResult::Failed(class));
    }
}

#[test]
fn a_finished_event_on_the_wire() {
    let event = AgentEvent {
        seq: 3,
        at: 2.5,
        id: Some(AssignmentId::from_bits(7)),
        kind: AgentEventKind::Finished {
            finished_at: 2.25,
            end: Box::new(end(FailureKind::Work)),
        },
        cursor: "not sent".to_owned(),
    };
    let json = serde_json::to_string(&event).unwrap();
    insta::assert_snapshot!(json, @r#"{"seq":3,"at":2.5,"id":"000000000007","kind":"finished","finished_at":2.25,"end":{"result":"failed","class":"work","retry_at":100.5,"exit_code":null,"error":"limit","branch":null,"head":null,"base":null,"commits":0,"pushed":false,"push_error":null,"wip_ref":null,"files":[],"cost_usd":0.0,"turns":0,"stuck":null,"session":null}}"#);
    let mut read: AgentEvent = serde_json::from_str(&json).unwrap();
    read.cursor.clone_from(&event.cursor);
    assert_eq!(read, event);
}

#[test]
fn resync_has_no_assignment() {
    let read: AgentEvent = serde_json::from_str(r#"{"seq":9,"at":1,"kind":"resync"}"#).unwrap();
    assert_eq!(
        (read.id.as_ref(), &read.kind),
        (None, &AgentEventKind::Resync)
    );
    assert!(read.report().is_none());
}

#[test]
fn an_answer_travels_untouched() {
    let answer = serde_json::json!({"verdict": "approve", "n": [1, 0.5, null], "ü": {}});
    let report = EndReport {
        answer: Some(answer.clone()),
        tampered: vec!["a b.rs".to_owned()],
        ..end(FailureKind::Work)
    };
    let json = serde_json::to_string(&report).unwrap();
    let read: EndReport = serde_json::from_str(&json).unwrap();
    assert_eq!(read, report);
    let old: EndReport = serde_json::from_str(r#"{"result":"done"}"#).unwrap();
    assert_eq!((old.answer, old.output, old.tampered), (None, None, vec![]));
    let told = WorkerEnd::from(report).answer.unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told, answer);
}

#[test]
fn the_answer_of_a_command_is_its_output() {
    let report = EndReport {
        output: Some("not ok 2\n".to_owned()),
        ..end(FailureKind::Work)
    };
    let json = serde_json::to_string(&report).unwrap();
    let read: EndReport = serde_json::from_str(&json).unwrap();
    assert_eq!(read, report);
    let end = WorkerEnd::from(read);
    assert_eq!(end.answer.as_deref(), Some("not ok 2\n"));
}

#[test]
fn what_was_spent_on_the_wire() {
    let json = r#"{"seq":3,"at":2.5,"id":"000000000007","kind":"spent","cost_usd":0.25}"#;
    let mut event: AgentEvent = serde_json::from_str(json).unwrap();
    let spent = AgentReport::Spent { cost_usd: 0.25 };
    assert_eq!(event.report(), Some((AssignmentId::from_bits(7), spent)));
    assert_eq!(event.kind.as_str(), "spent");
    event.cursor.clear();
    assert_eq!(serde_json::to_string(&event).unwrap(), json);
}

#[test]
fn the_status_of_a_running_one_tells_its_cost() {
    let mut status: StatusAnswer = serde_json::from_str(OLD_STATUS).unwrap();
    let active = &mut status.active[0];
    active.cost_so_far = 0.5;
    let [AgentReport::Started { .. }, AgentReport::Spent { cost_usd }] = active.report()[..] else {
        panic!("{:?}", active.report());
    };
    assert_eq!(cost_usd, 0.5);
}

#[test]
fn what_serves_another_publishes_nothing() {
    for (word, kind) in [
        ("review", AssignmentType::Review),
        ("smoke", AssignmentType::Smoke),
        ("pr", AssignmentType::Pr),
    ] {
        let read: AssignmentType = serde_json::from_value(word.into()).unwrap();
        assert_eq!((read, read.as_str()), (kind, word));
        assert!(!kind.publishes());
    }
    assert!(AssignmentType::Work.publishes());
}
