//! Where a simulated worker finds itself: on a fresh branch, on one that was sent back, or on one
//! that has to be brought up to date first.
//!
//! It tells by what a real one would look at as well: the branch itself, and the commit that its
//! briefing names.

use std::io;

use coord_core::ids::CommitId;
use coord_git::{GitError, Repo};

use super::Simulation;
use super::script::Task;

impl Simulation {
    /// What there is to do; afterwards the branch holds the commit that it has to be brought up to,
    /// conflicts included.
    pub(super) fn begin(&mut self, prompt: &str) -> io::Result<Task> {
        let repo = Repo::open(std::env::current_dir()?).map_err(io::Error::other)?;
        let place = Place::find(&repo, prompt).map_err(io::Error::other)?;
        if let Some(onto) = &place.missing {
            self.say(&format!("STATUS: merging {} in", onto.short()))?;
            let merge =
                "git merge --quiet --no-edit \"$0\" || git diff --name-only --diff-filter=U";
            self.shell(merge, &[onto.as_str()])?;
        }
        Ok(place.task)
    }
}

/// What a branch looks like to who begins to work on it.
struct Place {
    /// The commit that the prompt names and the branch does not have.
    missing: Option<CommitId>,
    task: Task,
}

impl Place {
    fn find(repo: &Repo, prompt: &str) -> Result<Self, GitError> {
        let head = repo.head()?;
        let missing = missing(repo, prompt, &head)?;
        let task = match &missing {
            Some(onto) if !repo.merges_cleanly(onto, &head)? => Task::Rebase,
            Some(_) => Task::Fix,
            None if is_fresh(repo, &head)? => Task::Work,
            None => Task::Fix,
        };
        Ok(Self { missing, task })
    }
}

fn missing(repo: &Repo, prompt: &str, head: &CommitId) -> Result<Option<CommitId>, GitError> {
    let words = prompt.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(|word| is_object_id(word)) {
        if let Some(commit) = repo.resolve(word)?
            && repo.merge_base(&commit, head)?.as_ref() != Some(&commit)
        {
            return Ok(Some(commit));
        }
    }
    Ok(None)
}

fn is_object_id(word: &str) -> bool {
    word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether nobody has committed anything to the branch.
fn is_fresh(repo: &Repo, head: &CommitId) -> Result<bool, GitError> {
    match repo.tip(&repo.default_branch(None)?)? {
        Some(base) => Ok(repo.commits_between(&base, head)? == 0),
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_object_ids_count() {
        assert!(is_object_id("0123456789abcdef0123456789abcdef01234567"));
        assert!(!is_object_id("0123456"));
        assert!(!is_object_id("z123456789abcdef0123456789abcdef01234567"));
    }
}
