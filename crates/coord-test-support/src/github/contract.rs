//! What GitHub's OpenAPI description says about a request and an answer.
//!
//! Reads the extract that `cargo xtask github-contract` commits. It judges and knows no state.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use anyhow::{Context as _, Result};
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Map, Value, json};

use super::operations::OPERATIONS;
use super::uri;

/// Where the validators find the components: they resolve references by absolute addresses alone.
const ADDRESS: &str = "https://contract.invalid/";

/// Parameters whose value may have slashes in it that are not encoded.
const WITH_SLASHES: &[&str] = &["ref", "branch", "basehead"];

/// Limits that the description tells in prose alone.
const MAX_PER_PAGE: i64 = 100;

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::load);

/// The description of every operation of [`OPERATIONS`].
pub(crate) struct Contract {
    operations: Vec<Operation>,
    pub(super) components: Map<String, Value>,
    registry: Registry<'static>,
    error: Schema,
}

/// One method on one path.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    in_path: BTreeMap<String, Schema>,
    in_query: BTreeMap<String, Schema>,
    required_in_query: Vec<String>,
    body: Option<(bool, Schema)>,
    answers: BTreeMap<u16, Option<Schema>>,
}

/// A schema whose validator is made when it is first needed.
struct Schema {
    schema: Value,
    validator: OnceLock<Result<Validator, String>>,
}

/// Path parameters, decoded.
pub(crate) type Params = BTreeMap<&'static str, String>;

/// The contract that is compiled in.
pub(crate) fn contract() -> &'static Contract {
    &CONTRACT
}

impl Contract {
    #[expect(
        clippy::expect_used,
        reason = "the extract is compiled in: it is whole, or no test runs"
    )]
    fn load() -> Self {
        let text = include_str!("../../contract/github.json");
        Self::parse(text).expect("the committed contract is broken")
    }

    fn parse(text: &str) -> Result<Self> {
        let absolute = format!("\"{ADDRESS}#/components/");
        let document: Value = serde_json::from_str(&text.replace("\"#/components/", &absolute))?;
        let components = document["components"]
            .as_object()
            .context("no components")?;
        let mut operations = Vec::new();
        for (method, path) in OPERATIONS {
            let described = &document["operations"][format!("{method} {path}")];
            let operation = Operation::parse(method, path, described, components)
                .with_context(|| format!("cannot read {method} {path}"))?;
            operations.push(operation);
        }
        // The path with more words of its own is the better match.
        let words = |path: &str| {
            path.split('/')
                .filter(|part| !part.starts_with('{'))
                .count()
        };
        operations.sort_by_key(|operation| std::cmp::Reverse(words(operation.path)));
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(ADDRESS, json!({"components": components}))?
            .prepare()?;
        Ok(Self {
            operations,
            components: components.clone(),
            registry,
            error: Schema::new(component("basic-error")),
        })
    }

    /// The operation that a request asks for, with its path parameters.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<(&Operation, Params)> {
        let given: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        self.operations
            .iter()
            .filter(|operation| operation.method == method)
            .find_map(|operation| Some((operation, operation.matches(&given)?)))
    }

    /// What is wrong with an answer.
    pub(crate) fn answer(&self, operation: &Operation, status: u16, body: &Value) -> Vec<String> {
        match operation.answers.get(&status) {
            Some(Some(schema)) => schema.errors(body),
            // Described, without a body in JSON.
            Some(None) => Vec::new(),
            None if status >= 400 => self.error.errors(body),
            None => vec![format!("status {status} is not described")],
        }
    }
}

fn component(name: &str) -> Value {
    json!({"$ref": format!("{ADDRESS}#/components/{name}")})
}

impl Operation {
    fn parse(
        method: &'static str,
        path: &'static str,
        described: &Value,
        components: &Map<String, Value>,
    ) -> Result<Self> {
        let mut operation = Self {
            method,
            path,
            in_path: BTreeMap::new(),
            in_query: BTreeMap::new(),
            required_in_query: Vec::new(),
            body: None,
            answers: BTreeMap::new(),
        };
        let parameters = described["parameters"].as_array();
        for parameter in parameters.context("it is not in the extract")? {
            operation.add_parameter(parameter)?;
        }
        if let Some(body) = described.get("body") {
            let schema = Schema::new(closed(&body["schema"], components));
            operation.body = Some((body["required"] == true, schema));
        }
        let answers = described["responses"].as_object();
        for (status, schema) in answers.context("no responses")? {
            let schema = (!schema.is_null()).then(|| Schema::new(schema.clone()));
            operation.answers.insert(status.parse()?, schema);
        }
        Ok(operation)
    }

    fn add_parameter(&mut self, parameter: &Value) -> Result<()> {
        let name = parameter["name"].as_str().context("no name")?.to_owned();
        let schema = Schema::new(parameter["schema"].clone());
        if parameter["in"] == "path" {
            self.in_path.insert(name, schema);
        } else {
            if parameter["required"] == true {
                self.required_in_query.push(name.clone());
            }
            self.in_query.insert(name, schema);
        }
        Ok(())
    }

    fn matches(&self, given: &[&str]) -> Option<Params> {
        let pattern: Vec<&'static str> = self.path.trim_start_matches('/').split('/').collect();
        let mut params = Params::new();
        matches(&pattern, given, &mut params).then_some(params)
    }

    /// What is wrong with the path parameters.
    pub(crate) fn path_errors(&self, params: &Params) -> Vec<String> {
        let values = params.iter().map(|(name, value)| (*name, value.as_str()));
        parameter_errors("path", &self.in_path, values)
    }

    /// What is wrong with the query.
    pub(crate) fn query_errors(&self, query: &BTreeMap<String, String>) -> Vec<String> {
        let values = query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut errors = parameter_errors("query", &self.in_query, values);
        for name in &self.required_in_query {
            if !query.contains_key(name) {
                errors.push(format!("query parameter {name} is missing"));
            }
        }
        let per_page = query.get("per_page").and_then(|value| value.parse().ok());
        if per_page.is_some_and(|value: i64| !(1..=MAX_PER_PAGE).contains(&value)) {
            errors.push(format!(
                "query parameter per_page is not in 1..={MAX_PER_PAGE}"
            ));
        }
        errors
    }

    /// What is wrong with the body; properties that are not described are.
    pub(crate) fn body_errors(&self, body: Option<&Value>) -> Vec<String> {
        match (&self.body, body) {
            (None, None) | (Some((false, _)), None) => Vec::new(),
            (None, Some(_)) => vec!["it takes no body".to_owned()],
            (Some((true, _)), None) => vec!["the body is missing".to_owned()],
            (Some((_, schema)), Some(body)) => schema.errors(body),
        }
    }
}

/// A parameter with slashes takes as few parts as let the rest match.
fn matches(pattern: &[&'static str], given: &[&str], params: &mut Params) -> bool {
    let (Some((first, pattern)), false) = (pattern.split_first(), given.is_empty()) else {
        return pattern.is_empty() && given.is_empty();
    };
    let Some(name) = first
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'))
    else {
        return *first == given[0] && matches(pattern, &given[1..], params);
    };
    let most = if WITH_SLASHES.contains(&name) {
        given.len()
    } else {
        1
    };
    for count in 1..=most {
        if matches(pattern, &given[count..], params) {
            params.insert(name, uri::decode(&given[..count].join("/")));
            return true;
        }
    }
    false
}

fn parameter_errors<'a>(
    place: &str,
    schemas: &BTreeMap<String, Schema>,
    values: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let mut errors = Vec::new();
    for (name, value) in values {
        let Some(schema) = schemas.get(name) else {
            errors.push(format!("{place} parameter {name} is not described"));
            continue;
        };
        let typed = schema.typed(value);
        let found = schema.errors(&typed);
        errors.extend(
            found
                .iter()
                .map(|error| format!("{place} parameter {name}: {error}")),
        );
    }
    errors
}

impl Schema {
    fn new(schema: Value) -> Self {
        Self {
            schema,
            validator: OnceLock::new(),
        }
    }

    /// A parameter's text as the type that its schema asks for.
    fn typed(&self, text: &str) -> Value {
        let number = text.parse::<i64>().ok().map(Value::from);
        match self.schema["type"].as_str() {
            Some("integer") => number.unwrap_or_else(|| text.into()),
            Some("boolean") => text
                .parse::<bool>()
                .map_or_else(|_| text.into(), Value::Bool),
            Some(_) | None => text.into(),
        }
    }

    fn errors(&self, value: &Value) -> Vec<String> {
        match self.validator.get_or_init(|| self.build()) {
            Ok(validator) if validator.is_valid(value) => Vec::new(),
            Ok(validator) => {
                let errors = validator.iter_errors(value);
                errors.map(|error| describe(&error)).collect()
            }
            Err(error) => vec![error.clone()],
        }
    }

    fn build(&self) -> Result<Validator, String> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&contract().registry)
            .should_validate_formats(true)
            .build(&self.schema)
            .map_err(|error| format!("the schema is not usable: {error}"))
    }
}

/// With what the message of an alternative leaves out, and without the whole of a long value.
fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    const MOST: usize = 400;
    let text = error.to_string();
    let cut = text
        .char_indices()
        .nth(MOST)
        .map_or(text.len(), |(at, _)| at);
    format!("{} at {}", &text[..cut], error.instance_path())
}

/// A schema of a body that refuses what it does not name, its references written out.
fn closed(schema: &Value, components: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let name = reference.rsplit('/').next().unwrap_or_default();
                return closed(&components[name], components);
            }
            let mut found: Map<String, Value> = members
                .iter()
                .map(|(name, value)| (name.clone(), closed(value, components)))
                .collect();
            let is_schema = members.get("properties").is_some_and(Value::is_object);
            if is_schema && !members.contains_key("additionalProperties") {
                found.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            Value::Object(found)
        }
        Value::Array(items) => items.iter().map(|item| closed(item, components)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> (&'static str, Params) {
        let (operation, params) = contract().find(method, path).unwrap();
        (operation.path, params)
    }

    #[test]
    fn words_win_over_parameters_and_slashes_stay_in_names() {
        let (path, _) = found("GET", "/repos/o/r/issues/comments");
        assert_eq!(path, "/repos/{owner}/{repo}/issues/comments");
        let (path, params) = found("GET", "/repos/o/r/branches/a/b%20c");
        assert_eq!(path, "/repos/{owner}/{repo}/branches/{branch}");
        assert_eq!(params["branch"], "a/b c");
        let protection = "/repos/o/r/branches/a%2Fb/protection/required_status_checks";
        let (_, params) = found("GET", protection);
        assert_eq!(params["branch"], "a/b");
        assert!(contract().find("DELETE", "/repos/o/r").is_none());
        assert!(
            contract()
                .find("GET", "/repos/o/r/issues/1/labels/a/b")
                .is_none()
        );
    }

    #[test]
    fn what_is_not_described_is_an_error() {
        let (operation, _) = contract().find("POST", "/repos/o/r/issues").unwrap();
        assert!(
            operation
                .body_errors(Some(&json!({"title": "t"})))
                .is_empty()
        );
        let errors = operation.body_errors(Some(&json!({"title": "t", "colour": "red"})));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("colour"), "{errors:?}");
        assert_eq!(operation.body_errors(None), ["the body is missing"]);
        let (operation, _) = contract().find("GET", "/repos/o/r/issues").unwrap();
        for (name, value, bad) in [
            ("state", "all", false),
            ("state", "some", true),
            ("per_page", "100", false),
            ("per_page", "101", true),
            ("per_page", "many", true),
            ("since", "2026-01-01T00:00:00Z", false),
            ("since", "yesterday", true),
            ("colour", "red", true),
        ] {
            let query = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(
                !operation.query_errors(&query).is_empty(),
                bad,
                "{name}={value}"
            );
        }
    }

    #[test]
    fn every_schema_can_be_used() {
        for operation in &contract().operations {
            let schemas = operation.answers.values().flatten();
            let body = operation.body.iter().map(|(_, schema)| schema);
            let parameters = operation
                .in_path
                .values()
                .chain(operation.in_query.values());
            for schema in schemas.chain(body).chain(parameters) {
                assert!(
                    schema.build().is_ok(),
                    "{} {}",
                    operation.method,
                    operation.path
                );
            }
        }
    }
}
