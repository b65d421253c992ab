//! What a worker's CLI has printed: what its tools answered, and what it was kept from.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::lab::Lab;

/// What a tool answered.
#[derive(Debug)]
pub(super) struct ToolResult {
    /// Milliseconds since the epoch, by the CLI's clock.
    pub(super) at: i64,
    pub(super) is_error: bool,
    pub(super) text: String,
}

/// What the worker of an assignment has printed so far.
pub(super) struct Stream(Vec<Value>);

impl Stream {
    pub(super) fn of(lab: &Lab, id: &str) -> Result<Self> {
        let log = lab.coord(&["log", id, "--raw"])?;
        log.expect(0)?;
        let lines = log.stdout.lines();
        Ok(Self(
            lines
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
        ))
    }

    /// What its tools answered, in order.
    pub(super) fn results(&self) -> Result<Vec<ToolResult>> {
        let results = self.0.iter().filter(|line| line["type"] == "user");
        let results = results.flat_map(|line| {
            let blocks = line["message"]["content"].as_array();
            let blocks = blocks.map(Vec::as_slice).unwrap_or_default();
            let results = blocks.iter().filter(|it| it["type"] == "tool_result");
            results.map(move |block| result(line, block))
        });
        results.collect()
    }

    /// Those that are errors and say `words`.
    pub(super) fn errors(&self, words: &str) -> Result<Vec<ToolResult>> {
        let errors = self.results()?.into_iter();
        Ok(errors
            .filter(|it| it.is_error && it.text.contains(words))
            .collect())
    }

    /// The tools that the run was kept from using, by its result.
    pub(super) fn denied(&self) -> Vec<&str> {
        let results = self.0.iter().filter(|line| line["type"] == "result");
        let denials = results.filter_map(|line| line["permission_denials"].as_array());
        let denials = denials.flatten();
        denials.filter_map(|it| it["tool_name"].as_str()).collect()
    }
}

fn result(line: &Value, block: &Value) -> Result<ToolResult> {
    let at = line["timestamp"]
        .as_str()
        .context("a line without a time")?;
    let at: jiff::Timestamp = at.parse()?;
    let text = match &block["content"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Ok(ToolResult {
        at: at.as_millisecond(),
        is_error: block["is_error"] == true,
        text,
    })
}
