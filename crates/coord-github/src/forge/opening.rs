//! Opening an issue once, whatever the network and this process do: each has a key in its body,
//! and whoever does not know whether it is there looks for it first.

use std::ops::ControlFlow;
use std::time::Duration;

use coord_core::issue::Issue;
use coord_forge::{ForgeError, IssueKey, NewIssue};
use coord_store::{Opening, StoreError};
use http::Method;
use serde::Serialize;
use uuid::Uuid;

use super::GithubForge;
use super::found::unknown;
use super::issues::issue;
use super::limits::check_body;
use crate::error::CallError;
use crate::wire::{IssueWire, Signed};

/// How often an issue is tried to be opened, each time after a look whether it is there.
const TRIES: usize = 3;
/// Before a look that follows a try: what was sent may still be on its way, and lists of GitHub's
/// are late.
const PAUSE: Duration = Duration::from_millis(300);
/// How far GitHub's clock and ours may be apart.
const CLOCKS_MILLIS: i64 = 60 * 60 * 1000;
/// How many pages of a hundred issues are looked through.
const MOST_PAGES: usize = 30;

pub(super) async fn create(forge: &GithubForge, new: NewIssue) -> Result<Issue, ForgeError> {
    let Some(key) = &new.key else {
        return create_remembered(forge, &new).await;
    };
    let mut attempt = Attempt {
        forge,
        new: &new,
        key,
        maybe_there: true,
        pause: Duration::ZERO,
    };
    attempt.run().await
}

/// Without a key of its own it gets one, which the store keeps until it is known whether the issue
/// was opened: whoever asks for the same issue again, in this process or the next, gets that one.
async fn create_remembered(forge: &GithubForge, new: &NewIssue) -> Result<Issue, ForgeError> {
    let opening = begin(forge, new).await?;
    let key = IssueKey::new(&opening.key, opening.since);
    let mut attempt = Attempt {
        forge,
        new,
        key: &key,
        maybe_there: opening.is_old,
        pause: PAUSE,
    };
    let opened = attempt.run().await;
    let is_known = opened.is_ok() || !attempt.maybe_there;
    if is_known && let Err(error) = forge.connection().openings().end_opening(&opening).await {
        tracing::warn!(%error, "the same issue again will be taken for this one");
    }
    opened
}

async fn begin(forge: &GithubForge, new: &NewIssue) -> Result<Opening, ForgeError> {
    let now = forge.connection().now();
    let openings = forge.connection().openings();
    let issue = serde_json::json!([new.title, new.body, new.labels]).to_string();
    let key = format!("new={}", Uuid::new_v4().simple());
    openings
        .begin_opening(&forge.route("/issues"), &issue, &key, now)
        .await
        .map_err(not_remembered)
}

fn not_remembered(error: StoreError) -> ForgeError {
    let what = "that an issue is about to be opened cannot be remembered".to_owned();
    if error.is_transient() {
        return ForgeError::Transient {
            what,
            retry_at: None,
            source: Some(Box::new(error)),
        };
    }
    ForgeError::Unusable {
        what,
        hint: error.hint(),
        source: Some(Box::new(error)),
    }
}

struct Attempt<'a> {
    forge: &'a GithubForge,
    new: &'a NewIssue,
    key: &'a IssueKey,
    /// Whether the issue may be there without having been found.
    maybe_there: bool,
    /// Before the next look.
    pause: Duration,
}

impl Attempt<'_> {
    /// Looks before each try.
    async fn run(&mut self) -> Result<Issue, ForgeError> {
        let body = with_key(&self.new.body, self.key);
        check_body("the body, with the coordinator's key,", &body)?;
        let request = NewIssueRequest {
            title: &self.new.title,
            body: &body,
            labels: &self.new.labels,
        };
        let what = format!("a new issue in {}", self.forge.full_name);
        let mut tries = 0;
        loop {
            if let Some(opened) = self.look().await? {
                return Ok(opened);
            }
            tries += 1;
            let error = match self.send(&request).await {
                Ok(opened) => return Ok(issue(opened, true)),
                Err(error) if unknown(&error) => error,
                Err(error) => return Err(error.into_forge(&what)),
            };
            self.maybe_there = true;
            self.pause = PAUSE;
            if tries == TRIES {
                let opened = self.look().await?;
                return opened.ok_or_else(|| error.into_forge(&what));
            }
        }
    }

    async fn send(&self, request: &NewIssueRequest<'_>) -> Result<IssueWire, CallError> {
        let route = self.forge.route("/issues");
        let connection = self.forge.connection();
        connection.send(Method::POST, &route, request).await
    }

    /// The issue, if it is there already. Looks more than once: whoever called may not look again.
    async fn look(&mut self) -> Result<Option<Issue>, ForgeError> {
        if !self.maybe_there {
            return Ok(None);
        }
        let mut looks = 1;
        loop {
            tokio::time::sleep(self.pause).await;
            match find(self.forge, self.key).await {
                Err(ForgeError::Transient { retry_at: None, .. }) if looks < TRIES => {
                    looks += 1;
                    self.pause = PAUSE;
                }
                found => {
                    let found = found?;
                    self.maybe_there = found.is_some();
                    return Ok(found.map(|it| issue(it, true)));
                }
            }
        }
    }
}

fn with_key(body: &str, key: &IssueKey) -> String {
    let marker = key.marker();
    if body.is_empty() {
        return marker;
    }
    format!("{body}\n\n{marker}")
}

/// Of our own issues since the key was made the one that has it: anybody can copy it from there.
async fn find(forge: &GithubForge, key: &IssueKey) -> Result<Option<IssueWire>, ForgeError> {
    let me = forge.github.whoami().await?;
    let is_ours = |issue: &IssueWire| {
        let author = issue.signature().login;
        issue.pull_request.is_none()
            && author.is_some_and(|author| author.eq_ignore_ascii_case(&me))
            && issue.body.as_deref().is_some_and(|body| key.is_in(body))
    };
    let earliest = key.since().as_millis().saturating_sub(CLOCKS_MILLIS);
    let is_early = |issue: &IssueWire| {
        let created = issue.created_at;
        created.is_some_and(|created| created.as_millis() < earliest)
    };
    let query = [
        ("state", "all"),
        ("sort", "created"),
        ("direction", "desc"),
        ("per_page", "100"),
    ];
    let (mut found, mut pages, mut is_cut) = (None, 0, false);
    let look_through = |page: Vec<IssueWire>| {
        pages += 1;
        let ends = page.last().is_none_or(is_early);
        found = page.into_iter().find(is_ours);
        is_cut = pages == MOST_PAGES && !ends;
        if found.is_some() || ends || is_cut {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    forge
        .connection()
        .get_pages(&forge.route("/issues"), &query, look_through)
        .await
        .map_err(|error| error.into_forge(&format!("the repository {}", forge.full_name)))?;
    if found.is_none() && is_cut {
        return Err(too_many(forge, key));
    }
    Ok(found)
}

/// Better none than two.
fn too_many(forge: &GithubForge, key: &IssueKey) -> ForgeError {
    ForgeError::Refused {
        reason: format!(
            "whether the issue `{key}` was opened in {} cannot be found out: there are more than \
             {} later ones",
            forge.full_name,
            MOST_PAGES * 100
        ),
        hint: Some("look for it, and open it by hand if it is not there".to_owned()),
    }
}

#[derive(Serialize)]
struct NewIssueRequest<'a> {
    title: &'a str,
    body: &'a str,
    labels: &'a [String],
}
