//! The schema in which a model answers. It is small on purpose: what belongs to the domain is
//! checked by the examiner, which can say what is wrong.

use serde_json::{Value, json};

use crate::answer::ENTRIES;

/// For `--json-schema`.
#[must_use]
pub fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["proposals", "splits"],
        "properties": {
            "proposals": { "type": "array", "maxItems": ENTRIES, "items": proposal() },
            "splits": { "type": "array", "maxItems": ENTRIES, "items": split() },
        },
    })
}

fn proposal() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["repo", "issue", "machine", "rationale", "files", "size"],
        "properties": {
            "repo": { "type": "string" },
            "issue": { "type": "integer", "minimum": 1, "description": "Its number" },
            "machine": { "type": "string" },
            "rationale": {
                "type": "string",
                "maxLength": 1000,
                "description": "Why this issue now, and why there: a sentence or two for people",
            },
            "files": globs("What it is going to change; empty if you cannot say"),
            "notes": {
                "type": "string",
                "maxLength": 4000,
                "description": "What the worker should know beyond the issue: Markdown",
            },
            "size": { "type": "string", "enum": ["small", "medium", "large"] },
            "model": {
                "type": "string",
                "description": "Only to depart from what the coordinator would choose",
            },
        },
    })
}

fn split() -> Value {
    let chunk = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["title", "scope", "files", "after"],
        "properties": {
            "title": { "type": "string", "minLength": 1, "maxLength": 120 },
            "scope": {
                "type": "string",
                "maxLength": 4000,
                "description": "What belongs to it, and when it is done: Markdown",
            },
            "files": globs("What it is going to change"),
            "after": {
                "type": "array",
                "items": { "type": "integer", "minimum": 0 },
                "description": "The places of the earlier chunks that have to be done before, from 0",
            },
        },
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["repo", "issue", "rationale", "chunks"],
        "properties": {
            "repo": { "type": "string" },
            "issue": { "type": "integer", "minimum": 1, "description": "Its number" },
            "rationale": { "type": "string", "maxLength": 1000 },
            "chunks": { "type": "array", "minItems": 2, "maxItems": 12, "items": chunk },
        },
    })
}

fn globs(what: &str) -> Value {
    json!({
        "type": "array",
        "maxItems": 30,
        "items": { "type": "string", "maxLength": 300 },
        "description": format!("{what}: globs relative to the root of the repository"),
    })
}
