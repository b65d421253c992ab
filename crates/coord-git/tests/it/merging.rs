//! Merging in all ways, with and without a remote.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use coord_core::assignment::MergeMethod;
use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_git::{GitError, MergeReport, MergeSpec, merge_branch};

use crate::fixture::{Site, commit, git, head, id, read, rev, write};

const METHODS: [MergeMethod; 3] = [MergeMethod::Squash, MergeMethod::Merge, MergeMethod::Rebase];

fn spec(branch: &str, head: &CommitId, method: MergeMethod) -> MergeSpec {
    MergeSpec {
        branch: branch.to_owned(),
        head: head.clone(),
        base_branch: "trunk".to_owned(),
        method,
        message: format!("Merge {branch}\n\nCloses #1"),
        assignment: id(1),
        onto: None,
    }
}

/// A branch with two commits by Will Worker, and a trunk that has moved since.
fn forked(site: &Site) -> CommitId {
    git(&site.work, &["switch", "--quiet", "-c", "issue-1"]);
    commit(&site.work, "a", "1\n", "first of two");
    write(&site.work, "b", "2\n");
    git(&site.work, &["add", "b"]);
    git(
        &site.work,
        &[
            "commit",
            "--quiet",
            "--author=Will Worker <will@example.org>",
            "-m",
            "second of two",
        ],
    );
    let work = head(&site.work);
    git(&site.work, &["switch", "--quiet", "trunk"]);
    commit(&site.work, "other", "o\n", "trunk moves");
    work
}

fn merged(report: MergeReport) -> CommitId {
    match report {
        MergeReport::Merged { commit, .. } => commit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_methods_without_a_remote_update_the_checkout() {
    for method in METHODS {
        let site = Site::new();
        let work = forked(&site);
        let old = head(&site.work);
        write(&site.work, "notes", "untracked, stays\n");
        let repo = site.repo();
        let spec = spec("issue-1", &work, method);
        let new = merged(merge_branch(&repo, &spec).unwrap());
        assert_eq!(head(&site.work), new);
        assert_eq!(rev(&site.work, "trunk"), new);
        assert_eq!(git(&site.work, &["status", "--porcelain"]), "?? notes");
        for (file, text) in [("a", "1\n"), ("b", "2\n"), ("other", "o\n")] {
            assert_eq!(read(&site.work, file), text);
        }
        let log = git(
            &site.work,
            &[
                "log",
                "--first-parent",
                "--format=%s|%an",
                &format!("{old}..trunk"),
            ],
        );
        let trailer = git(
            &site.work,
            &[
                "log",
                "-1",
                "--format=%(trailers:key=Coord-Assignment,valueonly)",
            ],
        );
        match method {
            MergeMethod::Rebase => {
                assert_eq!(log, "second of two|Will Worker\nfirst of two|Ann Author");
                assert_eq!(trailer, "");
            }
            MergeMethod::Squash | MergeMethod::Merge => {
                assert_eq!(log, "Merge issue-1|Ann Author");
                assert_eq!(trailer, id(1).as_str());
            }
        }
        let parents = git(&site.work, &["log", "-1", "--format=%P"])
            .split(' ')
            .count();
        assert_eq!(parents, if method == MergeMethod::Merge { 2 } else { 1 });
        assert!(repo.is_merged(&work, &new).unwrap());
        assert!(!repo.is_merged(&work, &old).unwrap());
    }
}

#[test]
fn merging_again_changes_nothing() {
    for method in METHODS {
        let site = Site::new();
        let remote = site.add_remote();
        let work = forked(&site);
        git(
            &site.work,
            &["push", "--quiet", "origin", "trunk", "issue-1"],
        );
        let repo = site.repo();
        let spec = spec("issue-1", &work, method);
        let new = merged(merge_branch(&repo, &spec).unwrap());
        assert_eq!(rev(&remote, "trunk"), new);
        // The trunk goes on, and even changes what was merged.
        let other = site.clone_remote("other");
        commit(&other, "a", "changed since\n", "later work");
        git(&other, &["push", "--quiet"]);
        git(&remote, &["branch", "-D", "issue-1"]);
        let later = rev(&remote, "trunk");
        match merge_branch(&repo, &spec).unwrap() {
            MergeReport::AlreadyMerged { commit } if method == MergeMethod::Rebase => {
                assert_eq!(commit, later);
            }
            MergeReport::AlreadyMerged { commit } => assert_eq!(commit, new),
            other => panic!("{method:?}: {other:?}"),
        }
        assert_eq!(rev(&remote, "trunk"), later);
        assert_eq!(
            rev(&site.work, "trunk"),
            rev(&site.work, "HEAD"),
            "local branch untouched"
        );
    }
}

#[test]
fn conflicts_name_the_base_and_the_paths() {
    for method in METHODS {
        let site = Site::new();
        let work = site.branch(
            "issue-1",
            "trunk",
            "lib.txt",
            "one\nTWO by worker\nthree\nfour\nfive\n",
        );
        let base = commit(
            &site.work,
            "lib.txt",
            "one\nTWO by trunk\nthree\nfour\nfive\n",
            "trunk",
        );
        let report = merge_branch(&site.repo(), &spec("issue-1", &work, method)).unwrap();
        assert_eq!(
            report,
            MergeReport::Conflict {
                base: base.clone(),
                paths: vec!["lib.txt".to_owned()],
            }
        );
        assert_eq!(head(&site.work), base);
        assert_eq!(git(&site.work, &["status", "--porcelain"]), "");
    }
}

#[test]
fn changes_to_different_lines_of_one_file_merge() {
    let site = Site::new();
    let work = site.branch(
        "issue-1",
        "trunk",
        "lib.txt",
        "ONE\ntwo\nthree\nfour\nfive\n",
    );
    commit(
        &site.work,
        "lib.txt",
        "one\ntwo\nthree\nfour\nFIVE\n",
        "trunk",
    );
    let _ =
        merged(merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap());
    assert_eq!(read(&site.work, "lib.txt"), "ONE\ntwo\nthree\nfour\nFIVE\n");
}

#[test]
fn deleted_here_and_changed_there_is_a_conflict() {
    let site = Site::new();
    let work = site.branch("issue-1", "trunk", "lib.txt", "changed\n");
    git(&site.work, &["rm", "--quiet", "lib.txt"]);
    git(&site.work, &["commit", "--quiet", "-m", "delete"]);
    let report = merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap();
    assert!(matches!(report, MergeReport::Conflict { paths, .. } if paths == ["lib.txt"]));
}

#[test]
fn a_branch_that_moved_is_not_merged() {
    let site = Site::new();
    let tested = site.branch("issue-1", "trunk", "a", "1");
    git(&site.work, &["switch", "--quiet", "issue-1"]);
    let actual = commit(&site.work, "a", "untested", "more");
    git(&site.work, &["switch", "--quiet", "trunk"]);
    let report =
        merge_branch(&site.repo(), &spec("issue-1", &tested, MergeMethod::Squash)).unwrap();
    assert_eq!(report, MergeReport::HeadMoved { actual });
    let gone = merge_branch(&site.repo(), &spec("issue-9", &tested, MergeMethod::Squash)).unwrap();
    assert!(matches!(gone, MergeReport::Refused { .. }));
}

#[test]
fn a_pinned_merge_lands_on_the_base_that_was_tested_or_not_at_all() {
    for (method, remote) in METHODS.into_iter().zip([true, false, true]) {
        let site = Site::new();
        if remote {
            site.add_remote();
        }
        let tested = head(&site.work);
        let work = forked(&site);
        let moved = head(&site.work);
        if remote {
            git(&site.work, &["push", "--quiet", "origin", "--all"]);
        }
        let repo = site.repo();
        let pinned = |onto: &CommitId| MergeSpec {
            onto: Some(onto.clone()),
            ..spec("issue-1", &work, method)
        };
        let base = moved.clone();
        let report = merge_branch(&repo, &pinned(&tested)).unwrap();
        assert_eq!(report, MergeReport::BaseMoved { base });
        assert_eq!(repo.tip("trunk").unwrap(), Some(moved.clone()));

        let new = merged(merge_branch(&repo, &pinned(&moved)).unwrap());
        assert_eq!(repo.tip("trunk").unwrap(), Some(new));
        // Asked again after a crash: the base is another one, by this very merge.
        let again = merge_branch(&repo, &pinned(&moved)).unwrap();
        assert!(matches!(again, MergeReport::AlreadyMerged { .. }));
    }
}

#[test]
fn a_head_that_moved_is_reported_before_a_base_that_did() {
    let site = Site::new();
    let tested = site.branch("issue-1", "trunk", "a", "1");
    let onto = head(&site.work);
    git(&site.work, &["switch", "--quiet", "issue-1"]);
    let actual = commit(&site.work, "a", "untested", "more");
    git(&site.work, &["switch", "--quiet", "trunk"]);
    commit(&site.work, "b", "2", "trunk moves");
    let spec = MergeSpec {
        onto: Some(onto),
        ..spec("issue-1", &tested, MergeMethod::Squash)
    };
    let report = merge_branch(&site.repo(), &spec).unwrap();
    assert_eq!(report, MergeReport::HeadMoved { actual });
}

#[test]
fn a_dirty_checkout_of_the_base_is_refused_and_not_touched() {
    let site = Site::new();
    let work = forked(&site);
    let base = head(&site.work);
    write(&site.work, "README", "half-done\n");
    let spec = spec("issue-1", &work, MergeMethod::Squash);
    let report = merge_branch(&site.repo(), &spec).unwrap();
    let MergeReport::Refused { reason } = report else {
        panic!("{report:?}")
    };
    assert!(reason.contains("uncommitted changes"), "{reason}");
    assert_eq!(read(&site.work, "README"), "half-done\n");
    assert_eq!(rev(&site.work, "trunk"), base);
    git(&site.work, &["checkout", "--quiet", "--", "README"]);
    write(&site.work, "a", "an untracked file in the way\n");
    let report = merge_branch(&site.repo(), &spec).unwrap();
    assert!(matches!(report, MergeReport::Refused { .. }), "{report:?}");
    assert_eq!(read(&site.work, "a"), "an untracked file in the way\n");
    assert_eq!(rev(&site.work, "trunk"), base);
}

#[test]
fn a_base_that_is_not_checked_out_moves_alone() {
    let site = Site::new();
    let work = forked(&site);
    git(&site.work, &["switch", "--quiet", "-c", "mine", "HEAD~1"]);
    write(&site.work, "README", "half-done\n");
    let before = git(&site.work, &["status", "--porcelain=v2", "--branch"]);
    let new =
        merged(merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap());
    assert_eq!(rev(&site.work, "trunk"), new);
    assert_eq!(
        git(&site.work, &["status", "--porcelain=v2", "--branch"]),
        before
    );
}

#[test]
fn with_a_remote_no_local_branch_and_no_checkout_moves() {
    let site = Site::new();
    let remote = site.add_remote();
    let work = site.branch("issue-1", "trunk", "a", "1");
    git(&site.work, &["push", "--quiet", "origin", "issue-1"]);
    write(&site.work, "README", "half-done\n");
    let before = head(&site.work);
    let new =
        merged(merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap());
    assert_eq!(rev(&remote, "trunk"), new);
    assert_eq!(head(&site.work), before);
    assert_eq!(read(&site.work, "README"), "half-done\n");
    assert_eq!(site.repo().tip("trunk").unwrap(), Some(new));
}

/// A branch `issue-1`, and a remote whose hook lets somebody else's commit in just before our first
/// push lands: the remote, the tip of the branch and that commit.
fn interrupted(site: &Site) -> (PathBuf, CommitId, CommitId) {
    let remote = site.add_remote();
    let other = site.clone_remote("other");
    let theirs = commit(&other, "theirs", "t\n", "somebody else");
    git(
        &other,
        &["push", "--quiet", "origin", "HEAD:refs/heads/parked"],
    );
    let work = site.branch("issue-1", "trunk", "a", "1");
    git(&site.work, &["push", "--quiet", "origin", "issue-1"]);
    let hook = remote.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!(
        "#!/bin/sh\nif [ ! -e once ]; then touch once; unset GIT_QUARANTINE_PATH; git update-ref refs/heads/trunk {theirs}; fi\n"
    );
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    (remote, work, theirs)
}

#[test]
fn a_pinned_merge_that_loses_the_race_is_not_made_anew() {
    for method in METHODS {
        let site = Site::new();
        let onto = head(&site.work);
        let (remote, work, theirs) = interrupted(&site);
        let spec = MergeSpec {
            onto: Some(onto),
            ..spec("issue-1", &work, method)
        };
        let report = merge_branch(&site.repo(), &spec).unwrap();
        assert!(remote.join("once").exists());
        let base = theirs.clone();
        assert_eq!(report, MergeReport::BaseMoved { base });
        assert_eq!(rev(&remote, "trunk"), theirs);
    }
}

#[test]
fn a_base_that_moves_meanwhile_is_merged_again() {
    let site = Site::new();
    let (remote, work, theirs) = interrupted(&site);
    let new =
        merged(merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap());
    assert!(remote.join("once").exists());
    assert_eq!(rev(&remote, "trunk"), new);
    assert_eq!(rev(&remote, &format!("{new}^")), theirs);
}

#[test]
fn many_merges_at_once_all_land() {
    let site = Site::new();
    let remote = site.add_remote();
    let work: Vec<_> = (0..4)
        .map(|n| {
            let name = format!("issue-{n}");
            let made = site.branch(&name, "trunk", &format!("f{n}"), "x\n");
            git(&site.work, &["push", "--quiet", "origin", &name]);
            (name, made)
        })
        .collect();
    let repo = site.repo();
    std::thread::scope(|scope| {
        for (name, made) in &work {
            let repo = &repo;
            scope.spawn(move || {
                merged(merge_branch(repo, &spec(name, made, MergeMethod::Squash)).unwrap())
            });
        }
    });
    let files = git(&remote, &["ls-tree", "--name-only", "trunk"]);
    for n in 0..4 {
        assert!(files.contains(&format!("f{n}")), "{files}");
    }
}

#[test]
fn a_remote_that_is_away_is_no_conflict() {
    let site = Site::new();
    site.add_remote();
    let work = forked(&site);
    git(
        &site.work,
        &["remote", "set-url", "origin", "http://127.0.0.1:1/x.git"],
    );
    let error =
        merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap_err();
    assert_eq!(
        error.class(),
        FailureClass::Environmental { retry_at: None },
        "{error}"
    );
}

#[test]
fn a_protected_base_is_refused() {
    let site = Site::new();
    let remote = site.add_remote();
    let work = site.branch("issue-1", "trunk", "a", "1");
    git(&site.work, &["push", "--quiet", "origin", "issue-1"]);
    let hook = remote.join("hooks/update");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho trunk is protected >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let report = merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap();
    assert!(
        matches!(&report, MergeReport::Refused { reason } if reason.contains("trunk is protected")),
        "{report:?}"
    );
}

#[test]
fn a_forged_trailer_proves_nothing() {
    let site = Site::new();
    let work = site.branch("issue-1", "trunk", "a", "1");
    let forged = commit(
        &site.work,
        "unrelated",
        "x",
        &format!("harmless\n\nCoord-Assignment: {}", id(1)),
    );
    assert!(!site.repo().is_merged(&work, &forged).unwrap());
    let _ =
        merged(merge_branch(&site.repo(), &spec("issue-1", &work, MergeMethod::Squash)).unwrap());
}

#[test]
fn work_that_was_picked_by_hand_counts_as_merged() {
    let site = Site::new();
    let work = forked(&site);
    assert!(!site.repo().is_merged(&work, &head(&site.work)).unwrap());
    git(&site.work, &["cherry-pick", "trunk..issue-1"]);
    commit(&site.work, "a", "changed since\n", "later");
    assert!(site.repo().is_merged(&work, &head(&site.work)).unwrap());
}

#[test]
fn unrelated_histories_and_missing_bases() {
    let site = Site::new();
    git(&site.work, &["switch", "--quiet", "--orphan", "island"]);
    let island = commit(&site.work, "i", "x", "island");
    git(&site.work, &["switch", "--quiet", "trunk"]);
    for method in METHODS {
        let report = merge_branch(&site.repo(), &spec("island", &island, method)).unwrap();
        assert!(matches!(report, MergeReport::Refused { .. }), "{report:?}");
    }
    let nowhere = MergeSpec {
        base_branch: "nowhere".to_owned(),
        ..spec("island", &island, MergeMethod::Squash)
    };
    let error = merge_branch(&site.repo(), &nowhere).unwrap_err();
    assert!(matches!(error, GitError::NoSuchBranch { .. }), "{error}");
}
