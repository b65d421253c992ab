//! The scripted Messages API over plain HTTP, as a worker meets it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;

use coord_test_support::messages_api::MessagesApi;
use serde_json::{Value, json};

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The data of each event.
    fn events(&self) -> Vec<Value> {
        let data = self
            .body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}

/// One request on a connection of its own. HTTP/1.0, so that the body comes as it is.
fn request(api: &MessagesApi, line: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(api.base_url().strip_prefix("http://").unwrap()).unwrap();
    write!(
        stream,
        "{line} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    // A connection that breaks in the middle is what one of the tests is about.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

fn ask(api: &MessagesApi, stream: bool, messages: &Value) -> Answer {
    let body =
        json!({"model": "m", "stream": stream, "messages": messages, "tools": [{"name": "Bash"}]});
    request(api, "POST /v1/messages?beta=true", &body.to_string())
}

fn prompt(script: &Value) -> Value {
    json!({"role": "user", "content": format!("Issue.\n```messages-script\n{script}\n```")})
}

#[test]
fn a_script_is_played_turn_by_turn() {
    let api = MessagesApi::start().unwrap();
    let mut messages = vec![prompt(
        &json!([{"text": "a"}, {"bash": "ls"}, {"text": "STATUS: DONE"}]),
    )];
    let first = ask(&api, false, &json!(messages)).json();
    assert_eq!(first["stop_reason"], "tool_use");
    assert_eq!(first["content"][0]["text"], "a");
    assert_eq!(first["content"][1]["input"]["command"], "ls");
    messages.push(json!({"role": "assistant", "content": first["content"]}));
    let id = &first["content"][1]["id"];
    messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": ""}]}));
    let second = ask(&api, false, &json!(messages)).json();
    assert_eq!(
        (&second["stop_reason"], &second["content"][0]["text"]),
        (&json!("end_turn"), &json!("STATUS: DONE"))
    );
    assert_ne!(first["id"], second["id"]);
    let turns: Vec<_> = api.requests().iter().map(|request| request.turn).collect();
    assert_eq!(turns, [Some(0), Some(1)]);
}

#[test]
fn a_stream_carries_the_same() {
    let api = MessagesApi::start().unwrap();
    let messages = json!([prompt(&json!([{"text": "a"}, {"bash": "ls"}]))]);
    let answer = ask(&api, true, &messages);
    assert!(answer.head.contains("text/event-stream"));
    let events = answer.events();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    let block = [
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ];
    assert_eq!(
        kinds,
        [
            &["message_start"][..],
            &block,
            &block,
            &["message_delta", "message_stop"]
        ]
        .concat()
    );
    let input = events[5]["delta"]["partial_json"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(input).unwrap()["command"],
        "ls"
    );
}

#[test]
fn errors_come_as_often_as_they_are_scripted() {
    let api = MessagesApi::start().unwrap();
    let script = json!([{"error": {"status": 529, "times": 2}}, {"error": {"status": 429, "times": 1, "retry_after": 7}}, {"text": "ok"}]);
    let messages = json!([prompt(&script)]);
    let answers: Vec<_> = (0..4).map(|_| ask(&api, true, &messages)).collect();
    assert_eq!(
        answers.iter().map(Answer::status).collect::<Vec<_>>(),
        [529, 529, 429, 200]
    );
    assert_eq!(answers[0].json()["error"]["type"], "overloaded_error");
    assert!(answers[2].head.contains("retry-after: 7"));
}

#[test]
fn a_limit_says_when_it_ends() {
    let api = MessagesApi::start().unwrap();
    let answer = ask(
        &api,
        true,
        &json!([prompt(&json!([{"limit": {"resets_at": 1_795_398_839}}]))]),
    );
    assert_eq!(answer.status(), 429);
    assert!(
        answer
            .head
            .contains("anthropic-ratelimit-unified-reset: 1795398839")
    );
}

#[test]
fn a_cut_stream_has_no_end() {
    let api = MessagesApi::start().unwrap();
    let answer = ask(
        &api,
        true,
        &json!([prompt(&json!([{"text": "a"}, {"cut": true}]))]),
    );
    assert!(answer.body.contains("message_start"));
    assert!(!answer.body.contains("message_stop"));
}

#[test]
fn what_is_unknown_is_answered_and_recorded() {
    let api = MessagesApi::start().unwrap();
    assert_eq!(request(&api, "HEAD /", "").status(), 200);
    assert_eq!(
        request(&api, "POST /v1/messages/count_tokens", "{}").json()["input_tokens"],
        100
    );
    assert_eq!(
        request(&api, "GET /v1/models", "").json()["error"]["type"],
        "not_found_error"
    );
    assert_eq!(request(&api, "POST /v1/messages", "no json").status(), 400);
    let statuses: Vec<_> = api
        .requests()
        .into_iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [200, 200, 404, 400]);
}

#[test]
fn a_waiting_answer_holds_up_no_other() {
    let api = MessagesApi::start().unwrap();
    // Far longer than the test: only the end of the server ends this request.
    let slow = json!([prompt(&json!([{"delay_ms": 600_000}, {"text": "late"}]))]);
    thread::scope(|scope| {
        let mut stream =
            TcpStream::connect(api.base_url().strip_prefix("http://").unwrap()).unwrap();
        let body = json!({"messages": slow, "tools": [{}]}).to_string();
        write!(
            stream,
            "POST /v1/messages HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let fast = scope.spawn(|| ask(&api, false, &json!([prompt(&json!([{"text": "ok"}]))])));
        assert_eq!(fast.join().unwrap().status(), 200);
        drop(stream);
    });
}
