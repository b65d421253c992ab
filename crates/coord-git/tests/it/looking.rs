//! Looks at a worktree while somebody works in it, and undoing what should not have been done.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use coord_git::{Look, PathChangeKind, Worktree, look, restore};

use crate::fixture::{Site, commit, git, head, id, read, rev, write};

/// A site with a worktree for assignment 1.
fn begin() -> (Site, Worktree) {
    let site = Site::new();
    write(&site.work, "secret/key", "old\n");
    write(&site.work, "secret/run.sh", "#!/bin/sh\n");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(site.work.join("secret/run.sh"), executable).unwrap();
    symlink("key", site.work.join("secret/link")).unwrap();
    git(&site.work, &["add", "."]);
    commit(&site.work, "more", "x\n", "secrets");
    let worktree = site.acquire(&site.pool(0), 1);
    (site, worktree)
}

fn look_at(worktree: &Worktree, since: Option<&Look>) -> Look {
    look(&worktree.path, &id(1), since.map(|look| look.tree.as_str())).unwrap()
}

/// `+` added, `-` removed, `~` modified.
fn changed(look: &Look) -> Vec<String> {
    let sign = |kind| match kind {
        PathChangeKind::Added => '+',
        PathChangeKind::Removed => '-',
        PathChangeKind::Modified => '~',
    };
    look.changed
        .iter()
        .map(|change| format!("{}{}", sign(change.kind), change.path.display()))
        .collect()
}

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

#[test]
fn a_look_tells_what_changed_since_the_last_one() {
    let (_site, worktree) = begin();
    let root = &worktree.path;
    let first = look_at(&worktree, None);
    assert_eq!(first.wip, head(root));
    assert_eq!(changed(&first), [""; 0]);
    write(root, "README", "changed\n");
    write(root, "new/file", "x\n");
    write(root, "x.log", "ignored\n");
    let second = look_at(&worktree, Some(&first));
    assert_eq!(changed(&second), ["~README", "+new/file"]);
    std::fs::remove_file(root.join("lib.txt")).unwrap();
    std::fs::remove_dir_all(root.join("new")).unwrap();
    write(root, "new", "a file where a folder was\n");
    let third = look_at(&worktree, Some(&second));
    assert_eq!(changed(&third), ["-lib.txt", "+new", "-new/file"]);
    git(root, &["checkout", "--quiet", "README", "lib.txt"]);
    std::fs::remove_file(root.join("new")).unwrap();
    let last = look_at(&worktree, Some(&third));
    assert_eq!((last.wip, last.tree), (first.wip, first.tree));
}

#[test]
fn the_saved_commit_is_what_saving_would_make() {
    let (site, worktree) = begin();
    let root = &worktree.path;
    write(root, "README", "changed\n");
    git(root, &["add", "README"]);
    write(root, "README", "changed again\n");
    write(root, "new", "x\n");
    write(root, "forced.log", "kept\n");
    git(root, &["add", "--force", "forced.log"]);
    let before = git(root, &["status", "--porcelain"]);
    let index = std::fs::read(
        site.work
            .join(".git/worktrees")
            .join(root.file_name().unwrap())
            .join("index"),
    )
    .unwrap();
    let seen = look_at(&worktree, None);
    assert_eq!(changed(&seen), ["~README", "+forced.log", "+new"]);
    assert_eq!(
        rev(&site.work, &format!("refs/coord/wip/{}", id(1))),
        seen.wip
    );
    assert_eq!(site.repo().wip(&id(1)).unwrap(), Some(seen.wip.clone()));
    let saved = site.pool(0).save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!(saved.commit, seen.wip);
    assert_eq!(git(root, &["status", "--porcelain"]), before);
    let after = std::fs::read(
        site.work
            .join(".git/worktrees")
            .join(root.file_name().unwrap())
            .join("index"),
    )
    .unwrap();
    assert!(index == after, "the worker's index is its own");
}

#[test]
fn nothing_is_written_where_nothing_changed() {
    let (site, worktree) = begin();
    write(&worktree.path, "new", "x\n");
    let first = look_at(&worktree, None);
    let objects = || git(&site.work, &["count-objects", "--verbose"]);
    let reference = site.work.join(format!(".git/refs/coord/wip/{}", id(1)));
    let (before, written) = (
        objects(),
        std::fs::metadata(&reference).unwrap().modified().unwrap(),
    );
    let second = look_at(&worktree, Some(&first));
    assert_eq!((second.wip, second.changed), (first.wip, Vec::new()));
    assert_eq!(objects(), before);
    assert_eq!(
        std::fs::metadata(&reference).unwrap().modified().unwrap(),
        written
    );
}

#[test]
fn commits_amendments_and_resets_of_the_worker_are_followed() {
    let (_site, worktree) = begin();
    let root = &worktree.path;
    write(root, "README", "changed\n");
    let dirty = look_at(&worktree, None);
    git(root, &["commit", "--quiet", "--all", "-m", "work"]);
    let committed = look_at(&worktree, Some(&dirty));
    assert_eq!(committed.wip, head(root));
    assert_eq!(
        (&committed.tree, changed(&committed)),
        (&dirty.tree, Vec::new())
    );
    write(root, "lib.txt", "other\n");
    git(
        root,
        &["commit", "--quiet", "--all", "--amend", "-m", "work"],
    );
    let amended = look_at(&worktree, Some(&committed));
    assert_eq!(amended.wip, head(root));
    assert_eq!(changed(&amended), ["~lib.txt"]);
    git(root, &["reset", "--quiet", "--hard", "HEAD^"]);
    write(root, "new", "x\n");
    let reset = look_at(&worktree, Some(&amended));
    assert_eq!(changed(&reset), ["~README", "~lib.txt", "+new"]);
    let parent = git(root, &["rev-parse", &format!("{}^", reset.wip)]);
    assert_eq!(parent, head(root).as_str());
}

#[test]
fn a_change_of_equal_length_just_after_the_index_was_written_is_seen() {
    let (_site, worktree) = begin();
    let root = &worktree.path;
    let mut last = look_at(&worktree, None);
    for round in 0..20 {
        write(root, "README", &format!("a{:04}\n", round * 2));
        git(root, &["add", "README"]);
        write(root, "README", &format!("a{:04}\n", round * 2 + 1));
        let now = look_at(&worktree, Some(&last));
        let saved = git(root, &["show", &format!("{}:README", now.wip)]);
        assert_eq!(saved, format!("a{:04}", round * 2 + 1));
        last = now;
    }
}

#[test]
fn a_repository_inside_and_conflicts_are_seen() {
    let (site, worktree) = begin();
    let root = &worktree.path;
    let first = look_at(&worktree, None);
    let nested = root.join("clone");
    std::fs::create_dir(&nested).unwrap();
    git(&nested, &["init", "--quiet"]);
    write(&nested, "deep/file", "x\n");
    git(&nested, &["add", "."]);
    git(
        &nested,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "--quiet",
            "-m",
            "x",
        ],
    );
    let second = look_at(&worktree, Some(&first));
    assert_eq!(changed(&second), ["+clone/deep/file"]);
    write(&nested, "deep/file", "changed\n");
    write(&nested, "more", "x\n");
    let third = look_at(&worktree, Some(&second));
    assert_eq!(changed(&third), ["~clone/deep/file", "+clone/more"]);
    let theirs = site.branch("theirs", "trunk", "README", "theirs\n");
    commit(root, "README", "ours\n", "ours");
    let merge = crate::fixture::try_git(root, &["merge", "--quiet", theirs.as_str()]);
    assert!(!merge.status.success());
    let fourth = look_at(&worktree, Some(&third));
    assert!(git(root, &["show", &format!("{}:README", fourth.wip)]).contains("<<<<<<<"));
}

#[test]
fn a_worker_that_commits_meanwhile_is_not_disturbed() {
    let (_site, worktree) = begin();
    let root = &worktree.path;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            for round in 0..12 {
                write(root, "README", &format!("round {round}\n"));
                write(root, &format!("folder{round}/new"), "x\n");
                git(root, &["add", "--all"]);
                git(root, &["commit", "--quiet", "-m", "work"]);
                match round % 3 {
                    0 => git(root, &["commit", "--quiet", "--amend", "-m", "again"]),
                    1 => git(root, &["reset", "--quiet", "--hard", "HEAD^"]),
                    _ => git(root, &["reset", "--quiet", "--soft", "HEAD^"]),
                };
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) && !working.is_finished() {
            look_at(&worktree, None);
        }
    });
    let last = look_at(&worktree, None);
    git(root, &["add", "--all"]);
    assert_eq!(git(root, &["write-tree"]), last.tree);
}

#[test]
fn what_looks_left_goes_where_nothing_is_to_be_saved() {
    let (site, worktree) = begin();
    let pool = site.pool(0);
    let root = &worktree.path;
    write(root, "README", "changed\n");
    let dirty = look_at(&worktree, None);
    git(root, &["checkout", "--quiet", "README"]);
    // Given up, perhaps by mistake: nobody has looked since.
    assert_eq!(pool.save_wip(&worktree, &id(1)).unwrap(), None);
    assert_eq!(site.repo().wip(&id(1)).unwrap(), Some(dirty.wip));
    look_at(&worktree, None);
    assert_eq!(pool.save_wip(&worktree, &id(1)).unwrap(), None);
    assert_eq!(site.repo().wip(&id(1)).unwrap(), None);
}

#[test]
fn many_looks_at_once() {
    let (_site, worktree) = begin();
    write(&worktree.path, "new", "x\n");
    let looks: Vec<Look> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| look_at(&worktree, None)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(looks.iter().all(|look| *look == looks[0]), "{looks:?}");
}

#[test]
fn what_was_touched_is_put_back() {
    let (_site, worktree) = begin();
    let root = &worktree.path;
    let before = look_at(&worktree, None);
    write(root, "secret/key", "stolen\n");
    write(root, "secret/planted/deep", "x\n");
    write(root, "README", "work\n");
    std::fs::remove_file(root.join("secret/link")).unwrap();
    std::fs::remove_file(root.join("secret/run.sh")).unwrap();
    symlink("/etc/passwd", root.join("secret/run.sh")).unwrap();
    let after = look_at(&worktree, Some(&before));
    let secret: Vec<PathBuf> = after
        .changed
        .iter()
        .map(|change| change.path.clone())
        .filter(|path| path.starts_with("secret"))
        .collect();
    assert_eq!(secret.len(), 4);
    let restored = restore(root, &before.tree, &secret).unwrap();
    assert_eq!((restored.paths.len(), restored.left.len()), (4, 0));
    assert_eq!(read(root, "secret/key"), "old\n");
    assert_eq!(read(root, "README"), "work\n");
    assert_eq!(
        std::fs::read_link(root.join("secret/link")).unwrap(),
        Path::new("key")
    );
    let mode = root
        .join("secret/run.sh")
        .symlink_metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o170_111, 0o100_111);
    assert!(!root.join("secret/planted").exists());
    assert_eq!(changed(&look_at(&worktree, Some(&before))), ["~README"]);
    assert_eq!(git(root, &["status", "--porcelain"]), "M README");
}

#[test]
fn links_do_not_lead_out_of_the_worktree() {
    let (site, worktree) = begin();
    let root = &worktree.path;
    let before = look_at(&worktree, None);
    let outside = site.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    for file in ["key", "planted"] {
        write(&outside, file, "outside\n");
    }
    std::fs::remove_dir_all(root.join("secret")).unwrap();
    symlink(&outside, root.join("secret")).unwrap();
    let restored = restore(
        root,
        &before.tree,
        &paths(&["secret/key", "secret/planted"]),
    )
    .unwrap();
    assert_eq!(restored.left, Vec::<PathBuf>::new());
    assert_eq!(read(root, "secret/key"), "old\n");
    assert!(root.join("secret").symlink_metadata().unwrap().is_dir());
    for file in ["key", "planted"] {
        assert_eq!(read(&outside, file), "outside\n");
    }
}

#[test]
fn hostile_paths_are_left_alone() {
    let (site, worktree) = begin();
    let root = &worktree.path;
    let before = look_at(&worktree, None);
    write(site.folder.path(), "precious", "x\n");
    let hostile = paths(&[
        "../../precious",
        "/etc/hostname",
        ".git",
        "a/../b",
        ".GIT/config",
        "",
    ]);
    let restored = restore(root, &before.tree, &hostile).unwrap();
    assert_eq!(restored.paths, Vec::<PathBuf>::new());
    assert_eq!(restored.left, hostile);
    assert!(root.join(".git").exists());
    // Names that a shell or git could read as something else.
    let odd = [":(top)*", "-rf", "*", "a\nb", "\"q\""];
    for name in odd {
        write(root, name, "x\n");
    }
    let bytes = PathBuf::from(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    std::fs::write(root.join(&bytes), "x\n").unwrap();
    let after = look_at(&worktree, Some(&before));
    assert_eq!(after.changed.len(), 6);
    for name in odd {
        write(root, name, "changed\n");
    }
    std::fs::write(root.join(&bytes), "changed\n").unwrap();
    let all: Vec<PathBuf> = after
        .changed
        .iter()
        .map(|change| change.path.clone())
        .collect();
    restore(root, &after.tree, &all).unwrap();
    assert_eq!(changed(&look_at(&worktree, Some(&after))), [""; 0]);
    restore(root, &before.tree, &all).unwrap();
    assert_eq!(look_at(&worktree, None).tree, before.tree);
}

#[test]
fn a_folder_in_the_way_is_nobodys_to_delete() {
    let (_site, worktree) = begin();
    let root = &worktree.path;
    let before = look_at(&worktree, None);
    std::fs::remove_file(root.join("secret/key")).unwrap();
    write(root, "secret/key/x.log", "ignored, so saved nowhere\n");
    let restored = restore(root, &before.tree, &paths(&["secret/key", "secret/run.sh"])).unwrap();
    assert_eq!(restored.left, paths(&["secret/key"]));
    assert_eq!(restored.paths, paths(&["secret/run.sh"]));
    assert!(root.join("secret/key/x.log").exists());
}
