//! The hook and its way to the agent: restarts, agents that do not answer, tokens, hostile calls.

use bytes::Bytes;
use coord_protocol::{
    AgentClient, AgentEventKind, ClientError, LeaseAnswer, LeaseDenial, LeaseHolder, LeaseMode,
    StatusQuery, Timeouts, WipAnswer,
};
use coord_test_support::git_fixture::git;
use futures_util::StreamExt as _;
use http::{Method, Request};
use tower::Service as _;

use crate::hands::{Called, Hands};
use crate::leases::{body, hands, next};
use crate::rig::{Rig, Special, soon};

/// The status of the answer.
async fn post(client: &AgentClient, path: &str, body: impl Into<Bytes>) -> u16 {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap();
    match client.clone().call(request).await {
        Ok(answer) => answer.status().as_u16(),
        Err(ClientError::Refused { status, .. }) => status,
        Err(other) => panic!("{other:?}"),
    }
}

fn presenting(rig: &Rig, token: Option<&str>) -> AgentClient {
    AgentClient::new(rig.client.url(), token, Timeouts::default()).unwrap()
}

#[tokio::test]
async fn what_was_granted_survives_the_agent() {
    let mut rig = Rig::new();
    let (one, first) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &["src/**"])).await;
    let (two, second) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    second.write("doc/a", "2").made();
    let before = Hands::door(&rig.folder(&one));
    rig.kill();
    // While nobody answers: a hook waits for the agent to come back.
    let waiting = {
        let second = second.clone();
        tokio::task::spawn_blocking(move || second.write("src/a", "2"))
    };
    rig.start();
    let status = rig.client.status(StatusQuery::default()).await.unwrap();
    let row = status.active.iter().find(|it| it.assignment.id == two);
    assert_eq!(row.unwrap().files, ["doc/a"]);
    assert!(waiting.await.unwrap().denied().contains(one.as_str()));
    assert_ne!(Hands::door(&rig.folder(&one)), before);
    assert!(first.write("doc/a", "1").denied().contains(two.as_str()));
    assert_eq!(second.write("doc/a", "2 again").made(), "");
    // The first look after the restart goes on from the last one before it.
    assert_eq!(first.write("src/a", "1").made(), "");
    rig.open_gate();
    rig.end(&one).await;
    let row = rig.end(&two).await;
    assert!(row.end.unwrap().wip_ref.is_some());
}

#[tokio::test]
async fn without_an_agent_strict_denies() {
    let mut rig = Rig::new();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &["src/**"])).await;
    rig.kill();
    let reason = worker.write("src/a", "1").denied();
    assert!(reason.contains("does not answer"), "{reason}");
    assert_eq!(worker.read("src/a"), None);
    assert_eq!(worker.bash("echo x > y"), "", "it has run already");
    std::fs::remove_file(rig.folder(&id).join("hook")).unwrap();
    worker.write("src/a", "1").denied();
    // A program that is gone is a denial too.
    let command = worker.command("PreToolUse", "Write").unwrap();
    let (_, rest) = command.split_once("' ").unwrap();
    let gone = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("'/nowhere/coord-supervisor' {rest}")])
        .output()
        .unwrap();
    assert_eq!(gone.status.code(), Some(2));
}

#[tokio::test]
async fn without_an_agent_warn_goes_on_and_tells_later() {
    let mut rig = Rig::new();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &[])).await;
    rig.kill();
    assert_eq!(worker.write("src/a", "1").made(), "");
    assert!(rig.folder(&id).join("unchecked").exists());
    rig.start();
    let mut events = rig.client.events(None).await.unwrap();
    assert_eq!(worker.bash("true"), "");
    let paths = vec!["src/a".to_owned()];
    assert_eq!(
        next(&mut events, &id).await,
        AgentEventKind::Files { paths }
    );
    let path = "src/a".to_owned();
    assert_eq!(
        next(&mut events, &id).await,
        AgentEventKind::EditUnchecked { path }
    );
    let (_other, other) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    other.write("src/a", "2").denied();
}

#[tokio::test]
async fn a_token_opens_one_hook_and_nothing_else() {
    let rig = Rig::special(Special {
        token: Some("s3cret"),
        ..Special::default()
    });
    let (one, first) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &[])).await;
    let (two, _second) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    let call = r#"{"hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{}}"#;
    let door = |id| Hands::door(&rig.folder(id));
    let (_, path, token) = door(&one);
    assert_eq!(
        post(&presenting(&rig, Some(&token)), &path, call).await,
        200
    );
    for wrong in [None, Some("s3cret"), Some(door(&two).2.as_str()), Some("")] {
        let status = post(&presenting(&rig, wrong), &path, call).await;
        assert_eq!(status, 401, "{wrong:?}");
    }
    let own = presenting(&rig, Some(&token));
    for path in [
        "/assign",
        &format!("/lease/{one}"),
        &format!("/cancel/{one}"),
    ] {
        assert_eq!(post(&own, path, "{}").await, 401, "{path}");
    }
    for path in ["/hook/000000000000", "/hook/x", "/hook/../status"] {
        assert_eq!(post(&own, path, call).await, 401, "{path}");
    }
    let folder = rig.folder(&one);
    let mode = std::os::unix::fs::MetadataExt::mode(&folder.join("hook").metadata().unwrap());
    assert_eq!(mode & 0o777, 0o600);
    drop(first);
    rig.client.cancel(&one).await.unwrap();
    rig.end(&one).await;
    assert_eq!(post(&own, &path, call).await, 401, "it has ended");
}

#[tokio::test]
async fn whatever_a_hook_is_given_the_agent_stands() {
    let rig = Rig::new();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &["src/**"])).await;
    let (_, path, token) = Hands::door(&rig.folder(&id));
    let client = presenting(&rig, Some(&token));
    for body in ["", "null", "{", "[[[[", "{\"hook_event_name\":\"Stop\"}"] {
        assert_eq!(post(&client, &path, body).await, 400, "{body}");
    }
    let deep = "[".repeat(1_000_000);
    assert_eq!(post(&client, &path, deep).await, 400);
    assert_eq!(post(&client, &path, vec![0xff; 1000]).await, 400);
    let large = vec![b' '; 33 * 1024 * 1024];
    assert_eq!(post(&client, &path, large).await, 413);
    for input in [
        serde_json::json!({}),
        serde_json::json!(7),
        serde_json::json!({"file_path": 7}),
        serde_json::json!({"file_path": ""}),
        serde_json::json!({"file_path": "a\u{0}b"}),
        serde_json::json!({"file_path": "../".repeat(2000)}),
        serde_json::json!({"file_path": "/etc/\u{1b}[2J/../../proc/self/root/x".repeat(200)}),
    ] {
        let called = worker.hook("PreToolUse", "Write", &input);
        assert!(matches!(called, Called::Denied(_)), "{input}");
    }
    // After an edit the CLI hands the whole old file over.
    let old = "x".repeat(6 * 1024 * 1024);
    let input = serde_json::json!({"file_path": worker.worktree.join("src/a"), "content": old});
    let made = Called::Made(String::new());
    assert_eq!(worker.hook("PreToolUse", "Write", &input), made);
    assert_eq!(worker.hook("PostToolUse", "Write", &input), made);
    assert_eq!(rig.client.health().await.unwrap().active, 1);
}

#[tokio::test]
async fn the_coordinator_is_asked_and_its_answer_holds() {
    let rig = Rig::new();
    let mut events = rig.client.events_answering_leases(None).await.unwrap();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &[])).await;
    let asking = |path: &'static str| {
        let worker = worker.clone();
        tokio::task::spawn_blocking(move || worker.write(path, "1"))
    };
    let answer = |ask, granted| LeaseAnswer {
        ask,
        granted,
        reason: None,
        by: None,
        why: None,
    };

    let called = asking("src/a");
    let AgentEventKind::LeaseAsked { ask, path } = next(&mut events, &id).await else {
        panic!("nobody asked");
    };
    assert_eq!(path, "src/a");
    assert!(
        !rig.client
            .answer_lease(&id, &answer(ask + 1, true))
            .await
            .unwrap()
    );
    assert!(
        rig.client
            .answer_lease(&id, &answer(ask, true))
            .await
            .unwrap()
    );
    assert!(
        !rig.client
            .answer_lease(&id, &answer(ask, false))
            .await
            .unwrap()
    );
    assert_eq!(called.await.unwrap().made(), "");
    assert!(matches!(
        next(&mut events, &id).await,
        AgentEventKind::Files { .. }
    ));
    // It is its own now: nobody is asked again.
    assert_eq!(asking("src/a").await.unwrap().made(), "");

    let called = asking("src/b");
    let AgentEventKind::LeaseAsked { ask, .. } = next(&mut events, &id).await else {
        panic!("nobody asked");
    };
    let elsewhere = coord_core::ids::AssignmentId::from_bits(99);
    let refusal = LeaseAnswer {
        reason: Some("It is merged within the hour.".to_owned()),
        by: Some(LeaseHolder {
            assignment: elsewhere.clone(),
            issue: "shop#9".to_owned(),
            title: "Elsewhere".to_owned(),
            machine: "tower".to_owned(),
        }),
        ..answer(ask, false)
    };
    assert!(rig.client.answer_lease(&id, &refusal).await.unwrap());
    let reason = called.await.unwrap().denied();
    assert!(
        reason.contains("(issue shop#9 \"Elsewhere\", machine tower)"),
        "{reason}"
    );
    assert!(reason.contains("It is merged within the hour."), "{reason}");
    let denied = next(&mut events, &id).await;
    let AgentEventKind::EditDenied { denial, .. } = denied else {
        panic!("{denied:?}");
    };
    assert_eq!(denial, LeaseDenial::Leased { by: elsewhere });
    let unknown = coord_core::ids::AssignmentId::from_bits(98);
    let refused = rig.client.answer_lease(&unknown, &refusal).await;
    assert!(matches!(
        refused,
        Err(ClientError::Refused { status: 404, .. })
    ));
}

#[tokio::test]
async fn a_coordinator_that_does_not_answer_leaves_it_to_the_mode() {
    let rig = Rig::new();
    let mut events = rig.client.events_answering_leases(None).await.unwrap();
    let (one, strict) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &[])).await;
    let (two, warn) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    let denied = tokio::task::spawn_blocking(move || strict.write("a", "1"));
    assert!(matches!(
        next(&mut events, &one).await,
        AgentEventKind::LeaseAsked { .. }
    ));
    assert!(denied.await.unwrap().denied().contains("does not answer"));
    let event = next(&mut events, &one).await;
    assert!(
        matches!(
            event,
            AgentEventKind::EditDenied {
                denial: LeaseDenial::Unreachable,
                ..
            }
        ),
        "{event:?}"
    );
    let allowed = tokio::task::spawn_blocking(move || warn.write("a", "2"));
    assert!(matches!(
        next(&mut events, &two).await,
        AgentEventKind::LeaseAsked { .. }
    ));
    assert_eq!(allowed.await.unwrap().made(), "");
    let path = "a".to_owned();
    assert_eq!(
        next(&mut events, &two).await,
        AgentEventKind::EditUnchecked { path }
    );
}

#[tokio::test]
async fn strict_waits_for_a_coordinator_that_comes_back() {
    let rig = Rig::new();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &[])).await;
    let called = tokio::task::spawn_blocking(move || worker.write("a", "1"));
    let mut events = rig.client.events_answering_leases(None).await.unwrap();
    let event = soon(events.next()).await.unwrap().unwrap();
    let AgentEventKind::LeaseAsked { ask, .. } = event.kind else {
        panic!("{event:?}");
    };
    let answer = LeaseAnswer {
        ask,
        granted: true,
        reason: None,
        by: None,
        why: None,
    };
    assert!(rig.client.answer_lease(&id, &answer).await.unwrap());
    assert_eq!(called.await.unwrap().made(), "");
}

#[tokio::test]
async fn what_is_in_the_worktree_travels_as_a_bundle() {
    let rig = Rig::new();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &[])).await;
    worker.write("a", "1").made();
    let WipAnswer::Bundle { commit, bytes } = rig.client.wip(&id, None).await.unwrap() else {
        panic!("no bundle");
    };
    assert_eq!(
        rig.client.wip(&id, Some(&commit)).await.unwrap(),
        WipAnswer::Same
    );
    let elsewhere = rig.sandbox.path().join("elsewhere");
    let remote = rig.repo.remote_path();
    git(
        rig.sandbox.path(),
        &["clone", "-q", &remote.to_string_lossy(), "elsewhere"],
    )
    .unwrap();
    let repo = coord_git::Repo::open(&elsewhere).unwrap();
    repo.take_bundle(&id, &commit, &bytes).unwrap();
    let saved = git(&elsewhere, &["show", &format!("{commit}:a")]);
    assert_eq!(saved.unwrap(), "1");

    worker.write("a", "2").made();
    let WipAnswer::Bundle { commit, bytes } = rig.client.wip(&id, Some(&commit)).await.unwrap()
    else {
        panic!("no bundle");
    };
    repo.take_bundle(&id, &commit, &bytes).unwrap();
    let saved = git(&elsewhere, &["show", &format!("{commit}:a")]);
    assert_eq!(saved.unwrap(), "2");
}
