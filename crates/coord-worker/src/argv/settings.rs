//! `--settings`: the coordinator's own, with what the configuration adds and the hooks that ask the agent.
//!
//! Measured with 2.1.330, in `-p` mode with `--setting-sources user`, under bypass and `dontAsk` alike:
//!
//! - Of several `--settings` only the last counts, as a whole. `disableAllHooks` of the user's own settings
//!   switches these hooks off too, unless `--settings` says otherwise.
//! - A hook gets `{session_id, transcript_path, cwd, permission_mode, hook_event_name, tool_name, tool_input,
//!   tool_use_id}` on stdin, in a subagent also `{agent_id, agent_type}`; `PostToolUse` adds `tool_response` and
//!   `duration_ms`. A call that failed (`false` in Bash) gives `PostToolUseFailure` with `error` instead.
//! - `file_path` of Edit and Write and `notebook_path` of NotebookEdit are absolute and without `..`, links
//!   are not followed; `cwd` is where the last `cd` led. MultiEdit does not exist any more. Arguments that are wrong are
//!   refused before any hook.
//! - Exit 2 denies with `PreToolUse:Write hook error: [COMMAND]: STDERR`; exit 0 with
//!   `permissionDecision: deny` denies with `permissionDecisionReason` and nothing else. Both are a tool result with
//!   `is_error`, and stand in `permission_denials` of the result; no `permission_denied` event comes. `allow` would overrule
//!   `dontAsk`, no output does not.
//! - `additionalContext` reaches the model behind the tool's result, as `PostToolUse:Bash hook additional context: …`,
//!   if `hookEventName` is that of the call; it is not in the stream. `decision: block` does the same and quotes
//!   the command line.
//! - After its `timeout` (seconds) a hook has consented: `system/informational` with the tag `hook_no_verdict`.

use serde_json::{Map, Value, json};

use super::ArgvError;

/// Before these the agent is asked.
const EDITS: &str = "Edit|Write|MultiEdit|NotebookEdit";
/// After these the agent looks at the worktree: whatever can write.
const WRITES: &str = "Bash|Edit|Write|MultiEdit|NotebookEdit|Monitor|mcp__.*";
/// Longer than the hook itself takes in any case: a time-out would be a consent.
const TIMEOUT_SECONDS: u64 = 120;

/// Shell commands that the CLI runs at tool calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Before an edit.
    pub before: String,
    /// After whatever can write.
    pub after: String,
}

/// Takes `--settings` out of the configuration's arguments, the last one if there are several: its value, which
/// is JSON or the path of a file, and the arguments that are left.
#[must_use]
pub fn own_settings(args: &[String]) -> (Option<String>, Vec<String>) {
    let (mut found, mut left) = (None, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--settings=") {
            Some(value) => found = Some(value.to_owned()),
            None if arg == "--settings" => found = args.next().cloned().or(found),
            None => left.push(arg.clone()),
        }
    }
    (found, left)
}

/// Reads settings.
///
/// # Errors
/// [`ArgvError::Settings`] for what is no JSON object.
pub fn parse(text: &str) -> Result<Map<String, Value>, ArgvError> {
    serde_json::from_str(text).map_err(|error| ArgvError::Settings {
        why: error.to_string(),
    })
}

/// The value of the one `--settings`.
pub(super) fn merged(theirs: &Map<String, Value>, hooks: Option<&Hooks>) -> String {
    // Keeps the CLI's own signature out of commits and pull requests.
    let mut all = Map::from_iter([("attribution".to_owned(), json!({"commit": "", "pr": ""}))]);
    all.extend(theirs.clone());
    if let Some(Hooks { before, after }) = hooks {
        all.insert("disableAllHooks".to_owned(), Value::Bool(false));
        add(&mut all, "PreToolUse", EDITS, before);
        add(&mut all, "PostToolUse", WRITES, after);
        add(&mut all, "PostToolUseFailure", WRITES, after);
    }
    Value::Object(all).to_string()
}

/// Beside the hooks that are there; what is none there counts for nothing.
fn add(all: &mut Map<String, Value>, event: &str, tools: &str, command: &str) {
    let hook = json!({"type": "command", "command": command, "timeout": TIMEOUT_SECONDS});
    let entry = json!({"matcher": tools, "hooks": [hook]});
    let mut hooks = match all.remove("hooks") {
        Some(Value::Object(hooks)) => hooks,
        Some(_) | None => Map::new(),
    };
    let mut entries = match hooks.remove(event) {
        Some(Value::Array(entries)) => entries,
        Some(_) | None => Vec::new(),
    };
    entries.push(entry);
    hooks.insert(event.to_owned(), Value::Array(entries));
    all.insert("hooks".to_owned(), Value::Object(hooks));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks() -> Hooks {
        Hooks {
            before: "'a b' hook pre".to_owned(),
            after: "'a b' hook post".to_owned(),
        }
    }

    #[test]
    fn hooks_stand_beside_what_the_configuration_wants() {
        let theirs = parse(
            r#"{"env": {"A": "b"}, "disableAllHooks": true, "attribution": {"commit": "me"},
                "hooks": {"PreToolUse": [{"matcher": "Bash"}], "PostToolUse": "nonsense"}}"#,
        );
        let merged = merged(&theirs.unwrap(), Some(&hooks()));
        let pretty: Value = serde_json::from_str(&merged).unwrap();
        insta::assert_json_snapshot!(pretty);
    }

    #[test]
    fn without_hooks_there_is_no_word_of_them() {
        let merged = merged(&Map::new(), None);
        assert_eq!(merged, r#"{"attribution":{"commit":"","pr":""}}"#);
        assert!(parse("[]").is_err());
    }

    #[test]
    fn the_last_settings_of_the_configuration_count() {
        let args = [
            "--a",
            "--settings",
            "x",
            "--settings=y",
            "--settingsx",
            "-b",
        ];
        let (found, left) = own_settings(&args.map(str::to_owned));
        assert_eq!(found.as_deref(), Some("y"));
        assert_eq!(left, ["--a", "--settingsx", "-b"]);
        assert_eq!(own_settings(&["--settings".to_owned()]), (None, vec![]));
    }
}
