//! Streams that break, pause, and come from newer agents.

use coord_core::ids::AssignmentId;
use coord_protocol::{AgentEventKind, ClientError, LogEvent};
use futures_util::StreamExt as _;

use crate::server::{Answer, Server, events, json};

const ID: u64 = 7;

#[tokio::test]
async fn a_broken_log_goes_on_where_it_broke() {
    let server = Server::start(vec![
        events("retry: 2000\n\nid: 4\nevent: log\ndata: one\n\nid: 9\nevent: lo"),
        Answer::HangUp,
        Answer::HangUp,
        Answer::HangUp,
        events(": hello\n\nid: 9\nevent: log\ndata: 2\ndata: 3\n\nevent: novel\ndata: x\n\nevent: end\ndata: {}\n\n"),
    ])
    .await;
    let log = server.client.stream(&AssignmentId::from_bits(ID), 0);
    let seen: Vec<_> = log.map(Result::unwrap).collect().await;
    let text: Vec<_> = seen
        .iter()
        .map(|event| match event {
            LogEvent::Chunk(chunk) => format!("{}@{}", chunk.text, chunk.offset),
            LogEvent::End => "end".to_owned(),
        })
        .collect();
    assert_eq!(text, ["one@4", "2\n3@9", "end"]);
    let last = server.asked().pop().unwrap();
    assert!(last.contains("last-event-id: 4\r\n"), "{last}");
}

#[tokio::test]
async fn a_log_that_is_not_there_is_an_error_at_once() {
    let server = Server::start(vec![json(404, r#"{"error":"no"}"#)]).await;
    let log = server.client.stream(&AssignmentId::from_bits(ID), 0);
    let seen: Vec<_> = log.collect().await;
    let [Err(ClientError::Refused { status: 404, .. })] = &seen[..] else {
        panic!("{seen:?}");
    };
}

#[tokio::test]
async fn events_carry_their_cursor_and_newer_kinds_are_no_error() {
    let body = "id: b-1\nevent: stuck\ndata: {\"seq\":1,\"at\":1.5,\"id\":\"000000000007\",\"kind\":\"stuck\",\"question\":\"why?\",\"novel\":1}\n\n\
                id: b-2\nevent: novel\ndata: {\"seq\":2,\"at\":2,\"id\":\"000000000007\",\"kind\":\"novel\",\"x\":{}}\n\n";
    let server = Server::start(vec![events(body)]).await;
    let seen: Vec<_> = server
        .client
        .events(Some("b-0"))
        .await
        .unwrap()
        .collect()
        .await;
    let seen: Vec<_> = seen.into_iter().map(Result::unwrap).collect();
    let question = "why?".to_owned();
    assert_eq!(seen[0].kind, AgentEventKind::Stuck { question });
    assert_eq!((seen[0].cursor.as_str(), seen[0].seq), ("b-1", 1));
    assert!(seen[0].report().is_some());
    assert_eq!(seen[1].kind, AgentEventKind::Unknown);
    assert!(seen[1].report().is_none());
    assert!(server.asked()[0].contains("last-event-id: b-0\r\n"));
}

#[tokio::test]
async fn a_stream_without_a_sign_of_life_ends() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n";
    let server = Server::start(vec![Answer::Http(head.to_owned()), Answer::Silence]).await;
    let mut events = server.client.events(None).await.unwrap();
    let error = events.next().await.unwrap().unwrap_err();
    assert!(
        matches!(error, ClientError::Unreachable { sent: true, .. }),
        "{error:?}"
    );
}
