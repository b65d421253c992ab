//! Pull requests: finding, opening, and what they change.

use coord_core::ids::CommitId;
use coord_forge::{ChangeKind, ChangedFile, ForgeError, Mergeable, NewPull, Pull, PullState};
use http::Method;
use serde::Serialize;

use super::GithubForge;
use super::found::{found, unknown};
use super::limits::check_body;
use crate::error::CallError;
use crate::wire::{FileWire, PullWire};

pub(super) async fn for_branch(
    forge: &GithubForge,
    branch: &str,
) -> Result<Option<Pull>, ForgeError> {
    let listed = of_branch(forge, branch, "all").await?;
    let latest = listed
        .into_iter()
        .max_by_key(|pull| (pull.state == "open", pull.number));
    Ok(latest.map(pull))
}

pub(super) async fn open(forge: &GithubForge, new: NewPull) -> Result<Pull, ForgeError> {
    check_body("the body", &new.body)?;
    if let Some(there) = open_one(forge, &new).await? {
        return Ok(pull(there));
    }
    let request = NewPullRequest {
        title: &new.title,
        body: &new.body,
        head: &new.branch,
        base: &new.base,
    };
    let sent = forge
        .connection()
        .send(Method::POST, &forge.route("/pulls"), &request)
        .await;
    let error = match sent {
        Ok(opened) => return Ok(pull(opened)),
        Err(error) => error,
    };
    if (unknown(&error) || exists(&error))
        && let Some(there) = open_one(forge, &new).await?
    {
        return Ok(pull(there));
    }
    Err(error.into_forge(&format!("a new pull request in {}", forge.full_name)))
}

/// GitHub allows one open pull request for each pair of branches.
fn exists(error: &CallError) -> bool {
    let says = |text: &String| text.contains("pull request already exists");
    match error {
        CallError::Refused {
            status: 422,
            message,
            errors,
            ..
        } => says(message) || errors.iter().any(says),
        CallError::Refused { .. }
        | CallError::Transient { .. }
        | CallError::Auth { .. }
        | CallError::Unusable { .. } => false,
    }
}

async fn open_one(forge: &GithubForge, new: &NewPull) -> Result<Option<PullWire>, ForgeError> {
    let listed = of_branch(forge, &new.branch, "open").await?;
    Ok(listed.into_iter().find(|pull| pull.base.branch == new.base))
}

/// Those of a branch of this very repository; forks have branches of the same name.
async fn of_branch(
    forge: &GithubForge,
    branch: &str,
    state: &str,
) -> Result<Vec<PullWire>, ForgeError> {
    let head = format!("{}:{branch}", forge.owner());
    let query = [
        ("head", head.as_str()),
        ("state", state),
        ("sort", "created"),
        ("direction", "desc"),
        ("per_page", "100"),
    ];
    let mut listed: Vec<PullWire> = forge
        .connection()
        .get_all(&forge.route("/pulls"), &query)
        .await
        .map_err(|error| error.into_forge(&format!("the repository {}", forge.full_name)))?;
    listed.retain(|pull| {
        let repo = pull.head.repo.as_ref();
        pull.head.branch == branch
            && repo.is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(&forge.full_name))
    });
    Ok(listed)
}

pub(super) async fn find(forge: &GithubForge, number: u64) -> Result<Option<Pull>, ForgeError> {
    Ok(get(forge, number).await?.map(pull))
}

pub(super) async fn get(forge: &GithubForge, number: u64) -> Result<Option<PullWire>, ForgeError> {
    let route = forge.pull_route(number, "");
    found(forge.connection().get(&route, &[]).await)
        .map_err(|error| error.into_forge(&forge.pull_name(number)))
}

pub(super) async fn need(forge: &GithubForge, number: u64) -> Result<PullWire, ForgeError> {
    let pull = get(forge, number).await?;
    pull.ok_or_else(|| ForgeError::NotFound {
        what: forge.pull_name(number),
    })
}

pub(super) async fn files(
    forge: &GithubForge,
    number: u64,
) -> Result<Vec<ChangedFile>, ForgeError> {
    let listed: Vec<FileWire> = forge
        .connection()
        .get_all(&forge.pull_route(number, "/files"), &[("per_page", "100")])
        .await
        .map_err(|error| error.into_forge(&forge.pull_name(number)))?;
    let mut files: Vec<ChangedFile> = listed.into_iter().filter_map(file).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

fn file(wire: FileWire) -> Option<ChangedFile> {
    let kind = match wire.status.as_str() {
        "unchanged" => return None,
        "added" | "copied" => ChangeKind::Added,
        "removed" => ChangeKind::Removed,
        "renamed" => ChangeKind::Renamed,
        _ => ChangeKind::Modified,
    };
    Some(ChangedFile {
        path: wire.filename,
        renamed_from: wire
            .previous_filename
            .filter(|_| kind == ChangeKind::Renamed),
        kind,
        additions: wire.additions,
        deletions: wire.deletions,
        patch: wire.patch,
    })
}

pub(super) async fn diff(forge: &GithubForge, number: u64) -> Result<String, ForgeError> {
    let route = forge.pull_route(number, "");
    let answer = forge
        .connection()
        .get_text(&route, "application/vnd.github.diff")
        .await;
    answer.map_err(|error| match error {
        CallError::Refused {
            status: 406,
            message,
            ..
        } => ForgeError::Refused {
            reason: format!("the diff of {}: {message}", forge.pull_name(number)),
            hint: Some("ask for its files, or compare the commits in a checkout".to_owned()),
        },
        error => error.into_forge(&forge.pull_name(number)),
    })
}

pub(super) fn pull(wire: PullWire) -> Pull {
    let state = state(&wire);
    let mergeable = match (&state, wire.mergeable) {
        (PullState::Open, Some(true)) => Mergeable::Yes,
        (PullState::Open, Some(false)) => Mergeable::No,
        (PullState::Open, None) | (PullState::Closed | PullState::Merged { .. }, _) => {
            Mergeable::Unknown
        }
    };
    Pull {
        number: wire.number,
        title: wire.title,
        body: wire.body.unwrap_or_default(),
        branch: wire.head.branch,
        head: Some(CommitId::new(wire.head.sha)),
        base: wire.base.branch,
        state,
        mergeable,
    }
}

pub(super) fn state(wire: &PullWire) -> PullState {
    if wire.merged_at.is_some() {
        // Without a commit of the merge the head itself was pushed to the base.
        let commit = wire.merge_commit_sha.as_ref().unwrap_or(&wire.head.sha);
        return PullState::Merged {
            commit: CommitId::from(commit.as_str()),
        };
    }
    if wire.state == "open" {
        PullState::Open
    } else {
        PullState::Closed
    }
}

#[derive(Serialize)]
struct NewPullRequest<'a> {
    title: &'a str,
    body: &'a str,
    head: &'a str,
    base: &'a str,
}
