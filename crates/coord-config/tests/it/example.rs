//! `coordinator.example.yml` is the reference of all keys, so it must have all of them.

use std::collections::BTreeSet;

use coord_config::{Config, Hook};
use serde_json::Value;

use crate::config;

const EXAMPLE: &str = include_str!("../../../../coordinator.example.yml");

/// The paths of all keys, e.g. `machines[].repo_paths.shared-lib`. A null is a key that was
/// resolved to nothing.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = format!("{path}.{key}");
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => {
            for item in items {
                keys(item, &format!("{path}[]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn keys_of(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys(value, "", &mut found);
    found
}

#[test]
fn has_every_key_that_is_known() -> Result<(), Box<dyn std::error::Error>> {
    let resolved = keys_of(&serde_json::to_value(config(EXAMPLE))?);
    let written = keys_of(&serde_yaml::from_str::<Value>(EXAMPLE)?);
    assert_eq!(resolved, written);
    Ok(())
}

#[test]
fn shows_the_defaults_where_it_says_so() {
    let example = config(EXAMPLE);
    let default = Config::default();
    assert_eq!(
        example.worker_permissions.deny,
        default.worker_permissions.deny
    );
    assert_eq!(example.concurrency, default.concurrency);
    let housekeeping = coord_config::Housekeeping {
        commands: Vec::new(),
        ..example.housekeeping
    };
    assert_eq!(housekeeping, default.housekeeping);
    let hook = &example.hooks.on_session_end[2];
    let minute = |it: &Hook| {
        matches!(
            it,
            Hook::Command {
                timeout_seconds: 60,
                ..
            }
        )
    };
    assert!(minute(hook), "{hook:?}");
    assert_eq!(example.pipeline, default.pipeline);
    assert_eq!(example.github_api_url, default.github_api_url);
    assert_eq!(example.trust.authors, default.trust.authors);
    assert_eq!(example.models.default, default.models.default);
    assert_eq!(example.models.escalation, default.models.escalation);
    assert_eq!(example.models.learn, default.models.learn);
    let plan = coord_config::Planning {
        model: None,
        ..example.plan
    };
    assert_eq!(plan, default.plan);
    assert_eq!(example.leases, default.leases);
    assert_eq!(example.reviews.auto_dispatch, default.reviews.auto_dispatch);
    assert_eq!(
        example.smoke_tests.timeout_seconds,
        default.smoke_tests.timeout_seconds
    );
    let worker = coord_config::Worker {
        extra_args: Vec::new(),
        ..example.worker
    };
    assert_eq!(worker, default.worker);
}
