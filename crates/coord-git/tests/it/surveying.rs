//! What planners ask: files, past changes, words.

use coord_git::WordHit;

use crate::fixture::{Site, commit, git, head, rev, write};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn the_files_of_a_commit() {
    let site = Site::new();
    write(&site.work, "dir/ü", "x\n");
    std::os::unix::fs::symlink("README", site.work.join("link")).unwrap();
    git(&site.work, &["add", "."]);
    let id = commit(&site.work, "dir.txt", "x\n", "more");
    write(&site.work, "untracked", "x\n");
    let files = site.repo().tracked_files(&id).unwrap();
    assert_eq!(
        files,
        [
            ".gitignore",
            "README",
            "dir.txt",
            "dir/ü",
            "lib.txt",
            "link"
        ]
    );
}

#[test]
fn past_changes_without_merges() {
    let site = Site::new();
    commit(&site.work, "a\tb\n c", "x\n", "odd \"names\"\n\nbody");
    git(
        &site.work,
        &["commit", "--quiet", "--allow-empty", "-m", "nothing"],
    );
    let side = site.branch("side", "trunk~1", "side", "x\n");
    git(
        &site.work,
        &[
            "merge",
            "--quiet",
            "--no-ff",
            "-m",
            "a merge",
            side.as_str(),
        ],
    );
    git(&site.work, &["mv", "README", "READ.ME"]);
    git(&site.work, &["commit", "--quiet", "-m", "renamed"]);
    let changes = site.repo().recent_changes(&head(&site.work), 10).unwrap();
    let shown: Vec<(&str, Vec<&str>)> = changes
        .iter()
        .map(|change| {
            let files = change.files.iter().map(String::as_str).collect();
            (change.subject.as_str(), files)
        })
        .collect();
    assert_eq!(shown[0], ("renamed", vec!["READ.ME", "README"]));
    let rest: Vec<_> = shown[1..].to_vec();
    assert!(rest.contains(&("change side", vec!["side"])), "{rest:?}");
    assert!(rest.contains(&("nothing", vec![])), "{rest:?}");
    assert!(
        rest.contains(&("odd \"names\"", vec!["a\tb\n c"])),
        "{rest:?}"
    );
    assert!(
        rest.contains(&("first", vec![".gitignore", "README", "lib.txt"])),
        "{rest:?}"
    );
    assert_eq!(shown.len(), 5);
    let latest = site.repo().recent_changes(&head(&site.work), 2).unwrap();
    assert_eq!(latest, changes[..2]);
    assert_eq!(latest[0].id, rev(&site.work, "HEAD"));
}

#[test]
fn words_and_where_they_stand() {
    let site = Site::new();
    write(&site.work, "a:b", "retry_after and Retry\n");
    write(
        &site.work,
        "src/lib.rs",
        "fn retry() {}\nfn other() { retry() }\n",
    );
    write(&site.work, "logo", "retry\0\n");
    git(&site.work, &["add", "."]);
    let id = commit(&site.work, "odd", "--help -e $(x) .*\n", "odd");
    write(&site.work, "src/lib.rs", "nothing of it in the worktree\n");
    let asked = [
        "retry",
        "retry_after",
        "--help",
        "$(x)",
        "absent",
        "",
        "a\nb",
        "-O/bin/sh",
    ];
    let hits = site.repo().grep(&id, &words(&asked)).unwrap();
    let hit = |word: &str, path: &str| WordHit {
        word: word.to_owned(),
        path: path.to_owned(),
    };
    assert_eq!(
        hits,
        [
            hit("$(x)", "odd"),
            hit("--help", "odd"),
            hit("retry", "src/lib.rs"),
            hit("retry_after", "a:b"),
        ]
    );
    assert_eq!(site.repo().grep(&id, &[]).unwrap(), []);
    assert_eq!(site.repo().grep(&id, &words(&["absent"])).unwrap(), []);
}
