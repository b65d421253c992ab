//! Comments on issues and pull requests.

use super::exchange::{Call, Reply, created, invalid, not_found, ok};
use super::issues::{check_body, thread, thread_mut};
use super::page::paged;
use super::repo::{Comment, Thread};

/// `GET …/issues/{issue_number}/comments`: in the order of their ids.
pub(crate) fn list(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let thread = thread(view.repo, call)?;
    let since = call.since();
    let found: Vec<&Comment> = thread
        .comments
        .iter()
        .filter(|c| c.updated >= since)
        .collect();
    Ok(paged(call, &found, |comment| view.comment(thread, comment)))
}

/// `GET …/issues/comments`: of the whole repository.
pub(crate) fn list_all(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let since = call.since();
    let mut found: Vec<(&Thread, &Comment)> = view
        .repo
        .threads
        .values()
        .flat_map(|thread| thread.comments.iter().map(move |comment| (thread, comment)))
        .filter(|(_, comment)| comment.updated >= since)
        .collect();
    let updated = call.asked("sort") == Some("updated");
    found.sort_by_key(|(_, c)| (if updated { c.updated } else { c.created }, c.id));
    // Without `sort` the direction is ignored.
    if call.asked("sort").is_some() && call.asked("direction") != Some("asc") {
        found.reverse();
    }
    Ok(paged(call, &found, |(thread, comment)| {
        view.comment(thread, comment)
    }))
}

/// `POST …/issues/{issue_number}/comments`.
pub(crate) fn create(call: &mut Call<'_>) -> Reply {
    let body = text(call)?;
    thread(call.repo()?, call)?;
    let (id, now) = (call.world.next_id(), call.world.now());
    let author = call.viewer.login.clone();
    let thread = thread_mut(call)?;
    thread.updated = now;
    thread.comments.push(Comment {
        id,
        author,
        body,
        created: now,
        updated: now,
    });
    let (view, number) = (call.view()?, call.number("issue_number"));
    let thread = view.repo.threads.get(&number).ok_or_else(not_found)?;
    let comment = thread.comments.last().ok_or_else(not_found)?;
    created(view.comment(thread, comment))
}

/// `PATCH …/issues/comments/{comment_id}`.
pub(crate) fn update(call: &mut Call<'_>) -> Reply {
    let body = text(call)?;
    let (id, now) = (call.number("comment_id"), call.world.now());
    let threads = call.repo_mut()?.threads.values_mut();
    let mut comments = threads.flat_map(|thread| thread.comments.iter_mut());
    let comment = comments
        .find(|comment| comment.id == id)
        .ok_or_else(not_found)?;
    comment.body = body;
    comment.updated = now;
    let view = call.view()?;
    for thread in view.repo.threads.values() {
        if let Some(comment) = thread.comments.iter().find(|comment| comment.id == id) {
            return ok(view.comment(thread, comment));
        }
    }
    Err(not_found())
}

fn text(call: &Call<'_>) -> Result<String, super::exchange::Answer> {
    let body = call.text("body").unwrap_or_default();
    if body.trim().is_empty() {
        return Err(invalid("IssueComment", "body", "missing_field", None));
    }
    check_body("IssueComment", &body)?;
    Ok(body)
}
