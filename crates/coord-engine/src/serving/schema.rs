//! The schemas in which those who only read have to answer.

use serde_json::{Value, json};

/// How many findings a review may have.
pub(crate) const FINDINGS: usize = 100;

/// The longest title of a pull request, in characters.
pub(crate) const TITLE: usize = 200;

/// The longest text of a pull request, in characters.
pub(crate) const BODY: usize = 20_000;

/// A summary, and the text of a finding, in characters.
pub(crate) const TEXT: usize = 1500;

/// The rule of a finding, in characters.
pub(crate) const RULE: usize = 80;

/// What a reviewer answers.
pub(crate) fn review() -> Value {
    let finding = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["path", "line", "severity", "rule", "text"],
        "properties": {
            "path": {
                "type": "string",
                "description": "A file of the diff, relative to the root of the repository",
            },
            "line": {
                "type": ["integer", "null"],
                "minimum": 1,
                "description": "A line of the new file that the diff shows; null: the file as a whole",
            },
            "severity": { "type": "string", "enum": ["blocker", "major", "minor", "nit"] },
            "rule": {
                "type": "string",
                "maxLength": RULE,
                "description": "The item of the checklist, or a word for the kind of defect",
            },
            "text": {
                "type": "string",
                "maxLength": TEXT,
                "description": "What is wrong, and what would be right",
            },
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["verdict", "summary", "findings"],
        "properties": {
            "verdict": { "type": "string", "enum": ["approve", "request_changes", "comment"] },
            "summary": {
                "type": "string",
                "maxLength": TEXT,
                "description": "The judgement in a few sentences",
            },
            "findings": { "type": "array", "maxItems": FINDINGS, "items": finding },
        },
    })
}

/// What the author of a pull request's text answers.
pub(crate) fn pull() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["title", "body"],
        "properties": {
            "title": { "type": "string", "minLength": 1, "maxLength": TITLE },
            "body": { "type": "string", "maxLength": BODY, "description": "Markdown" },
        },
    })
}
