//! What the model is made to say: steps, and the turns that they make up.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

/// `{"attempts": [[…], […]]}`: the first script for the first worker that is given it, and so on; the
/// last for all that come later.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Varied {
    pub(super) attempts: Vec<Vec<Step>>,
}

/// One step of a script. A turn of the model ends with a tool call, with [`Step::End`] or with the script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `{"text": "…"}`: prose.
    Text(String),
    /// `{"bash": "…"}`: a call of `Bash`.
    Bash(String),
    /// `{"write": {"path": "…", "content": "…"}}`: a call of `Write`.
    Write {
        /// Relative to the worker's folder, or absolute.
        path: String,
        /// The whole file.
        content: String,
    },
    /// `{"edit": {"path": "…", "old": "…", "new": "…"}}`: a call of `Edit`, which has to be preceded by a
    /// `Read` or `Write` of that file.
    Edit {
        /// Relative to the worker's folder, or absolute.
        path: String,
        /// What is replaced.
        old: String,
        /// By what.
        new: String,
    },
    /// `{"tool": {"name": "…", "input": {…}}}`: a call of any tool.
    Tool {
        /// Its name.
        name: String,
        /// Its input.
        input: Value,
    },
    /// `{"end": true}`: the turn ends without a tool call, and the run with it, if it is not steered on.
    End(bool),
    /// `{"delay_ms": 500}`: a wait before the answer of this turn begins.
    DelayMs(u64),
    /// `{"await": "/path"}`: a wait until there is such a file, at most two minutes.
    Await(PathBuf),
    /// `{"from": "/path"}`: the steps in that file, an array, in the place of this one.
    From(PathBuf),
    /// `{"error": {"status": 529, "times": 2}}`: an error instead of the answer.
    Error(ApiError),
    /// `{"limit": {"resets_at": 1795398839}}`: a usage limit, as subscriptions have them.
    Limit {
        /// Seconds since the epoch.
        resets_at: u64,
        /// How often, as for errors.
        #[serde(default = "always")]
        times: u32,
    },
    /// `{"cut": true}`: the connection breaks in the middle of the answer.
    Cut(bool),
    /// `{"usage": {"input_tokens": 100000, "output_tokens": 20}}`: what the turn is said to have cost.
    Usage(Usage),
}

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// How often this turn fails before it succeeds; always, if not said.
    #[serde(default = "always")]
    pub times: u32,
    /// Seconds for the `retry-after` header.
    pub retry_after: Option<u64>,
    /// The error's own words.
    #[serde(default)]
    pub message: String,
}

const fn always() -> u32 {
    u32::MAX
}

/// What a turn is said to have cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Read by the model.
    pub input_tokens: u64,
    /// Written by it.
    pub output_tokens: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input_tokens: 100,
            output_tokens: 20,
        }
    }
}

/// One answer of the model, and what goes wrong before it comes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Turn {
    pub(super) delay_ms: u64,
    pub(super) waits_for: Vec<PathBuf>,
    pub(super) failures: Vec<Failure>,
    pub(super) text: Vec<String>,
    pub(super) tool: Option<ToolCall>,
    pub(super) cut: bool,
    pub(super) usage: Usage,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToolCall {
    pub(super) name: String,
    pub(super) input: Value,
}

/// An answer that is an error, `times` times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) error: ApiError,
    pub(super) resets_at: Option<u64>,
}

/// The same steps with those that stand in files.
pub(super) fn with_files(steps: Vec<Step>) -> Result<Vec<Step>, String> {
    let mut all = Vec::new();
    for step in steps {
        let Step::From(path) = step else {
            all.push(step);
            continue;
        };
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let steps: Vec<Step> = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        all.extend(steps);
    }
    Ok(all)
}

/// The turns of a script. After them the model only says that it is done.
pub(super) fn turns(steps: Vec<Step>) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut turn = Turn::default();
    for step in steps {
        if turn.take(step) {
            turns.push(std::mem::take(&mut turn));
        }
    }
    if turn != Turn::default() {
        turns.push(turn);
    }
    turns
}

impl Turn {
    /// The answer to whatever no script says anything about.
    pub(super) fn done() -> Self {
        Self {
            text: vec!["STATUS: DONE".to_owned()],
            ..Self::default()
        }
    }

    /// Adds a step, and says whether the turn is complete with it.
    fn take(&mut self, step: Step) -> bool {
        match step {
            Step::Text(text) => self.text.push(text),
            Step::Bash(command) => {
                return self.call(
                    "Bash",
                    json!({"command": command, "description": "scripted"}),
                );
            }
            Step::Write { path, content } => {
                return self.call("Write", json!({"file_path": path, "content": content}));
            }
            Step::Edit { path, old, new } => {
                return self.call(
                    "Edit",
                    json!({"file_path": path, "old_string": old, "new_string": new}),
                );
            }
            Step::Tool { name, input } => return self.call(&name, input),
            Step::End(end) => return end,
            Step::DelayMs(ms) => self.delay_ms += ms,
            Step::Await(path) => self.waits_for.push(path),
            // Its steps have taken its place by now; a file does not lead to another one.
            Step::From(_) => {}
            Step::Error(error) => self.failures.push(Failure {
                error,
                resets_at: None,
            }),
            Step::Limit { resets_at, times } => self.failures.push(Failure {
                error: ApiError {
                    status: 429,
                    times,
                    retry_after: None,
                    message: "limit".to_owned(),
                },
                resets_at: Some(resets_at),
            }),
            Step::Cut(cut) => self.cut = cut,
            Step::Usage(usage) => self.usage = usage,
        }
        false
    }

    fn call(&mut self, name: &str, input: Value) -> bool {
        self.tool = Some(ToolCall {
            name: name.to_owned(),
            input,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(script: &str) -> Vec<Turn> {
        turns(serde_json::from_str(script).unwrap())
    }

    #[test]
    fn a_tool_call_ends_a_turn() {
        let turns =
            parsed(r#"[{"text":"a"},{"bash":"ls"},{"delay_ms":5},{"text":"b"},{"text":"c"}]"#);
        assert_eq!(turns.len(), 2);
        assert_eq!((turns[0].text.len(), turns[0].tool.is_some()), (1, true));
        assert_eq!((turns[1].text.len(), turns[1].delay_ms), (2, 5));
    }

    #[test]
    fn an_end_ends_it_too() {
        assert_eq!(
            parsed(r#"[{"text":"STUCK: why?"},{"end":true},{"text":"thanks"}]"#).len(),
            2
        );
        assert_eq!(parsed("[]").len(), 0);
    }

    #[test]
    fn errors_belong_to_the_answer_after_them() {
        let turns = parsed(
            r#"[{"bash":"ls"},{"error":{"status":529,"times":2}},{"limit":{"resets_at":9}},{"text":"b"}]"#,
        );
        let failures: Vec<_> = turns[1]
            .failures
            .iter()
            .map(|f| (f.error.status, f.error.times))
            .collect();
        assert_eq!(failures, [(529, 2), (429, u32::MAX)]);
    }
}
