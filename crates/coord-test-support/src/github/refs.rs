//! The repository, its refs, branches and comparisons.

use serde_json::{Value, json};

use super::diff::FileChange;
use super::exchange::{Answer, Call, Reply, broken, not_found, ok, refusal};
use super::git::Commit;
use super::page::Page;
use super::shape::shape;
use super::uri;
use super::view::View;

/// GitHub lists no more files in a comparison.
const MOST_FILES: usize = 300;

/// `GET /repos/{owner}/{repo}`.
pub(crate) fn get_repository(call: &mut Call<'_>) -> Reply {
    ok(call.view()?.full_repository())
}

/// `GET …/git/matching-refs/{ref}`: everything that begins like this, in one answer.
pub(crate) fn matching(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let prefix = format!("refs/{}", call.param("ref"));
    let refs = view.repo.git.refs().map_err(broken)?;
    let matching = refs.iter().filter(|[name, ..]| name.starts_with(&prefix));
    ok(matching.map(|found| git_ref(&view, found)).collect())
}

/// `GET …/git/ref/{ref}`.
pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let wanted = format!("refs/{}", call.param("ref"));
    let refs = view.repo.git.refs().map_err(broken)?;
    let found = refs.iter().find(|[name, ..]| *name == wanted);
    ok(git_ref(&view, found.ok_or_else(not_found)?))
}

fn git_ref(view: &View<'_>, [name, sha, kind]: &[String; 3]) -> Value {
    let path = name
        .split('/')
        .map(uri::encode)
        .collect::<Vec<_>>()
        .join("/");
    shape(
        "git-ref",
        json!({
            "ref": name,
            "node_id": format!("REF_{name}"),
            "url": view.api(&format!("/git/{path}")),
            "object": {"type": kind, "sha": sha, "url": view.api(&format!("/git/{kind}s/{sha}"))},
        }),
    )
}

/// `GET …/branches/{branch}`.
pub(crate) fn get_branch(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let name = call.param("branch");
    let tip = view.repo.git.tip(name).map_err(broken)?;
    let tip = tip.ok_or_else(|| refusal(404, "Branch not found"))?;
    let commit = view.repo.git.commit(&tip).map_err(broken)?;
    let url = view.api(&format!("/branches/{}", uri::encode(name)));
    let contexts = view.repo.protection.get(name);
    ok(shape(
        "branch-with-protection",
        json!({
            "name": name,
            "commit": view.commit(&commit),
            "protected": contexts.is_some(),
            "protection": {
                "enabled": contexts.is_some(),
                "required_status_checks": {
                    "enforcement_level": if contexts.is_some() { "non_admins" } else { "off" },
                    "contexts": contexts.cloned().unwrap_or_default(),
                    "checks": [],
                },
            },
            "protection_url": format!("{url}/protection"),
            "_links": {
                "self": url,
                "html": view.html(&format!("/tree/{}", uri::encode(name))),
            },
        }),
    ))
}

/// `GET …/compare/{basehead}`.
pub(crate) fn compare(call: &mut Call<'_>) -> Reply {
    let view = call.view()?;
    let (base, head) = call
        .param("basehead")
        .split_once("...")
        .ok_or_else(not_found)?;
    let (base, head) = (commit_of(&view, base)?, commit_of(&view, head)?);
    let git = &view.repo.git;
    let fork = git
        .merge_base(&base, &head)
        .map_err(broken)?
        .ok_or_else(not_found)?;
    let (ahead, behind) = git.ahead_behind(&base, &head).map_err(broken)?;
    let commits = git.commits(&base, &head).map_err(broken)?;
    let page = Page::of(call, commits.len());
    // Only the first page has the files.
    let files = match call.asked("page") {
        None | Some("1") => git.changes(&base, &head).map_err(broken)?,
        Some(_) => Vec::new(),
    };
    let files = files
        .iter()
        .take(MOST_FILES)
        .map(|file| file_entry(&view, &head, file));
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        (_, _) => "diverged",
    };
    let show =
        |sha: &str| -> Result<Value, Answer> { Ok(view.commit(&git.commit(sha).map_err(broken)?)) };
    let commits = page
        .cut(&commits)
        .iter()
        .map(|commit: &Commit| view.commit(commit));
    let body = shape(
        "commit-comparison",
        json!({
            "url": call.address,
            "html_url": view.html(&format!("/compare/{base}...{head}")),
            "status": status,
            "ahead_by": ahead,
            "behind_by": behind,
            "total_commits": ahead,
            "base_commit": show(&base)?,
            "merge_base_commit": show(&fork)?,
            "commits": commits.collect::<Value>(),
            "files": files.collect::<Value>(),
        }),
    );
    Ok(page.answer(call, body))
}

/// A side of a comparison: `name` or `owner:name`.
fn commit_of(view: &View<'_>, name: &str) -> Result<String, Answer> {
    let name = match name.split_once(':') {
        Some((owner, name)) if owner.eq_ignore_ascii_case(&view.repo.owner) => name,
        Some(_) => return Err(not_found()),
        None => name,
    };
    let found = view.repo.git.commit_of(name).map_err(broken)?;
    found.ok_or_else(not_found)
}

/// `diff-entry` of the description.
pub(crate) fn file_entry(view: &View<'_>, head: &str, file: &FileChange) -> Value {
    let path = file
        .path
        .split('/')
        .map(uri::encode)
        .collect::<Vec<_>>()
        .join("/");
    let mut members = json!({
        "filename": file.path,
        "sha": file.sha,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": view.html(&format!("/blob/{head}/{path}")),
        "raw_url": view.html(&format!("/raw/{head}/{path}")),
        "contents_url": view.api(&format!("/contents/{path}?ref={head}")),
    });
    if let Some(patch) = &file.patch {
        members["patch"] = patch.as_str().into();
    }
    if let Some(previous) = &file.previous {
        members["previous_filename"] = previous.as_str().into();
    }
    shape("diff-entry", members)
}
