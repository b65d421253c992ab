//! The simulated worker: speaks the worker's stream-json, and does for real what the issue's
//! `simulate` blocks say. No model is asked, and it says so.

mod branch;
mod reading;
mod script;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use script::{Step, Task};

/// How the simulated worker is started: `coord __simulated-worker [OPTIONS] [ANYTHING…]`.
///
/// What follows the options is what the real worker would be given; only the session and the
/// schema count.
#[derive(Debug, Default)]
pub(crate) struct Options {
    delay: Duration,
    trace: Option<PathBuf>,
    /// Where cues are given.
    stage: Option<PathBuf>,
    session: String,
    /// Messages come as lines of JSON, as they do with `--input-format stream-json`.
    is_steerable: bool,
    /// What its answer has to fit.
    schema: Option<Value>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            session: "simulated".to_owned(),
            ..Self::default()
        };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--delay-ms" => {
                    let millis = args.next().and_then(|text| text.parse().ok()).unwrap_or(0);
                    options.delay = Duration::from_millis(millis);
                }
                "--trace" => options.trace = args.next().map(PathBuf::from),
                "--stage" => options.stage = args.next().map(PathBuf::from),
                "--input-format" => {
                    options.is_steerable = args.next().as_deref() == Some("stream-json");
                }
                "--json-schema" => {
                    let schema = args
                        .next()
                        .and_then(|text| serde_json::from_str(&text).ok());
                    options.schema = schema;
                }
                "--session-id" | "--resume" => {
                    options.session = args.next().unwrap_or(options.session);
                }
                _ => {}
            }
        }
        options
    }
}

/// Runs the worker to its end.
pub(crate) fn run(args: impl Iterator<Item = String>) -> ExitCode {
    let options = Options::parse(args);
    let mut worker = Simulation {
        options,
        turn: 0,
        cost_usd: 0.0,
        out: io::stdout(),
    };
    match worker.work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The stream ends as the real worker's does when it cannot go on.
            let _ = worker.result(true, &error.to_string(), None);
            ExitCode::FAILURE
        }
    }
}

struct Simulation {
    options: Options,
    turn: u32,
    cost_usd: f64,
    out: io::Stdout,
}

impl Simulation {
    fn work(&mut self) -> io::Result<()> {
        let prompt = match self.options.is_steerable {
            true => message()?.unwrap_or_default(),
            false => io::read_to_string(io::stdin())?,
        };
        self.trace("start")?;
        let cwd = std::env::current_dir()?;
        self.emit(
            &json!({"type": "system", "subtype": "init", "cwd": cwd, "model": "simulated",
            "session_id": self.options.session, "tools": ["Bash", "Edit", "Write"],
            "permissionMode": "bypassPermissions", "apiKeySource": "none"}),
        )?;
        self.say(
            "This is a simulation: no model is asked. STATUS lines and edits follow a script.",
        )?;
        let answer = match self.options.schema.as_ref().map(reading::task) {
            Some(task) => Some(self.read(&prompt, task)?),
            None => self.write(&prompt).map(|()| None)?,
        };
        self.result(false, "the script of the issue is done", answer)?;
        self.trace("end")
    }

    fn write(&mut self, prompt: &str) -> io::Result<()> {
        let may_be_sent_back = [Task::Fix, Task::Rebase]
            .into_iter()
            .any(|task| script::has(prompt, task));
        let task = match may_be_sent_back {
            true => self.begin(prompt)?,
            false => Task::Work,
        };
        for step in script::steps(prompt, task)? {
            self.pause();
            self.act(step)?;
        }
        Ok(())
    }

    fn pause(&self) {
        sleep(self.options.delay);
    }

    fn act(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Say(text) => self.say(&text),
            Step::Write { path, content } => {
                let file = inside(&path)?;
                let input = json!({"file_path": file, "content": content});
                self.tool("Write", &input, || {
                    if let Some(folder) = file.parent() {
                        fs::create_dir_all(folder)?;
                    }
                    fs::write(&file, content)?;
                    Ok(format!("File created successfully at: {path}"))
                })
            }
            Step::Replace { path, find, with } => {
                let file = inside(&path)?;
                let input = json!({"file_path": file, "old_string": find, "new_string": with});
                self.tool("Edit", &input, || {
                    let text = fs::read_to_string(&file)?;
                    if !text.contains(&find) {
                        return Err(io::Error::other(format!("`{find}` is not in {path}")));
                    }
                    fs::write(&file, text.replacen(&find, &with, 1))?;
                    Ok(format!("The file {path} has been updated."))
                })
            }
            Step::Hear { path } => {
                let said = message()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                fs::write(inside(&path)?, said + "\n")?;
                self.say(&format!("STATUS: heard it, see {path}"))
            }
            Step::Run(command) => self.shell(&command, &[]),
            Step::Commit(message) => self.shell(
                "git add --all && git commit --quiet --message \"$0\"",
                &[&message],
            ),
            Step::Cost(usd) => {
                self.cost_usd += usd;
                Ok(())
            }
        }
    }

    fn shell(&mut self, command: &str, args: &[&str]) -> io::Result<()> {
        let input = json!({"command": command, "description": "run"});
        self.tool("Bash", &input, || {
            let output = Command::new("sh")
                .arg("-c")
                .arg(command)
                .args(args)
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            if output.status.success() {
                Ok(text)
            } else {
                Err(io::Error::other(text))
            }
        })
    }

    /// Announces a tool call, makes it, and tells what came of it.
    fn tool(
        &mut self,
        name: &str,
        input: &Value,
        call: impl FnOnce() -> io::Result<String>,
    ) -> io::Result<()> {
        self.turn += 1;
        let id = format!("toolu_simulated_{}", self.turn);
        self.assistant(&json!({"type": "tool_use", "id": id, "name": name, "input": input}))?;
        let answer = call();
        let (text, is_error) = match &answer {
            Ok(text) => (text.clone(), false),
            Err(error) => (error.to_string(), true),
        };
        self.emit(
            &json!({"type": "user", "session_id": self.options.session, "message": {
            "role": "user", "content": [{"type": "tool_result", "tool_use_id": id,
            "content": text, "is_error": is_error}]}}),
        )?;
        answer.map(drop)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.turn += 1;
        self.assistant(&json!({"type": "text", "text": text}))
    }

    fn assistant(&mut self, block: &Value) -> io::Result<()> {
        let id = format!("msg_simulated_{}", self.turn);
        self.emit(
            &json!({"type": "assistant", "session_id": self.options.session,
            "parent_tool_use_id": null, "message": {"id": id, "type": "message",
            "role": "assistant", "model": "simulated", "content": [block]}}),
        )
    }

    fn result(&mut self, is_error: bool, text: &str, answer: Option<Value>) -> io::Result<()> {
        let subtype = if is_error {
            "error_during_execution"
        } else {
            "success"
        };
        let mut result = json!({"type": "result", "subtype": subtype, "is_error": is_error,
            "num_turns": self.turn, "result": text, "session_id": self.options.session,
            "total_cost_usd": self.cost_usd, "terminal_reason": "completed", "permission_denials": []});
        if let Some(answer) = answer {
            result["structured_output"] = answer;
        }
        self.emit(&result)
    }

    fn emit(&mut self, event: &Value) -> io::Result<()> {
        writeln!(self.out, "{event}")?;
        self.out.flush()
    }

    /// One line per start and end, for who wants to know that nothing ran twice.
    fn trace(&self, what: &str) -> io::Result<()> {
        let Some(path) = &self.options.trace else {
            return Ok(());
        };
        let line = format!("{what} {}\n", self.options.session);
        File::options()
            .create(true)
            .append(true)
            .open(path)?
            .write_all(line.as_bytes())
    }
}

/// The path in the worktree. The script stands in an issue: it may not lead out.
fn inside(path: &str) -> io::Result<PathBuf> {
    let relative = Path::new(path);
    if relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        Ok(std::env::current_dir()?.join(relative))
    } else {
        Err(io::Error::other(format!(
            "`{path}` leads out of the worktree"
        )))
    }
}

/// The next message from stdin; `None` when none can come any more.
fn message() -> io::Result<Option<String>> {
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let message: Value = serde_json::from_str(&line)?;
    let text = message["message"]["content"].as_str();
    Ok(Some(text.unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_worktree() {
        assert!(inside("lib/a.sh").is_ok());
        for path in ["../x", "/etc/passwd", "a/../../b", "./x"] {
            assert!(inside(path).is_err(), "{path}");
        }
    }
}
