//! Issues below issues. An Enterprise server that is older than they are answers 404.

use std::collections::BTreeSet;

use coord_forge::{ForgeError, SubIssueLink};
use http::Method;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::GithubForge;
use super::found::found;
use super::issues::need;
use crate::error::CallError;
use crate::wire::IssueWire;

/// The issues of this repository below which there are open ones, as a list of all open issues
/// tells it.
pub(super) fn parents_in(open: &[IssueWire]) -> Vec<u64> {
    let with_open = |issue: &&IssueWire| {
        let summary = issue.sub_issues_summary.as_ref();
        summary.is_some_and(|summary| summary.completed < summary.total)
    };
    let listed: BTreeSet<u64> = open.iter().map(|issue| issue.number).collect();
    // A parent that is closed itself is told by its sub-issues alone.
    let closed = open
        .iter()
        .filter_map(IssueWire::parent_here)
        .filter(|parent| !listed.contains(parent));
    let parents = open
        .iter()
        .filter(with_open)
        .map(|issue| issue.number)
        .chain(closed);
    parents.collect::<BTreeSet<u64>>().into_iter().collect()
}

pub(super) async fn of_issue(
    forge: &GithubForge,
    parent: u64,
) -> Result<Option<Vec<u64>>, ForgeError> {
    let listed = forge
        .connection()
        .get_all(
            &forge.issue_route(parent, "/sub_issues"),
            &[("per_page", "100")],
        )
        .await;
    let listed: Option<Vec<IssueWire>> =
        found(listed).map_err(|error| error.into_forge(&forge.issue_name(parent)))?;
    let Some(listed) = listed else {
        // There is no such issue, or there are no sub-issues here.
        need(forge, parent).await?;
        return Ok(None);
    };
    let mut seen = BTreeSet::new();
    let children = listed.iter().filter(|child| is_here(forge, child));
    let numbers = children.map(|child| child.number);
    Ok(Some(
        numbers.filter(|number| seen.insert(*number)).collect(),
    ))
}

/// Issues of other repositories of the same owner may be below one of ours, and have numbers of
/// their own.
fn is_here(forge: &GithubForge, child: &IssueWire) -> bool {
    if child.parent_issue_url.is_some() {
        return child.parent_here().is_some();
    }
    let Some(repository) = &child.repository_url else {
        return true;
    };
    let name = format!("/repos/{}", forge.full_name).to_lowercase();
    repository.to_lowercase().ends_with(&name)
}

pub(super) async fn add(
    forge: &GithubForge,
    parent: u64,
    child: u64,
) -> Result<SubIssueLink, ForgeError> {
    let is_below = |children: Vec<u64>| children.contains(&child);
    let Some(children) = of_issue(forge, parent).await? else {
        return Ok(SubIssueLink::Unsupported);
    };
    if is_below(children) {
        return Ok(SubIssueLink::Linked);
    }
    let request = LinkRequest {
        sub_issue_id: id_of(forge, child).await?,
    };
    let route = forge.issue_route(parent, "/sub_issues");
    let sent: Result<IgnoredAny, CallError> = forge
        .connection()
        .send(Method::POST, &route, &request)
        .await;
    let error = match sent {
        Ok(IgnoredAny) => return Ok(SubIssueLink::Linked),
        Err(error) => error,
    };
    let CallError::Refused { status: 422, .. } = &error else {
        return Err(error.into_forge(&link_name(forge, parent, child)));
    };
    // GitHub says the same of one that is there by now and of one that is elsewhere.
    if of_issue(forge, parent).await?.is_some_and(is_below) {
        return Ok(SubIssueLink::Linked);
    }
    if has_other_parent(&error) {
        return Ok(SubIssueLink::OtherParent);
    }
    Err(error.into_forge(&link_name(forge, parent, child)))
}

/// In GitHub's words: "Sub issue may only have one parent".
fn has_other_parent(error: &CallError) -> bool {
    let CallError::Refused {
        message, errors, ..
    } = error
    else {
        return false;
    };
    let mut texts = errors.iter().chain([message]);
    texts.any(|text| text.contains("only have one parent"))
}

async fn id_of(forge: &GithubForge, number: u64) -> Result<u64, ForgeError> {
    let issue = need(forge, number).await?;
    issue.id.ok_or_else(|| ForgeError::Unusable {
        what: format!("GitHub tells no id of {}", forge.issue_name(number)),
        hint: None,
        source: None,
    })
}

fn link_name(forge: &GithubForge, parent: u64, child: u64) -> String {
    format!("{} below #{parent}", forge.issue_name(child))
}

#[derive(Serialize)]
struct LinkRequest {
    sub_issue_id: u64,
}
