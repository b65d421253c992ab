//! Checks and statuses of commits, and which of them a branch requires.

use serde_json::{Value, json};

use super::exchange::{Answer, Call, Reply, broken, ok, refusal};
use super::page::Page;
use super::repo::{Check, Repo, Status};
use super::shape::shape;
use super::uri;
use super::view::View;
use super::world::{digest, stamp};

/// What stands for the app that made the checks.
const APP_ID: u64 = 15368;

/// The newest of each name on a commit.
fn latest_checks<'a>(repo: &'a Repo, sha: &str) -> Vec<&'a Check> {
    let mut found: Vec<&Check> = Vec::new();
    for check in repo.checks.iter().rev().filter(|check| check.sha == sha) {
        if found.iter().all(|known| known.name != check.name) {
            found.push(check);
        }
    }
    found
}

/// The newest of each context on a commit.
fn latest_statuses<'a>(repo: &'a Repo, sha: &str) -> Vec<&'a Status> {
    let mut found: Vec<&Status> = Vec::new();
    for status in repo
        .statuses
        .iter()
        .rev()
        .filter(|status| status.sha == sha)
    {
        if found.iter().all(|known| known.context != status.context) {
            found.push(status);
        }
    }
    found
}

/// A required check of the branch that the commit has not passed.
pub(crate) fn missing(repo: &Repo, branch: &str, sha: &str) -> Option<String> {
    let checks = latest_checks(repo, sha);
    let statuses = latest_statuses(repo, sha);
    let passed = |name: &String| {
        let good = |check: &&Check| {
            let conclusion = check.conclusion.as_deref();
            check.name == *name && matches!(conclusion, Some("success" | "neutral" | "skipped"))
        };
        let green = |status: &&Status| status.context == *name && status.state == "success";
        checks.iter().any(good) || statuses.iter().any(green)
    };
    repo.required_checks(branch)
        .into_iter()
        .find(|name| !passed(name))
}

/// Whether anything on the commit has failed or is not done.
pub(crate) fn has_failure(repo: &Repo, sha: &str) -> bool {
    let bad = |check: &&Check| {
        !matches!(
            check.conclusion.as_deref(),
            Some("success" | "neutral" | "skipped")
        )
    };
    latest_checks(repo, sha).iter().any(bad)
        || latest_statuses(repo, sha)
            .iter()
            .any(|status| status.state != "success")
}

/// The commit of a path.
fn commit(view: &View<'_>, call: &Call<'_>) -> Result<String, Answer> {
    let asked = call.param("ref");
    let found = view.repo.git.commit_of(asked).map_err(broken)?;
    found.ok_or_else(|| refusal(422, &format!("No commit found for SHA: {asked}")))
}

/// `GET …/commits/{ref}/check-runs`.
pub(crate) fn list_check_runs(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let sha = commit(&view, call)?;
    let all = call.asked("filter") == Some("all");
    let found = match all {
        true => view
            .repo
            .checks
            .iter()
            .filter(|check| check.sha == sha)
            .collect(),
        false => latest_checks(view.repo, &sha),
    };
    let asked = |check: &&Check| {
        call.asked("check_name")
            .is_none_or(|name| name == check.name)
            && call
                .asked("status")
                .is_none_or(|status| status == check.status)
    };
    let found: Vec<&Check> = found.into_iter().filter(asked).collect();
    let page = Page::of(call, found.len());
    let runs: Value = page
        .cut(&found)
        .iter()
        .map(|check| show_check(&view, check))
        .collect();
    Ok(page.answer(
        call,
        json!({"total_count": found.len(), "check_runs": runs}),
    ))
}

fn show_check(view: &View<'_>, check: &Check) -> Value {
    let done = check.status == "completed";
    let url = view.api(&format!("/check-runs/{}", check.id));
    shape(
        "check-run",
        json!({
            "id": check.id,
            "node_id": format!("CR_{}", check.id),
            "name": check.name,
            "head_sha": check.sha,
            "status": check.status,
            "conclusion": check.conclusion,
            "started_at": stamp(check.at),
            "completed_at": done.then(|| stamp(check.at)),
            "url": url,
            "html_url": view.html(&format!("/runs/{}", check.id)),
            "details_url": view.html(&format!("/runs/{}", check.id)),
            "output": {"annotations_url": format!("{url}/annotations")},
            "check_suite": null,
            "app": null,
        }),
    )
}

/// `GET …/commits/{ref}/status`: pending where there is none, as on GitHub.
pub(crate) fn get_combined_status(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let sha = commit(&view, call)?;
    let found = latest_statuses(view.repo, &sha);
    let any = |states: &[&str]| found.iter().any(|status| states.contains(&&*status.state));
    let state = match (
        any(&["failure", "error"]),
        any(&["pending"]) || found.is_empty(),
    ) {
        (true, _) => "failure",
        (false, true) => "pending",
        (false, false) => "success",
    };
    let page = Page::of(call, found.len());
    let statuses: Value = page
        .cut(&found)
        .iter()
        .map(|status| show_status(&view, status))
        .collect();
    let body = shape(
        "combined-commit-status",
        json!({
            "state": state,
            "sha": sha,
            "total_count": found.len(),
            "statuses": statuses,
            "repository": shape("minimal-repository", view.repository()),
            "commit_url": view.api(&format!("/commits/{sha}")),
            "url": view.api(&format!("/commits/{sha}/status")),
        }),
    );
    Ok(page.answer(call, body))
}

fn show_status(view: &View<'_>, status: &Status) -> Value {
    shape(
        "simple-commit-status",
        json!({
            "id": status.id,
            "node_id": format!("SC_{}", status.id),
            "context": status.context,
            "state": status.state,
            "url": view.api(&format!("/statuses/{}", status.sha)),
            "created_at": stamp(status.at),
            "updated_at": stamp(status.at),
        }),
    )
}

/// `GET …/branches/{branch}/protection/required_status_checks`.
pub(crate) fn get_required(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    if view.repo.protection_hidden {
        return Err(refusal(403, "Resource not accessible by integration"));
    }
    let branch = call.param("branch");
    let Some(contexts) = view.repo.protection.get(branch) else {
        return Err(refusal(404, "Branch not protected"));
    };
    if contexts.is_empty() {
        return Err(refusal(404, "Required status checks not enabled"));
    }
    let check = |context: &String| json!({"context": context, "app_id": null});
    ok(shape(
        "status-check-policy",
        json!({
            "url": call.address,
            "contexts_url": format!("{}/contexts", call.address),
            "strict": false,
            "contexts": contexts,
            "checks": contexts.iter().map(check).collect::<Value>(),
        }),
    ))
}

/// `GET …/rules/branches/{branch}`: readable by everybody who sees the repository.
pub(crate) fn list_rules(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let branch = call.param("branch");
    let rules: Vec<Value> = view
        .repo
        .rulesets
        .get(branch)
        .map(|contexts| rule(&view, branch, contexts))
        .into_iter()
        .collect();
    let page = Page::of(call, rules.len());
    Ok(page.answer(call, page.cut(&rules).iter().cloned().collect()))
}

fn rule(view: &View<'_>, branch: &str, contexts: &[String]) -> Value {
    let check = |context: &String| json!({"context": context, "integration_id": APP_ID});
    json!({
        "type": "required_status_checks",
        "ruleset_source_type": "Repository",
        "ruleset_source": view.repo.full_name(),
        "ruleset_id": digest(uri::encode(branch)) % 1_000_000,
        "parameters": {
            "required_status_checks": contexts.iter().map(check).collect::<Value>(),
            "strict_required_status_checks_policy": false,
        },
    })
}
