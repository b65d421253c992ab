//! The kind of a line from its first bytes, so that most of a log is never parsed.

use std::borrow::Cow;

/// `type` and `subtype` of an event; empty where it has none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) subtype: Cow<'a, str>,
}

impl Kind<'_> {
    pub(super) fn full_name(&self) -> String {
        let name = if self.subtype.is_empty() {
            self.name.clone().into_owned()
        } else {
            format!("{}/{}", self.name, self.subtype)
        };
        crate::text::line(&name, 80)
    }
}

/// Kinds that are known and of no consequence (2.1.330).
const NOISE: [&str; 10] = [
    "stream_event",
    "control_request",
    "control_response",
    "control_cancel_request",
    "command_lifecycle",
    "tool_progress",
    "keep_alive",
    "ui_invalidate",
    "session_title_changed",
    "hook_started",
];

/// Subtypes of `system` that are known and of no consequence (2.1.330).
const SYSTEM_NOISE: [&str; 12] = [
    "background_tasks_changed",
    "compact_boundary",
    "hook_progress",
    "hook_response",
    "hook_started",
    "informational",
    "status",
    "task_notification",
    "task_progress",
    "task_started",
    "task_updated",
    "thinking_tokens",
];

/// The one part of a partial message that is not noise: it tells the tokens.
const MESSAGE_DELTA: &[u8] = br#"{"type":"stream_event","event":{"type":"message_delta""#;

/// Whether the kind is one of no consequence.
pub(super) fn is_known(name: &str, subtype: &str) -> bool {
    NOISE.contains(&name) || (name == "system" && SYSTEM_NOISE.contains(&subtype))
}

/// The kind, if the line begins as the CLI usually writes it; `None` means: parse to find out.
pub(super) fn kind(line: &[u8]) -> Option<Kind<'_>> {
    let (name, rest) = plain_string(line.strip_prefix(br#"{"type":"#)?)?;
    let subtype = rest
        .strip_prefix(br#","subtype":"#)
        .and_then(plain_string)
        .map_or("", |(subtype, _)| subtype);
    // Only `system` is told apart by subtype, and there it may stand elsewhere.
    if name == "system" && subtype.is_empty() {
        return None;
    }
    Some(Kind {
        name: name.into(),
        subtype: subtype.into(),
    })
}

/// A JSON string without escapes at the beginning of `bytes`, and what follows it.
fn plain_string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let bytes = bytes.strip_prefix(b"\"")?;
    let end = bytes
        .iter()
        .take(64)
        .position(|b| matches!(b, b'"' | b'\\'))?;
    if bytes[end] == b'\\' {
        return None;
    }
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

/// Whether a line cannot change a summary: a tool's answer, or noise, and apparently whole.
///
/// A line that is cut short is not skipped, so that it is counted as broken.
pub(crate) fn is_noise(line: &[u8]) -> bool {
    line.ends_with(b"}")
        && !line.starts_with(MESSAGE_DELTA)
        && kind(line).is_some_and(|kind| kind.name == "user" || is_known(&kind.name, &kind.subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_lines_need_no_parser() {
        let sniffed = kind(br#"{"type":"system","subtype":"status","x":1}"#).unwrap();
        assert_eq!(sniffed.full_name(), "system/status");
        assert_eq!(
            kind(br#"{"type":"user","message":{}}"#)
                .unwrap()
                .full_name(),
            "user"
        );
    }

    #[test]
    fn unusual_lines_are_left_to_the_parser() {
        assert_eq!(kind(br#"{"type":"us\u0065r"}"#), None);
        assert_eq!(kind(br#"{"uuid":"x","type":"user"}"#), None);
        assert_eq!(
            kind(br#"{"type":"system","uuid":"x","subtype":"status"}"#),
            None
        );
        assert_eq!(kind(br#"{"type":"#), None);
    }

    #[test]
    fn noise_is_whole_and_known() {
        assert!(is_noise(br#"{"type":"user","message":{}}"#));
        assert!(!is_noise(br#"{"type":"user","message":{"#));
        assert!(!is_noise(br#"{"type":"novel"}"#));
        let partial = |part: &str| {
            let line = format!(r#"{{"type":"stream_event","event":{{"type":"{part}"}}}}"#);
            is_noise(line.as_bytes())
        };
        assert!(partial("content_block_delta") && !partial("message_delta"));
        assert!(!is_noise(br#"{"type":"system","subtype":"init"}"#));
    }
}
