//! Bringing the machine's checkouts up to date before a worker starts that may look at them.
//!
//! The work does not depend on it: whatever goes wrong is said in the log and in the briefing.

use coord_git::{FastForward, GitError, Repo, fast_forward};
use serde::{Deserialize, Serialize};

use super::with_sources;
use crate::shared::Shared;

/// What became of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulled {
    /// Its name.
    repo: String,
    /// What was done, or why nothing was, for the log.
    what: String,
    /// Why it may be out of date, in words of our own; `None` when it is not.
    left: Option<String>,
}

impl Pulled {
    /// A line for the head of the log.
    pub(crate) fn log_line(&self) -> String {
        format!("# {}: {}", self.repo, self.what)
    }

    /// A line for the worker, who may find it out of date.
    pub(crate) fn left(&self) -> Option<String> {
        let why = self.left.as_ref()?;
        Some(format!("{}: {why}", self.repo))
    }
}

/// Fetches these repositories and fast-forwards those that nothing of a person's stands in.
pub(super) fn pull_all(shared: &Shared, names: &[String]) -> Vec<Pulled> {
    names.iter().map(|name| pull(shared, name)).collect()
}

fn pull(shared: &Shared, name: &str) -> Pulled {
    let (what, left) = match shared.config.repos.get(name) {
        None => {
            let what = "not brought up to date: this machine does not know it";
            (what.to_owned(), None)
        }
        Some(repo) => {
            let branch = repo.default_branch.as_deref();
            let done = Repo::open(&repo.path).and_then(|repo| fast_forward(&repo, branch));
            said(done)
        }
    };
    if left.is_some() {
        tracing::warn!(repo = %name, %what, "a checkout may be out of date");
    }
    Pulled {
        repo: name.to_owned(),
        what,
        left,
    }
}

/// What is said of it: in the log with git's own words, in the briefing without them, because what
/// remotes and file names say is not ours.
fn said(done: Result<FastForward, GitError>) -> (String, Option<String>) {
    let why = match done {
        Ok(FastForward::Moved { from, to }) => {
            let what = format!("fast-forwarded from {} to {}", from.short(), to.short());
            return (what, None);
        }
        Ok(FastForward::Current) => return ("up to date".to_owned(), None),
        Ok(FastForward::NoRemote) => {
            return ("nothing to bring it up to date from".to_owned(), None);
        }
        Ok(FastForward::NoCheckout) => return ("fetched, it has no checkout".to_owned(), None),
        Ok(FastForward::Dirty) => "it has changes that are not committed".to_owned(),
        Ok(FastForward::Diverged) => "it has commits that the remote does not have".to_owned(),
        Ok(FastForward::OtherBranch { name: Some(name) }) => format!("it is on the branch {name}"),
        Ok(FastForward::OtherBranch { name: None }) => "it is on no branch".to_owned(),
        Ok(FastForward::InTheWay { why }) => {
            let own = "files that git does not track are in the way";
            return (
                format!("not brought up to date: {own}: {why}"),
                Some(own.to_owned()),
            );
        }
        Err(error) => {
            let what = format!("not brought up to date: {}", with_sources(&error));
            return (what, Some("it could not be brought up to date".to_owned()));
        }
    };
    (format!("not brought up to date: {why}"), Some(why))
}
