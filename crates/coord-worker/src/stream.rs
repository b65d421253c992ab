//! The worker's stream-json, one line at a time.
//!
//! [`parse_line`] is pure and never fatal: what it does not know is named, what is broken says why,
//! and neither hides the lines that follow. Field names are those of Claude Code 2.1.330; they can
//! change between versions, so only what is used is read, and a field of another type than expected
//! counts as absent. What the events mean for the run is [`crate::summary`]'s business.

mod lines;
mod loose;
mod sniff;
mod wire;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use lines::{Lines, MAX_LINE_BYTES, Slice};
pub(crate) use sniff::is_noise;

/// What one line turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// An event of the worker.
    Event(StreamEvent<'a>),
    /// A header line of the log, beginning with `#`.
    Comment,
    /// Nothing but white space.
    Blank,
    /// JSON of a kind that this version does not know, e.g. `system/new_thing`.
    Unknown {
        /// `type`, with `/subtype` where it has one.
        kind: String,
    },
    /// Not an event at all.
    Broken(Broken),
}

/// Why a line is not an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It does not begin like a JSON object: something else wrote to the worker's stdout.
    NotJson,
    /// It begins like one, and is cut short, damaged, or has no `type`.
    Damaged,
}

/// An event as far as anybody uses it.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent<'a> {
    /// `system/init`: the session has begun, or goes on after a background task.
    Init(Init<'a>),
    /// `assistant`: one content block of a message, or a few.
    Assistant(Message<'a>),
    /// `stream_event` with a `message_delta`, where the CLI is asked for partial messages.
    Grown(Grown<'a>),
    /// `user`: what the tools answered.
    ToolResults(Vec<ToolResult<'a>>),
    /// `result`: the run's last word so far.
    Result(Box<RunResult<'a>>),
    /// `system/api_retry`: the API refused a call, which the worker is about to repeat.
    Retry(Retry<'a>),
    /// `rate_limit_event`: the state of a subscription's usage window.
    RateLimit(RateLimit<'a>),
    /// `system/permission_denied`: a tool call that was not allowed.
    Denied(Denial<'a>),
    /// `system/vcs_state_changed`: e.g. `commit` or `push`.
    VcsChanged(Cow<'a, str>),
    /// A kind that is known and of no consequence.
    Noise,
}

/// The beginning of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init<'a> {
    /// The id that `--resume` takes.
    pub session_id: Cow<'a, str>,
    /// The full name of the model.
    pub model: Cow<'a, str>,
    /// The folder that the worker runs in.
    pub cwd: Cow<'a, str>,
}

/// Some blocks of one message of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Message<'a> {
    /// Several events share it: a turn is a message, not an event.
    pub id: Cow<'a, str>,
    /// The full name of the model; `<synthetic>` where the CLI itself speaks.
    pub model: Cow<'a, str>,
    /// Whether a subagent speaks.
    pub subagent: bool,
    /// What it says and does.
    pub blocks: Vec<Block<'a>>,
    /// Its tokens, as they stood when it began.
    pub usage: Usage,
    /// The size of `blocks` as the model wrote them, in bytes.
    pub bytes: u64,
}

/// The tokens of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Of the prompt, uncached.
    pub input: u64,
    /// Of the prompt, written to the cache for whatever time.
    pub cache_write: u64,
    /// Those of `cache_write` that stay for an hour.
    pub cache_write_hour: u64,
    /// Of the prompt, from the cache.
    pub cache_read: u64,
    /// Of the answer.
    pub output: u64,
}

impl Usage {
    /// The larger number of each.
    pub(crate) fn grow(&mut self, other: &Self) {
        *self = Self {
            input: self.input.max(other.input),
            cache_write: self.cache_write.max(other.cache_write),
            cache_write_hour: self.cache_write_hour.max(other.cache_write_hour),
            cache_read: self.cache_read.max(other.cache_read),
            output: self.output.max(other.output),
        };
    }
}

/// How much a message has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown<'a> {
    /// The message.
    pub id: Cow<'a, str>,
    /// Tokens of the answer.
    pub output: u64,
}

impl Message<'_> {
    /// Whether the CLI made it up, e.g. to report an API error: no model turn was spent on it.
    #[must_use]
    pub fn is_synthetic(&self) -> bool {
        self.model == "<synthetic>"
    }
}

/// One content block.
#[derive(Debug, Clone, PartialEq)]
pub enum Block<'a> {
    /// Prose.
    Text(Cow<'a, str>),
    /// A call of a tool.
    ToolUse(ToolUse<'a>),
    /// Thinking and whatever else.
    Other,
}

/// A call of a tool, with the inputs that matter here.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse<'a> {
    /// Ties results and denials to the call.
    pub id: Cow<'a, str>,
    /// E.g. `Bash`.
    pub name: Cow<'a, str>,
    /// The command of a `Bash` call.
    pub command: Option<Cow<'a, str>>,
    /// The file of an `Edit`, `Write`, `Read`, `NotebookEdit`.
    pub path: Option<Cow<'a, str>>,
    /// A pattern, query, address or description: what the call is about when it is about no file.
    pub about: Option<Cow<'a, str>>,
}

impl ToolUse<'_> {
    /// What the call is about, for people: the command, else the file, else whatever it says.
    #[must_use]
    pub fn target(&self) -> &str {
        self.command
            .as_deref()
            .or(self.path.as_deref())
            .or(self.about.as_deref())
            .unwrap_or_default()
    }

    /// The file that the call changes, if it is one that changes files.
    #[must_use]
    pub fn edited_path(&self) -> Option<&str> {
        match self.name.as_ref() {
            "Edit" | "Write" | "MultiEdit" | "NotebookEdit" => self.path.as_deref(),
            _ => None,
        }
    }
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult<'a> {
    /// The call that it answers.
    pub tool_use_id: Cow<'a, str>,
    /// Whether the tool failed or was refused.
    pub is_error: bool,
    /// Its text parts, joined.
    pub text: Cow<'a, str>,
}

/// The end of a run, or of a part of it: only the exit of the process is final.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult<'a> {
    /// `success` also for a run that ended with an API error.
    pub subtype: Cow<'a, str>,
    /// What counts.
    pub is_error: bool,
    /// E.g. `completed`, `api_error`, `max_turns`.
    pub terminal_reason: Option<Cow<'a, str>>,
    /// The HTTP status of the API error; absent where there was no answer at all.
    pub api_error_status: Option<u16>,
    /// The session that it belongs to.
    pub session_id: Cow<'a, str>,
    /// US dollars of the whole session, earlier runs of it included.
    pub total_cost_usd: Option<f64>,
    /// The final text, else the errors.
    pub text: Cow<'a, str>,
    /// The answer in the requested schema.
    pub answer: Option<serde_json::Value>,
    /// Every call that was not allowed.
    pub denials: Vec<Denial<'a>>,
}

/// A call of the API that is about to be repeated.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry<'a> {
    /// From 1.
    pub attempt: u32,
    /// The HTTP status; absent where there was no answer at all.
    pub error_status: Option<u16>,
    /// E.g. `rate_limit`.
    pub error: Cow<'a, str>,
}

/// The state of a usage window.
#[derive(Debug, Clone, PartialEq)]
pub struct RateLimit<'a> {
    /// `allowed`, `allowed_warning` or `rejected`.
    pub status: Cow<'a, str>,
    /// E.g. `five_hour`.
    pub window: Cow<'a, str>,
    /// Seconds since the epoch.
    pub resets_at: Option<f64>,
}

/// A tool call that was not allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial<'a> {
    /// E.g. `Bash`.
    pub tool: Cow<'a, str>,
    /// The call.
    pub tool_use_id: Cow<'a, str>,
    /// The command or the file, where it is told; else the CLI's explanation.
    pub about: Cow<'a, str>,
}

/// Reads one line, without its line end.
///
/// Bytes that are no UTF-8 make the line [`Broken::Damaged`] when they stand in a field that is
/// read; a caller that wants such a line anyway replaces them first.
#[must_use]
pub fn parse_line(line: &[u8]) -> Line<'_> {
    let line = line.trim_ascii();
    match line.first() {
        None => Line::Blank,
        Some(b'#') => Line::Comment,
        Some(b'{') => parse_object(line),
        Some(_) => Line::Broken(Broken::NotJson),
    }
}

fn parse_object(line: &[u8]) -> Line<'_> {
    let kind = match sniff::kind(line) {
        Some(kind) => kind,
        None => match serde_json::from_slice::<wire::Kind<'_>>(line) {
            Ok(kind) => kind.into(),
            Err(_) => return Line::Broken(Broken::Damaged),
        },
    };
    let event = match (kind.name.as_ref(), kind.subtype.as_ref()) {
        ("", _) => return Line::Broken(Broken::Damaged),
        ("assistant", _) => read::<wire::Assistant<'_>>(line).map(StreamEvent::from),
        ("user", _) => read::<wire::User<'_>>(line).map(StreamEvent::from),
        ("result", _) => read::<wire::Result<'_>>(line).map(StreamEvent::from),
        ("rate_limit_event", _) => read::<wire::RateLimit<'_>>(line).map(StreamEvent::from),
        ("system", "init") => read::<wire::Init<'_>>(line).map(StreamEvent::from),
        ("system", "api_retry") => read::<wire::Retry<'_>>(line).map(StreamEvent::from),
        ("system", "permission_denied") => read::<wire::Denied<'_>>(line).map(StreamEvent::from),
        ("system", "vcs_state_changed") => read::<wire::Vcs<'_>>(line).map(StreamEvent::from),
        ("stream_event", _) => read::<wire::Partial<'_>>(line).map(StreamEvent::from),
        (name, subtype) if sniff::is_known(name, subtype) => {
            read::<serde::de::IgnoredAny>(line).map(|_| StreamEvent::Noise)
        }
        _ => {
            return match read::<serde::de::IgnoredAny>(line) {
                Some(_) => Line::Unknown {
                    kind: kind.full_name(),
                },
                None => Line::Broken(Broken::Damaged),
            };
        }
    };
    event.map_or(Line::Broken(Broken::Damaged), Line::Event)
}

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(line: &str) -> StreamEvent<'_> {
        match parse_line(line.as_bytes()) {
            Line::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_that_are_no_events() {
        assert_eq!(parse_line(b"# agent=a issue=#1"), Line::Comment);
        assert_eq!(parse_line(b" \r"), Line::Blank);
        assert_eq!(parse_line(b"npm warn x"), Line::Broken(Broken::NotJson));
        assert_eq!(parse_line(b"[1]"), Line::Broken(Broken::NotJson));
        assert_eq!(
            parse_line(br#"{"type":"assi"#),
            Line::Broken(Broken::Damaged)
        );
        assert_eq!(
            parse_line(br#"{"no":"type"}"#),
            Line::Broken(Broken::Damaged)
        );
        assert_eq!(parse_line(br#"{"type":7}"#), Line::Broken(Broken::Damaged));
    }

    #[test]
    fn an_unknown_kind_is_named() {
        let unknown = |kind: &str| Line::Unknown {
            kind: kind.to_owned(),
        };
        assert_eq!(parse_line(br#"{"type":"novel","x":1}"#), unknown("novel"));
        let line = br#"{"uuid":"u","type":"system","subtype":"novel"}"#;
        assert_eq!(parse_line(line), unknown("system/novel"));
    }

    #[test]
    fn the_type_may_stand_last_and_be_spaced() {
        let line =
            r#"{"is_error":true, "subtype":"success", "api_error_status":529, "type" : "result"}"#;
        let StreamEvent::Result(result) = event(line) else {
            panic!("no result");
        };
        assert!(result.is_error);
        assert_eq!(result.api_error_status, Some(529));
    }

    #[test]
    fn a_field_of_another_type_is_absent() {
        let line = r#"{"type":"result","is_error":false,"total_cost_usd":"much","permission_denials":7,"result":{}}"#;
        let StreamEvent::Result(result) = event(line) else {
            panic!("no result");
        };
        assert_eq!(result.total_cost_usd, None);
        assert!(result.denials.is_empty());
        assert_eq!(result.text, "");
    }

    #[test]
    fn a_result_without_is_error_is_an_error() {
        let StreamEvent::Result(result) = event(r#"{"type":"result","subtype":"success"}"#) else {
            panic!("no result");
        };
        assert!(result.is_error);
    }

    #[test]
    fn text_is_borrowed_where_it_has_no_escapes() {
        let line = r#"{"type":"assistant","message":{"id":"m","model":"x","content":[{"type":"text","text":"plain"}]}}"#;
        let StreamEvent::Assistant(message) = event(line) else {
            panic!("no message");
        };
        assert!(matches!(
            message.blocks[..],
            [Block::Text(Cow::Borrowed("plain"))]
        ));
    }

    #[test]
    fn tool_results_come_as_text_or_as_parts() {
        let line = r#"{"type":"user","message":{"content":[
            {"type":"tool_result","tool_use_id":"a","content":"one","is_error":true},
            {"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"two"},{"type":"image"}]},
            {"type":"text","text":"[Request interrupted]"}]}}"#;
        let StreamEvent::ToolResults(results) = event(line) else {
            panic!("no results");
        };
        let seen: Vec<_> = results
            .iter()
            .map(|r| (r.text.as_ref(), r.is_error))
            .collect();
        assert_eq!(seen, [("one", true), ("two", false)]);
    }

    #[test]
    fn deep_nesting_is_broken_and_not_fatal() {
        let line = format!(r#"{{"type":"assistant","message":{}"#, "[".repeat(100_000));
        assert_eq!(parse_line(line.as_bytes()), Line::Broken(Broken::Damaged));
    }
}
