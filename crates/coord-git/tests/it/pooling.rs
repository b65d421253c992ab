//! Handing out worktrees.

use std::collections::BTreeSet;

use coord_git::{AcquireSpec, GitError, ThrowawayWorktree, WorktreeState};

use crate::fixture::{Site, commit, git, head, id, rev, try_git, write};

#[test]
fn a_worktree_is_on_its_branch_and_locked() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    assert_eq!(
        git(&worktree.path, &["branch", "--show-current"]),
        "issue-1"
    );
    assert_eq!(head(&worktree.path), head(&site.work));
    assert_eq!(git(&worktree.path, &["status", "--porcelain"]), "");
    let listed = git(&site.work, &["worktree", "list", "--porcelain"]);
    assert!(
        listed.contains(&format!("locked coord {}", id(1))),
        "{listed}"
    );
    let states = pool.list(&site.repo()).unwrap();
    assert_eq!(states[0].state, WorktreeState::Held);
    assert_eq!(states[0].locked_by, Some(id(1)));
}

#[test]
fn asking_again_gives_the_same_worktree_with_the_work_in_it() {
    let site = Site::new();
    let pool = site.pool(0);
    let first = site.acquire(&pool, 1);
    write(&first.path, "fresh", "f");
    assert_eq!(site.acquire(&pool, 1), first);
    assert!(first.path.join("fresh").exists());
}

#[test]
fn eight_at_once_from_two_processes_worth_of_pools() {
    let site = Site::new();
    site.pool(3).warm(&site.repo(), None).unwrap();
    let pools = [site.pool(3), site.pool(3)];
    let paths: BTreeSet<_> = std::thread::scope(|scope| {
        let (site, pools) = (&site, &pools);
        let running: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || site.acquire(&pools[n % 2], n as u64).path))
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(paths.len(), 8);
    for path in &paths {
        assert_eq!(git(path, &["status", "--porcelain"]), "");
    }
    let fsck = try_git(&site.work, &["fsck", "--no-dangling"]);
    assert!(fsck.status.success());
}

#[test]
fn two_assignments_never_share_a_branch() {
    let site = Site::new();
    let pool = site.pool(0);
    site.acquire(&pool, 1);
    let base = head(&site.work);
    for (branch, n) in [("issue-1", 2), ("trunk", 3)] {
        let error = pool
            .acquire(
                &site.repo(),
                AcquireSpec {
                    assignment: &id(n),
                    branch,
                    base: &base,
                    start: None,
                },
            )
            .unwrap_err();
        assert!(matches!(error, GitError::BranchInUse { .. }), "{error}");
    }
}

#[test]
fn commits_of_an_earlier_attempt_are_kept() {
    let site = Site::new();
    let earlier = site.branch("issue-1", "trunk", "a", "1");
    let worktree = site.acquire(&site.pool(0), 1);
    assert_eq!(head(&worktree.path), head(&site.work));
    let kept = format!("refs/coord/replaced/issue-1/{}", earlier.short());
    assert_eq!(rev(&site.work, &kept), earlier);
}

#[test]
fn a_continuation_starts_from_the_remotes_tip() {
    let site = Site::new();
    site.add_remote();
    site.branch("issue-1", "trunk", "a", "1");
    git(&site.work, &["push", "--quiet", "origin", "issue-1"]);
    let other = site.clone_remote("other");
    git(&other, &["switch", "--quiet", "issue-1"]);
    let newer = commit(&other, "b", "2", "more");
    git(&other, &["push", "--quiet"]);
    let repo = site.repo();
    repo.fetch().unwrap();
    let base = head(&site.work);
    let spec = AcquireSpec {
        assignment: &id(9),
        branch: "issue-1",
        base: &base,
        start: Some("issue-1"),
    };
    let worktree = site.pool(0).acquire(&repo, spec).unwrap();
    assert_eq!(head(&worktree.path), newer);
    assert_eq!(worktree.base, base);
    let missing = AcquireSpec {
        assignment: &id(10),
        branch: "issue-2",
        start: Some("no-such"),
        ..spec
    };
    let error = site.pool(0).acquire(&repo, missing).unwrap_err();
    assert!(matches!(error, GitError::NoSuchBranch { .. }), "{error}");
}

#[test]
fn a_warm_worktree_is_taken_and_topped_up() {
    let site = Site::new();
    let pool = site.pool(2);
    let repo = site.repo();
    assert_eq!(pool.warm(&repo, None).unwrap(), 2);
    assert_eq!(pool.warm(&repo, None).unwrap(), 0);
    let idle: Vec<_> = pool.list(&repo).unwrap();
    assert!(
        idle.iter()
            .all(|one| one.state == WorktreeState::Idle(head(&site.work)))
    );
    let worktree = site.acquire(&pool, 1);
    assert!(idle.iter().any(|one| one.path == worktree.path));
    assert_eq!(git(&worktree.path, &["status", "--porcelain"]), "");
    assert_eq!(pool.warm(&repo, None).unwrap(), 1);
    let newer = commit(&site.work, "t", "1", "trunk moves");
    assert_eq!(pool.warm(&repo, None).unwrap(), 2, "moved to the new tip");
    for one in pool.list(&repo).unwrap() {
        if one.path != worktree.path {
            assert_eq!(one.state, WorktreeState::Idle(newer.clone()));
            assert_eq!(git(&one.path, &["status", "--porcelain"]), "");
            assert!(one.path.join("t").exists());
        }
    }
}

#[test]
fn a_dirty_detached_main_checkout_is_not_touched() {
    let site = Site::new();
    let base = head(&site.work);
    commit(&site.work, "more", "m", "more");
    git(&site.work, &["checkout", "--quiet", "--detach"]);
    write(&site.work, "README", "half-done\n");
    write(&site.work, "notes", "mine\n");
    git(&site.work, &["add", "notes"]);
    let before = git(&site.work, &["status", "--porcelain=v2", "--branch"]);
    let pool = site.pool(1);
    let repo = site.repo();
    let spec = AcquireSpec {
        assignment: &id(1),
        branch: "issue-1",
        base: &base,
        start: None,
    };
    let worktree = pool.acquire(&repo, spec).unwrap();
    write(&worktree.path, "x", "x");
    pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    let _ = pool.release(&repo, &worktree, &[]).unwrap();
    pool.warm(&repo, Some("trunk")).unwrap();
    pool.recover(&repo, &[], &[]).unwrap();
    assert_eq!(
        git(&site.work, &["status", "--porcelain=v2", "--branch"]),
        before
    );
}

#[test]
fn a_bare_repository_has_worktrees_too() {
    let site = Site::new();
    let remote = site.add_remote();
    let repo = coord_git::Repo::open(&remote).unwrap();
    let base = rev(&remote, "trunk");
    let spec = AcquireSpec {
        assignment: &id(1),
        branch: "issue-1",
        base: &base,
        start: None,
    };
    let worktree = site.pool(0).acquire(&repo, spec).unwrap();
    assert!(worktree.path.join("README").exists());
    let _ = site.pool(0).release(&repo, &worktree, &[]).unwrap();
}

#[test]
fn a_throwaway_worktree_is_gone_when_dropped() {
    let site = Site::new();
    let root = site.folder.path().join("tests");
    let one = ThrowawayWorktree::create(&site.repo(), &root, &head(&site.work)).unwrap();
    let two = ThrowawayWorktree::create(&site.repo(), &root, &head(&site.work)).unwrap();
    let path = one.path().to_owned();
    assert!(path.join("README").exists() && two.path() != path);
    write(&path, "target/out", "built");
    drop(one);
    assert!(!path.exists() && two.path().exists());
    drop(two);
    assert_eq!(git(&site.work, &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn throwaway_worktrees_of_the_dead_are_swept() {
    let site = Site::new();
    let root = site.folder.path().join("tests");
    let dead = ThrowawayWorktree::create(&site.repo(), &root, &head(&site.work)).unwrap();
    let path = dead.path().to_owned();
    let private = git(&path, &["rev-parse", "--git-dir"]);
    // What a dead process leaves: the files, but not the lock on the open file.
    let copy = std::path::Path::new(&private).join("coord-busy");
    std::fs::remove_file(&copy).unwrap();
    std::fs::write(&copy, "").unwrap();
    let live = ThrowawayWorktree::create(&site.repo(), &root, &head(&site.work)).unwrap();
    assert!(!path.exists() && live.path().exists());
    std::mem::forget(dead);
}
