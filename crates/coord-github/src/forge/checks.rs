//! What check runs and commit statuses say of a commit.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use coord_core::ids::CommitId;
use coord_forge::{Check, CheckState, ForgeError};
use serde::de::DeserializeOwned;

use super::GithubForge;
use crate::client::escape_segment;
use crate::wire::{CheckRunWire, CheckRunsWire, StatusWire, StatusesWire};

/// Several of one name are one: a bad one counts before one that has not ended, and that before a
/// good one.
pub(super) async fn of_commit(
    forge: &GithubForge,
    commit: &CommitId,
) -> Result<Vec<Check>, ForgeError> {
    let of = format!("/commits/{}", escape_segment(commit.as_str()));
    let runs: Vec<CheckRunsWire> = pages(
        forge,
        commit,
        &format!("{of}/check-runs"),
        &[("filter", "latest"), ("per_page", "100")],
    )
    .await?;
    let statuses: Vec<StatusesWire> = pages(
        forge,
        commit,
        &format!("{of}/status"),
        &[("per_page", "100")],
    )
    .await?;
    let runs = runs.into_iter().flat_map(|page| page.check_runs).map(run);
    let statuses = statuses
        .into_iter()
        .flat_map(|page| page.statuses)
        .map(status);
    Ok(joined(runs.chain(statuses)))
}

/// The lists stand inside of objects here, one to a page.
async fn pages<P: DeserializeOwned + Send>(
    forge: &GithubForge,
    commit: &CommitId,
    rest: &str,
    query: &[(&str, &str)],
) -> Result<Vec<P>, ForgeError> {
    let mut pages = Vec::new();
    let keep = |page: P| {
        pages.push(page);
        ControlFlow::Continue(())
    };
    forge
        .connection()
        .get_pages(&forge.route(rest), query, keep)
        .await
        .map_err(|error| {
            error.into_forge(&format!("commit {} in {}", commit.short(), forge.full_name))
        })?;
    Ok(pages)
}

fn joined(checks: impl Iterator<Item = Check>) -> Vec<Check> {
    let mut joined: BTreeMap<String, Check> = BTreeMap::new();
    for check in checks {
        match joined.get(&check.name) {
            Some(other) if weight(other.state) >= weight(check.state) => {}
            Some(_) | None => {
                joined.insert(check.name.clone(), check);
            }
        }
    }
    joined.into_values().collect()
}

const fn weight(state: CheckState) -> u8 {
    match state {
        CheckState::Bad => 2,
        CheckState::Pending => 1,
        CheckState::Good => 0,
    }
}

fn run(wire: CheckRunWire) -> Check {
    let state = match (wire.status.as_str(), wire.conclusion.as_deref()) {
        ("completed", Some("success" | "neutral" | "skipped")) => CheckState::Good,
        ("completed", _) => CheckState::Bad,
        _ => CheckState::Pending,
    };
    Check {
        name: wire.name,
        state,
        url: wire.html_url.or(wire.details_url),
    }
}

fn status(wire: StatusWire) -> Check {
    let state = match wire.state.as_str() {
        "success" => CheckState::Good,
        "pending" => CheckState::Pending,
        _ => CheckState::Bad,
    };
    Check {
        name: wire.context,
        state,
        url: wire.target_url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_counts_before_pending_before_good() {
        let check = |state| Check {
            name: "ci".to_owned(),
            state,
            url: None,
        };
        use CheckState::{Bad, Good, Pending};
        for (states, expected) in [
            ([Good, Good, Good], Good),
            ([Good, Pending, Good], Pending),
            ([Pending, Good, Bad], Bad),
            ([Bad, Pending, Good], Bad),
        ] {
            assert_eq!(
                joined(states.into_iter().map(check)),
                [check(expected)],
                "{states:?}"
            );
        }
    }

    #[test]
    fn a_run_is_good_only_when_it_says_so() {
        let state = |status: &str, conclusion: Option<&str>| {
            let wire = CheckRunWire {
                name: "ci".to_owned(),
                status: status.to_owned(),
                conclusion: conclusion.map(str::to_owned),
                html_url: None,
                details_url: None,
            };
            run(wire).state
        };
        for good in ["success", "neutral", "skipped"] {
            assert_eq!(state("completed", Some(good)), CheckState::Good);
        }
        for bad in [
            "action_required",
            "cancelled",
            "failure",
            "timed_out",
            "stale",
            "startup_failure",
            "news to us",
        ] {
            assert_eq!(state("completed", Some(bad)), CheckState::Bad);
        }
        assert_eq!(state("completed", None), CheckState::Bad);
        for status in ["queued", "in_progress", "waiting", "requested", "pending"] {
            assert_eq!(state(status, None), CheckState::Pending);
        }
    }
}
