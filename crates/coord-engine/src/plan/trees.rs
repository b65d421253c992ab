//! What a model may look at while it plans: a throwaway worktree of each repository, and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use coord_core::ids::RepoName;
use coord_git::{GitError, Repo, ThrowawayWorktree};

use super::files::Site;

/// So many repositories at most.
const MOST: usize = 8;

/// Worktrees that go when this is dropped.
#[derive(Debug)]
pub(super) struct Trees {
    worktrees: Vec<(RepoName, ThrowawayWorktree)>,
    home: PathBuf,
}

impl Trees {
    /// Checks them out below `home`. Blocks.
    pub(super) fn check_out(
        home: &Path,
        sites: &BTreeMap<RepoName, Site>,
    ) -> Result<Option<Self>, GitError> {
        let mut worktrees = Vec::new();
        for (repo, site) in sites.iter().take(MOST) {
            let root = home.join(folder_name(repo));
            let worktree = ThrowawayWorktree::create(&Repo::open(&site.path)?, &root, &site.tip)?;
            worktrees.push((repo.clone(), worktree));
        }
        // Theirs is without links on the way.
        let above = worktrees
            .first()
            .and_then(|(_, first)| first.path().ancestors().nth(2));
        let Some(home) = above.map(Path::to_owned) else {
            return Ok(None);
        };
        Ok(Some(Self { worktrees, home }))
    }

    /// Where the model is put.
    pub(super) fn folder(&self) -> &Path {
        match self.worktrees.as_slice() {
            [(_, only)] => only.path(),
            _ => &self.home,
        }
    }

    /// Where below that the root of each repository is.
    pub(super) fn folders(&self) -> Vec<(RepoName, String)> {
        let relative = |path: &Path| match path.strip_prefix(self.folder()) {
            Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
            Ok(below) => below.display().to_string(),
            Err(_) => path.display().to_string(),
        };
        let folders = self.worktrees.iter();
        folders
            .map(|(repo, worktree)| (repo.clone(), relative(worktree.path())))
            .collect()
    }
}

/// A name of the configuration as that of a folder: different ones stay different.
pub(super) fn folder_name(repo: &RepoName) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut name = String::new();
    for byte in repo.as_str().bytes() {
        match plain(byte) {
            true => name.push(char::from(byte)),
            false => drop(write!(name, "%{byte:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let names = ["api", "my.api", "../x", "a/b", "..", "a%2fb", ""];
        let folders = names.map(|name| folder_name(&name.into()));
        assert_eq!(
            folders,
            [
                "api",
                "my%2eapi",
                "%2e%2e%2fx",
                "a%2fb",
                "%2e%2e",
                "a%252fb",
                ""
            ]
        );
    }
}
