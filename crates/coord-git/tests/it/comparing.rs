//! How commits stand to each other, and what lies between them file by file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use coord_core::ids::CommitId;
use coord_git::{Divergence, FileChange, FileChangeKind};

use crate::fixture::{Site, commit, git, head, rev, write};

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

fn all(root: &Path) -> CommitId {
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "-m", "all of it"]);
    head(root)
}

fn change(path: &str, kind: FileChangeKind, lines: (u64, u64), patch: Option<&str>) -> FileChange {
    FileChange {
        path: path.to_owned(),
        kind,
        additions: lines.0,
        deletions: lines.1,
        patch: patch.map(str::to_owned),
    }
}

#[test]
fn ahead_and_behind_are_counted_from_where_they_parted() {
    let site = Site::new();
    let parted = head(&site.work);
    let work = site.branch("issue-1", "trunk", "a", "1");
    let trunk = commit(&site.work, "b", "1", "one");
    let trunk_too = commit(&site.work, "b", "2", "two");
    let repo = site.repo();
    let stands = |base, head| repo.compare(base, head).unwrap().unwrap();
    let expected = |ahead, behind, merge_base: &CommitId| Divergence {
        ahead,
        behind,
        merge_base: merge_base.clone(),
    };
    assert_eq!(stands(&trunk_too, &work), expected(1, 2, &parted));
    assert_eq!(stands(&trunk, &trunk_too), expected(1, 0, &trunk));
    assert_eq!(stands(&work, &work), expected(0, 0, &work));

    git(&site.work, &["switch", "--quiet", "--orphan", "alone"]);
    let alone = commit(&site.work, "a", "1", "of another history");
    assert_eq!(repo.compare(&trunk, &alone).unwrap(), None);
    assert!(!repo.merges_cleanly(&trunk, &alone).unwrap());
    assert!(repo.compare(&trunk, &"--all".into()).is_err());
}

#[test]
fn where_two_parted() {
    let site = Site::new();
    let parted = head(&site.work);
    let work = site.branch("issue-1", "trunk", "a", "1");
    let trunk = commit(&site.work, "b", "1", "one");
    let repo = site.repo();
    assert_eq!(repo.merge_base(&trunk, &work).unwrap(), Some(parted));
    assert_eq!(repo.merge_base(&work, &work).unwrap(), Some(work.clone()));
    git(&site.work, &["switch", "--quiet", "--orphan", "alone"]);
    let alone = commit(&site.work, "a", "1", "of another history");
    assert_eq!(repo.merge_base(&work, &alone).unwrap(), None);
    assert!(repo.merge_base(&work, &"HEAD".into()).is_err());
}

#[test]
fn files_of_a_commit_are_read_without_a_checkout() {
    let site = Site::new();
    let root = &site.work;
    write(root, "CLAUDE.md", "one\ntwo\nthree\n");
    write(root, "deep/er/file", "deep");
    symlink("CLAUDE.md", root.join("link")).unwrap();
    fs::write(root.join("odd"), b"a\xffb").unwrap();
    let made = all(root);
    write(root, "CLAUDE.md", "later\n");
    let later = all(root);
    let repo = site.repo();
    let read = |path: &str| repo.file_at(&made, path, 100).unwrap();
    assert_eq!(read("CLAUDE.md").as_deref(), Some("one\ntwo\nthree\n"));
    assert_eq!(read("deep/er/file").as_deref(), Some("deep"));
    assert_eq!(read("odd").as_deref(), Some("a\u{fffd}b"));
    for none in ["link", "deep", "nowhere", "../work/CLAUDE.md", "", "/"] {
        assert_eq!(read(none), None, "{none:?}");
    }
    let now = repo.file_at(&later, "CLAUDE.md", 100).unwrap();
    assert_eq!(now.as_deref(), Some("later\n"));
    let cut = repo.file_at(&made, "CLAUDE.md", 9).unwrap();
    let expected = "one\ntwo\n[cut off here: 6 more bytes]\n";
    assert_eq!(cut.as_deref(), Some(expected));
    let tree = git(root, &["rev-parse", &format!("{made}^{{tree}}")]);
    assert_eq!(repo.tree_of(&made).unwrap(), tree);
}

#[test]
fn a_long_diff_is_cut_and_says_so() {
    let site = Site::new();
    let base = head(&site.work);
    let text = "a line of text\n".repeat(100);
    let work = site.branch("issue-1", "trunk", "long", &text);
    let repo = site.repo();
    let whole = repo.diff(&base, &work).unwrap();
    let within = |limit| repo.diff_within(&base, &work, limit).unwrap();
    assert_eq!(within(whole.len()), whole);
    let cut = within(500);
    let (kept, note) = cut.trim_end().rsplit_once('\n').unwrap();
    assert!(whole.starts_with(kept) && kept.ends_with("+a line of text"));
    let missing = whole.len() - kept.len() - 1;
    assert_eq!(note, format!("[cut off here: {missing} more bytes]"));
}

#[test]
fn a_name_is_a_branch_or_a_whole_id() {
    let site = Site::new();
    let first = head(&site.work);
    let work = site.branch("issue-1", "trunk", "a", "1");
    let repo = site.repo();
    let tree = git(&site.work, &["rev-parse", "HEAD^{tree}"]);
    assert_eq!(repo.resolve("issue-1").unwrap(), Some(work.clone()));
    assert_eq!(repo.resolve(work.as_str()).unwrap(), Some(work));
    let none = "0".repeat(40);
    for name in [
        "issue-2",
        "HEAD",
        "-x",
        "",
        "trunk~1",
        first.short(),
        &tree,
        &none,
    ] {
        assert_eq!(repo.resolve(name).unwrap(), None, "{name}");
    }
}

#[test]
fn whether_it_merges_is_found_out_without_a_trace() {
    let site = Site::new();
    let one = site.branch("issue-1", "trunk", "same", "1");
    let two = site.branch("issue-2", "trunk", "same", "2");
    let other = site.branch("issue-3", "trunk", "other", "3");
    let objects = || git(&site.work, &["count-objects", "-v"]);
    let (before, repo) = (objects(), site.repo());
    assert!(!repo.merges_cleanly(&one, &two).unwrap());
    assert!(repo.merges_cleanly(&one, &other).unwrap());
    assert_eq!(objects(), before);
    assert_eq!(git(&site.work, &["status", "--porcelain"]), "");
}

#[test]
fn every_kind_of_change_is_told() {
    let site = Site::new();
    let root = &site.work;
    for (file, content) in [
        ("edited", LINES),
        ("gone", "g\n"),
        ("mode", "m\n"),
        ("moved", &LINES.to_uppercase()),
        ("moved and edited", LINES),
        ("turned", "t\nu\n"),
    ] {
        write(root, file, content);
    }
    fs::write(root.join("binary"), b"a\0b").unwrap();
    symlink("here", root.join("link")).unwrap();
    let base = all(root);
    git(root, &["switch", "--quiet", "-c", "issue-1"]);

    fs::remove_file(root.join("gone")).unwrap();
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(root.join("mode"), executable).unwrap();
    write(root, "edited", &LINES.replace("two\n", "2\n2\n"));
    fs::rename(root.join("moved"), root.join("to")).unwrap();
    fs::remove_file(root.join("moved and edited")).unwrap();
    write(root, "to too", &LINES.replace("eight", "8"));
    fs::remove_file(root.join("turned")).unwrap();
    symlink("edited", root.join("turned")).unwrap();
    fs::write(root.join("binary"), b"a\0c").unwrap();
    fs::remove_file(root.join("link")).unwrap();
    symlink("there", root.join("link")).unwrap();
    write(root, "new", "a\n");
    write(root, "empty", "");
    let work = all(root);
    // What others do meanwhile is not the branch's work.
    git(root, &["switch", "--quiet", "trunk"]);
    let trunk = commit(root, "edited", "all new\n", "meanwhile");

    let changes = site.repo().file_changes(&trunk, &work).unwrap();
    let turned = "@@ -1,2 +0,0 @@\n-t\n-u\n@@ -0,0 +1 @@\n+edited\n\\ No newline at end of file\n";
    let link =
        "@@ -1 +1 @@\n-here\n\\ No newline at end of file\n+there\n\\ No newline at end of file\n";
    let gone = "@@ -1 +0,0 @@\n-g\n";
    let edited = "@@ -1,5 +1,6 @@\n one\n-two\n+2\n+2\n three\n four\n five\n";
    let renamed = |from: &str| FileChangeKind::Renamed {
        from: from.to_owned(),
    };
    let too = "@@ -5,4 +5,4 @@ four\n five\n six\n seven\n-eight\n+8\n";
    let expected = [
        change("binary", FileChangeKind::Modified, (0, 0), None),
        change("edited", FileChangeKind::Modified, (2, 1), Some(edited)),
        change("empty", FileChangeKind::Added, (0, 0), None),
        change("gone", FileChangeKind::Removed, (0, 1), Some(gone)),
        change("link", FileChangeKind::Modified, (1, 1), Some(link)),
        change("mode", FileChangeKind::Modified, (0, 0), None),
        change(
            "new",
            FileChangeKind::Added,
            (1, 0),
            Some("@@ -0,0 +1 @@\n+a\n"),
        ),
        change("to", renamed("moved"), (0, 0), None),
        change("to too", renamed("moved and edited"), (1, 1), Some(too)),
        change("turned", FileChangeKind::Modified, (1, 2), Some(turned)),
    ];
    assert_eq!(changes, expected);
    assert_eq!(site.repo().file_changes(&base, &base).unwrap(), []);
}

#[test]
fn names_and_contents_that_look_like_a_diff_are_read_as_they_are() {
    let site = Site::new();
    let root = &site.work;
    let names = [
        "two\nlines",
        "a \"quoted\" \\ name",
        "größe 👩‍👩‍👧‍👦 \u{202e}x",
        "tab\there",
        ":100644 100644 a b M",
        "-x",
        "deep/er\n:1/file",
    ];
    let content = "diff --git a/x b/x\n@@ -1 +1 @@\n--- a/x\n+++ b/x\n\n\r\n";
    let base = head(root);
    git(root, &["switch", "--quiet", "-c", "issue-1"]);
    for name in names {
        write(root, name, content);
    }
    let work = all(root);
    let changes = site.repo().file_changes(&base, &work).unwrap();
    let mut sorted = names;
    sorted.sort_unstable();
    let paths: Vec<&str> = changes.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, sorted);
    let patch = format!("@@ -0,0 +1,6 @@\n+{}", content.replace('\n', "\n+"));
    let patch = patch.strip_suffix('+').unwrap();
    for file in changes {
        assert_eq!((file.additions, file.deletions), (6, 0));
        assert_eq!(file.patch.as_deref(), Some(patch), "{}", file.path);
    }
}

#[test]
fn how_a_person_likes_diffs_does_not_matter() {
    let site = Site::new();
    let root = &site.work;
    write(root, "file", LINES);
    write(root, ".gitattributes", "*.c diff=shout\n");
    write(root, "x.c", "int a;\n");
    let base = all(root);
    git(root, &["switch", "--quiet", "-c", "issue-1"]);
    write(root, "file", &LINES.replace("four\n", "4\n\n"));
    write(root, "x.c", "int b;\n");
    let work = all(root);
    let repo = site.repo();
    let read = || {
        let files = repo.file_changes(&base, &work).unwrap();
        (files, repo.diff(&base, &work).unwrap())
    };
    let plain = read();
    assert!(plain.1.contains("--- a/file\n+++ b/file\n"), "{}", plain.1);
    for (key, value) in [
        ("diff.noprefix", "true"),
        ("diff.context", "0"),
        ("diff.external", "false"),
        ("diff.renames", "false"),
        ("diff.shout.command", "false"),
        ("diff.shout.textconv", "tr a-z A-Z <"),
        ("diff.suppressBlankEmpty", "true"),
        ("diff.interHunkContext", "9"),
        ("diff.mnemonicPrefix", "true"),
        ("color.ui", "always"),
        ("core.quotePath", "false"),
    ] {
        git(root, &["config", key, value]);
        assert_eq!(read(), plain, "{key}");
    }
    assert_eq!(rev(root, "issue-1"), work);
}
