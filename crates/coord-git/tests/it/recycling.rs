//! A recycled worktree is as good as a new one.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use coord_git::{GitError, Released, WorktreeState};

use crate::fixture::{Site, commit, git, head, id, try_git, write};

/// Every path below `root` but `.git`, with its permissions and content.
fn picture(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![root.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() == ".git" {
                continue;
            }
            let meta = path.symlink_metadata().unwrap();
            let content = if meta.is_dir() {
                todo.push(path.clone());
                Vec::new()
            } else {
                std::fs::read(&path).unwrap()
            };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.insert(name, (meta.permissions().mode(), content));
        }
    }
    found
}

#[test]
fn no_trace_of_the_last_worker_is_left() {
    let site = Site::new();
    let pool = site.pool(1);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    let root = &worktree.path;
    let fresh = picture(root);
    let private = git(root, &["rev-parse", "--git-dir"]);
    let names = || {
        let mut names: Vec<String> = std::fs::read_dir(&private)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };

    commit(root, "work.txt", "w\n", "work");
    write(root, "ignored/deep/cache", "x");
    write(root, "x.log", "x");
    write(root, "locked/dir/file", "x");
    git(root, &["init", "--quiet", "nested"]);
    write(root, "nested/f", "x");
    std::fs::create_dir_all(root.join("void/of/files")).unwrap();
    for folder in ["locked/dir", "locked"] {
        std::fs::set_permissions(root.join(folder), std::fs::Permissions::from_mode(0o555))
            .unwrap();
    }
    // Changes that git itself is told not to look at.
    git(root, &["update-index", "--assume-unchanged", "README"]);
    git(root, &["update-index", "--skip-worktree", "lib.txt"]);
    write(root, "README", "hidden change\n");
    write(root, "lib.txt", "hidden change\n");
    // A merge in progress, private configuration, private refs, a bisect.
    std::fs::write(
        Path::new(&private).join("MERGE_HEAD"),
        format!("{}\n", head(root)),
    )
    .unwrap();
    std::fs::write(Path::new(&private).join("MERGE_MSG"), "half a merge\n").unwrap();
    std::fs::write(
        Path::new(&private).join("config.worktree"),
        "[core]\n\thooksPath = /tmp/evil\n",
    )
    .unwrap();
    git(root, &["update-ref", "refs/worktree/mine", "HEAD"]);
    git(root, &["update-ref", "refs/bisect/bad", "HEAD"]);
    std::fs::create_dir_all(Path::new(&private).join("rebase-merge")).unwrap();

    pool.save_wip(&worktree, &id(1)).unwrap();
    assert_eq!(
        pool.release(&repo, &worktree, &[]).unwrap(),
        Released::Recycled
    );
    assert_eq!(picture(root), fresh);
    assert_eq!(
        names(),
        [
            "HEAD",
            "commondir",
            "coord-busy",
            "coord-state",
            "gitdir",
            "index"
        ]
    );
    assert_eq!(git(root, &["status", "--porcelain", "--ignored"]), "");
    assert_eq!(git(root, &["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD");
    let listed = pool.list(&repo).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state, WorktreeState::Idle(head(&site.work)));
    assert_eq!(listed[0].locked_by, None);
    assert_eq!(
        git(&site.work, &["rev-list", "--count", "trunk..issue-1"]),
        "1",
        "the branch did not move"
    );
}

#[test]
fn a_file_in_place_of_a_folder_and_the_other_way_round() {
    let site = Site::new();
    commit(&site.work, "dir/inner", "x\n", "a folder");
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    let fresh = picture(&worktree.path);
    std::fs::remove_file(worktree.path.join("README")).unwrap();
    git(&worktree.path, &["init", "--quiet", "README"]);
    write(&worktree.path, "README/f", "x");
    std::fs::remove_dir_all(worktree.path.join("dir")).unwrap();
    write(&worktree.path, "dir", "now a file");
    pool.save_wip(&worktree, &id(1)).unwrap().unwrap();
    assert_eq!(
        pool.release(&site.repo(), &worktree, &[]).unwrap(),
        Released::Recycled
    );
    assert_eq!(picture(&worktree.path), fresh);
}

#[test]
fn kept_files_stay_and_nothing_else() {
    let site = Site::new();
    let pool = site.pool(0);
    let worktree = site.acquire(&pool, 1);
    write(&worktree.path, "ignored/cache", "x");
    write(&worktree.path, "x.log", "x");
    let keep = ["/ignored/".to_owned()];
    assert_eq!(
        pool.release(&site.repo(), &worktree, &keep).unwrap(),
        Released::Recycled
    );
    assert!(worktree.path.join("ignored/cache").exists());
    assert!(!worktree.path.join("x.log").exists());
}

#[test]
fn the_next_worker_gets_the_same_folder_on_its_own_branch() {
    let site = Site::new();
    let pool = site.pool(0);
    let first = site.acquire(&pool, 1);
    commit(&first.path, "a", "1", "work");
    let _ = pool.release(&site.repo(), &first, &[]).unwrap();
    let newer = commit(&site.work, "trunk.txt", "t\n", "trunk moved");
    let second = site.acquire(&pool, 2);
    assert_eq!(second.path, first.path);
    assert_eq!(head(&second.path), newer);
    assert_eq!(git(&second.path, &["branch", "--show-current"]), "issue-2");
    assert_eq!(
        git(&second.path, &["status", "--porcelain", "--ignored"]),
        ""
    );
    assert!(second.path.join("trunk.txt").exists() && !second.path.join("a").exists());
}

#[test]
fn the_persons_checkout_can_be_neither_removed_nor_recycled() {
    let site = Site::new();
    let pool = site.pool(0);
    let repo = site.repo();
    let mine = site.folder.path().join("mine");
    git(
        &site.work,
        &["worktree", "add", "--quiet", mine.to_str().unwrap()],
    );
    let worktree = site.acquire(&pool, 1);
    let inner = worktree.path.parent().unwrap().join("99");
    std::fs::create_dir(&inner).unwrap();
    git(&inner, &["init", "--quiet"]);
    for path in [
        site.work.as_path(),
        mine.as_path(),
        inner.as_path(),
        Path::new("/"),
    ] {
        let error = pool.remove(&repo, path).unwrap_err();
        assert!(matches!(error, GitError::NotPooled { .. }), "{error}");
        let fake = coord_git::Worktree {
            path: path.to_owned(),
            ..worktree.clone()
        };
        let error = pool.release(&repo, &fake, &[]).unwrap_err();
        assert!(matches!(error, GitError::NotPooled { .. }), "{error}");
    }
    assert!(site.work.join("README").exists() && mine.join("README").exists());
    pool.remove(&repo, &worktree.path).unwrap();
    assert!(!worktree.path.exists());
    let listed = try_git(&site.work, &["worktree", "list", "--porcelain"]).stdout;
    assert_eq!(
        String::from_utf8_lossy(&listed)
            .matches("worktree ")
            .count(),
        2
    );
}

#[test]
fn what_was_only_looked_at_is_discarded_with_its_branch() {
    let site = Site::new();
    let pool = site.pool(1);
    let repo = site.repo();
    let worktree = site.acquire(&pool, 1);
    let tip = commit(&worktree.path, "made.txt", "x", "made");
    write(&worktree.path, "left.txt", "x");
    assert_eq!(repo.worktree_changes(&worktree.path).unwrap(), ["left.txt"]);
    let foreign = pool.discard(&repo, &worktree, &id(2), &[]).unwrap_err();
    assert!(matches!(foreign, GitError::NotPooled { .. }), "{foreign:?}");
    assert_eq!(head(&worktree.path), tip);

    let released = pool.discard(&repo, &worktree, &id(1), &[]).unwrap();
    assert_eq!(released, Released::Recycled);
    assert!(!worktree.path.join("left.txt").exists());
    assert_eq!(repo.tip(&worktree.branch).unwrap(), None);
    let refs = git(repo.path(), &["for-each-ref", "--contains", tip.as_str()]);
    assert_eq!(refs, "");
    let again = pool.discard(&repo, &worktree, &id(1), &[]).unwrap_err();
    assert!(matches!(again, GitError::NotPooled { .. }), "{again:?}");
}
