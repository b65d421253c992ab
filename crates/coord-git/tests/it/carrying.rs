//! Uncommitted work from one clone to another, and what does not get through.

use coord_core::ids::CommitId;
use coord_git::{GitError, MOST_BUNDLE, Repo, look};

use crate::fixture::{Site, commit, git, id, rev, write};

/// A site with a remote, the worktree of assignment 1 with work in it, and another machine's clone.
fn begin() -> (Site, Repo, CommitId) {
    let site = Site::new();
    site.add_remote();
    let other = Repo::open(site.clone_remote("other")).unwrap();
    let worktree = site.acquire(&site.pool(0), 1);
    commit(&worktree.path, "done", "x\n", "not pushed");
    write(&worktree.path, "README", "not committed\n");
    let seen = look(&worktree.path, &id(1), None).unwrap();
    (site, other, seen.wip)
}

#[test]
fn work_arrives_as_it_was() {
    let (site, other, wip) = begin();
    let bundle = site.repo().wip_bundle(&id(1), &[]).unwrap().unwrap();
    assert_eq!(bundle.commit, wip);
    other.take_bundle(&id(1), &wip, &bundle.bytes).unwrap();
    assert_eq!(other.seen(&id(1)).unwrap(), Some(wip.clone()));
    let text = git(other.path(), &["show", &format!("{wip}:README")]);
    assert_eq!(text, "not committed");
    let known = site
        .repo()
        .wip_bundle(&id(1), std::slice::from_ref(&wip))
        .unwrap()
        .unwrap();
    assert_eq!((known.commit, known.bytes), (wip, Vec::new()));
    assert_eq!(site.repo().wip_bundle(&id(2), &[]).unwrap(), None);
}

#[test]
fn what_was_taken_is_kept_until_it_is_forgotten() {
    let (site, other, wip) = begin();
    let bundle = site.repo().wip_bundle(&id(1), &[]).unwrap().unwrap();
    other.take_bundle(&id(1), &wip, &bundle.bytes).unwrap();
    assert_eq!(
        other.wip(&id(1)).unwrap(),
        None,
        "that is the agent's to write"
    );
    other.forget_seen(&[id(1), id(2)]).unwrap();
    assert_eq!(other.seen(&id(1)).unwrap(), Some(wip));
    other.forget_seen(&[id(2)]).unwrap();
    assert_eq!(other.seen(&id(1)).unwrap(), None);
}

#[test]
fn what_it_is_built_on_is_fetched() {
    let (site, other, _) = begin();
    let base = commit(&site.work, "base", "x\n", "base");
    git(&site.work, &["push", "--quiet", "origin", "trunk"]);
    let worktree = site.acquire(&site.pool(0), 2);
    write(&worktree.path, "README", "on the new base\n");
    let wip = look(&worktree.path, &id(2), None).unwrap().wip;
    let bundle = site.repo().wip_bundle(&id(2), &[]).unwrap().unwrap();
    other.take_bundle(&id(2), &wip, &bundle.bytes).unwrap();
    assert_eq!(rev(other.path(), &format!("{wip}^")), base);
}

#[test]
fn a_bundle_on_unknown_commits_is_no_bundle() {
    let (site, other, _) = begin();
    let worktree = site.acquire(&site.pool(0), 2);
    let secret = commit(&worktree.path, "secret", "x\n", "nobody has this");
    write(&worktree.path, "README", "x\n");
    let wip = look(&worktree.path, &id(2), None).unwrap().wip;
    let bundle = site.repo().wip_bundle(&id(2), &[secret]).unwrap().unwrap();
    let error = other.take_bundle(&id(2), &wip, &bundle.bytes).unwrap_err();
    assert!(matches!(error, GitError::NoSuchCommit { .. }), "{error}");
}

#[test]
fn only_what_was_asked_for_is_taken() {
    let (site, other, wip) = begin();
    let bytes = site.repo().wip_bundle(&id(1), &[]).unwrap().unwrap().bytes;
    let another = rev(&site.work, "trunk");
    let cut = &bytes[..bytes.len() - 30];
    let mut broken = bytes.clone();
    let middle = broken.len() - 60;
    broken[middle] ^= 0x55;
    for (name, commit, bytes) in [
        (1, &another, &bytes[..]),
        (2, &wip, &bytes[..]),
        (1, &wip, cut),
        (1, &wip, &broken),
        (1, &wip, b"<html>"),
        (1, &wip, b""),
    ] {
        other.take_bundle(&id(name), commit, bytes).unwrap_err();
        assert_eq!(other.seen(&id(name)).unwrap(), None);
    }
    let large = vec![0; MOST_BUNDLE + 1];
    let error = other.take_bundle(&id(1), &wip, &large).unwrap_err();
    assert!(matches!(error, GitError::TooLarge { .. }), "{error}");
    let left = std::fs::read_dir(other.path().join(".git")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().starts_with("coord-bundle")),
        "{left:?}"
    );
}

#[test]
fn objects_that_would_harm_a_checkout_are_refused() {
    let (site, other, _) = begin();
    let blob = git(&site.work, &["hash-object", "-w", "README"]);
    let listing = site.folder.path().join("listing");
    std::fs::write(&listing, format!("100644 blob {blob}\t.git\n")).unwrap();
    // `git mktree` does not look at names.
    let tree = std::process::Command::new("git")
        .current_dir(&site.work)
        .arg("mktree")
        .stdin(std::fs::File::open(&listing).unwrap())
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let evil = git(
        &site.work,
        &["commit-tree", "-p", "trunk", "-m", "evil", tree.trim()],
    );
    git(
        &site.work,
        &["update-ref", &format!("refs/coord/wip/{}", id(3)), &evil],
    );
    let bundle = site.repo().wip_bundle(&id(3), &[]).unwrap().unwrap();
    let error = other
        .take_bundle(&id(3), &CommitId::new(evil.as_str()), &bundle.bytes)
        .unwrap_err();
    assert!(matches!(error, GitError::Command { .. }), "{error}");
    assert_eq!(other.seen(&id(3)).unwrap(), None);
}
