//! The checks that a branch requires, by rulesets and by branch protection.
//!
//! Rulesets can be read by whoever can read the repository. Branch protection in full is for its
//! administrators; what it says of checks stands with the branch too.

use std::collections::BTreeSet;
use std::sync::Arc;

use coord_forge::{ForgeError, RequiredChecks};

use super::GithubForge;
use super::found::found;
use crate::client::escape_segment;
use crate::error::CallError;
use crate::wire::{BranchWire, ContextWire, RequiredWire, RuleWire, StatusChecksRule};

pub(super) async fn for_base(
    forge: &GithubForge,
    base: &str,
) -> Result<RequiredChecks, ForgeError> {
    let what = format!("branch `{base}` in {}", forge.full_name);
    let failed = |error: CallError| error.into_forge(&what);
    let rules = by_rules(forge, base).await.map_err(failed)?;
    let protection = by_protection(forge, base).await.map_err(failed)?;
    let mut names = BTreeSet::new();
    let mut hidden = None;
    for answer in [rules, protection] {
        match answer {
            Readable::Names(found) => names.extend(found),
            Readable::Hidden { reason } => hidden = Some(reason),
        }
    }
    match hidden {
        Some(reason) if names.is_empty() => Ok(RequiredChecks::Hidden { reason }),
        Some(_) | None => Ok(RequiredChecks::Known(names.into_iter().collect())),
    }
}

/// What one place says.
enum Readable {
    Names(Vec<String>),
    /// This account may not read it.
    Hidden {
        reason: String,
    },
}

impl Readable {
    const NOTHING: Self = Self::Names(Vec::new());
}

async fn by_rules(forge: &GithubForge, base: &str) -> Result<Readable, CallError> {
    let route = forge.route(&format!("/rules/branches/{}", escape_segment(base)));
    let query = [("per_page", "100")];
    match found(forge.connection().get_all::<RuleWire>(&route, &query).await) {
        Ok(Some(rules)) => Ok(Readable::Names(in_rules(rules)?)),
        // Servers before rulesets.
        Ok(None) => Ok(Readable::NOTHING),
        Err(error) => unreadable(error),
    }
}

fn in_rules(rules: Vec<RuleWire>) -> Result<Vec<String>, CallError> {
    let mut names = Vec::new();
    for rule in rules {
        let Some(parameters) = rule.parameters else {
            continue;
        };
        if rule.kind != "required_status_checks" {
            continue;
        }
        let rule: StatusChecksRule =
            serde_json::from_value(parameters).map_err(|error| CallError::Unusable {
                what: "a rule about status checks cannot be read".to_owned(),
                hint: None,
                source: Some(Arc::new(error)),
            })?;
        names.extend(contexts(rule.required_status_checks));
    }
    Ok(names)
}

async fn by_protection(forge: &GithubForge, base: &str) -> Result<Readable, CallError> {
    let branch = format!("/branches/{}", escape_segment(base));
    let route = forge.route(&format!("{branch}/protection/required_status_checks"));
    match forge.connection().get::<RequiredWire>(&route, &[]).await {
        Ok(required) => Ok(Readable::Names(names(required))),
        Err(CallError::Refused {
            status: 404,
            message,
            ..
        }) if says_none(&message) => Ok(Readable::NOTHING),
        Err(
            error @ CallError::Refused {
                status: 403 | 404, ..
            },
        ) => with_branch(forge, &branch, error).await,
        Err(error) => Err(error),
    }
}

/// For those who may not administrate the repository; `refusal` is what they were told. GitHub
/// says "not found" to most of them.
async fn with_branch(
    forge: &GithubForge,
    branch: &str,
    refusal: CallError,
) -> Result<Readable, CallError> {
    let answer = forge
        .connection()
        .get::<BranchWire>(&forge.route(branch), &[])
        .await;
    let branch = match found(answer) {
        Ok(Some(branch)) => branch,
        Ok(None) => return Ok(Readable::NOTHING),
        Err(CallError::Refused { status: 403, .. }) => return unreadable(refusal),
        Err(error) => return Err(error),
    };
    match branch.protection.and_then(|it| it.required_status_checks) {
        Some(required) => Ok(Readable::Names(names(required))),
        None if !branch.protected => Ok(Readable::NOTHING),
        None => unreadable(refusal),
    }
}

/// "Branch not protected", "Required status checks not enabled".
fn says_none(message: &str) -> bool {
    message.contains("not protected") || message.contains("not enabled")
}

fn unreadable(error: CallError) -> Result<Readable, CallError> {
    match error {
        // Where the plan has no protection there is none.
        CallError::Refused {
            status: 403,
            message,
            ..
        } if message.starts_with("Upgrade to ") => Ok(Readable::NOTHING),
        CallError::Refused {
            status: 403 | 404,
            message,
            ..
        } => Ok(Readable::Hidden { reason: message }),
        error => Err(error),
    }
}

fn names(required: RequiredWire) -> Vec<String> {
    let mut names = required.contexts.unwrap_or_default();
    names.extend(contexts(required.checks.unwrap_or_default()));
    names
}

fn contexts(checks: Vec<ContextWire>) -> impl Iterator<Item = String> {
    checks.into_iter().map(|check| check.context)
}
