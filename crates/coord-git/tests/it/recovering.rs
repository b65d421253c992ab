//! After a crash at any point.

use std::path::{Path, PathBuf};

use coord_git::{GitError, ThrowawayWorktree, WorktreeState};

use crate::fixture::{Site, commit, git, head, id, rev, write};

fn private(worktree: &Path) -> PathBuf {
    PathBuf::from(git(worktree, &["rev-parse", "--git-dir"]))
}

fn set_state(worktree: &Path, state: &str) {
    std::fs::write(private(worktree).join("coord-state"), state).unwrap();
}

#[test]
fn work_of_the_dead_is_saved_and_that_of_the_living_left() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let dead = site.acquire(&pool, 1);
    let live = site.acquire(&pool, 2);
    for worktree in [&dead, &live] {
        write(&worktree.path, "fresh", "precious\n");
    }
    let recovered = pool.recover(&repo, &[id(2)], &[]).unwrap();
    assert_eq!(recovered.saved.len(), 1);
    assert_eq!(recovered.recycled, std::slice::from_ref(&dead.path));
    assert!(recovered.removed.is_empty() && recovered.left.is_empty());
    let saved = git(
        &site.work,
        &["show", &format!("refs/coord/wip/{}:fresh", id(1))],
    );
    assert_eq!(saved, "precious");
    assert!(live.path.join("fresh").exists() && !dead.path.join("fresh").exists());
    let again = pool.recover(&repo, &[id(2)], &[]).unwrap();
    assert!(again.saved.is_empty() && again.recycled.is_empty() && again.left.is_empty());
}

#[test]
fn a_release_that_was_interrupted_does_not_save_the_ruins_over_the_work() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    write(&worktree.path, "README", "precious\n");
    write(&worktree.path, "fresh", "precious too\n");
    let saved = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    // The crash came when everything was saved and half of it cleaned.
    set_state(&worktree.path, "recycling\n");
    std::fs::remove_file(worktree.path.join("fresh")).unwrap();
    std::fs::write(private(&worktree.path).join("index.lock"), "").unwrap();
    let recovered = pool.recover(&site.repo(), &[], &[]).unwrap();
    assert_eq!(
        recovered.recycled,
        std::slice::from_ref(&worktree.path),
        "{recovered:?}"
    );
    assert_eq!(rev(&site.work, &saved.reference), saved.commit);
    assert_eq!(git(&worktree.path, &["status", "--porcelain"]), "");
}

#[test]
fn an_acquire_that_was_interrupted_is_undone_or_done_again() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    // The crash came before the files were written.
    set_state(&worktree.path, "preparing\n");
    std::fs::remove_file(private(&worktree.path).join("index")).unwrap();
    std::fs::remove_file(worktree.path.join("README")).unwrap();
    let again = site.acquire(&pool, 1);
    assert_eq!(git(&again.path, &["status", "--porcelain"]), "");
    assert_eq!(pool.list(&repo).unwrap().len(), 1);
    // The crash came before it was locked for anybody.
    set_state(&again.path, "preparing\n");
    std::fs::remove_file(private(&again.path).join("locked")).unwrap();
    let again = site.acquire(&pool, 1);
    assert_eq!(git(&again.path, &["status", "--porcelain"]), "");
    set_state(&again.path, "preparing\n");
    let recovered = pool.recover(&repo, &[], &[]).unwrap();
    assert_eq!(recovered.removed, std::slice::from_ref(&again.path));
    assert!(pool.list(&repo).unwrap().is_empty());
}

#[test]
fn a_lock_without_owner_is_opened_and_a_missing_folder_forgotten() {
    let site = Site::new();
    let pool = site.pool(2);
    let repo = site.repo();
    pool.warm(&repo, None).unwrap();
    let listed = pool.list(&repo).unwrap();
    // The crash came between taking the lock and saying what it is for.
    let reason = format!("coord {}\n", id(7));
    std::fs::write(private(&listed[0].path).join("locked"), reason).unwrap();
    std::fs::remove_dir_all(&listed[1].path).unwrap();
    let recovered = pool.recover(&repo, &[], &[]).unwrap();
    assert_eq!(recovered.removed, [listed[1].path.clone()]);
    let left = pool.list(&repo).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].locked_by, None);
    assert_eq!(left[0].state, WorktreeState::Idle(head(&site.work)));
}

#[test]
fn what_the_pool_did_not_make_is_left_alone() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let ours = site.acquire(&pool, 1);
    let theirs = ours.path.parent().unwrap().join("handmade");
    git(
        &site.work,
        &["worktree", "add", "--quiet", theirs.to_str().unwrap()],
    );
    write(&theirs, "fresh", "x");
    let recovered = pool.recover(&repo, &[id(1)], &[]).unwrap();
    assert_eq!(recovered.left.len(), 1);
    assert!(matches!(recovered.left[0].1, GitError::NotPooled { .. }));
    assert!(theirs.join("fresh").exists());
}

#[test]
fn commits_of_the_dead_stay_on_their_branch() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    let work = commit(&worktree.path, "a", "1", "work");
    let recovered = pool.recover(&site.repo(), &[], &[]).unwrap();
    assert!(recovered.saved.is_empty());
    assert_eq!(rev(&site.work, "issue-1"), work);
}

#[test]
fn a_registration_that_was_interrupted_is_taken_back() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    // The crash came when git knew it and nothing else was written down.
    let private = private(&worktree.path);
    for file in ["coord-state", "coord-busy", "index"] {
        std::fs::remove_file(private.join(file)).unwrap();
    }
    std::fs::write(private.join("locked"), "initializing\n").unwrap();
    for file in ["README", "lib.txt", ".gitignore"] {
        std::fs::remove_file(worktree.path.join(file)).unwrap();
    }
    let recovered = pool.recover(&repo, &[], &[]).unwrap();
    assert_eq!(recovered.removed, std::slice::from_ref(&worktree.path));
    let again = site.acquire(&pool, 1);
    assert_eq!(git(&again.path, &["status", "--porcelain"]), "");
}

#[test]
fn no_stand_in_branch_stays_behind() {
    let site = Site::new();
    git(&site.work, &["branch", "coord-stand-in-1-1"]);
    assert_eq!(site.repo().default_branch(None).unwrap(), "trunk");
    site.pool(2).warm(&site.repo(), None).unwrap();
    let branches = git(&site.work, &["branch", "--format=%(refname:short)"]);
    assert!(!branches.contains("stand-in"), "{branches}");
}

#[test]
fn locks_that_the_dead_left_on_refs_stop_nobody() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    write(&worktree.path, "fresh", "precious\n");
    let wip = format!("refs/coord/wip/{}", id(1));
    let lock = site.work.join(".git").join(format!("{wip}.lock"));
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, "").unwrap();
    let saved = pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!(rev(&site.work, &wip), saved.commit);
    assert!(!lock.exists());
}

#[test]
fn the_ruin_of_a_killed_test_run_stops_no_other() {
    let site = Site::new();
    let root = site.work.parent().unwrap().join("tests");
    std::fs::create_dir(&root).unwrap();
    let ruin = root.canonicalize().unwrap().join("test-1-1");
    let name = ruin.to_string_lossy();
    git(
        &site.work,
        &["worktree", "add", "--quiet", "--detach", &name],
    );
    std::fs::remove_file(ruin.join(".git")).unwrap();
    let fresh = ThrowawayWorktree::create(&site.repo(), &root, &head(&site.work)).unwrap();
    assert!(!ruin.exists() && fresh.path().join(".git").exists());
}

#[test]
fn a_registration_that_was_cut_short_is_in_nobodys_way() {
    for file in ["gitdir", "HEAD", "commondir"] {
        let site = Site::new();
        let register = site.work.join(".git").join("worktrees");
        let entry = register.join("cut-short");
        std::fs::create_dir_all(&entry).unwrap();
        for (name, whole) in [
            ("gitdir", "/nowhere/.git\n"),
            ("HEAD", "ref: refs/heads/main\n"),
            ("commondir", "../..\n"),
        ] {
            let text = if name == file { "" } else { whole };
            std::fs::write(entry.join(name), text).unwrap();
        }
        let worktree = site.acquire(&site.pool(0), 1);
        assert!(worktree.path.join("README").exists(), "{file}");
        assert!(!entry.exists(), "{file}");
    }
}
