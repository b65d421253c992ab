//! The radar: which branches would conflict, and that git says so too.

mod generated;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use coord_core::ids::CommitId;
use coord_git::{Clash, ClashFile, ClashHunk, ClashKind, Git, GitError, Lines, Radar, Repo};

use crate::fixture::{Site, commit, git, head, rev, write};

/// Makes one branch of each list of changes to `trunk`, as it is when this begins.
fn branches(site: &Site, changes: &[&dyn Fn()]) -> Vec<CommitId> {
    let from = rev(&site.work, "trunk");
    let mut heads = Vec::new();
    for change in changes {
        git(
            &site.work,
            &["switch", "--quiet", "--detach", from.as_str()],
        );
        change();
        git(&site.work, &["add", "--all"]);
        git(&site.work, &["commit", "--quiet", "-m", "change"]);
        heads.push(head(&site.work));
    }
    git(&site.work, &["switch", "--quiet", "trunk"]);
    heads
}

/// The clashes of two branches with each other, after making sure that git sees one too, and none
/// with the base.
fn clash(site: &Site, one: &dyn Fn(), other: &dyn Fn()) -> Vec<ClashFile> {
    let heads = branches(site, &[one, other]);
    let base = rev(&site.work, "trunk");
    let scan = Radar::new().scan(&site.repo(), &base, &heads).unwrap();
    let git_says = merges(site, &heads[0], &heads[1]);
    match &scan.clashes[..] {
        [] => {
            assert!(git_says, "git does not merge them");
            Vec::new()
        }
        [clash] => {
            assert_eq!((clash.one, clash.other), (0, Some(1)));
            assert!(!git_says, "git merges them");
            clash.files.clone()
        }
        more => panic!("too many: {more:?}"),
    }
}

/// What git says. It would leave merged files behind that the radar does without.
fn merges(site: &Site, one: &CommitId, other: &CommitId) -> bool {
    let elsewhere = tempfile::tempdir().unwrap();
    let status = Command::new("git")
        .current_dir(&site.work)
        .args(["merge-tree", "--write-tree", one.as_str(), other.as_str()])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_OBJECT_DIRECTORY", elsewhere.path())
        .env(
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            site.work.join(".git/objects"),
        )
        .stdout(Stdio::null())
        .status()
        .unwrap();
    match status.code() {
        Some(0) => true,
        Some(1) => false,
        code => panic!("git merge-tree ended with {code:?}"),
    }
}

/// What clashes and why, without the lines.
fn kinds(files: &[ClashFile]) -> Vec<(&str, ClashKind)> {
    files
        .iter()
        .map(|file| (file.path.as_str(), file.kind))
        .collect()
}

fn numbered(text: &str) -> String {
    (1..=20).map(|line| format!("{text} {line}\n")).collect()
}

/// A site with files to fight over.
fn site() -> Site {
    let site = Site::new();
    write(&site.work, "long.txt", &numbered("line"));
    write(&site.work, "dir/one.txt", &numbered("one"));
    write(&site.work, "dir/two.txt", &numbered("two"));
    write(&site.work, "logo", "old\0logo");
    git(&site.work, &["add", "."]);
    commit(&site.work, "more", "x\n", "more");
    site
}

#[test]
fn lines_that_both_changed_clash_and_others_do_not() {
    let site = site();
    let edit = |line: usize, text: &str| {
        let lines = numbered("line");
        let lines = lines.replacen(&format!("line {line}\n"), text, 1);
        write(&site.work, "long.txt", &lines);
    };
    let far = clash(&site, &|| edit(3, "three\n"), &|| {
        edit(9, "nine\nand a half\n");
    });
    assert_eq!(far, []);
    let same = clash(&site, &|| edit(3, "three\n"), &|| edit(3, "three\n"));
    assert_eq!(same, []);
    let files = clash(&site, &|| edit(3, "three\n"), &|| edit(4, "four\nmore\n"));
    let hunks = vec![ClashHunk {
        one: Lines { start: 3, len: 2 },
        other: Lines { start: 3, len: 3 },
    }];
    assert_eq!(
        files,
        [ClashFile {
            path: "long.txt".to_owned(),
            kind: ClashKind::Content,
            hunks
        }]
    );
}

#[test]
fn deleting_what_another_one_edits() {
    let site = site();
    let edit = || write(&site.work, "dir/one.txt", "other\n");
    let delete = || std::fs::remove_file(site.work.join("dir/one.txt")).unwrap();
    let files = clash(&site, &edit, &delete);
    assert_eq!(kinds(&files), [("dir/one.txt", ClashKind::DeleteEdit)]);
    // With a new file it might have been a renaming.
    let files = clash(&site, &edit, &|| {
        delete();
        write(&site.work, "unlike", "nothing of it\n");
    });
    assert_eq!(kinds(&files), [("dir/one.txt", ClashKind::DeleteEdit)]);
    assert_eq!(clash(&site, &delete, &delete), []);
}

#[test]
fn an_edit_follows_a_renaming() {
    let site = site();
    let rename = |text: &str| {
        git(&site.work, &["mv", "dir/one.txt", "new name.txt"]);
        write(&site.work, "new name.txt", text);
    };
    let edit = |text: &str| write(&site.work, "dir/one.txt", text);
    let changed = |line: &str, text: &str| numbered("one").replacen(line, text, 1);
    let far = clash(&site, &|| rename(&changed("one 2\n", "two\n")), &|| {
        edit(&changed("one 9\n", "nine\n"));
    });
    assert_eq!(far, []);
    let files = clash(&site, &|| rename(&changed("one 2\n", "two\n")), &|| {
        edit(&changed("one 2\n", "deux\n"));
    });
    assert_eq!(kinds(&files), [("new name.txt", ClashKind::RenameEdit)]);
    assert_eq!(
        files[0].hunks,
        [ClashHunk {
            one: Lines { start: 2, len: 1 },
            other: Lines { start: 2, len: 1 },
        }]
    );
}

#[test]
fn renamings_that_do_not_go_together() {
    let site = site();
    let rename = |to: &str| drop(git(&site.work, &["mv", "dir/one.txt", to]));
    let files = clash(&site, &|| rename("a"), &|| rename("b"));
    assert!(
        kinds(&files).contains(&("dir/one.txt", ClashKind::RenameRename)),
        "{files:?}"
    );
    let files = clash(&site, &|| rename("a"), &|| {
        std::fs::remove_file(site.work.join("dir/one.txt")).unwrap();
    });
    assert_eq!(kinds(&files), [("a", ClashKind::RenameDelete)]);
    let files = clash(&site, &|| rename("a"), &|| {
        git(&site.work, &["mv", "dir/two.txt", "a"]);
    });
    assert_eq!(files.first().map(|file| file.path.as_str()), Some("a"));
}

#[test]
fn a_file_in_a_folder_that_another_one_renames() {
    let site = site();
    let files = clash(
        &site,
        &|| drop(git(&site.work, &["mv", "dir", "elsewhere"])),
        &|| write(&site.work, "dir/three.txt", "new\n"),
    );
    let kinds: Vec<ClashKind> = files.iter().map(|file| file.kind).collect();
    assert_eq!(kinds, [ClashKind::DirectoryRename]);
}

#[test]
fn two_files_of_one_name() {
    let site = site();
    let files = clash(&site, &|| write(&site.work, "new", "mine\n"), &|| {
        write(&site.work, "new", "yours\nall\n");
    });
    let hunks = [ClashHunk {
        one: Lines { start: 1, len: 1 },
        other: Lines { start: 1, len: 2 },
    }];
    assert_eq!(kinds(&files), [("new", ClashKind::AddAdd)]);
    assert_eq!(files[0].hunks, hunks);
    let same = || write(&site.work, "new", "ours\n");
    assert_eq!(clash(&site, &same, &same), []);
}

#[test]
fn modes_and_types() {
    let site = site();
    let executable = || {
        write(&site.work, "tool", "run\n");
        git(&site.work, &["add", "tool"]);
        git(&site.work, &["update-index", "--chmod=+x", "tool"]);
        git(&site.work, &["commit", "--quiet", "-m", "tool"]);
        git(&site.work, &["reset", "--quiet", "--hard"]);
        write(&site.work, "mark", "x\n");
    };
    let files = clash(&site, &executable, &|| write(&site.work, "tool", "run\n"));
    assert_eq!(kinds(&files), [("tool", ClashKind::Mode)]);
    let link = || {
        std::fs::remove_file(site.work.join("long.txt")).unwrap();
        std::os::unix::fs::symlink("README", site.work.join("long.txt")).unwrap();
    };
    let files = clash(&site, &link, &|| write(&site.work, "long.txt", "edited\n"));
    assert!(
        files.iter().any(|file| file.kind == ClashKind::Type),
        "{files:?}"
    );
}

#[test]
fn files_without_lines() {
    let site = site();
    let files = clash(&site, &|| write(&site.work, "logo", "one\0logo"), &|| {
        write(&site.work, "logo", "other\0logo");
    });
    assert_eq!(kinds(&files), [("logo", ClashKind::Binary)]);
}

#[test]
fn a_file_for_one_is_a_folder_for_the_other() {
    let site = site();
    let files = clash(&site, &|| write(&site.work, "place", "a file\n"), &|| {
        write(&site.work, "place/inside", "in a folder\n");
    });
    assert!(
        files
            .iter()
            .any(|file| file.kind == ClashKind::DirectoryFile),
        "{files:?}"
    );
}

#[test]
fn attributes_say_how_files_are_merged() {
    let site = site();
    commit(
        &site.work,
        ".gitattributes",
        "long.txt merge=union\n*.lock binary\n",
        "attributes",
    );
    commit(&site.work, "Cargo.lock", "locked\n", "lock");
    let edit = |text: &'static str| {
        let work = site.work.clone();
        move || {
            write(
                &work,
                "long.txt",
                &numbered("line").replacen("line 3\n", text, 1),
            );
        }
    };
    assert_eq!(clash(&site, &edit("three\n"), &edit("tres\n")), []);
    let lock = |text: &'static str| {
        let work = site.work.clone();
        move || write(&work, "Cargo.lock", text)
    };
    let files = clash(&site, &lock("locked\nmore\n"), &lock("less\nlocked\n"));
    assert_eq!(kinds(&files), [("Cargo.lock", ClashKind::Binary)]);
}

#[test]
fn the_base_is_one_of_them() {
    let site = site();
    let edit = |text: &str| write(&site.work, "README", text);
    let heads = branches(
        &site,
        &[&|| edit("one\n"), &|| write(&site.work, "apart", "x\n")],
    );
    let base = commit(&site.work, "README", "base\n", "base");
    let scan = Radar::new().scan(&site.repo(), &base, &heads).unwrap();
    let found: Vec<_> = scan.clashes.iter().map(|it| (it.one, it.other)).collect();
    assert_eq!(found, [(0, None)]);
}

#[test]
fn unrelated_branches_and_missing_ones() {
    let site = site();
    git(&site.work, &["switch", "--quiet", "--orphan", "alone"]);
    let alone = commit(&site.work, "file", "x\n", "alone");
    git(&site.work, &["switch", "--quiet", "trunk"]);
    let base = rev(&site.work, "trunk");
    let scan = Radar::new()
        .scan(&site.repo(), &base, &[base.clone(), alone])
        .unwrap();
    let unrelated = |one, other| Clash {
        one,
        other,
        files: Vec::new(),
    };
    assert_eq!(scan.clashes, [unrelated(0, Some(1)), unrelated(1, None)]);
    let missing = CommitId::new("1111111111111111111111111111111111111111");
    let error = Radar::new()
        .scan(&site.repo(), &base, &[missing])
        .unwrap_err();
    assert!(matches!(error, GitError::NoSuchCommit { .. }), "{error}");
}

#[test]
fn a_git_that_cannot_be_asked_is_done_without() {
    let site = site();
    let bin = site.folder.path().join("bin");
    let elder = "#!/bin/sh\ncase \"$*\" in\n*merge-tree*) exit 129;;\n*version) echo git version 2.34.1;;\n*) exec git \"$@\";;\nesac\n";
    write(&bin, "git", elder);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("git"), executable).unwrap();
    let repo = Repo::open_with(Git::locate_in(bin.as_os_str()).unwrap(), &site.work).unwrap();
    let rename = |to: &str, text: &str| {
        git(&site.work, &["mv", "dir/one.txt", to]);
        write(
            &site.work,
            to,
            &numbered("one").replacen("one 2\n", text, 1),
        );
    };
    let edit = |text: &str| {
        write(
            &site.work,
            "dir/one.txt",
            &numbered("one").replacen("one 2\n", text, 1),
        );
    };
    let delete = || std::fs::remove_file(site.work.join("dir/one.txt")).unwrap();
    let heads = branches(
        &site,
        &[&|| rename("a", "two\n"), &|| edit("deux\n"), &|| {
            delete();
            write(&site.work, "unlike", "nothing of it\n");
        }],
    );
    let scan = Radar::new()
        .scan(&repo, &rev(&site.work, "trunk"), &heads)
        .unwrap();
    let found: Vec<_> = scan
        .clashes
        .iter()
        .map(|clash| (clash.one, clash.other, clash.files[0].kind))
        .collect();
    assert_eq!(
        found,
        [
            (0, Some(1), ClashKind::RenameEdit),
            (0, Some(2), ClashKind::RenameDelete),
            (1, Some(2), ClashKind::DeleteEdit),
        ]
    );
}

#[test]
fn nothing_is_written_to_the_repository() {
    let site = site();
    let rename = |to: &str| drop(git(&site.work, &["mv", "dir/one.txt", to]));
    let edit = |text: &str| write(&site.work, "README", text);
    let heads = branches(
        &site,
        &[&|| rename("a"), &|| rename("b"), &|| edit("c\n"), &|| {
            edit("d\n");
        }],
    );
    let listing = || {
        let mut found = Vec::new();
        let mut todo = vec![site.work.join(".git")];
        while let Some(folder) = todo.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                found.push(entry.path());
                if entry.file_type().unwrap().is_dir() {
                    todo.push(entry.path());
                }
            }
        }
        found.sort();
        found
    };
    let before = listing();
    let scan = Radar::new()
        .scan(&site.repo(), &rev(&site.work, "trunk"), &heads)
        .unwrap();
    assert_eq!(scan.clashes.len(), 2);
    assert_eq!(listing(), before);
}
