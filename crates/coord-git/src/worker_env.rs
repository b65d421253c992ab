//! The environment for a worker's own git.
//!
//! Publishing is the coordinator's act, so pushes of a worker lead nowhere, to an address that
//! says why. It is a guard against accidents; a worker that unsets variables gets past it.
//! Commits need a name: where the machine has none for its person, they carry the coordinator's.

use std::collections::BTreeSet;
use std::path::Path;

use crate::prepare;

/// Shown by git when a worker tries to push: `fatal: '<this>' does not appear to be a git repository`.
const NOWHERE: &str = "/dev/null/commit-only--coord-pushes-your-branch-when-you-are-done";

/// Who commits where nobody is configured: name and address.
const IDENTITY: (&str, &str) = ("coord", "coord@localhost");

/// Variables for a worker that runs in `worktree`, in addition to its scrubbed environment.
#[must_use]
pub fn worker_git_env(worktree: &Path) -> Vec<(String, String)> {
    let mut settings = vec![
        // Addresses on the command line.
        (format!("url.{NOWHERE}/.pushInsteadOf"), String::new()),
        ("gc.auto".to_owned(), "0".to_owned()),
        ("maintenance.auto".to_owned(), "false".to_owned()),
    ];
    let repo = crate::repo::open_gix(worktree).ok();
    for remote in remotes(repo.as_ref()) {
        // An empty value clears what the repository's own configuration lists.
        for url in ["", NOWHERE] {
            settings.push((format!("remote.{remote}.pushUrl"), url.to_owned()));
        }
    }
    if let Some(repo) = &repo {
        settings.extend(missing_identity(repo));
    }
    if let Some(file) = prepare::exclude_file(worktree) {
        settings.push((
            "core.excludesFile".to_owned(),
            file.to_string_lossy().into_owned(),
        ));
    }
    let mut env: Vec<(String, String)> = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_EDITOR", "true"),
        ("GIT_SEQUENCE_EDITOR", "true"),
        ("GIT_PAGER", "cat"),
        ("GIT_ASKPASS", "true"),
        ("SSH_ASKPASS", "true"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.push(("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string()));
    for (n, (key, value)) in settings.into_iter().enumerate() {
        env.push((format!("GIT_CONFIG_KEY_{n}"), key));
        env.push((format!("GIT_CONFIG_VALUE_{n}"), value));
    }
    env
}

/// `origin`, and every other remote of the repository.
fn remotes(repo: Option<&gix::Repository>) -> BTreeSet<String> {
    let known = repo.map(gix::Repository::remote_names).unwrap_or_default();
    let names = known.iter().map(|name| name.to_string());
    names.chain(["origin".to_owned()]).collect()
}

/// What git would ask for before it commits.
fn missing_identity(repo: &gix::Repository) -> impl Iterator<Item = (String, String)> {
    let config = repo.config_snapshot();
    let defaults = [("user.name", IDENTITY.0), ("user.email", IDENTITY.1)];
    let missing: Vec<_> = defaults
        .into_iter()
        .filter(|(key, _)| config.string(*key).is_none())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    missing.into_iter()
}
