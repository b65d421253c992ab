//! Logs and events: nothing is missed, nothing comes twice.

use std::io::Write as _;

use coord_protocol::{AgentEventKind, AssignmentStatus, ClientError, LogEvent};
use futures_util::StreamExt as _;

use crate::rig::{Rig, Special, events_of, soon};

#[tokio::test]
async fn a_log_is_read_in_pieces_of_whole_characters() {
    let rig = Rig::new();
    let (id, _) = rig.run(&rig.body(7, "do-talk")).await;
    let whole = rig.client.logs(&id, 0).await.unwrap();
    assert_eq!(whole.total, whole.text.len() as u64);
    assert!(whole.text.contains("größe €"));
    let from = whole.text.find('ß').unwrap();
    for since in [from, from + 1, from + 2] {
        let part = rig.client.logs(&id, since as u64).await.unwrap();
        assert!(!part.text.contains('\u{fffd}'), "{since}");
        assert!(whole.text.ends_with(&part.text));
    }
    let beyond = rig.client.logs(&id, whole.total + 5).await.unwrap();
    assert_eq!(beyond.text, "");

    // What is cut off inside a character comes with the next piece.
    let path = rig.folder(&id).join("log.ndjson");
    let mut log = std::fs::File::options().append(true).open(path).unwrap();
    log.write_all(&"x€".as_bytes()[..2]).unwrap();
    let part = rig.client.logs(&id, whole.total).await.unwrap();
    assert_eq!((part.text.as_str(), part.total), ("x", whole.total + 1));
    log.write_all(&"x€".as_bytes()[2..]).unwrap();
    let rest = rig.client.logs(&id, part.total).await.unwrap();
    assert_eq!(rest.text, "€");
}

#[tokio::test]
async fn a_stream_goes_on_from_any_offset_and_ends() {
    let rig = Rig::new();
    let id = rig.assign(&rig.body(7, "do-talk do-wait do-talk")).await.id;
    let mut live = rig.client.stream(&id, 0);
    let mut text = String::new();
    let mut offset = 0;
    while !text.contains("waiting") {
        match soon(live.next()).await.unwrap().unwrap() {
            LogEvent::Chunk(chunk) => {
                text.push_str(&chunk.text);
                text.push('\n');
                offset = chunk.offset;
            }
            LogEvent::End => panic!("it ended too early"),
        }
    }
    drop(live);
    rig.open_gate();
    let rest: Vec<_> = soon(rig.client.stream(&id, offset).collect()).await;
    let (end, chunks) = rest.split_last().unwrap();
    assert!(matches!(end, Ok(LogEvent::End)), "{end:?}");
    for chunk in chunks {
        match chunk {
            Ok(LogEvent::Chunk(chunk)) => text.push_str(&format!("{}\n", chunk.text)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(text, rig.client.logs(&id, 0).await.unwrap().text);
}

#[tokio::test]
async fn events_are_resumed_behind_the_one_that_was_seen() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let id = rig.assign(&rig.body(7, "do-commit do-stuck")).await.id;
    let seen = events_of(&mut events, &id).await;
    assert!(
        seen.iter()
            .any(|e| matches!(&e.kind, AgentEventKind::Stuck { .. }))
    );
    let numbers: Vec<u64> = seen.iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());

    let mut resumed = rig.client.events(Some(&seen[0].cursor)).await.unwrap();
    assert_eq!(events_of(&mut resumed, &id).await, seen[1..]);
}

#[tokio::test]
async fn a_cursor_of_an_earlier_run_means_resync() {
    let mut rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let id = rig.assign(&rig.body(7, "do-commit")).await.id;
    let last = events_of(&mut events, &id).await.pop().unwrap();
    rig.kill();
    rig.start();
    let mut events = rig.client.events(Some(&last.cursor)).await.unwrap();
    let first = soon(events.next()).await.unwrap().unwrap();
    assert_eq!((first.kind, first.id), (AgentEventKind::Resync, None));
    let (_, end) = rig.run(&rig.body(8, "do-commit")).await;
    assert!(end.pushed);
    let next = soon(events.next()).await.unwrap().unwrap();
    assert_eq!(next.seq, 1);
}

#[tokio::test]
async fn a_worker_takes_messages_only_if_that_was_asked_for() {
    let rig = Rig::new();
    let id = rig.assign(&rig.body(7, "do-wait")).await.id;
    rig.says(&id, "waiting").await;
    let refused = rig.client.input(&id, "hurry", None).await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Refused { status: 409, .. }),
        "{refused:?}"
    );
    assert!(refused.hint().unwrap().contains("steerable"));
}

/// Reads its first line, waits for a second, and ends only when nothing can come any more.
const STEERED: &str = r#"read -r first; echo '{"type":"system","subtype":"init","session_id":"s"}'
read -r second; case "$second" in *hurry*) ;; *) exit 9 ;; esac
echo '{"type":"result","subtype":"success","is_error":false}'; cat > /dev/null"#;

#[tokio::test]
async fn a_steerable_worker_hears_and_ends_after_its_result() {
    let rig = Rig::special(Special {
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), STEERED.to_owned()]),
        ..Special::default()
    });
    let mut body = rig.body(7, "listen");
    body.steerable = true;
    let id = rig.assign(&body).await.id;
    rig.says(&id, "init").await;
    soon(rig.client.input(&id, "hurry\nup", None))
        .await
        .unwrap();
    let row = rig.end(&id).await;
    assert_eq!(row.assignment.status, AssignmentStatus::Done, "{row:?}");
    assert_eq!(
        row.assignment.exit_code,
        Some(0),
        "it was killed instead of closed"
    );
}
