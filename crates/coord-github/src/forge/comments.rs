//! Comments on issues and pull requests.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use coord_core::ids::Timestamp;
use coord_forge::{Comment, ForgeError};
use http::Method;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::GithubForge;
use super::limits::check_body;
use super::trust::{Judge, author, judge};
use crate::wire::{CommentWire, Signed};

pub(super) async fn of_issue(
    forge: &GithubForge,
    number: u64,
    since: Option<Timestamp>,
) -> Result<Vec<Comment>, ForgeError> {
    let since = since.map(|since| whole_second(since).to_string());
    let mut query = vec![("per_page", "100")];
    query.extend(since.as_deref().map(|since| ("since", since)));
    let mut listed: Vec<CommentWire> = forge
        .connection()
        .get_all(&forge.issue_route(number, "/comments"), &query)
        .await
        .map_err(|error| error.into_forge(&forge.issue_name(number)))?;
    listed.sort_by_key(|comment| comment.id);
    listed.dedup_by_key(|comment| comment.id);
    let judge = judge(forge, &listed).await?;
    let judged = |it| judged(it, &judge);
    Ok(listed.into_iter().map(judged).collect())
}

/// Asks without `since`, so that the address stays the same and with it what is in the cache.
pub(super) async fn recent(
    forge: &GithubForge,
    since: Option<Timestamp>,
    limit: usize,
) -> Result<Vec<(u64, Comment)>, ForgeError> {
    let since = since.map(|since| Timestamp::from_millis(whole_second(since).as_millisecond()));
    let early = |comment: &CommentWire| since.is_some_and(|since| comment.updated_at < since);
    let query = [
        ("sort", "updated"),
        ("direction", "desc"),
        ("per_page", "100"),
    ];
    let mut listed: Vec<CommentWire> = Vec::new();
    let take = |page: Vec<CommentWire>| {
        let ends = page.last().is_none_or(early);
        listed.extend(page.into_iter().filter(|comment| !early(comment)));
        if ends || listed.len() >= limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    forge
        .connection()
        .get_pages(&forge.route("/issues/comments"), &query, take)
        .await
        .map_err(|error| error.into_forge(&format!("the repository {}", forge.full_name)))?;
    // What is written meanwhile moves others from one page to the next.
    let mut seen = BTreeSet::new();
    listed.retain(|comment| seen.insert(comment.id));
    listed.truncate(limit);
    let judge = judge(forge, &listed).await?;
    let numbered = |it: CommentWire| Some((it.issue_number()?, judged(it, &judge)));
    Ok(listed.into_iter().filter_map(numbered).collect())
}

pub(super) async fn create(
    forge: &GithubForge,
    number: u64,
    body: &str,
) -> Result<Comment, ForgeError> {
    check_body("the comment", body)?;
    let route = forge.issue_route(number, "/comments");
    let posted: CommentWire = forge
        .connection()
        .send(Method::POST, &route, &CommentRequest { body })
        .await
        .map_err(|error| error.into_forge(&forge.issue_name(number)))?;
    Ok(comment(posted, true))
}

/// Posts the comment, unless it is ours and the last one already: then an earlier call posted it
/// and got no further.
pub(super) async fn create_unless_last(
    forge: &GithubForge,
    number: u64,
    body: &str,
) -> Result<(), ForgeError> {
    check_body("the comment", body)?;
    let comments = of_issue(forge, number, None).await?;
    if let Some(last) = comments.last()
        && last.body.trim_end() == body.trim_end()
        && last
            .author
            .eq_ignore_ascii_case(&forge.github.whoami().await?)
    {
        return Ok(());
    }
    create(forge, number, body).await.map(drop)
}

pub(super) async fn edit(forge: &GithubForge, id: u64, body: &str) -> Result<(), ForgeError> {
    check_body("the comment", body)?;
    let route = forge.route(&format!("/issues/comments/{id}"));
    forge
        .connection()
        .send::<_, IgnoredAny>(Method::PATCH, &route, &CommentRequest { body })
        .await
        .map_err(|error| error.into_forge(&format!("comment {id} in {}", forge.full_name)))?;
    Ok(())
}

fn judged(wire: CommentWire, judge: &Judge<'_>) -> Comment {
    let trusted = judge.trusts(wire.signature());
    comment(wire, trusted)
}

fn comment(wire: CommentWire, trusted: bool) -> Comment {
    Comment {
        id: wire.id,
        author: author(wire.signature()),
        trusted,
        at: wire.created_at,
        body: wire.body.unwrap_or_default(),
    }
}

/// GitHub's instants are whole seconds, rounded down: so is what they are compared to.
fn whole_second(at: Timestamp) -> jiff::Timestamp {
    let second = at.as_millis().div_euclid(1000).max(0);
    jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::MAX)
}

#[derive(Serialize)]
struct CommentRequest<'a> {
    body: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rounded_down_and_stay_in_range() {
        let text = |millis| whole_second(Timestamp::from_millis(millis)).to_string();
        assert_eq!(text(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(text(i64::MIN), "1970-01-01T00:00:00Z");
        assert!(text(i64::MAX).starts_with("9999-12-30T22:00:00"));
    }
}
