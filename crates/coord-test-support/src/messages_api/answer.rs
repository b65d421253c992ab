//! Answers as the API gives them: whole, as a stream of events, or as an error.

use serde_json::{Value, json};

use super::script::{Failure, Turn};

/// What names an answer and its tool call; no two answers of any server share it.
pub(super) struct Ids {
    /// E.g. `0a1b-7`.
    pub(super) suffix: String,
}

fn stop_reason(turn: &Turn) -> &'static str {
    if turn.tool.is_some() {
        "tool_use"
    } else {
        "end_turn"
    }
}

/// The content blocks, complete.
fn content(turn: &Turn, ids: &Ids) -> Vec<Value> {
    let texts = turn
        .text
        .iter()
        .map(|text| json!({"type": "text", "text": text}));
    let tool = turn.tool.iter().map(|tool| {
        let id = format!("toolu_{}", ids.suffix);
        json!({"type": "tool_use", "id": id, "name": tool.name, "input": tool.input})
    });
    texts.chain(tool).collect()
}

fn message(turn: &Turn, ids: &Ids, model: &str) -> Value {
    json!({
        "id": format!("msg_{}", ids.suffix), "type": "message", "role": "assistant", "model": model,
        "content": content(turn, ids), "stop_reason": stop_reason(turn), "stop_sequence": null,
        "usage": {
            "input_tokens": turn.usage.input_tokens, "output_tokens": turn.usage.output_tokens,
            "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        },
    })
}

/// The whole answer.
pub(super) fn whole(turn: &Turn, ids: &Ids, model: &str) -> String {
    message(turn, ids, model).to_string()
}

/// The answer as the lines of an event stream, one string for each event.
pub(super) fn events(turn: &Turn, ids: &Ids, model: &str) -> Vec<String> {
    let mut start = message(turn, ids, model);
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![event(&json!({"type": "message_start", "message": start}))];
    for (index, block) in content(turn, ids).into_iter().enumerate() {
        events.extend(block_events(index, block));
    }
    let delta = json!({"stop_reason": stop_reason(turn), "stop_sequence": null});
    let usage = json!({"output_tokens": turn.usage.output_tokens});
    events.push(event(
        &json!({"type": "message_delta", "delta": delta, "usage": usage}),
    ));
    events.push(event(&json!({"type": "message_stop"})));
    events
}

fn block_events(index: usize, mut block: Value) -> [String; 3] {
    let delta = if block["type"] == "text" {
        json!({"type": "text_delta", "text": std::mem::replace(&mut block["text"], json!(""))})
    } else {
        let input = std::mem::replace(&mut block["input"], json!({}));
        json!({"type": "input_json_delta", "partial_json": input.to_string()})
    };
    [
        event(&json!({"type": "content_block_start", "index": index, "content_block": block})),
        event(&json!({"type": "content_block_delta", "index": index, "delta": delta})),
        event(&json!({"type": "content_block_stop", "index": index})),
    ]
}

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or_default()
    )
}

/// The body of an error.
pub(super) fn error(status: u16, message: &str) -> String {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
}

/// The headers that say when to try again.
pub(super) fn failure_headers(failure: &Failure) -> Vec<(&'static str, String)> {
    let retry_after = failure
        .error
        .retry_after
        .map(|seconds| ("retry-after", seconds.to_string()));
    let limit = failure.resets_at.into_iter().flat_map(|resets_at| {
        let resets_at = resets_at.to_string();
        [
            ("anthropic-ratelimit-unified-status", "rejected".to_owned()),
            ("anthropic-ratelimit-unified-reset", resets_at.clone()),
            (
                "anthropic-ratelimit-unified-representative-claim",
                "five_hour".to_owned(),
            ),
            (
                "anthropic-ratelimit-unified-5h-status",
                "rejected".to_owned(),
            ),
            ("anthropic-ratelimit-unified-5h-reset", resets_at),
            (
                "anthropic-ratelimit-unified-5h-utilization",
                "1.0".to_owned(),
            ),
        ]
    });
    retry_after.into_iter().chain(limit).collect()
}
