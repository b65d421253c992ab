//! Issues: listing, opening, closing, labels, and the coordinator's sections in their bodies.

use std::time::Duration;

use coord_core::issue::{Issue, IssueState};
use coord_forge::{ForgeError, NewIssue, with_section};
use http::Method;
use serde::Serialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::found::{found, unknown};
use super::limits::check_body;
use super::trust::{Judge, author, judge};
use super::{GithubForge, comments};
use crate::client::escape_segment;
use crate::error::CallError;
use crate::wire::{IssueWire, LabelWire, Signed, User};

/// How often an issue is tried to be opened, each time after a look whether it is there.
const TRIES: usize = 3;
/// Before each look: what was sent may still be on its way, and lists of GitHub's are late.
const PAUSE: Duration = Duration::from_millis(300);

pub(super) async fn open(forge: &GithubForge) -> Result<Vec<Issue>, ForgeError> {
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
    Ok(judged(listed, &judge))
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

/// Opens the issue with a key in its body, by which it is found when the answer gets lost.
pub(super) async fn create(forge: &GithubForge, new: NewIssue) -> Result<Issue, ForgeError> {
    let earlier = forge.unsure.take(&new);
    let mut maybe_there = earlier.is_some();
    let key = earlier.unwrap_or_else(|| format!("<!-- coord:issue={} -->", Uuid::new_v4()));
    let opened = create_once(forge, &new, &key, &mut maybe_there).await;
    if maybe_there && opened.is_err() {
        forge.unsure.put(new, key);
    }
    opened
}

/// Looks before each try. Whether the issue may be there without having been found stands in
/// `maybe_there` at the end.
async fn create_once(
    forge: &GithubForge,
    new: &NewIssue,
    key: &str,
    maybe_there: &mut bool,
) -> Result<Issue, ForgeError> {
    let body = with_key(&new.body, key);
    check_body("the body, with the coordinator's key,", &body)?;
    let request = NewIssueRequest {
        title: &new.title,
        body: &body,
        labels: &new.labels,
    };
    let what = format!("a new issue in {}", forge.full_name);
    let mut failure = None;
    let mut tries = 0;
    loop {
        if *maybe_there && let Some(opened) = look_for(forge, key).await? {
            return Ok(issue(opened, true));
        }
        *maybe_there = false;
        if tries == TRIES
            && let Some(error) = failure
        {
            return Err(CallError::into_forge(error, &what));
        }
        tries += 1;
        let route = forge.route("/issues");
        let sent = forge
            .connection()
            .send(Method::POST, &route, &request)
            .await;
        match sent {
            Ok(opened) => return Ok(issue(opened, true)),
            Err(error) if unknown(&error) => {
                *maybe_there = true;
                failure = Some(error);
            }
            Err(error) => return Err(error.into_forge(&what)),
        }
    }
}

fn with_key(body: &str, key: &str) -> String {
    if body.is_empty() {
        return key.to_owned();
    }
    format!("{body}\n\n{key}")
}

/// Looks more than once: whoever called cannot look.
async fn look_for(forge: &GithubForge, key: &str) -> Result<Option<IssueWire>, ForgeError> {
    let mut looks = 1;
    loop {
        tokio::time::sleep(PAUSE).await;
        match latest_with(forge, key).await {
            Err(ForgeError::Transient { retry_at: None, .. }) if looks < TRIES => looks += 1,
            decided => return decided,
        }
    }
}

/// Of our own latest issues the one that holds the key: anybody can copy it from there.
async fn latest_with(forge: &GithubForge, key: &str) -> Result<Option<IssueWire>, ForgeError> {
    let me = forge.github.whoami().await?;
    let query = [
        ("state", "all"),
        ("sort", "created"),
        ("direction", "desc"),
        ("per_page", "100"),
    ];
    let latest: Vec<IssueWire> = forge
        .connection()
        .get(&forge.route("/issues"), &query)
        .await
        .map_err(|error| error.into_forge(&format!("the repository {}", forge.full_name)))?;
    let is_ours = |issue: &IssueWire| {
        let author = issue.signature().login;
        let holds_key = issue.body.as_ref().is_some_and(|body| body.contains(key));
        holds_key && author.is_some_and(|author| author.eq_ignore_ascii_case(&me))
    };
    Ok(latest.into_iter().find(is_ours))
}

pub(super) async fn write_section(
    forge: &GithubForge,
    number: u64,
    section: &str,
    text: &str,
) -> Result<(), ForgeError> {
    let issue = need(forge, number).await?;
    let before = issue.body.unwrap_or_default();
    let body = with_section(&before, section, text);
    // GitHub's editor turns every line end of a body into CRLF.
    let lines = |body: &str| body.replace("\r\n", "\n");
    if lines(&before) == lines(&body) {
        return Ok(());
    }
    check_body("the body with the new section", &body)?;
    patch(forge, number, &BodyRequest { body: &body }).await
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

async fn need(forge: &GithubForge, number: u64) -> Result<IssueWire, ForgeError> {
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

fn issue(wire: IssueWire, trusted: bool) -> Issue {
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
struct NewIssueRequest<'a> {
    title: &'a str,
    body: &'a str,
    labels: &'a [String],
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
