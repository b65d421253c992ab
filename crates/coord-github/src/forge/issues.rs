//! Issues: listing, closing, labels, and the coordinator's sections in their bodies.

use coord_core::issue::{Issue, IssueState};
use coord_forge::{ForgeError, OpenList, with_section};
use http::Method;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::found::found;
use super::limits::check_body;
use super::trust::{Judge, author, judge};
use super::{GithubForge, comments, sub_issues};
use crate::client::escape_segment;
use crate::error::CallError;
use crate::wire::{IssueWire, LabelWire, Signed, User};

/// How often a section is tried to be written while others write in the body.
const TRIES: usize = 5;

pub(super) async fn open(forge: &GithubForge) -> Result<OpenList, ForgeError> {
    let query = [
        ("state", "open"),
        ("sort", "created"),
        ("direction", "asc"),
        ("per_page", "100"),
    ];
    let mut listed: Vec<IssueWire> = forge
        .connection()
        .get_all(&forge.route("/issues"), &query)
        .await
        .map_err(|error| error.into_forge(&format!("the repository {}", forge.full_name)))?;
    listed.retain(|issue| issue.pull_request.is_none());
    listed.sort_by_key(|issue| issue.number);
    // What is opened or closed meanwhile moves others from one page to the next.
    listed.dedup_by_key(|issue| issue.number);
    let judge = judge(forge, &listed).await?;
    Ok(OpenList {
        parents: sub_issues::parents_in(&listed),
        issues: judged(listed, &judge),
    })
}

pub(super) async fn find(forge: &GithubForge, number: u64) -> Result<Option<Issue>, ForgeError> {
    match get(forge, number).await? {
        Some(found) => {
            let found = [found];
            let judge = judge(forge, &found).await?;
            Ok(judged(found, &judge).pop())
        }
        None => Ok(None),
    }
}

pub(super) async fn write_section(
    forge: &GithubForge,
    number: u64,
    section: &str,
    text: &str,
) -> Result<(), ForgeError> {
    let mut before = need(forge, number).await?.body.unwrap_or_default();
    for _ in 0..TRIES {
        let body = with_section(&before, section, text);
        // GitHub's editor turns every line end of a body into CRLF.
        let lines = |body: &str| body.replace("\r\n", "\n");
        if lines(&before) == lines(&body) {
            return Ok(());
        }
        check_body("the body with the new section", &body)?;
        // GitHub writes over whatever is there, and what it showed first may be late.
        let now = need(forge, number).await?.body.unwrap_or_default();
        if now == before {
            return patch(forge, number, &BodyRequest { body: &body }).await;
        }
        before = now;
    }
    Err(ForgeError::Transient {
        what: format!(
            "{}: the body changes all the time",
            forge.issue_name(number)
        ),
        retry_at: None,
        source: None,
    })
}

pub(super) async fn close(
    forge: &GithubForge,
    number: u64,
    note: Option<&str>,
) -> Result<(), ForgeError> {
    let issue = need(forge, number).await?;
    if state(&issue) == IssueState::Closed {
        return Ok(());
    }
    if let Some(note) = note {
        comments::create_unless_last(forge, number, note).await?;
    }
    let request = CloseRequest {
        state: "closed",
        state_reason: "completed",
    };
    patch(forge, number, &request).await
}

pub(super) async fn label(
    forge: &GithubForge,
    number: u64,
    add: &[String],
    remove: &[String],
) -> Result<(), ForgeError> {
    let what = forge.issue_name(number);
    if !add.is_empty() {
        let route = forge.issue_route(number, "/labels");
        let request = LabelsRequest { labels: add };
        forge
            .connection()
            .send::<_, IgnoredAny>(Method::POST, &route, &request)
            .await
            .map_err(|error| error.into_forge(&what))?;
    }
    for label in remove {
        let route = forge.issue_route(number, &format!("/labels/{}", escape_segment(label)));
        let taken = forge
            .connection()
            .send::<_, IgnoredAny>(Method::DELETE, &route, &())
            .await;
        let taken = found(taken).map_err(|error| error.into_forge(&what))?;
        if taken.is_none() {
            // Either the issue does not have the label, or there is no such issue.
            need(forge, number).await?;
        }
    }
    Ok(())
}

async fn get(forge: &GithubForge, number: u64) -> Result<Option<IssueWire>, ForgeError> {
    let route = forge.issue_route(number, "");
    let answer = found(forge.connection().get(&route, &[]).await)
        .map_err(|error| error.into_forge(&forge.issue_name(number)))?;
    Ok(answer.filter(|issue: &IssueWire| issue.pull_request.is_none()))
}

pub(super) async fn need(forge: &GithubForge, number: u64) -> Result<IssueWire, ForgeError> {
    let issue = get(forge, number).await?;
    issue.ok_or_else(|| ForgeError::NotFound {
        what: forge.issue_name(number),
    })
}

async fn patch<B: Serialize + Sync>(
    forge: &GithubForge,
    number: u64,
    request: &B,
) -> Result<(), ForgeError> {
    let route = forge.issue_route(number, "");
    let sent: Result<IgnoredAny, CallError> = forge
        .connection()
        .send(Method::PATCH, &route, request)
        .await;
    match sent {
        Ok(IgnoredAny) => Ok(()),
        Err(error) => Err(error.into_forge(&forge.issue_name(number))),
    }
}

fn judged(found: impl IntoIterator<Item = IssueWire>, judge: &Judge<'_>) -> Vec<Issue> {
    let judged = |it: IssueWire| {
        let trusted = judge.trusts(it.signature());
        issue(it, trusted)
    };
    found.into_iter().map(judged).collect()
}

pub(super) fn issue(wire: IssueWire, trusted: bool) -> Issue {
    let login = |user: User| user.login;
    Issue {
        number: wire.number,
        state: state(&wire),
        author: author(wire.signature()),
        trusted,
        title: wire.title,
        body: wire.body.unwrap_or_default(),
        labels: wire.labels.into_iter().filter_map(label_name).collect(),
        milestone: wire.milestone.map(|milestone| milestone.title),
        assignees: wire
            .assignees
            .unwrap_or_default()
            .into_iter()
            .map(login)
            .collect(),
    }
}

fn state(issue: &IssueWire) -> IssueState {
    if issue.state == "open" {
        IssueState::Open
    } else {
        IssueState::Closed
    }
}

fn label_name(label: LabelWire) -> Option<String> {
    match label {
        LabelWire::Name(name) => Some(name),
        LabelWire::Label { name } => name,
    }
}

#[derive(Serialize)]
struct BodyRequest<'a> {
    body: &'a str,
}

#[derive(Serialize)]
struct CloseRequest {
    state: &'static str,
    state_reason: &'static str,
}

#[derive(Serialize)]
struct LabelsRequest<'a> {
    labels: &'a [String],
}
