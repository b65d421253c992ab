//! Bringing a person's checkout up to date, or leaving it exactly as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use coord_core::ids::CommitId;
use coord_git::{FastForward, GitError, fast_forward};

use crate::fixture::{Site, commit, git, head, read, rev, try_git, write};

/// Somebody else pushes a change of `file` to the branch `trunk`; answers the commit.
fn others_push(site: &Site, file: &str, text: &str) -> CommitId {
    let other = site.clone_remote(&format!("other-{file}"));
    write(&other, file, text);
    git(&other, &["add", "--force", file]);
    git(&other, &["commit", "--quiet", "-m", "theirs"]);
    git(&other, &["push", "--quiet", "origin", "trunk"]);
    head(&other)
}

/// Every file of the checkout with its bytes, and everything that git says of it. What a fetch
/// brings (remote branches, objects) is not part of it.
fn everything(root: &Path) -> (BTreeMap<PathBuf, Vec<u8>>, Vec<String>) {
    let mut files = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path != root.join(".git") {
                open.push(path);
            } else if path.is_file() {
                files.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    for name in ["index", "HEAD", "logs/HEAD"] {
        let path = root.join(".git").join(name);
        files.insert(path.clone(), std::fs::read(&path).unwrap());
    }
    let ask = |args: &[&str]| git(root, args);
    let said = vec![
        ask(&["status", "--porcelain=v2", "--ignored"]),
        ask(&["for-each-ref", "refs/heads"]),
        ask(&["stash", "list"]),
    ];
    (files, said)
}

/// Nothing of the checkout changes, and this is the reason that is given.
fn stays(site: &Site) -> FastForward {
    let before = everything(&site.work);
    let done = fast_forward(&site.repo(), None).unwrap();
    assert_eq!(everything(&site.work), before, "{done:?}");
    done
}

#[test]
fn a_clean_checkout_moves_on() {
    let site = Site::new();
    site.add_remote();
    let from = head(&site.work);
    let to = others_push(&site, "new.txt", "theirs\n");
    write(&site.work, "notes", "untracked\n");
    write(&site.work, "x.log", "ignored\n");
    let done = fast_forward(&site.repo(), None).unwrap();
    assert_eq!(
        done,
        FastForward::Moved {
            from,
            to: to.clone()
        }
    );
    assert_eq!(head(&site.work), to);
    assert_eq!(read(&site.work, "new.txt"), "theirs\n");
    assert_eq!(read(&site.work, "notes"), "untracked\n");
    assert_eq!(
        git(&site.work, &["status", "--porcelain", "-b"]),
        "## trunk...origin/trunk\n?? notes"
    );
    assert_eq!(stays(&site), FastForward::Current);
}

#[test]
fn whatever_is_not_committed_stays_as_it_is() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("modified", |root| write(root, "README", "half\n")),
        ("modified where they changed it", |root| {
            write(root, "lib.txt", "half\n");
        }),
        ("staged", |root| {
            write(root, "staged", "half\n");
            git(root, &["add", "staged"]);
        }),
        ("deleted", |root| {
            std::fs::remove_file(root.join("README")).unwrap();
        }),
        ("half merged", |root| {
            git(root, &["switch", "--quiet", "-c", "mine", "HEAD"]);
            commit(root, "mine", "m\n", "mine");
            git(root, &["switch", "--quiet", "trunk"]);
            git(
                root,
                &["merge", "--quiet", "--no-commit", "--no-ff", "mine"],
            );
        }),
    ];
    for (what, change) in changes {
        let site = Site::new();
        site.add_remote();
        others_push(&site, "lib.txt", "theirs\n");
        change(&site.work);
        assert_eq!(stays(&site), FastForward::Dirty, "{what}");
    }
}

#[test]
fn files_that_git_does_not_know_are_never_overwritten() {
    for file in ["new.txt", "new.log"] {
        let site = Site::new();
        site.add_remote();
        others_push(&site, file, "theirs\n");
        write(&site.work, file, "mine\n");
        let FastForward::InTheWay { why } = stays(&site) else {
            panic!("{file}")
        };
        assert!(why.contains(file), "{why}");
    }
}

#[test]
fn a_file_that_git_was_told_to_overlook_is_not_overwritten_either() {
    let site = Site::new();
    site.add_remote();
    others_push(&site, "lib.txt", "theirs\n");
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        git(&site.work, &["update-index", flag, "lib.txt"]);
        write(&site.work, "lib.txt", "mine\n");
        assert_eq!(stays(&site), FastForward::Dirty, "{flag}");
        git(
            &site.work,
            &["update-index", &flag.replace("--", "--no-"), "lib.txt"],
        );
    }
}

#[test]
fn only_the_default_branch_is_moved() {
    let site = Site::new();
    site.add_remote();
    others_push(&site, "new.txt", "theirs\n");
    git(&site.work, &["switch", "--quiet", "-c", "mine"]);
    let name = Some("mine".to_owned());
    assert_eq!(stays(&site), FastForward::OtherBranch { name });
    git(&site.work, &["switch", "--quiet", "--detach"]);
    assert_eq!(stays(&site), FastForward::OtherBranch { name: None });
}

#[test]
fn the_configuration_says_which_branch_is_the_default() {
    let site = Site::new();
    site.add_remote();
    let to = others_push(&site, "new.txt", "theirs\n");
    let name = Some("trunk".to_owned());
    git(&site.work, &["push", "--quiet", "origin", "trunk:dev"]);
    let done = fast_forward(&site.repo(), Some("dev")).unwrap();
    assert_eq!(done, FastForward::OtherBranch { name });
    let done = fast_forward(&site.repo(), Some("trunk")).unwrap();
    assert!(matches!(done, FastForward::Moved { to: at, .. } if at == to));
}

#[test]
fn commits_of_its_own_are_kept() {
    let site = Site::new();
    site.add_remote();
    commit(&site.work, "mine", "m\n", "mine");
    assert_eq!(stays(&site), FastForward::Current, "ahead of the remote");
    others_push(&site, "new.txt", "theirs\n");
    assert_eq!(stays(&site), FastForward::Diverged);
}

#[test]
fn without_a_remote_or_a_checkout_there_is_nothing_to_move() {
    let site = Site::new();
    assert_eq!(stays(&site), FastForward::NoRemote);
    let bare = coord_git::Repo::open(site.add_remote()).unwrap();
    assert_eq!(fast_forward(&bare, None).unwrap(), FastForward::NoCheckout);
}

#[test]
fn a_remote_that_is_gone_is_an_error_and_changes_nothing() {
    let site = Site::new();
    let remote = site.add_remote();
    let before = head(&site.work);
    std::fs::rename(&remote, remote.with_extension("away")).unwrap();
    let error = fast_forward(&site.repo(), None).unwrap_err();
    assert!(matches!(error, GitError::Shared(_)), "{error}");
    assert_eq!(head(&site.work), before);
}

#[test]
fn no_hook_of_the_checkout_runs() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::new();
    site.add_remote();
    let to = others_push(&site, "new.txt", "theirs\n");
    let hook = site.work.join(".git/hooks/post-merge");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\ntouch ran\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    fast_forward(&site.repo(), None).unwrap();
    assert_eq!(rev(&site.work, "trunk"), to);
    assert!(!site.work.join("ran").exists());
    let fsck = try_git(&site.work, &["fsck"]);
    assert!(fsck.status.success());
}
