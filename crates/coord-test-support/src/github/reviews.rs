//! Reviews of pull requests and their comments on lines.

use serde_json::{Value, json};

use super::diff::{self, FileChange};
use super::exchange::{Answer, Call, Reply, broken, not_found, ok, unprocessable};
use super::page::paged;
use super::pulls;
use super::repo::{Pull, Repo, Review, ReviewComment, Thread};
use super::shape::shape;
use super::view::View;
use super::world::stamp;

/// `POST …/pulls/{pull_number}/reviews`.
pub(crate) fn create(call: &mut Call<'_>) -> Reply {
    let number = call.number("pull_number");
    let (thread, pull) = pulls::of(call.repo()?, number)?;
    let author = call.viewer.login.clone();
    let state = state(call, thread, &author)?;
    let commit = commit(call, call.repo()?, pull)?;
    let given = call.body["comments"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let changes = if given.is_empty() {
        Vec::new()
    } else {
        let onto = pull.base_sha.as_str();
        call.repo()?.git.changes(onto, &commit).map_err(broken)?
    };
    let mut comments = Vec::new();
    for comment in &given {
        comments.push(read_comment(comment, &changes)?);
    }
    let review = Review {
        id: call.world.next_id(),
        author,
        body: call.text("body").unwrap_or_default(),
        state: state.to_owned(),
        commit,
        submitted: call.world.now(),
        comments,
    };
    store(call, number, review)
}

fn store(call: &mut Call<'_>, number: u64, review: Review) -> Reply {
    let id = review.id;
    let thread = pulls::of_mut(call.repo_mut()?, number)?;
    thread.updated = review.submitted;
    if let Some(pull) = &mut thread.pull {
        // A review takes the request for it away.
        pull.reviewers
            .retain(|login| !login.eq_ignore_ascii_case(&review.author));
        pull.reviews.push(review);
    }
    let view = call.view()?;
    let (thread, pull) = pulls::of(view.repo, number)?;
    let review = pull.reviews.iter().find(|review| review.id == id);
    ok(show(&view, thread, review.ok_or_else(not_found)?))
}

/// The state that an event leads to.
fn state(call: &Call<'_>, thread: &Thread, author: &str) -> Result<&'static str, Answer> {
    let own = thread.author.eq_ignore_ascii_case(author);
    let silent = call.text("body").is_none_or(|body| body.trim().is_empty());
    let alone = call.body["comments"].as_array().is_none_or(Vec::is_empty);
    match call.text("event").as_deref() {
        Some("APPROVE") if own => Err(unprocessable("Can not approve your own pull request")),
        Some("REQUEST_CHANGES") if own => Err(unprocessable(
            "Can not request changes on your own pull request",
        )),
        Some("REQUEST_CHANGES") if silent => Err(unprocessable("Body can't be blank")),
        Some("COMMENT") if silent && alone => Err(unprocessable("Body can't be blank")),
        Some("APPROVE") => Ok("APPROVED"),
        Some("REQUEST_CHANGES") => Ok("CHANGES_REQUESTED"),
        Some("COMMENT") => Ok("COMMENTED"),
        Some(_) | None => Ok("PENDING"),
    }
}

/// The commit that is reviewed: the head, or one before it.
fn commit(call: &Call<'_>, repo: &Repo, pull: &Pull) -> Result<String, Answer> {
    let Some(asked) = call.text("commit_id") else {
        return Ok(pull.head_sha.clone());
    };
    let found = repo.git.commit_of(&asked).map_err(broken)?;
    let found = found.ok_or_else(|| unprocessable("No commit found for SHA"))?;
    let fork = repo
        .git
        .merge_base(&found, &pull.head_sha)
        .map_err(broken)?;
    match fork == Some(found.clone()) {
        true => Ok(found),
        false => Err(unprocessable("commit_id is not part of the pull request")),
    }
}

/// A comment on a line that the diff shows.
fn read_comment(comment: &Value, changes: &[FileChange]) -> Result<ReviewComment, Answer> {
    let path = comment["path"].as_str().unwrap_or_default();
    let file = changes.iter().find(|file| file.path == path);
    let file = file.ok_or_else(|| unprocessable("Path could not be resolved"))?;
    let shown = diff::lines(file.patch.as_deref().unwrap_or_default());
    let side = |name: &str| comment[name].as_str().unwrap_or("RIGHT").to_owned();
    let holds = |side: &str, line: u64| match side {
        "LEFT" => shown.left.contains(&line),
        _ => shown.right.contains(&line),
    };
    let outside = || unprocessable("Pull request review thread line must be part of the diff");
    let line = comment["line"].as_u64().ok_or_else(outside)?;
    let start_line = comment["start_line"].as_u64();
    if !holds(&side("side"), line) {
        return Err(outside());
    }
    if let Some(start) = start_line {
        if !holds(&side("start_side"), start) {
            let message = "Pull request review thread start line must be part of the same hunk as \
                           the line.";
            return Err(unprocessable(message));
        }
        if start >= line && side("start_side") == side("side") {
            let message = "Pull request review thread start line must precede the end line.";
            return Err(unprocessable(message));
        }
    }
    Ok(ReviewComment {
        path: path.to_owned(),
        body: comment["body"].as_str().unwrap_or_default().to_owned(),
        line,
        side: side("side"),
        start_line,
    })
}

/// `GET …/pulls/{pull_number}/reviews`: the oldest first; another's pending one is not shown.
pub(crate) fn list(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let (thread, pull) = pulls::of(view.repo, call.number("pull_number"))?;
    let own = |review: &&Review| review.state != "PENDING" || review.author == call.viewer.login;
    let reviews: Vec<&Review> = pull.reviews.iter().filter(own).collect();
    Ok(paged(call, &reviews, |review| show(&view, thread, review)))
}

fn show(view: &View<'_>, thread: &Thread, review: &Review) -> Value {
    let (id, number) = (review.id, thread.number);
    let html = view.html(&format!("/pull/{number}#pullrequestreview-{id}"));
    let pull = view.api(&format!("/pulls/{number}"));
    let mut members = json!({
        "id": id,
        "node_id": format!("PRR_{id}"),
        "user": view.user(&review.author),
        "body": review.body,
        "state": review.state,
        "html_url": html,
        "pull_request_url": pull,
        "author_association": view.association(&review.author),
        "_links": {"html": {"href": html}, "pull_request": {"href": pull}},
        "commit_id": review.commit,
    });
    if review.state != "PENDING" {
        members["submitted_at"] = stamp(review.submitted).into();
    }
    shape("pull-request-review", members)
}
