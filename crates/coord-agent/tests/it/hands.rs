//! The hands of a worker: tool calls as the CLI makes them, with the hooks that its `--settings` name.
//!
//! The scripted worker only waits meanwhile, so that a test can make calls when it likes, and several at once.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use coord_core::ids::AssignmentId;
use serde_json::{Value, json};

use crate::rig::Rig;

/// The hands of one worker.
#[derive(Debug, Clone)]
pub(crate) struct Hands {
    pub(crate) worktree: PathBuf,
    settings: Value,
    env: Vec<(String, String)>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Called {
    /// It was made; what the hook adds for the worker.
    Made(String),
    /// It was denied, with this reason.
    Denied(String),
}

impl Called {
    pub(crate) fn denied(self) -> String {
        match self {
            Self::Denied(reason) => reason,
            Self::Made(text) => panic!("it was made: {text}"),
        }
    }

    pub(crate) fn made(self) -> String {
        match self {
            Self::Made(text) => text,
            Self::Denied(reason) => panic!("it was denied: {reason}"),
        }
    }
}

impl Hands {
    /// Those of the worker of `id`, which waits.
    pub(crate) async fn of(rig: &Rig, id: &AssignmentId) -> Self {
        rig.says(id, "waiting").await;
        let log = std::fs::read_to_string(rig.folder(id).join("log.ndjson")).unwrap();
        let (_, settings) = log.split_once("--settings ").unwrap();
        let settings = serde_json::Deserializer::from_str(settings)
            .into_iter()
            .next()
            .unwrap()
            .unwrap();
        let plan = std::fs::read_to_string(rig.folder(id).join("plan.json")).unwrap();
        let plan: Value = serde_json::from_str(&plan).unwrap();
        Self {
            worktree: plan["worktree"].as_str().unwrap().into(),
            settings,
            env: rig.sandbox.env(),
        }
    }

    /// Whether there are hooks at all.
    pub(crate) fn are_checked(&self) -> bool {
        self.settings.get("hooks").is_some()
    }

    /// A call of `Write`; the CLI makes the path absolute.
    pub(crate) fn write(&self, path: &str, content: &str) -> Called {
        self.edit("Write", "file_path", path, content)
    }

    pub(crate) fn edit(&self, tool: &str, key: &str, path: &str, content: &str) -> Called {
        let file = self.worktree.join(path);
        let input = json!({key: file, "content": content});
        match self.hook("PreToolUse", tool, &input) {
            Called::Denied(reason) => return Called::Denied(reason),
            Called::Made(text) => assert_eq!(text, "", "nothing to say before a call"),
        }
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(&file, content).unwrap();
        self.hook("PostToolUse", tool, &input)
    }

    /// A call of `Bash`, which asks nobody; what the worker is told behind its result.
    pub(crate) fn bash(&self, script: &str) -> String {
        let done = Command::new("sh")
            .args(["-ec", script])
            .current_dir(&self.worktree)
            .env_clear()
            .envs(self.env.iter().cloned())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        let event = match done.success() {
            true => "PostToolUse",
            false => "PostToolUseFailure",
        };
        self.hook(event, "Bash", &json!({"command": script})).made()
    }

    pub(crate) fn hook(&self, event: &str, tool: &str, input: &Value) -> Called {
        let call = json!({
            "session_id": "s", "cwd": self.worktree, "permission_mode": "bypassPermissions",
            "hook_event_name": event, "tool_name": tool, "tool_input": input, "tool_use_id": "t",
        });
        let (code, stdout, stderr) = self.raw(event, tool, call.to_string().as_bytes());
        match code {
            0 if stdout.is_empty() => Called::Made(String::new()),
            0 => answered(event, &stdout),
            2 => Called::Denied(stderr),
            other => panic!("the hook ended with {other}: {stderr}"),
        }
    }

    /// Runs the hook as the CLI does; exit code, stdout, stderr.
    pub(crate) fn raw(&self, event: &str, tool: &str, call: &[u8]) -> (i32, String, String) {
        let Some(command) = self.command(event, tool) else {
            return (0, String::new(), String::new());
        };
        let mut hook = Command::new("/bin/sh")
            .args(["-c", &command])
            .current_dir(&self.worktree)
            .env_clear()
            .envs(self.env.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        hook.stdin.take().unwrap().write_all(call).unwrap();
        let output = hook.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// The command that the settings name for calls of `tool`.
    pub(crate) fn command(&self, event: &str, tool: &str) -> Option<String> {
        let entries = self.settings["hooks"][event].as_array()?;
        let matches = |entry: &&Value| {
            let matcher = entry["matcher"].as_str().unwrap();
            matcher.split('|').any(|name| name == tool)
        };
        let entry = entries.iter().find(matches)?;
        let hook = &entry["hooks"][0];
        assert_eq!(hook["type"], "command");
        Some(hook["command"].as_str().unwrap().to_owned())
    }

    /// What stands in a file of the worktree.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.worktree.join(path)).ok()
    }

    /// Address, path and token of its hooks.
    pub(crate) fn door(folder: &Path) -> (String, String, String) {
        let door = std::fs::read_to_string(folder.join("hook")).unwrap();
        let mut lines = door.lines().skip(1).map(str::to_owned);
        let mut next = || lines.next().unwrap();
        (next(), next(), next())
    }
}

fn answered(event: &str, stdout: &str) -> Called {
    let answer: Value = serde_json::from_str(stdout).unwrap();
    let output = &answer["hookSpecificOutput"];
    assert_eq!(output["hookEventName"], event);
    match output["permissionDecision"].as_str() {
        Some("deny") => {
            let reason = output["permissionDecisionReason"].as_str().unwrap();
            Called::Denied(reason.to_owned())
        }
        Some(other) => panic!("a hook may not say {other}"),
        None => Called::Made(output["additionalContext"].as_str().unwrap().to_owned()),
    }
}
