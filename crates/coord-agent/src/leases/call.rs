//! What the CLI tells a hook (untrusted: the worker wrote most of it), and what it is answered.

use serde::Deserialize;
use serde_json::json;

/// A tool call, as far as it matters. Fields that are not known are passed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// When the hook was called.
    pub(crate) moment: Moment,
    /// E.g. `Edit`.
    pub(crate) tool: String,
}

/// When a hook was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Moment {
    /// Before the call.
    #[serde(rename = "PreToolUse")]
    Before,
    /// After it.
    #[serde(rename = "PostToolUse")]
    After,
    /// After one that failed.
    #[serde(rename = "PostToolUseFailure")]
    AfterFailure,
}

#[derive(Deserialize)]
struct Head {
    hook_event_name: Moment,
    tool_name: String,
}

#[derive(Deserialize)]
struct Body {
    tool_input: Input,
}

#[derive(Deserialize)]
struct Input {
    file_path: Option<String>,
    notebook_path: Option<String>,
}

impl Call {
    /// Reads what the hook was given; `None` for anything else.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let head: Head = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            moment: head.hook_event_name,
            tool: coord_worker::text::line(&head.tool_name, 100),
        })
    }
}

/// The path that the call wants to change.
pub(super) fn edited_path(bytes: &[u8]) -> Option<String> {
    let body: Body = serde_json::from_slice(bytes).ok()?;
    body.tool_input.file_path.or(body.tool_input.notebook_path)
}

/// Keeps the CLI from making the call; the worker reads `reason`.
pub(super) fn deny(reason: &str) -> String {
    let output = json!({
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    });
    json!({ "hookSpecificOutput": output }).to_string()
}

/// Tells the worker something behind the result of its call.
pub(super) fn tell(moment: Moment, text: &str) -> String {
    let event = match moment {
        Moment::Before => "PreToolUse",
        Moment::After => "PostToolUse",
        Moment::AfterFailure => "PostToolUseFailure",
    };
    let output = json!({"hookEventName": event, "additionalContext": text});
    json!({ "hookSpecificOutput": output }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As 2.1.330 writes it.
    const WRITE: &str = r#"{"session_id":"s","transcript_path":"/t","cwd":"/w","prompt_id":"p",
        "permission_mode":"bypassPermissions","effort":{"level":"medium"},"hook_event_name":"PreToolUse",
        "tool_name":"Write","tool_input":{"file_path":"/w/a.txt","content":"x"},"tool_use_id":"t"}"#;

    #[test]
    fn what_the_cli_really_says() {
        let call = Call::parse(WRITE.as_bytes()).unwrap();
        let expected = (Moment::Before, "Write");
        assert_eq!((call.moment, call.tool.as_str()), expected);
        assert_eq!(edited_path(WRITE.as_bytes()).unwrap(), "/w/a.txt");
        let notebook = WRITE.replace("file_path", "notebook_path");
        assert_eq!(edited_path(notebook.as_bytes()).unwrap(), "/w/a.txt");
        let failure = r#"{"hook_event_name":"PostToolUseFailure","tool_name":"Bash","tool_input":7,"error":"e"}"#;
        let call = Call::parse(failure.as_bytes()).unwrap();
        assert_eq!(call.moment, Moment::AfterFailure);
    }

    #[test]
    fn what_is_no_call_is_none() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"hook_event_name":"Stop","tool_name":"Write"}"#,
            r#"{"hook_event_name":"PreToolUse","tool_name":7}"#,
            "\u{0}",
        ] {
            assert_eq!(Call::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Call::parse(&[0xff, 0xfe]), None);
        assert_eq!(Call::parse("[".repeat(100_000).as_bytes()), None);
        for input in ["7", "{}", r#"{"file_path":7}"#, r#"{"file_path":["/w/a"]}"#] {
            let text = format!(r#"{{"tool_input":{input}}}"#);
            assert_eq!(edited_path(text.as_bytes()), None, "{input}");
        }
    }
}
