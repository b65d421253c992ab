//! Which calls are repeated, and what each failure is called.

use std::time::Duration;

use coord_core::failure::FailureClass;
use coord_core::ids::AssignmentId;
use coord_protocol::{AgentClient, AssignBody, ClientError, StatusQuery, Timeouts};

use crate::server::{Answer, NEW_PEER, ROW, Server, client, json};

fn body() -> AssignBody {
    AssignBody {
        repo_name: "r".to_owned(),
        repo_path: "/r".to_owned(),
        issue_number: 1,
        issue_title: "t".to_owned(),
        briefing: "b".to_owned(),
        id: Some(AssignmentId::from_bits(7)),
        max_budget_usd: Some(1.0),
        ..AssignBody::default()
    }
}

const LATER: FailureClass = FailureClass::Environmental { retry_at: None };

#[tokio::test]
async fn a_read_is_repeated_when_the_connection_breaks() {
    let script = vec![
        Answer::HangUp,
        json(502, ""),
        json(200, r#"{"machine":"m"}"#),
    ];
    let server = Server::start(script).await;
    assert_eq!(server.client.health().await.unwrap().machine, "m");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn an_assign_is_repeated_only_where_the_id_keeps_it_single() {
    let server = Server::start(vec![json(200, NEW_PEER), Answer::HangUp, json(202, ROW)]).await;
    let row = server.client.assign(&body()).await.unwrap();
    assert_eq!(row.id, AssignmentId::from_bits(7));
    let asked = server.asked();
    assert!(asked[2].contains(r#""id":"000000000007""#), "{}", asked[2]);
    assert_eq!(asked[1], asked[2]);
}

#[tokio::test]
async fn an_old_agent_is_asked_once_and_only_what_it_knows() {
    let old = json(200, r#"{"machine":"m"}"#);
    let server = Server::start(vec![old, Answer::HangUp, json(202, ROW)]).await;
    let error = server.client.assign(&body()).await.unwrap_err();
    assert!(error.outcome_unknown(), "{error:?}");
    assert_eq!(error.class(), LATER);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    let (_, sent) = asked[1].split_once("\r\n\r\n").unwrap();
    insta::assert_snapshot!(sent, @r#"{"repo_name":"r","repo_path":"/r","issue_number":1,"issue_title":"t","briefing":"b","files_allowed":[],"files_forbidden":[],"branch":null,"pull_repos":[],"type":"work","system_prompt":null,"review_target":null,"deny_commands":null,"model":null}"#);
}

#[tokio::test]
async fn what_is_not_idempotent_is_never_repeated() {
    let server = Server::start(vec![Answer::HangUp, json(202, "{}")]).await;
    let id = AssignmentId::from_bits(7);
    server.client.input(&id, "hurry", None).await.unwrap_err();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn silence_is_a_time_out_and_not_repeated() {
    let server = Server::start(vec![Answer::Silence, json(200, "{}")]).await;
    let error = server
        .client
        .status(StatusQuery::default())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    assert!(error.outcome_unknown());
    assert_eq!((error.class(), server.asked().len()), (LATER, 1));
}

#[tokio::test]
async fn nobody_there_means_that_nothing_was_done() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let client = client(&format!("http://127.0.0.1:{port}"));
    let error = client
        .cancel(&AssignmentId::from_bits(7))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ClientError::Unreachable { sent: false, .. }),
        "{error:?}"
    );
    assert!(!error.outcome_unknown());
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_refusal_carries_the_agents_words() {
    let body = r#"{"error":"full","hint":"wait a while"}"#;
    let answer = Answer::Http(format!(
        "HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ));
    let server = Server::start(vec![json(200, NEW_PEER), answer]).await;
    let error = server.client.assign(&self::body()).await.unwrap_err();
    assert_eq!(error.to_string(), "the agent refused (429): full");
    assert_eq!(error.hint().as_deref(), Some("wait a while"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!((error.class(), error.outcome_unknown()), (LATER, false));
}

#[tokio::test]
async fn refusals_that_waiting_does_not_help() {
    for status in [400, 401, 403, 404, 409, 413, 415] {
        let server = Server::start(vec![json(status, "<html>no</html>")]).await;
        let error = server.client.health().await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Configuration, "{status}");
        assert!(error.to_string().contains("<html>no</html>"));
    }
}

#[tokio::test]
async fn something_else_that_answers_is_no_agent() {
    let server = Server::start(vec![json(200, "<html>hello</html>")]).await;
    let error = server.client.health().await.unwrap_err();
    assert!(matches!(error, ClientError::Invalid { .. }), "{error:?}");
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    let server = Server::start(vec![json(200, r#"{"machine":"m"}"#)]).await;
    server.client.health().await.unwrap();
    assert!(server.asked()[0].contains("authorization: Bearer s3cret\r\n"));
    assert!(server.asked()[0].contains("x-coord-protocol: 1\r\n"));
    assert!(!format!("{:?}", server.client).contains("s3cret"));
}

#[test]
fn an_address_is_checked_before_anything_is_sent() {
    for url in ["", "box:7433", "https://box:7433", "http://", "http://a b"] {
        let error = AgentClient::new(url, None, Timeouts::default()).unwrap_err();
        assert!(
            matches!(error, ClientError::BadAddress { .. }),
            "{url}: {error:?}"
        );
    }
    let token = AgentClient::new("http://box:7433", Some("a\nb"), Timeouts::default());
    assert!(token.is_err());
}
