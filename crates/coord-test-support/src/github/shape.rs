//! Answers in GitHub's shape: every member that the description requires, with a plain value, and
//! over it what the state says.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use super::contract::contract;

static SKELETONS: LazyLock<Mutex<HashMap<&'static str, Value>>> = LazyLock::new(Mutex::default);

/// The component `name` of the description with `members` filled in.
pub(crate) fn shape(name: &'static str, members: Value) -> Value {
    let mut skeletons = SKELETONS.lock().unwrap_or_else(PoisonError::into_inner);
    let skeleton = skeletons.entry(name).or_insert_with(|| {
        let component = contract().components.get(name).unwrap_or(&Value::Null);
        match component["type"].is_array() {
            // Whoever asks for a component that may be null wants it to be there.
            true => object(component),
            false => skeleton(component),
        }
    });
    let mut value = skeleton.clone();
    drop(skeletons);
    overlay(&mut value, members);
    value
}

fn overlay(value: &mut Value, with: Value) {
    match (value, with) {
        (Value::Object(members), Value::Object(with)) => {
            for (name, with) in with {
                overlay(members.entry(name).or_insert(Value::Null), with);
            }
        }
        (value, with) => *value = with,
    }
}

/// The least value that a schema allows.
fn skeleton(schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return contract()
            .components
            .get(name)
            .map_or(Value::Null, skeleton);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut value = json!({});
        parts
            .iter()
            .for_each(|part| overlay(&mut value, skeleton(part)));
        return value;
    }
    for alternatives in ["oneOf", "anyOf"] {
        if let Some(alternatives) = schema[alternatives].as_array() {
            let null = alternatives.iter().any(|schema| schema["type"] == "null");
            return if null {
                Value::Null
            } else {
                skeleton(&alternatives[0])
            };
        }
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    typed(schema)
}

fn typed(schema: &Value) -> Value {
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("object"), _) => object(schema),
        (Some("array"), _) => json!([]),
        (Some("integer" | "number"), _) => json!(0),
        (Some("boolean"), _) => json!(false),
        (Some("string"), Some("uri")) => json!("https://example.invalid/"),
        (Some("string"), Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        (Some("string"), _) => json!(""),
        // A list of types, which has null in it.
        _ => Value::Null,
    }
}

fn object(schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten();
    let members: Map<String, Value> = required
        .filter_map(Value::as_str)
        .map(|name| (name.to_owned(), skeleton(&schema["properties"][name])))
        .collect();
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_members_are_there_and_ours_are_over_them() {
        let user = shape("simple-user", json!({"login": "octocat", "id": 7}));
        assert_eq!(user["login"], "octocat");
        assert_eq!(user["id"], 7);
        assert_eq!(user["gravatar_id"], Value::Null);
        assert_eq!(user["html_url"], "https://example.invalid/");
    }
}
