//! Opening repositories of all kinds, and what can be read from them.

use coord_core::failure::FailureClass;
use coord_git::{Git, GitError, Repo};

use crate::fixture::{Site, commit, git, head, rev, try_git, write};

#[test]
fn what_cannot_be_opened_says_why() {
    let site = Site::new();
    let gone = Repo::open(site.folder.path().join("gone")).unwrap_err();
    assert!(matches!(gone, GitError::NotThere { .. }), "{gone}");
    let plain = Repo::open(site.folder.path()).unwrap_err();
    assert!(matches!(plain, GitError::NotARepository { .. }), "{plain}");
    assert_eq!(plain.class(), FailureClass::Configuration);
    assert!(plain.hint().is_some());
}

#[test]
fn a_sha256_repository_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    git(
        folder.path(),
        &["init", "--quiet", "--object-format=sha256"],
    );
    let error = Repo::open(folder.path()).unwrap_err();
    assert!(
        matches!(&error, GitError::ObjectFormat { format, .. } if format == "sha256"),
        "{error}"
    );
}

#[test]
fn a_repository_without_commits_opens_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "-b", "dev"]);
    let repo = Repo::open(folder.path()).unwrap();
    assert!(matches!(repo.head(), Err(GitError::NoCommits { .. })));
    let status = repo.status().unwrap();
    assert_eq!((status.sha, status.branch.as_deref()), (None, Some("dev")));
    assert_eq!(repo.tip("dev").unwrap(), None);
    assert_eq!(repo.default_branch(None).unwrap(), "dev");
}

#[test]
fn no_git_and_an_old_git() {
    let folder = tempfile::tempdir().unwrap();
    let search = folder.path().as_os_str();
    let missing = Git::locate_in(search).unwrap_err();
    assert!(matches!(missing, GitError::Missing));
    assert_eq!(missing.class(), FailureClass::Configuration);
    assert!(missing.hint().is_some());
    // Written by another process: a child that a test beside this one forks just then would
    // inherit our descriptor, and a file that is open for writing cannot be run.
    let fake = |version: &str| {
        let script = "printf '#!/bin/sh\\necho git version %s\\n' \"$0\" > git && chmod 755 git";
        let written = std::process::Command::new("sh")
            .args(["-c", script, version])
            .current_dir(folder.path())
            .status();
        assert!(written.unwrap().success());
    };
    fake("2.17.1");
    let old = Git::locate_in(search).unwrap_err();
    assert_eq!(
        old.to_string(),
        "git 2.17.1 is too old: 2.32 or newer is needed"
    );
    fake("2.50.0");
    assert_eq!(Git::locate_in(search).unwrap().version(), (2, 50, 0));
}

#[test]
fn status_tells_branch_detachment_and_dirt() {
    let site = Site::new();
    let repo = site.repo();
    let status = repo.status().unwrap();
    assert_eq!(status.sha, Some(head(&site.work)));
    assert_eq!(status.branch.as_deref(), Some("trunk"));
    assert!(!status.dirty);
    assert_eq!(status.path, site.work);
    write(&site.work, "x.log", "ignored");
    assert!(!repo.status().unwrap().dirty);
    write(&site.work, "untracked", "");
    assert!(!repo.status().unwrap().dirty);
    std::fs::remove_file(site.work.join("untracked")).unwrap();
    write(&site.work, "README", "changed\n");
    assert!(repo.status().unwrap().dirty);
    git(&site.work, &["checkout", "--quiet", "--detach", "-f"]);
    let detached = repo.status().unwrap();
    assert_eq!((detached.branch, detached.dirty), (None, false));
}

#[test]
fn a_path_with_spaces_and_umlauts() {
    let site = Site::in_folder("Mäh Ästhetik/über uns");
    assert_eq!(site.repo().status().unwrap().path, site.work);
    let pool = site.pool(1);
    let worktree = site.acquire(&pool, 1);
    write(&worktree.path, "Grüße aus Köln.txt", "ß\n");
    let saved = pool
        .save_wip(&worktree, &crate::fixture::id(1))
        .unwrap()
        .unwrap();
    assert_eq!(saved.files, ["Grüße aus Köln.txt"]);
    let _ = pool.release(&site.repo(), &worktree, &[]).unwrap();
}

#[test]
fn the_default_branch_by_all_ways() {
    let site = Site::new();
    let repo = site.repo();
    assert_eq!(repo.default_branch(Some("dev")).unwrap(), "dev");
    assert!(matches!(
        repo.default_branch(Some("--evil")),
        Err(GitError::InvalidName { .. })
    ));
    assert_eq!(repo.default_branch(None).unwrap(), "trunk");
    git(&site.work, &["branch", "other"]);
    assert_eq!(
        repo.default_branch(None).unwrap(),
        "trunk",
        "the current one"
    );
    git(&site.work, &["branch", "main"]);
    assert_eq!(repo.default_branch(None).unwrap(), "main");
    site.add_remote();
    assert_eq!(
        repo.default_branch(None).unwrap(),
        "trunk",
        "the remote's HEAD"
    );
    let bare = Repo::open(site.folder.path().join("remote.git")).unwrap();
    assert_eq!(bare.default_branch(None).unwrap(), "trunk");
    assert!(!bare.status().unwrap().dirty);
}

#[test]
fn the_default_branch_of_a_detached_head_with_several_branches_is_unknown() {
    let site = Site::new();
    git(&site.work, &["branch", "other"]);
    git(&site.work, &["checkout", "--quiet", "--detach"]);
    let error = site.repo().default_branch(None).unwrap_err();
    assert!(matches!(error, GitError::NoDefaultBranch { .. }));
}

#[test]
fn the_remotes_tip_decides_over_a_stale_local_branch() {
    let site = Site::new();
    site.add_remote();
    let stale = site.branch("issue-1", "trunk", "a", "1");
    git(&site.work, &["push", "--quiet", "origin", "issue-1"]);
    let other = site.clone_remote("other");
    git(&other, &["switch", "--quiet", "issue-1"]);
    let newer = commit(&other, "b", "2", "more");
    git(&other, &["push", "--quiet"]);
    site.branch("issue-10-local", "trunk", "c", "3");
    let repo = site.repo();
    assert_eq!(repo.tip("issue-1").unwrap(), Some(stale));
    repo.fetch().unwrap();
    assert_eq!(repo.tip("issue-1").unwrap(), Some(newer.clone()));
    assert_eq!(
        repo.branches_with_prefix("issue-1").unwrap(),
        [
            ("issue-1".to_owned(), newer),
            (
                "issue-10-local".to_owned(),
                rev(&site.work, "issue-10-local")
            ),
        ]
    );
    assert_eq!(repo.tip("nothing").unwrap(), None);
}

#[test]
fn differences_are_those_of_the_branch_alone() {
    let site = Site::new();
    let base = head(&site.work);
    let work = site.branch("issue-1", "trunk", "sub/ä.txt", "1\n");
    commit(&site.work, "others.txt", "x", "someone else");
    let repo = site.repo();
    let trunk = head(&site.work);
    for from in [&base, &trunk] {
        assert_eq!(repo.changed_files(from, &work).unwrap(), ["sub/ä.txt"]);
        let diff = repo.diff(from, &work).unwrap();
        assert!(diff.contains("+1") && !diff.contains("others"), "{diff}");
        assert_eq!(repo.commits_between(from, &work).unwrap(), 1);
    }
    let unknown = repo.diff(&base, &coord_core::ids::CommitId::new("--output=x"));
    assert!(matches!(unknown, Err(GitError::NoSuchCommit { .. })));
}

#[test]
fn the_diff_of_a_worktree_has_everything_and_changes_nothing() {
    let site = Site::new();
    let worktree = site.acquire(&site.pool(0), 1);
    commit(&worktree.path, "committed", "c\n", "work");
    write(&worktree.path, "README", "changed\n");
    write(&worktree.path, "fresh", "f\n");
    write(&worktree.path, "x.log", "noise\n");
    std::fs::remove_file(worktree.path.join("lib.txt")).unwrap();
    let before = try_git(&worktree.path, &["status", "--porcelain"]).stdout;
    let diff = site
        .repo()
        .worktree_diff(&worktree.path, &worktree.base)
        .unwrap();
    for part in ["+c", "+changed", "+f", "deleted file"] {
        assert!(diff.contains(part), "{part} in {diff}");
    }
    assert!(!diff.contains("noise"));
    assert_eq!(
        try_git(&worktree.path, &["status", "--porcelain"]).stdout,
        before
    );
}
