//! Uncommitted work: saved completely, and never lost.

use std::os::unix::fs::PermissionsExt;

use coord_git::GitError;

use crate::fixture::{Site, commit, git, head, id, read, rev, try_git, write};

#[test]
fn a_clean_worktree_has_nothing_to_save() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    commit(&worktree.path, "a", "1", "work");
    write(&worktree.path, "ignored/cache", "x");
    assert_eq!(pool.save_wip(&worktree, &id(1)).unwrap(), None);
}

#[test]
fn everything_is_saved_and_nothing_is_touched() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    let root = &worktree.path;
    write(root, "README", "changed\n");
    write(root, "new dir/Ümläut.txt", "ü\n");
    write(root, "staged", "s\n");
    git(root, &["add", "staged"]);
    write(root, "run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(root.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("README", root.join("link")).unwrap();
    std::fs::remove_file(root.join("lib.txt")).unwrap();
    write(root, "x.log", "ignored\n");
    // A hook of the repository must not run when we save.
    write(
        &site.work,
        ".git/hooks/pre-commit",
        "#!/bin/sh\ntouch hooked\n",
    );
    let before = git(root, &["status", "--porcelain"]);
    let tip = head(root);
    let saved = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!(saved.reference, format!("refs/coord/wip/{}", id(1)));
    assert_eq!(
        saved.files,
        [
            "README",
            "lib.txt",
            "link",
            "new dir/Ümläut.txt",
            "run.sh",
            "staged"
        ]
    );
    assert_eq!(rev(&site.work, &saved.reference), saved.commit);
    assert_eq!(rev(&site.work, &format!("{}^", saved.commit)), tip);
    let tree = git(
        &site.work,
        &[
            "-c",
            "core.quotePath=false",
            "ls-tree",
            "-r",
            saved.commit.as_str(),
        ],
    );
    assert!(tree.contains("100755") && tree.contains("120000"), "{tree}");
    assert!(
        tree.contains("new dir/Ümläut.txt") && !tree.contains("lib.txt"),
        "{tree}"
    );
    assert!(!tree.contains("x.log"), "{tree}");
    assert_eq!(git(root, &["status", "--porcelain"]), before);
    assert_eq!(head(root), tip);
    let again = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!(again.commit, saved.commit, "nothing changed, nothing new");
}

#[test]
fn files_of_a_repository_inside_the_worktree_are_saved() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    for (name, commits) in [("clone", true), ("empty", false)] {
        let nested = worktree.path.join(name);
        std::fs::create_dir(&nested).unwrap();
        git(&nested, &["init", "--quiet"]);
        write(&nested, "deep/file", "precious\n");
        if commits {
            git(&nested, &["add", "."]);
            git(&nested, &["commit", "--quiet", "-m", "x"]);
        }
    }
    let saved = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!(saved.files, ["clone/deep/file", "empty/deep/file"]);
    let text = git(
        &site.work,
        &["show", &format!("{}:clone/deep/file", saved.commit)],
    );
    assert_eq!(text, "precious");
    let _ = pool.release(&site.repo(), &worktree, &[]).unwrap();
}

#[test]
fn a_merge_in_progress_is_saved_with_its_conflicts() {
    let site = Site::new();
    let theirs = site.branch("theirs", "trunk", "README", "theirs\n");
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    commit(&worktree.path, "README", "ours\n", "ours");
    let merge = try_git(&worktree.path, &["merge", theirs.as_str()]);
    assert!(!merge.status.success());
    let saved = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    let text = git(&site.work, &["show", &format!("{}:README", saved.commit)]);
    assert!(text.contains("<<<<<<<"), "{text}");
}

#[test]
fn unsaved_work_is_not_given_back() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    write(&worktree.path, "README", "changed\n");
    write(&worktree.path, "fresh", "f\n");
    for error in [
        pool.release(&repo, &worktree, &[]).unwrap_err(),
        pool.remove(&repo, &worktree.path).unwrap_err(),
    ] {
        let GitError::WouldLose { what, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(what, &["README", "fresh"]);
    }
    pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    write(&worktree.path, "later", "after the save\n");
    let error = pool.release(&repo, &worktree, &[]).unwrap_err();
    assert!(matches!(error, GitError::WouldLose { .. }), "{error}");
    assert_eq!(read(&worktree.path, "fresh"), "f\n");
    pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    let _ = pool.release(&repo, &worktree, &[]).unwrap();
}

#[test]
fn commits_that_no_branch_leads_to_are_not_lost() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    git(&worktree.path, &["checkout", "--quiet", "--detach"]);
    let lonely = commit(&worktree.path, "a", "1", "on no branch");
    let error = pool.release(&repo, &worktree, &[]).unwrap_err();
    assert!(
        matches!(&error, GitError::WouldLose { what, .. } if what[0].contains(lonely.short())),
        "{error}"
    );
    let saved = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!((saved.commit, saved.files.len()), (lonely, 0));
    let _ = pool.release(&repo, &worktree, &[]).unwrap();
}

#[test]
fn a_filled_submodule_with_work_keeps_the_worktree() {
    let site = Site::new();
    let library = Site::new();
    let url = library.work.to_str().unwrap();
    git(
        &site.work,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            url,
            "lib",
        ],
    );
    git(&site.work, &["commit", "--quiet", "-m", "submodule"]);
    let pool = site.pool(1);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    let inside = worktree.path.join("lib");
    assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 0, "left alone");
    assert_eq!(git(&worktree.path, &["status", "--porcelain"]), "");
    git(
        &worktree.path,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "update",
            "--init",
        ],
    );
    write(&inside, "README", "changed inside\n");
    let error = pool.release(&repo, &worktree, &[]).unwrap_err();
    assert!(
        matches!(&error, GitError::WouldLose { what, .. } if what == &["lib"]),
        "{error}"
    );
    git(&inside, &["checkout", "--quiet", "--", "."]);
    let released = pool.release(&repo, &worktree, &[]).unwrap();
    assert_eq!(
        released,
        coord_git::Released::Removed,
        "a filled one is not recycled"
    );
    assert!(!worktree.path.exists());
}
