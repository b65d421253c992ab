//! The shapes of the events as Claude Code 2.1.330 writes them, and their way into [`StreamEvent`].

use std::borrow::Cow;

use serde::Deserialize;

use super::loose::{List, Object, Text, TextOr, Weight, fitting};
use super::{
    Block, Denial, Grown, Init as InitEvent, Message, RunResult, StreamEvent, ToolResult, ToolUse,
    Usage as UsageOf,
};
use super::{RateLimit as RateLimitEvent, Retry as RetryEvent, sniff};

#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(rename = "type", default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    subtype: Text<'a>,
}

impl<'a> From<Kind<'a>> for sniff::Kind<'a> {
    fn from(kind: Kind<'a>) -> Self {
        Self {
            name: kind.name.or_empty(),
            subtype: kind.subtype.or_empty(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Init<'a> {
    #[serde(default, borrow)]
    session_id: Text<'a>,
    #[serde(default, borrow)]
    model: Text<'a>,
    #[serde(default, borrow)]
    cwd: Text<'a>,
}

impl<'a> From<Init<'a>> for StreamEvent<'a> {
    fn from(init: Init<'a>) -> Self {
        Self::Init(InitEvent {
            session_id: init.session_id.or_empty(),
            model: init.model.or_empty(),
            cwd: init.cwd.or_empty(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Assistant<'a> {
    #[serde(default, borrow)]
    message: Object<AssistantMessage<'a>>,
    #[serde(default, borrow)]
    parent_tool_use_id: Text<'a>,
}

#[derive(Deserialize, Default)]
struct AssistantMessage<'a> {
    #[serde(default, borrow)]
    id: Text<'a>,
    #[serde(default, borrow)]
    model: Text<'a>,
    #[serde(default, borrow)]
    content: TextOr<'a, Object<Content<'a>>>,
    #[serde(default)]
    usage: Object<Usage>,
}

#[derive(Deserialize, Default)]
struct Usage {
    #[serde(default, deserialize_with = "fitting")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "fitting")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "fitting")]
    cache_read_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "fitting")]
    output_tokens: Option<u64>,
    #[serde(default)]
    cache_creation: Object<CacheWrites>,
}

#[derive(Deserialize, Default)]
struct CacheWrites {
    #[serde(default, deserialize_with = "fitting")]
    ephemeral_1h_input_tokens: Option<u64>,
}

impl From<Usage> for UsageOf {
    fn from(usage: Usage) -> Self {
        let hour = usage.cache_creation.0.ephemeral_1h_input_tokens;
        Self {
            input: usage.input_tokens.unwrap_or_default(),
            cache_write: usage.cache_creation_input_tokens.unwrap_or_default(),
            cache_write_hour: hour.unwrap_or_default(),
            cache_read: usage.cache_read_input_tokens.unwrap_or_default(),
            output: usage.output_tokens.unwrap_or_default(),
        }
    }
}

/// Every kind of content block at once: telling them apart by `type` would copy them first.
#[derive(Deserialize, Default)]
struct Content<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Text<'a>,
    #[serde(default, borrow)]
    text: Text<'a>,
    #[serde(default, borrow)]
    id: Text<'a>,
    #[serde(default, borrow)]
    name: Text<'a>,
    #[serde(default, borrow)]
    input: Object<Input<'a>>,
    #[serde(default)]
    thinking: Weight,
}

impl Content<'_> {
    /// What of it the model wrote, in bytes.
    fn bytes(&self) -> u64 {
        length(&self.text) + self.thinking.0 + self.input.0.bytes()
    }
}

fn length(text: &Text<'_>) -> u64 {
    text.0.as_ref().map_or(0, |text| text.len() as u64)
}

#[derive(Deserialize, Default)]
struct Input<'a> {
    #[serde(default, borrow)]
    command: Text<'a>,
    #[serde(default, borrow)]
    file_path: Text<'a>,
    #[serde(default, borrow)]
    notebook_path: Text<'a>,
    #[serde(default, borrow)]
    pattern: Text<'a>,
    #[serde(default, borrow)]
    query: Text<'a>,
    #[serde(default, borrow)]
    url: Text<'a>,
    #[serde(default, borrow)]
    description: Text<'a>,
    /// Everything else.
    #[serde(flatten)]
    rest: Weight,
}

impl Input<'_> {
    fn bytes(&self) -> u64 {
        let known = [
            &self.command,
            &self.file_path,
            &self.notebook_path,
            &self.pattern,
            &self.query,
            &self.url,
            &self.description,
        ];
        known.into_iter().map(length).sum::<u64>() + self.rest.0
    }
}

/// What of an input matters.
struct Target<'a> {
    command: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    about: Option<Cow<'a, str>>,
}

impl<'a> From<Input<'a>> for Target<'a> {
    fn from(input: Input<'a>) -> Self {
        Self {
            command: input.command.0,
            path: input.file_path.0.or(input.notebook_path.0),
            about: input
                .pattern
                .0
                .or(input.query.0)
                .or(input.url.0)
                .or(input.description.0),
        }
    }
}

impl<'a> From<Content<'a>> for Block<'a> {
    fn from(content: Content<'a>) -> Self {
        match content.kind.0.as_deref() {
            Some("text") => Self::Text(content.text.or_empty()),
            Some("tool_use") => {
                let Target {
                    command,
                    path,
                    about,
                } = content.input.0.into();
                Self::ToolUse(ToolUse {
                    id: content.id.or_empty(),
                    name: content.name.or_empty(),
                    command,
                    path,
                    about,
                })
            }
            _ => Self::Other,
        }
    }
}

impl<'a> From<Assistant<'a>> for StreamEvent<'a> {
    fn from(event: Assistant<'a>) -> Self {
        let message = event.message.0;
        let bytes = match &message.content {
            TextOr::Text(text) => text.len() as u64,
            TextOr::List(blocks) => blocks.iter().map(|block| block.0.bytes()).sum(),
        };
        Self::Assistant(Message {
            id: message.id.or_empty(),
            model: message.model.or_empty(),
            subagent: event.parent_tool_use_id.0.is_some(),
            blocks: match message.content {
                TextOr::Text(text) => vec![Block::Text(text)],
                TextOr::List(blocks) => blocks.into_iter().map(|block| block.0.into()).collect(),
            },
            usage: message.usage.0.into(),
            bytes,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Partial<'a> {
    #[serde(default, borrow)]
    event: Object<PartialEvent<'a>>,
    #[serde(default, borrow)]
    api_message_id: Text<'a>,
}

#[derive(Deserialize, Default)]
struct PartialEvent<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Text<'a>,
    #[serde(default)]
    usage: Object<Usage>,
}

impl<'a> From<Partial<'a>> for StreamEvent<'a> {
    fn from(partial: Partial<'a>) -> Self {
        let event = partial.event.0;
        match (event.kind.0.as_deref(), partial.api_message_id.0) {
            (Some("message_delta"), Some(id)) => Self::Grown(Grown {
                id,
                output: UsageOf::from(event.usage.0).output,
            }),
            _ => Self::Noise,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct User<'a> {
    #[serde(default, borrow)]
    message: Object<UserMessage<'a>>,
}

#[derive(Deserialize, Default)]
struct UserMessage<'a> {
    #[serde(default, borrow)]
    content: List<Object<Answer<'a>>>,
}

#[derive(Deserialize, Default)]
struct Answer<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Text<'a>,
    #[serde(default, borrow)]
    tool_use_id: Text<'a>,
    #[serde(default, deserialize_with = "fitting")]
    is_error: Option<bool>,
    #[serde(default, borrow)]
    content: TextOr<'a, Object<Part<'a>>>,
}

#[derive(Deserialize, Default)]
struct Part<'a> {
    #[serde(default, borrow)]
    text: Text<'a>,
}

impl<'a> From<User<'a>> for StreamEvent<'a> {
    fn from(user: User<'a>) -> Self {
        let answers = user.message.0.content.0.into_iter().map(|answer| answer.0);
        let results = answers.filter(|answer| answer.kind.0.as_deref() == Some("tool_result"));
        Self::ToolResults(results.map(ToolResult::from).collect())
    }
}

impl<'a> From<Answer<'a>> for ToolResult<'a> {
    fn from(answer: Answer<'a>) -> Self {
        Self {
            tool_use_id: answer.tool_use_id.or_empty(),
            is_error: answer.is_error.unwrap_or(false),
            text: match answer.content {
                TextOr::Text(text) => text,
                TextOr::List(parts) => {
                    let texts: Vec<_> =
                        parts.into_iter().filter_map(|part| part.0.text.0).collect();
                    texts.join("\n").into()
                }
            },
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Result<'a> {
    #[serde(default, borrow)]
    subtype: Text<'a>,
    #[serde(default, deserialize_with = "fitting")]
    is_error: Option<bool>,
    #[serde(default, borrow)]
    terminal_reason: Text<'a>,
    #[serde(default, deserialize_with = "fitting")]
    api_error_status: Option<u16>,
    #[serde(default, borrow)]
    session_id: Text<'a>,
    #[serde(default, deserialize_with = "fitting")]
    total_cost_usd: Option<f64>,
    #[serde(default, borrow)]
    result: Text<'a>,
    #[serde(default, borrow)]
    errors: List<Text<'a>>,
    structured_output: Option<serde_json::Value>,
    #[serde(default, borrow)]
    permission_denials: List<Object<DeniedCall<'a>>>,
}

#[derive(Deserialize, Default)]
struct DeniedCall<'a> {
    #[serde(default, borrow)]
    tool_name: Text<'a>,
    #[serde(default, borrow)]
    tool_use_id: Text<'a>,
    #[serde(default, borrow)]
    tool_input: Object<Input<'a>>,
}

impl<'a> From<DeniedCall<'a>> for Denial<'a> {
    fn from(call: DeniedCall<'a>) -> Self {
        let Target {
            command,
            path,
            about,
        } = call.tool_input.0.into();
        Self {
            tool: call.tool_name.or_empty(),
            tool_use_id: call.tool_use_id.or_empty(),
            about: command.or(path).or(about).unwrap_or_default(),
        }
    }
}

impl<'a> From<Result<'a>> for StreamEvent<'a> {
    fn from(result: Result<'a>) -> Self {
        let errors = || {
            let errors: Vec<_> = result
                .errors
                .0
                .into_iter()
                .filter_map(|error| error.0)
                .collect();
            errors.join("; ").into()
        };
        Self::Result(Box::new(RunResult {
            subtype: result.subtype.or_empty(),
            // A result that does not say that it went well did not go well.
            is_error: result.is_error.unwrap_or(true),
            terminal_reason: result.terminal_reason.0,
            api_error_status: result.api_error_status,
            session_id: result.session_id.or_empty(),
            total_cost_usd: result.total_cost_usd.filter(|cost| cost.is_finite()),
            text: result.result.0.unwrap_or_else(errors),
            answer: result.structured_output,
            denials: result
                .permission_denials
                .0
                .into_iter()
                .map(|call| call.0.into())
                .collect(),
        }))
    }
}

#[derive(Deserialize)]
pub(super) struct Retry<'a> {
    #[serde(default, deserialize_with = "fitting")]
    attempt: Option<u32>,
    #[serde(default, deserialize_with = "fitting")]
    error_status: Option<u16>,
    #[serde(default, borrow)]
    error: Text<'a>,
}

impl<'a> From<Retry<'a>> for StreamEvent<'a> {
    fn from(retry: Retry<'a>) -> Self {
        Self::Retry(RetryEvent {
            attempt: retry.attempt.unwrap_or_default(),
            error_status: retry.error_status,
            error: retry.error.or_empty(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct RateLimit<'a> {
    #[serde(default, borrow)]
    rate_limit_info: Object<LimitInfo<'a>>,
}

#[derive(Deserialize, Default)]
struct LimitInfo<'a> {
    #[serde(default, borrow)]
    status: Text<'a>,
    #[serde(rename = "rateLimitType", default, borrow)]
    window: Text<'a>,
    #[serde(rename = "resetsAt", default, deserialize_with = "fitting")]
    resets_at: Option<f64>,
}

impl<'a> From<RateLimit<'a>> for StreamEvent<'a> {
    fn from(event: RateLimit<'a>) -> Self {
        let info = event.rate_limit_info.0;
        Self::RateLimit(RateLimitEvent {
            status: info.status.or_empty(),
            window: info.window.or_empty(),
            resets_at: info.resets_at.filter(|at| at.is_finite()),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Denied<'a> {
    #[serde(default, borrow)]
    tool_name: Text<'a>,
    #[serde(default, borrow)]
    tool_use_id: Text<'a>,
    #[serde(default, borrow)]
    message: Text<'a>,
}

impl<'a> From<Denied<'a>> for StreamEvent<'a> {
    fn from(denied: Denied<'a>) -> Self {
        Self::Denied(Denial {
            tool: denied.tool_name.or_empty(),
            tool_use_id: denied.tool_use_id.or_empty(),
            about: denied.message.or_empty(),
        })
    }
}

#[derive(Deserialize)]
pub(super) struct Vcs<'a> {
    #[serde(default, borrow)]
    kind: Text<'a>,
}

impl<'a> From<Vcs<'a>> for StreamEvent<'a> {
    fn from(vcs: Vcs<'a>) -> Self {
        Self::VcsChanged(vcs.kind.or_empty())
    }
}
