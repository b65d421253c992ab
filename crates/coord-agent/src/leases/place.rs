//! Where an edit really goes: the path that a worker names, with every link followed.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// More links than that lead in a circle, or are made to keep us busy.
const MOST_LINKS: usize = 40;
/// The longest path that is looked at, in bytes: Linux takes no longer one.
const LONGEST: usize = 4096;

/// Where an edit goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the worktree: the path from its root, with `/` between its names.
    Inside(String),
    /// Where nobody's work is.
    Outside,
    /// Where it has no business: the worktree of somebody else, a person's checkout, git's own files.
    Barred,
}

/// Where `asked` leads, for a worker in `worktree`; both that and the `barred` folders are canonical.
///
/// Blocks on the file system.
pub(super) fn place(worktree: &Path, barred: &[PathBuf], asked: &str) -> Place {
    if asked.is_empty() || asked.len() > LONGEST || asked.contains('\0') {
        return Place::Barred;
    }
    let Some(real) = real(&worktree.join(asked)) else {
        return Place::Barred;
    };
    match real.strip_prefix(worktree) {
        Ok(inside) => below(inside),
        Err(_) if barred.iter().any(|folder| real.starts_with(folder)) => Place::Barred,
        Err(_) => Place::Outside,
    }
}

/// The pointer to the repository is not a file to be edited, nor is anything of git's own.
fn below(inside: &Path) -> Place {
    let mut names = Vec::new();
    for part in inside.components() {
        match part {
            Component::Normal(name) => names.push(name.to_string_lossy()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Place::Barred;
            }
        }
    }
    let gits = |name: &std::borrow::Cow<'_, str>| name.eq_ignore_ascii_case(".git");
    match names.is_empty() || names.iter().any(gits) {
        true => Place::Barred,
        false => Place::Inside(names.join("/")),
    }
}

/// The path without links and `..`, whether or not there is something: a link to what is not there yet is followed,
/// because that is where the file would come to be. `None` for a circle.
fn real(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        // Without a `/` at its end, behind which the system looks for what a link leads to.
        path = path.components().collect();
        let there = path.ancestors().find(|it| it.symlink_metadata().is_ok())?;
        let rest = path.strip_prefix(there).ok()?;
        match there.canonicalize() {
            // Without what does not exist, the rest may begin with a link.
            Ok(there) if rest.components().any(|it| it == Component::ParentDir) => {
                path = lexical(there, rest);
            }
            Ok(there) => return Some(there.join(rest)),
            Err(_) => {
                let target = fs::read_link(there).ok()?;
                let parent = there.parent()?;
                path = parent.join(target).join(rest);
            }
        }
    }
    None
}

/// In what does not exist there are no links.
fn lexical(mut base: PathBuf, rest: &Path) -> PathBuf {
    for part in rest.components() {
        match part {
            Component::ParentDir => {
                base.pop();
            }
            Component::Normal(name) => base.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    base
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_real_path_decides() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (worktree, other, free) = (root.join("w"), root.join("o"), root.join("f"));
        for folder in [&worktree.join("src"), &worktree.join("doc"), &other, &free] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(worktree.join("src/a"), "").unwrap();
        symlink(worktree.join("src"), worktree.join("doc/link")).unwrap();
        symlink("../src/not-yet", worktree.join("doc/dangling")).unwrap();
        symlink(&other, worktree.join("out")).unwrap();
        symlink("circle", worktree.join("circle")).unwrap();
        symlink(&free, worktree.join("free")).unwrap();
        symlink(&worktree, other.join("back")).unwrap();

        let barred = [other.clone()];
        let at = |asked: &str| place(&worktree, &barred, asked);
        let inside = |path: &str| Place::Inside(path.to_owned());
        let absolute = |path: &str| worktree.join(path).to_string_lossy().into_owned();
        assert_eq!(at(&absolute("src/a")), inside("src/a"));
        assert_eq!(at("src/a"), inside("src/a"));
        assert_eq!(at("new/deep/file ü"), inside("new/deep/file ü"));
        assert_eq!(at("doc/../src/./a"), inside("src/a"));
        assert_eq!(at("new/../src/a"), inside("src/a"));
        assert_eq!(at("doc/link/a"), inside("src/a"));
        assert_eq!(at("new/../doc/link/a"), inside("src/a"));
        assert_eq!(at("doc/link/new/../b"), inside("src/b"));
        assert_eq!(at("doc/dangling"), inside("src/not-yet"));
        assert_eq!(
            at(&other.join("back/src/a").to_string_lossy()),
            inside("src/a")
        );
        for outside in ["../f/x", "free/x", "/tmp/nobody-has-this/x"] {
            assert_eq!(at(outside), Place::Outside, "{outside}");
        }
        for barred in [
            "",
            ".",
            "out/x",
            "../o/new/x",
            ".git",
            ".git/hooks/x",
            "sub/.GIT/config",
            "circle",
            "circle/x",
            "a\0b",
            &"x/".repeat(3000),
        ] {
            assert_eq!(at(barred), Place::Barred, "{barred:.40}");
        }
    }
}
