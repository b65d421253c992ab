//! Pull requests: opening, finding and reading them.

use serde_json::{Value, json};

use super::diff::FileChange;
use super::exchange::{Answer, Call, Reply, broken, created, invalid, not_found, ok, refusal};
use super::issues::{check_body, check_title};
use super::page::paged;
use super::refs::file_entry;
use super::repo::{Pull, Repo, Thread};
use super::shape::shape;
use super::view::View;

/// GitHub shows no diff beyond these.
const MOST_FILES: usize = 300;
const MOST_LINES: usize = 20_000;

/// The thread and its pull request.
pub(crate) fn of(repo: &Repo, number: u64) -> Result<(&Thread, &Pull), Answer> {
    let thread = repo.threads.get(&number).ok_or_else(not_found)?;
    Ok((thread, thread.pull.as_ref().ok_or_else(not_found)?))
}

/// The same, to be changed.
pub(crate) fn of_mut(repo: &mut Repo, number: u64) -> Result<&mut Thread, Answer> {
    let thread = repo.threads.get_mut(&number).ok_or_else(not_found)?;
    if thread.pull.is_none() {
        return Err(not_found());
    }
    Ok(thread)
}

/// The commit that the changes of a pull request are counted from.
fn onto(repo: &Repo, pull: &Pull) -> Result<String, Answer> {
    if let Some(onto) = &pull.merged_onto {
        return Ok(onto.clone());
    }
    let tip = repo.git.tip(&pull.base).map_err(broken)?;
    Ok(tip.unwrap_or_else(|| pull.base_sha.clone()))
}

/// What a pull request changes.
pub(crate) fn changes(repo: &Repo, pull: &Pull) -> Result<Vec<FileChange>, Answer> {
    let onto = onto(repo, pull)?;
    repo.git.changes(&onto, &pull.head_sha).map_err(broken)
}

/// `POST …/pulls`.
pub(crate) fn create(call: &mut Call<'_>) -> Reply {
    let title = call.text("title").unwrap_or_default();
    check_title("PullRequest", &title)?;
    check_body("PullRequest", &call.text("body").unwrap_or_default())?;
    let pull = opened(call)?;
    let (id, now) = (call.world.next_id(), call.world.now());
    let (author, body) = (call.viewer.login.clone(), call.text("body"));
    let repo = call.repo_mut()?;
    let number = repo.next_number();
    repo.git.keep_head(number, &pull.head_sha).map_err(broken)?;
    let mut thread = Thread::new(id, number, &title, &author, now);
    thread.body = body;
    thread.pull = Some(pull);
    repo.threads.insert(number, thread);
    created(full(call, number)?)
}

/// The pull request of a body, unless GitHub would refuse it.
fn opened(call: &mut Call<'_>) -> Result<Pull, Answer> {
    let id = call.world.next_id();
    let repo = call.repo()?;
    let head = branch_of(repo, &call.text("head").unwrap_or_default())?;
    let base = call.text("base").unwrap_or_default();
    let tip = |branch: &str, field: &str| {
        let tip = repo.git.tip(branch).map_err(broken)?;
        tip.ok_or_else(|| invalid("PullRequest", field, "invalid", None))
    };
    let (head_sha, base_sha) = (tip(&head, "head")?, tip(&base, "base")?);
    let (ahead, _) = repo
        .git
        .ahead_behind(&base_sha, &head_sha)
        .map_err(broken)?;
    if ahead == 0 {
        let message = format!("No commits between {base} and {head}");
        return Err(invalid("PullRequest", "base", "custom", Some(&message)));
    }
    let same = |pull: &Pull| pull.head == head && pull.base == base;
    let mut open = repo.threads.values().filter(|thread| thread.is_open_pull());
    if open.any(|thread| thread.pull.as_ref().is_some_and(same)) {
        let message = format!("A pull request already exists for {}:{head}.", repo.owner);
        return Err(invalid("PullRequest", "head", "custom", Some(&message)));
    }
    Ok(Pull {
        id,
        head,
        base,
        head_sha,
        base_sha,
        merged_onto: None,
        merge_sha: None,
        draft: call.body["draft"] == true,
        reviewers: Vec::new(),
        reviews: Vec::new(),
        considered: None,
    })
}

/// `branch` or `owner:branch`; there are no forks here.
fn branch_of(repo: &Repo, head: &str) -> Result<String, Answer> {
    match head.split_once(':') {
        Some((owner, branch)) if owner.eq_ignore_ascii_case(&repo.owner) => Ok(branch.to_owned()),
        Some(_) => Err(invalid("PullRequest", "head", "invalid", None)),
        None => Ok(head.to_owned()),
    }
}

/// `GET …/pulls`.
pub(crate) fn list(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let mut found: Vec<(&Thread, &Pull)> = view
        .repo
        .threads
        .values()
        .filter_map(|thread| Some((thread, thread.pull.as_ref()?)))
        .filter(|(thread, pull)| is_asked_for(call, view.repo, thread, pull))
        .collect();
    let sort = call.asked("sort").unwrap_or("created");
    found.sort_by_key(|(thread, _)| match sort {
        "updated" => (thread.updated, thread.number),
        _ => (thread.created, thread.number),
    });
    let default = if sort == "created" { "desc" } else { "asc" };
    if call.asked("direction").unwrap_or(default) == "desc" {
        found.reverse();
    }
    Ok(paged(call, &found, |(thread, pull)| {
        simple(&view, thread, pull)
    }))
}

/// GitHub ignores a `head` without an owner, and so it lists everything.
fn is_asked_for(call: &Call<'_>, repo: &Repo, thread: &Thread, pull: &Pull) -> bool {
    let state = call.asked("state").unwrap_or("open");
    let head = |head: &str| match head.split_once(':') {
        Some((owner, branch)) => owner.eq_ignore_ascii_case(&repo.owner) && branch == pull.head,
        None => true,
    };
    (state == "all" || state == thread.state())
        && call.asked("head").is_none_or(head)
        && call.asked("base").is_none_or(|base| base == pull.base)
}

/// `GET …/pulls/{pull_number}`; as a diff when that is asked for.
pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let number = call.number("pull_number");
    if call.accept.contains("application/vnd.github.diff")
        || call.accept.contains("application/vnd.github.v3.diff")
    {
        return diff(call.repo()?, number);
    }
    let value = full(call, number)?;
    consider(call, number)?;
    ok(value)
}

fn diff(repo: &Repo, number: u64) -> Reply {
    let (_, pull) = of(repo, number)?;
    let changes = changes(repo, pull)?;
    let text = repo
        .git
        .diff(&onto(repo, pull)?, &pull.head_sha)
        .map_err(broken)?;
    let too_large = |what: String| {
        let message = format!("Sorry, the diff exceeded the maximum number of {what}.");
        Err(refusal(406, &message))
    };
    if changes.len() > MOST_FILES {
        return too_large(format!("files ({MOST_FILES})"));
    }
    if text.lines().count() > MOST_LINES {
        return too_large(format!("lines ({MOST_LINES})"));
    }
    Ok(Answer::text(
        200,
        "application/vnd.github.diff; charset=utf-8",
        text,
    ))
}

/// Mergeability is computed once somebody has asked for it, so the next look has it.
fn consider(call: &mut Call<'_>, number: u64) -> Result<(), Answer> {
    let repo = call.repo_mut()?;
    let (_, pull) = of(repo, number)?;
    let state = (pull.head_sha.clone(), onto(repo, pull)?);
    if let Some(pull) = &mut of_mut(repo, number)?.pull {
        pull.considered = Some(state);
    }
    Ok(())
}

/// `mergeable` and `mergeable_state`.
fn mergeability(
    view: &View<'_>,
    thread: &Thread,
    pull: &Pull,
) -> Result<(Option<bool>, &'static str), Answer> {
    let onto = onto(view.repo, pull)?;
    let state = (pull.head_sha.clone(), onto.clone());
    let known = !view.world.lazy_mergeability || pull.considered.as_ref() == Some(&state);
    if thread.closed.is_some() || !known {
        return Ok((None, "unknown"));
    }
    let tree = view
        .repo
        .git
        .merged_tree(&onto, &pull.head_sha)
        .map_err(broken)?;
    if tree.is_none() {
        return Ok((Some(false), "dirty"));
    }
    let missing = super::checks::missing(view.repo, &pull.base, &pull.head_sha);
    Ok((
        Some(true),
        match (pull.draft, missing.is_some()) {
            (true, _) => "draft",
            (false, true) => "blocked",
            (false, false) if super::checks::has_failure(view.repo, &pull.head_sha) => "unstable",
            (false, false) => "clean",
        },
    ))
}

/// `pull-request` of the description.
pub(crate) fn full(call: &Call<'_>, number: u64) -> Result<Value, Answer> {
    let view = call.view()?;
    let (thread, pull) = of(view.repo, number)?;
    let (mergeable, state) = mergeability(&view, thread, pull)?;
    let onto = onto(view.repo, pull)?;
    let files = view
        .repo
        .git
        .changes(&onto, &pull.head_sha)
        .map_err(broken)?;
    let commits = view
        .repo
        .git
        .commits(&onto, &pull.head_sha)
        .map_err(broken)?;
    let mut members = members(&view, thread, pull);
    members["user"] = view.user(&thread.author);
    members["merged"] = pull.merge_sha.is_some().into();
    members["merged_by"] = match (&pull.merge_sha, &thread.closed) {
        (Some(_), Some(closed)) => view.user(&closed.by),
        (_, _) => Value::Null,
    };
    members["mergeable"] = json!(mergeable);
    members["mergeable_state"] = state.into();
    members["comments"] = thread.comments.len().into();
    members["review_comments"] = pull
        .reviews
        .iter()
        .map(|r| r.comments.len())
        .sum::<usize>()
        .into();
    members["commits"] = commits.len().into();
    members["additions"] = files.iter().map(|file| file.additions).sum::<u64>().into();
    members["deletions"] = files.iter().map(|file| file.deletions).sum::<u64>().into();
    members["changed_files"] = files.len().into();
    Ok(shape("pull-request", members))
}

/// `pull-request-simple` of the description.
pub(crate) fn simple(view: &View<'_>, thread: &Thread, pull: &Pull) -> Value {
    shape("pull-request-simple", members(view, thread, pull))
}

fn members(view: &View<'_>, thread: &Thread, pull: &Pull) -> Value {
    let number = thread.number;
    let api = |rest: &str| view.api(&format!("/pulls/{number}{rest}"));
    let html = view.html(&format!("/pull/{number}"));
    let owner = &view.repo.owner;
    let repo = shape("repository", view.repository());
    let side = |branch: &str, sha: &str| {
        json!({
            "label": format!("{owner}:{branch}"),
            "ref": branch,
            "sha": sha,
            "repo": repo,
            "user": view.user(owner),
        })
    };
    let mut members = view.thread(thread);
    // A number here and a list there: `pull-request` sets it itself.
    if let Some(members) = members.as_object_mut() {
        members.remove("comments");
    }
    let more = json!({
        "id": pull.id,
        "node_id": format!("PR_{}", pull.id),
        "url": api(""),
        "html_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "issue_url": view.api(&format!("/issues/{number}")),
        "commits_url": api("/commits"),
        "review_comments_url": api("/comments"),
        "review_comment_url": view.api("/pulls/comments{/number}"),
        "statuses_url": view.api(&format!("/statuses/{}", pull.head_sha)),
        "draft": pull.draft,
        "head": side(&pull.head, &pull.head_sha),
        "base": side(&pull.base, &pull.base_sha),
        "merge_commit_sha": pull.merge_sha,
        "merged_at": pull.merge_sha.as_ref().and(members["closed_at"].as_str()),
        "requested_reviewers": pull.reviewers.iter().map(|login| view.user(login)).collect::<Value>(),
        "auto_merge": null,
    });
    if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
        members.extend(more);
    }
    members
}

/// `GET …/pulls/{pull_number}/files`.
pub(crate) fn list_files(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let (_, pull) = of(view.repo, call.number("pull_number"))?;
    let files = changes(view.repo, pull)?;
    Ok(paged(call, &files, |file| {
        file_entry(&view, &pull.head_sha, file)
    }))
}

/// `POST …/pulls/{pull_number}/requested_reviewers`.
pub(crate) fn request_reviewers(call: &mut Call<'_>) -> Reply {
    let number = call.number("pull_number");
    let asked = call.body["reviewers"].as_array().into_iter().flatten();
    let asked: Vec<String> = asked.filter_map(Value::as_str).map(str::to_owned).collect();
    let view = call.view()?;
    let (thread, _) = of(view.repo, number)?;
    if asked
        .iter()
        .any(|login| login.eq_ignore_ascii_case(&thread.author))
    {
        let message = "Review cannot be requested from pull request author.";
        return Err(refusal(422, message));
    }
    if asked.iter().any(|login| view.association(login) == "NONE") {
        let message = format!(
            "Reviews may only be requested from collaborators. One or more of the users or teams \
             you specified is not a collaborator of the {} repository.",
            view.repo.full_name()
        );
        return Err(refusal(422, &message));
    }
    let now = call.world.now();
    let thread = of_mut(call.repo_mut()?, number)?;
    thread.updated = now;
    if let Some(pull) = &mut thread.pull {
        pull.reviewers.extend(asked);
        pull.reviewers.sort();
        pull.reviewers.dedup();
    }
    let view = call.view()?;
    let (thread, pull) = of(view.repo, number)?;
    created(simple(&view, thread, pull))
}
