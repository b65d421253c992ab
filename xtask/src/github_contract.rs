//! `cargo xtask github-contract`: what GitHub's own OpenAPI description says about the operations
//! that we use, as JSON Schema, for the fake GitHub of the tests.
//!
//! The whole description has 13 MB, so an extract is committed; tests never fetch anything.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use coord_test_support::github::OPERATIONS;
use serde_json::{Map, Value, json};

use crate::lab::target_folder;
use crate::step::call;
use crate::tidy::workspace::root;

const PACKAGE: &str = "@octokit/openapi";
const VERSION: &str = "23.0.2";
const FILE: &str = "generated/api.github.com.json";
const EXTRACT: &str = "crates/coord-test-support/contract/github.json";

/// Where the description keeps its schemas, and where the extract does.
const SCHEMAS: &str = "#/components/schemas/";
const COMPONENTS: &str = "#/components/";

/// Members of a schema that say nothing about what is valid.
const PROSE: &[&str] = &[
    "title",
    "description",
    "example",
    "examples",
    "externalDocs",
    "deprecated",
    "discriminator",
    "default",
    "readOnly",
    "writeOnly",
];

/// Writes the extract, or with `check` fails when the committed one is another.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = root();
    let file = fetch(&root)?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("failed to read {}", file.display()))?;
    let extract = extract(&serde_json::from_str(&text)?)?;
    let path = root.join(EXTRACT);
    if !check {
        return std::fs::write(&path, extract).context("failed to write the extract");
    }
    let committed = std::fs::read_to_string(&path).context("failed to read the extract")?;
    ensure!(
        committed == extract,
        "{EXTRACT} is not what {PACKAGE}@{VERSION} says: run `cargo xtask github-contract`"
    );
    Ok(())
}

/// Installs the package below the target folder, unless it is there, and returns the description.
fn fetch(root: &Path) -> Result<PathBuf> {
    let folder = target_folder(root).join(format!("github-contract/{VERSION}"));
    let file = folder.join("node_modules").join(PACKAGE).join(FILE);
    if !file.is_file() {
        std::fs::create_dir_all(&folder)?;
        let package = format!("{PACKAGE}@{VERSION}");
        let options = [
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
        ];
        let args = [&["install", "--prefix", "."], &options[..], &[&package]].concat();
        call(&folder, "npm", &args)?;
    }
    Ok(file)
}

/// The committed text: one line for each operation and each component, in order of name.
fn extract(description: &Value) -> Result<String> {
    let mut operations = BTreeMap::new();
    for (method, path) in OPERATIONS {
        let found = operation(description, method, path)
            .with_context(|| format!("failed to extract {method} {path}"))?;
        operations.insert(format!("{method} {path}"), found);
    }
    let components = reachable(description, operations.values())?;
    let source = json!({
        "package": PACKAGE,
        "version": VERSION,
        "file": FILE,
        "licence": "MIT, Copyright GitHub (github/rest-api-description) and Octokit contributors",
    });
    Ok(format!(
        "{{\n\"source\":{source},\n\"operations\":{{\n{}\n}},\n\"components\":{{\n{}\n}}\n}}\n",
        lines(&operations)?,
        lines(&components)?
    ))
}

fn lines(members: &BTreeMap<String, Value>) -> Result<String> {
    let line =
        |(name, value): (&String, &Value)| Ok(format!("{}:{value}", serde_json::to_string(name)?));
    let lines: Result<Vec<String>> = members.iter().map(line).collect();
    Ok(lines?.join(",\n"))
}

fn operation(description: &Value, method: &str, path: &str) -> Result<Value> {
    let item = &description["paths"][path];
    let operation = &item[method.to_lowercase()];
    ensure!(operation.is_object(), "the description does not have it");
    let mut found = json!({
        "parameters": parameters(description, &[&item["parameters"], &operation["parameters"]])?,
        "responses": responses(description, &operation["responses"])?,
    });
    if let Some(body) = operation.get("requestBody") {
        found["body"] = json!({
            "required": body["required"].as_bool().unwrap_or(false),
            "schema": schema(&body["content"]["application/json"]["schema"])?,
        });
    }
    Ok(found)
}

fn parameters(description: &Value, lists: &[&Value]) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for parameter in lists.iter().filter_map(|list| list.as_array()).flatten() {
        let parameter = resolve(description, parameter)?;
        found.push(json!({
            "name": parameter["name"],
            "in": parameter["in"],
            "required": parameter["required"].as_bool().unwrap_or(false),
            "schema": schema(&parameter["schema"])?,
        }));
    }
    Ok(found)
}

/// Status to schema; `null` where the description gives no body in JSON.
fn responses(description: &Value, responses: &Value) -> Result<Map<String, Value>> {
    let mut found = Map::new();
    for (status, response) in responses.as_object().context("no responses")? {
        let response = resolve(description, response)?;
        let content = &response["content"]["application/json"]["schema"];
        found.insert(status.clone(), schema(content)?);
    }
    Ok(found)
}

fn resolve<'a>(description: &'a Value, value: &'a Value) -> Result<&'a Value> {
    let Some(reference) = value["$ref"].as_str() else {
        return Ok(value);
    };
    let pointer = reference.trim_start_matches('#');
    description
        .pointer(pointer)
        .with_context(|| format!("nothing at {reference}"))
}

/// Every component that the operations refer to, directly or through others.
fn reachable<'a>(
    description: &Value,
    operations: impl Iterator<Item = &'a Value>,
) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    let mut wanted = Vec::new();
    operations.for_each(|operation| references(operation, &mut wanted));
    while let Some(name) = wanted.pop() {
        if let Entry::Vacant(entry) = found.entry(name) {
            let name = entry.key();
            let component = schema(&description["components"]["schemas"][name])
                .with_context(|| format!("failed to extract the component {name}"))?;
            ensure!(!component.is_null(), "there is no component {name}");
            references(&component, &mut wanted);
            entry.insert(component);
        }
    }
    Ok(found)
}

fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                names.extend(reference.strip_prefix(COMPONENTS).map(str::to_owned));
            }
            members.values().for_each(|value| references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A schema of OpenAPI 3.0 as one of JSON Schema, without prose.
fn schema(of: &Value) -> Result<Value> {
    let Value::Object(members) = of else {
        return Ok(of.clone());
    };
    let mut found = Map::new();
    for (name, value) in members {
        if PROSE.contains(&name.as_str()) || name.starts_with("x-") || name == "nullable" {
            continue;
        }
        found.insert(name.clone(), member(name, value)?);
    }
    Ok(if members.get("nullable") == Some(&Value::Bool(true)) {
        nullable(found)
    } else {
        Value::Object(found)
    })
}

fn member(name: &str, value: &Value) -> Result<Value> {
    match (name, value) {
        ("properties" | "patternProperties", Value::Object(members)) => {
            let each = |(name, value): (&String, &Value)| Ok((name.clone(), schema(value)?));
            members.iter().map(each).collect()
        }
        ("oneOf" | "anyOf" | "allOf", Value::Array(items)) => items.iter().map(schema).collect(),
        ("items" | "not" | "additionalProperties", value) => schema(value),
        ("$ref", Value::String(reference)) => match reference.strip_prefix(SCHEMAS) {
            Some(name) => Ok(format!("{COMPONENTS}{name}").into()),
            None => bail!("a reference that is not to a schema: {reference}"),
        },
        // In OpenAPI 3.0 they are booleans beside the limit, in JSON Schema limits.
        ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(_)) => {
            bail!("{name} as OpenAPI 3.0 writes it is not translated yet")
        }
        (_, value) => Ok(value.clone()),
    }
}

/// `nullable: true`, which JSON Schema does not have.
fn nullable(mut schema: Map<String, Value>) -> Value {
    let single = schema
        .get("type")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let composed = ["oneOf", "anyOf", "allOf", "$ref"]
        .iter()
        .any(|name| schema.contains_key(*name));
    match single {
        Some(name) if !composed => {
            schema.insert("type".to_owned(), json!([name, "null"]));
            if let Some(Value::Array(values)) = schema.get_mut("enum")
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
            Value::Object(schema)
        }
        Some(_) | None => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nullable_becomes_a_type_or_an_alternative() {
        let of = json!({"type": "string", "nullable": true, "enum": ["a"], "description": "d"});
        let expected = json!({"type": ["string", "null"], "enum": ["a", null]});
        assert_eq!(schema(&of).unwrap(), expected);
        let of = json!({"nullable": true, "allOf": [{"$ref": "#/components/schemas/a"}]});
        let expected =
            json!({"anyOf": [{"allOf": [{"$ref": "#/components/a"}]}, {"type": "null"}]});
        assert_eq!(schema(&of).unwrap(), expected);
    }

    #[test]
    fn a_property_may_have_the_name_of_prose() {
        let of = json!({"type": "object", "properties": {
            "description": {"type": "string", "description": "prose"},
            "default": {"type": "boolean", "x-octokit": {}},
        }});
        let expected = json!({"type": "object", "properties": {
            "description": {"type": "string"},
            "default": {"type": "boolean"},
        }});
        assert_eq!(schema(&of).unwrap(), expected);
    }

    #[test]
    fn components_are_followed_to_the_end() {
        let description = json!({"components": {"schemas": {
            "a": {"properties": {"b": {"$ref": "#/components/schemas/b"}}},
            "b": {"items": {"$ref": "#/components/schemas/a"}},
            "unused": {},
        }}});
        let operation = json!({"schema": {"$ref": "#/components/a"}});
        let found = reachable(&description, [&operation].into_iter()).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
