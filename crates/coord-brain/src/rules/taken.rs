//! Which files are somebody's already: asked before the examiner is, because it costs next to
//! nothing, and in a long list of issues most are about the same few files.

use std::collections::BTreeMap;
use std::fmt;

use coord_core::Board;
use coord_core::ids::{AssignmentId, IssueRef, RepoName};
use coord_core::scope::Glob;

use crate::guess::covers;

#[derive(Default)]
pub(super) struct Taken<'a> {
    repos: BTreeMap<&'a RepoName, Files<'a>>,
}

/// Who has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    Running(&'a AssignmentId, &'a IssueRef),
    Proposed(&'a IssueRef),
}

#[derive(Default)]
struct Files<'a> {
    /// Files, and folders (which end with `/`), of this plan and of the board.
    plain: BTreeMap<String, Holder<'a>>,
    globs: Vec<(Glob, Holder<'a>)>,
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(id, issue) => write!(f, "assignment {id} ({issue})"),
            Self::Proposed(issue) => write!(f, "{issue}, which comes first"),
        }
    }
}

impl<'a> Taken<'a> {
    pub(super) fn of(board: &'a Board) -> Self {
        let mut taken = Self::default();
        for it in board.assignments.values().filter(|it| it.holds_lease()) {
            let files = taken.repos.entry(&it.issue.repo).or_default();
            let holder = Holder::Running(&it.id, &it.issue);
            for path in it.leased.union(&it.observed) {
                files.plain.insert(path.clone(), holder.clone());
            }
            for glob in &it.scope.allowed {
                files.declare(glob, &holder);
            }
        }
        taken
    }

    pub(super) fn add(&mut self, issue: &'a IssueRef, paths: &[String]) {
        let files = self.repos.entry(&issue.repo).or_default();
        for path in paths {
            files.plain.insert(path.clone(), Holder::Proposed(issue));
        }
    }

    /// Who has one of these files and folders, or something inside of one.
    pub(super) fn holder(&self, repo: &RepoName, paths: &[String]) -> Option<Holder<'a>> {
        let files = self.repos.get(repo)?;
        paths.iter().find_map(|path| files.holder(path))
    }
}

impl<'a> Files<'a> {
    /// Most globs are a file, a folder, or everything in a folder: these are found without a search.
    fn declare(&mut self, glob: &str, holder: &Holder<'a>) {
        let inner = glob.strip_suffix("/**").unwrap_or(glob);
        let is_plain =
            inner.split('/').all(|name| !matches!(name, "" | ".")) && !inner.contains(['*', '?']);
        if !is_plain {
            self.globs.push((Glob::new(glob), holder.clone()));
            return;
        }
        self.plain.insert(format!("{inner}/"), holder.clone());
        self.plain.insert(inner.to_owned(), holder.clone());
    }

    fn holder(&self, path: &str) -> Option<Holder<'a>> {
        let inside = self.plain.range(path.to_owned()..).next();
        let inside = inside.filter(|(other, _)| covers(path, other));
        let folders = path
            .match_indices('/')
            .filter_map(|(end, _)| path.get(..=end));
        let around = || {
            folders
                .into_iter()
                .find_map(|folder| self.plain.get(folder))
        };
        let plain = inside.map(|(_, holder)| holder).or_else(around);
        let by_glob = || {
            let mine = Glob::new(path);
            let mut globs = self.globs.iter();
            Some(&globs.find(|(glob, _)| glob.overlaps(&mine))?.1)
        };
        plain.or_else(by_glob).cloned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_taken_with_its_folder_and_a_folder_with_its_files() {
        let repo = RepoName::from("shop");
        let (one, two) = ((repo.clone(), 1), (repo.clone(), 2));
        let [one, two] = [one, two].map(|(repo, number)| IssueRef { repo, number });
        let mut taken = Taken::default();
        taken.add(&one, &["src/cart.rs".to_owned()]);
        taken.add(&two, &["docs/".to_owned()]);
        for (path, expected) in [
            ("src/cart.rs", Some(&one)),
            ("src/", Some(&one)),
            ("src/cart", None),
            ("src/cart.rs2", None),
            ("docs/a.md", Some(&two)),
            ("docs/", Some(&two)),
            ("docs", None),
            ("web/", None),
        ] {
            let holder = taken.holder(&repo, &[path.to_owned()]);
            assert_eq!(holder, expected.map(Holder::Proposed), "{path}");
        }
        assert_eq!(
            taken.holder(&"other".into(), &["docs/a.md".to_owned()]),
            None
        );
    }

    proptest! {
        /// It says what the globs say.
        #[test]
        fn what_is_declared_is_taken(
            globs in proptest::collection::vec("[ab*?/.]{0,6}", 0..4),
            path in "[ab]{1,2}(/[ab]{1,2}){0,2}/?",
        ) {
            let repo = RepoName::from("shop");
            let id = AssignmentId::from_bits(1);
            let issue = IssueRef { repo: repo.clone(), number: 1 };
            let mut files = Files::default();
            for glob in &globs {
                files.declare(glob, &Holder::Running(&id, &issue));
            }
            let mine = Glob::new(&path);
            let expected = globs.iter().any(|glob| Glob::new(glob).overlaps(&mine));
            prop_assert_eq!(files.holder(&path).is_some(), expected);
        }
    }
}
