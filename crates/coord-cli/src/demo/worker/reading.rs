//! The simulated worker that only reads: it looks at the files that its script names, and answers
//! in the schema that it was given.

use std::fs;
use std::io;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::script::{self, Demand, Look, Task};
use super::{Simulation, inside};

/// How long somebody waits for a cue.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How often they look for it.
const STEP: Duration = Duration::from_millis(20);

/// What an answer in `schema` is: each of the two has a key that the other has not.
pub(super) fn task(schema: &Value) -> Task {
    match schema["properties"].get("verdict") {
        Some(_) => Task::Review,
        None => Task::Pr,
    }
}

impl Simulation {
    /// Reads what there is to read and answers.
    pub(super) fn read(&mut self, prompt: &str, task: Task) -> io::Result<Value> {
        let mut answer = None;
        let mut findings = Vec::new();
        for look in script::block(prompt, task)?.unwrap_or_default() {
            self.pause();
            match look {
                Look::Demand(demand) => findings.extend(self.insist(&demand)?),
                Look::Answer(value) => answer = Some(value),
                Look::Await(cue) => self.wait(&cue)?,
            }
        }
        let answer = answer.unwrap_or_else(|| match task {
            Task::Review => review(&findings),
            Task::Work | Task::Fix | Task::Rebase | Task::Pr => {
                json!({"title": "Solve the issue", "body": "Nobody had anything to say about it."})
            }
        });
        self.tool("StructuredOutput", &answer, || {
            Ok("Structured output provided successfully".to_owned())
        })?;
        Ok(answer)
    }

    /// Waits for a cue, not for ever.
    fn wait(&mut self, cue: &str) -> io::Result<()> {
        let stage = self.options.stage.clone().ok_or(io::ErrorKind::NotFound)?;
        for _ in 0..LONGEST_WAIT.as_millis() / STEP.as_millis() {
            if stage.join(cue).exists() {
                return Ok(());
            }
            sleep(STEP);
        }
        Err(io::Error::other(format!("nobody gave the cue `{cue}`")))
    }

    /// The finding, unless the demand is met.
    fn insist(&mut self, demand: &Demand) -> io::Result<Option<Value>> {
        let file = inside(&demand.path)?;
        let mut text = String::new();
        self.tool("Read", &json!({"file_path": file}), || {
            text = fs::read_to_string(&file)?;
            Ok(text.clone())
        })?;
        Ok((!text.contains(&demand.holds)).then(|| finding(demand, &text)))
    }
}

fn finding(demand: &Demand, text: &str) -> Value {
    let line = text.lines().position(|line| line.contains(&demand.at));
    json!({"path": demand.path, "line": line.map(|index| index + 1), "severity": "major",
        "rule": "correctness", "text": demand.text})
}

fn review(findings: &[Value]) -> Value {
    let (verdict, summary) = match findings {
        [] => (
            "approve",
            "It does what the issue asks for, and its tests show it.",
        ),
        [..] => ("request_changes", "It is not right yet."),
    };
    json!({"verdict": verdict, "summary": summary, "findings": findings})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_tells_the_task() {
        let schema = |key: &str| json!({"type": "object", "properties": {key: {"type": "string"}}});
        assert_eq!(task(&schema("verdict")), Task::Review);
        assert_eq!(task(&schema("title")), Task::Pr);
    }

    #[test]
    fn a_finding_is_at_the_line_that_it_is_about() {
        let demand = Demand {
            path: "lib/a.sh".to_owned(),
            holds: "trim".to_owned(),
            at: "tr -cs".to_owned(),
            text: "it does not trim".to_owned(),
        };
        assert_eq!(finding(&demand, "a() {\n    tr -cs x\n}\n")["line"], 2);
        assert_eq!(finding(&demand, "")["line"], Value::Null);
    }
}
