//! Files that are copied into a worktree.

use coord_git::prepare::{SkipReason, copy_files};
use coord_git::worker_git_env;

use crate::fixture::{Site, commit, git, id, read, write};

fn patterns(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

#[test]
fn copied_files_are_there_and_are_nobodys_work() {
    let site = Site::new();
    write(&site.work, ".env", "SECRET=1\n");
    write(&site.work, "config/a [1].local", "a\n");
    write(&site.work, "config/deep/b.local", "b\n");
    let pool = site.pool(0);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    let list = patterns(&[".env", "config/**/*.local", "missing", "README"]);
    let copied = copy_files(repo.path(), &worktree.path, &list).unwrap();
    assert_eq!(
        copied.files,
        [".env", "config/a [1].local", "config/deep/b.local"]
    );
    assert_eq!(
        copied.skipped,
        [
            ("missing".to_owned(), SkipReason::NothingMatches),
            ("README".to_owned(), SkipReason::Exists),
        ]
    );
    assert_eq!(read(&worktree.path, ".env"), "SECRET=1\n");
    assert_eq!(pool.save_wip(&worktree, &id(1)).unwrap(), None);
    let diff = repo.worktree_diff(&worktree.path, &worktree.base).unwrap();
    assert_eq!(diff, "");
    // A worker that adds everything does not add them.
    write(&worktree.path, "work", "w");
    let add = std::process::Command::new("git")
        .current_dir(&worktree.path)
        .args(["add", "--all"])
        .envs(worker_git_env(&worktree.path))
        .status()
        .unwrap();
    assert!(add.success());
    assert_eq!(
        git(&worktree.path, &["diff", "--cached", "--name-only"]),
        "work"
    );
    // The person's own checkout shows its files as before.
    assert!(git(&site.work, &["status", "--porcelain"]).contains(".env"));
    pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    let _ = pool.release(&repo, &worktree, &[]).unwrap();
    assert!(!worktree.path.join(".env").exists());
}

#[test]
fn nothing_is_read_or_written_outside() {
    let site = Site::new();
    let outside = site.folder.path().join("outside");
    write(&outside, "secret", "s\n");
    std::os::unix::fs::symlink(&outside, site.work.join("way-out")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), site.work.join("link")).unwrap();
    write(&site.work, "conf/.env", "x\n");
    // The commit that the worker gets has a link where the copy would go.
    git(&site.work, &["switch", "--quiet", "-c", "evil"]);
    std::os::unix::fs::symlink(&outside, site.work.join("conf2")).unwrap();
    git(&site.work, &["add", "conf2"]);
    commit(&site.work, "x", "x", "evil");
    let worktree = site.acquire(&site.pool(0), 1);
    std::os::unix::fs::symlink(&outside, worktree.path.join("conf")).unwrap();
    let list = patterns(&[
        "way-out/secret",
        "link",
        "conf/.env",
        "../outside/secret",
        "/etc/hostname",
        ".git/config",
    ]);
    let copied = copy_files(&site.work, &worktree.path, &list).unwrap();
    assert_eq!(copied.files, Vec::<String>::new());
    assert!(
        copied
            .skipped
            .iter()
            .all(|(_, why)| *why == SkipReason::LeadsOutside),
        "{copied:?}"
    );
    assert_eq!(copied.skipped.len(), list.len());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}
