//! Issues, their labels and sub-issues.

use serde_json::Value;

use super::exchange::{Answer, Call, Reply, created, invalid, not_found, ok, refusal};
use super::page::paged;
use super::repo::{Repo, Thread};

/// GitHub's limits, in characters.
const LONGEST_TITLE: usize = 256;
const LONGEST_BODY: usize = 65_536;

/// Refuses a title that is empty or too long.
pub(crate) fn check_title(resource: &str, title: &str) -> Result<(), Answer> {
    if title.trim().is_empty() {
        return Err(invalid(resource, "title", "missing_field", None));
    }
    if title.chars().count() > LONGEST_TITLE {
        let message = format!("title is too long (maximum is {LONGEST_TITLE} characters)");
        return Err(invalid(resource, "title", "custom", Some(&message)));
    }
    Ok(())
}

/// Refuses a body that is too long.
pub(crate) fn check_body(resource: &str, body: &str) -> Result<(), Answer> {
    if body.chars().count() > LONGEST_BODY {
        let message = format!("body is too long (maximum is {LONGEST_BODY} characters)");
        return Err(invalid(resource, "body", "custom", Some(&message)));
    }
    Ok(())
}

/// The issue or pull request of the path.
pub(crate) fn thread<'a>(repo: &'a Repo, call: &Call<'_>) -> Result<&'a Thread, Answer> {
    repo.threads
        .get(&call.number("issue_number"))
        .ok_or_else(not_found)
}

/// The same, to be changed.
pub(crate) fn thread_mut<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Thread, Answer> {
    let number = call.number("issue_number");
    call.repo_mut()?
        .threads
        .get_mut(&number)
        .ok_or_else(not_found)
}

fn show(call: &Call<'_>, number: u64) -> Result<Value, Answer> {
    let view = call.view()?;
    let thread = view.repo.threads.get(&number).ok_or_else(not_found)?;
    Ok(view.issue(thread))
}

/// `GET …/issues`.
pub(crate) fn list(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    check_milestone(call, view.repo)?;
    let mut found: Vec<&Thread> = view
        .repo
        .threads
        .values()
        .filter(|thread| is_asked_for(call, thread))
        .collect();
    sort(call, &mut found);
    Ok(paged(call, &found, |thread| view.issue(thread)))
}

fn check_milestone(call: &Call<'_>, repo: &Repo) -> Result<(), Answer> {
    match call.asked("milestone") {
        None | Some("*" | "none") => Ok(()),
        Some(number) => match number
            .parse()
            .ok()
            .and_then(|number: u64| repo.milestones.get(&number))
        {
            Some(_) => Ok(()),
            None => Err(invalid("Issue", "milestone", "invalid", None)),
        },
    }
}

fn is_asked_for(call: &Call<'_>, thread: &Thread) -> bool {
    let state = call.asked("state").unwrap_or("open");
    let labels = call.asked("labels").unwrap_or_default();
    let mut labels = labels.split(',').filter(|label| !label.is_empty());
    let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let milestone = match (call.asked("milestone"), thread.milestone) {
        (None, _) | (Some("*"), Some(_)) | (Some("none"), None) => true,
        (Some(asked), Some(number)) => asked == number.to_string(),
        (Some(_), None) => false,
    };
    let assignee = match call.asked("assignee") {
        None => true,
        Some("*") => !thread.assignees.is_empty(),
        Some("none") => thread.assignees.is_empty(),
        Some(login) => thread
            .assignees
            .iter()
            .any(|assignee| same(assignee, login)),
    };
    let has = |label: &str| thread.labels.iter().any(|known| same(known, label));
    (state == "all" || state == thread.state())
        && thread.updated >= call.since()
        && call
            .asked("creator")
            .is_none_or(|login| same(login, &thread.author))
        && labels.all(has)
        && milestone
        && assignee
}

fn sort(call: &Call<'_>, threads: &mut [&Thread]) {
    threads.sort_by_key(|thread| match call.asked("sort") {
        Some("updated") => (thread.updated, thread.number),
        Some("comments") => (
            i64::try_from(thread.comments.len()).unwrap_or(i64::MAX),
            thread.number,
        ),
        Some(_) | None => (thread.created, thread.number),
    });
    if call.asked("direction") != Some("asc") {
        threads.reverse();
    }
}

/// `GET …/issues/{issue_number}`.
pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let shown = show(call, call.number("issue_number"))?;
    let thread = thread_mut(call)?;
    if let Some(body) = thread.edit.take() {
        thread.body = Some(body);
    }
    ok(shown)
}

/// `POST …/issues`.
pub(crate) fn create(call: &mut Call<'_>) -> Reply {
    let title = title_of(&call.body["title"]).unwrap_or_default();
    check_title("Issue", &title)?;
    let changes = Changes::read(call)?;
    let (id, now) = (call.world.next_id(), call.world.now());
    let author = call.viewer.login.clone();
    let repo = call.repo_mut()?;
    let number = repo.next_number();
    let thread = Thread::new(id, number, &title, &author, now);
    repo.threads.insert(number, thread);
    changes.apply(call, number)?;
    created(show(call, number)?)
}

/// A number is taken as its text, as the description has it.
fn title_of(title: &Value) -> Option<String> {
    match title {
        Value::String(title) => Some(title.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `PATCH …/issues/{issue_number}`.
pub(crate) fn update(call: &mut Call<'_>) -> Reply {
    let number = thread(call.repo()?, call)?.number;
    let changes = Changes::read(call)?;
    changes.apply(call, number)?;
    ok(show(call, number)?)
}

/// What a body asks to be changed; `None` where it does not speak of it.
struct Changes {
    title: Option<String>,
    body: Option<Option<String>>,
    labels: Option<Vec<String>>,
    assignees: Option<Vec<String>>,
    milestone: Option<Option<u64>>,
    state: Option<String>,
    reason: Option<String>,
}

impl Changes {
    /// Refuses before anything is changed.
    fn read(call: &Call<'_>) -> Result<Self, Answer> {
        let asked = |name: &str| call.body.get(name).filter(|value| !value.is_null());
        let changes = Self {
            title: asked("title").and_then(title_of),
            body: call
                .body
                .get("body")
                .map(|body| body.as_str().map(str::to_owned)),
            labels: asked("labels").map(|labels| names(labels, "name")),
            assignees: asked("assignees").map(|logins| names(logins, "login")),
            milestone: milestone(call)?,
            state: call.text("state"),
            reason: call.text("state_reason"),
        };
        if let Some(title) = &changes.title {
            check_title("Issue", title)?;
        }
        if let Some(Some(body)) = &changes.body {
            check_body("Issue", body)?;
        }
        Ok(changes)
    }

    fn apply(self, call: &mut Call<'_>, number: u64) -> Result<(), Answer> {
        let (now, by) = (call.world.now(), call.viewer.login.clone());
        if let Some(labels) = &self.labels {
            know_labels(call, labels)?;
        }
        let reopening = self.state.as_deref() == Some("open");
        let merged = |thread: &Thread| thread.pull.as_ref().is_some_and(|p| p.merge_sha.is_some());
        let threads = &mut call.repo_mut()?.threads;
        let thread = threads.get_mut(&number).ok_or_else(not_found)?;
        if reopening && merged(thread) {
            let message = "The pull request cannot be reopened.";
            return Err(invalid("PullRequest", "state", "custom", Some(message)));
        }
        thread.title = self.title.unwrap_or_else(|| thread.title.clone());
        thread.body = self.body.unwrap_or_else(|| thread.body.clone());
        thread.labels = self.labels.unwrap_or_else(|| thread.labels.clone());
        thread.assignees = self.assignees.unwrap_or_else(|| thread.assignees.clone());
        thread.milestone = self.milestone.unwrap_or(thread.milestone);
        thread.updated = now;
        match self.state.as_deref() {
            Some("closed") => {
                thread.close(now, &by);
                let reason = self.reason.unwrap_or_else(|| "completed".to_owned());
                thread.state_reason = thread.pull.is_none().then_some(reason);
            }
            Some(_) => {
                thread.reopen(now);
                thread.state_reason = thread.pull.is_none().then(|| "reopened".to_owned());
            }
            None => {}
        }
        Ok(())
    }
}

fn milestone(call: &Call<'_>) -> Result<Option<Option<u64>>, Answer> {
    match call.body.get("milestone") {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(number) => {
            let number = number.as_u64().or_else(|| number.as_str()?.parse().ok());
            let known = number.filter(|number| {
                call.repo()
                    .is_ok_and(|repo| repo.milestones.contains_key(number))
            });
            match known {
                Some(number) => Ok(Some(Some(number))),
                None => Err(invalid("Issue", "milestone", "invalid", None)),
            }
        }
    }
}

/// A list of texts or of objects with a name.
fn names(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    let name = |item: &Value| {
        item.as_str()
            .or_else(|| item[member].as_str())
            .map(str::to_owned)
    };
    items.filter_map(name).collect()
}

fn know_labels(call: &mut Call<'_>, labels: &[String]) -> Result<(), Answer> {
    let mut last = call.world.last_id;
    call.repo_mut()?.know_labels(labels, || {
        last += 1;
        last
    });
    call.world.last_id = last;
    Ok(())
}

/// `POST …/issues/{issue_number}/labels`.
pub(crate) fn add_labels(call: &mut Call<'_>) -> Reply {
    let labels = names(&call.body["labels"], "name");
    if let Some(label) = labels.iter().find(|label| label.trim().is_empty()) {
        return Err(invalid("Label", "name", "missing_field", Some(label)));
    }
    thread(call.repo()?, call)?;
    know_labels(call, &labels)?;
    let now = call.world.now();
    let thread = thread_mut(call)?;
    for label in labels {
        if !thread.labels.contains(&label) {
            thread.labels.push(label);
            thread.updated = now;
        }
    }
    show_labels(call)
}

/// `DELETE …/issues/{issue_number}/labels/{name}`.
pub(crate) fn remove_label(call: &mut Call<'_>) -> Reply {
    let (name, now) = (call.param("name").to_lowercase(), call.world.now());
    let thread = thread_mut(call)?;
    let before = thread.labels.len();
    thread.labels.retain(|label| label.to_lowercase() != name);
    if thread.labels.len() == before {
        return Err(refusal(404, "Label does not exist"));
    }
    thread.updated = now;
    show_labels(call)
}

fn show_labels(call: &Call<'_>) -> Reply {
    let view = call.view()?;
    ok(view.labels(&thread(view.repo, call)?.labels))
}
