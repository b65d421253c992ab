//! Running `coord` in a laboratory, as a person would.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Lab, NAME};

/// How one command ended.
#[derive(Debug)]
pub(crate) struct Answer {
    command: String,
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

impl Answer {
    /// Runs the command to its end.
    pub(crate) fn of(command: &mut Command) -> Result<Self> {
        let output = command
            .output()
            .with_context(|| format!("failed to run {command:?}"))?;
        Ok(Self {
            command: spelled(command),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Fails unless the exit code is `code`.
    pub(crate) fn expect(&self, code: i32) -> Result<()> {
        ensure!(self.code == Some(code), "expected exit code {code}: {self}");
        Ok(())
    }

    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {self}"))
    }
}

/// The command as a person would type it, without its environment.
fn spelled(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{command} ended with {code:?}, printed\n{stdout}\nand complained\n{stderr}"
        )
    }
}

impl Lab {
    /// `coord ARGS --config …`.
    pub(crate) fn coord(&self, args: &[&str]) -> Result<Answer> {
        let mut command = self.command(&self.binaries.coord());
        Answer::of(command.arg("--config").arg(self.config()).args(args))
    }

    /// `coord ARGS --json`, which has to end well.
    pub(crate) fn coord_json(&self, args: &[&str]) -> Result<Value> {
        let answer = self.coord(&[&["--json"], args].concat())?;
        ensure!(
            answer.code == Some(0),
            "coord {} ended as {answer:?}",
            args.join(" ")
        );
        answer.json()
    }

    /// Opens an issue and returns its number.
    pub(crate) fn open_issue(&self, title: &str, body: &str) -> Result<u64> {
        let issue = self.coord_json(&["issue", "new", title, "--body", body])?;
        issue["number"].as_u64().context("the issue has no number")
    }

    /// Puts a worker on an issue and returns the id of the assignment.
    pub(crate) fn assign(&self, issue: u64) -> Result<String> {
        self.assign_to(NAME, issue, &[])
    }

    /// The same on a machine, or on any for `-`, with further arguments.
    pub(crate) fn assign_to(&self, machine: &str, issue: u64, more: &[&str]) -> Result<String> {
        let issue = issue.to_string();
        let answer = self.coord_json(&[&["assign", machine, NAME, &issue], more].concat())?;
        let id = answer["assignment"]["id"].as_str();
        Ok(id.context("the assignment has no id")?.to_owned())
    }

    /// Waits until the assignments have ended, which `coord wait` has to judge with `code`.
    pub(crate) fn wait(&self, ids: &[&str], code: i32) -> Result<()> {
        let args = [&["wait", "--timeout", "120"], ids].concat();
        self.coord(&args)?.expect(code)
    }

    /// The assignment as `coord status --json` shows it.
    pub(crate) fn assignment(&self, id: &str) -> Result<Value> {
        let status = self.coord_json(&["status", "--finished", "100"])?;
        let lists = ["assignments", "finished"]
            .iter()
            .filter_map(|key| status[key].as_array());
        lists
            .flatten()
            .find(|row| row["id"] == id)
            .cloned()
            .with_context(|| format!("coord status does not show {id}: {status}"))
    }
}
