//! Fetching and pushing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use coord_core::failure::FailureClass;
use coord_core::ids::CommitId;
use coord_git::{Git, GitError, RemoteFault, Repo, worker_git_env};

use crate::fixture::{Site, commit, git, head, rev, try_git};

/// A `git` that writes a line for each `fetch` before it does it.
fn counting_git(folder: &Path) -> Git {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let log = folder.join("fetches");
    let script = format!(
        "#!/bin/sh\nfor a in \"$@\"; do [ \"$a\" = fetch ] && echo fetch >> '{}'; done\nexec /usr/bin/env -i PATH=\"{}\" HOME=/nonexistent git \"$@\"\n",
        log.display(),
        std::env::var("PATH").unwrap()
    );
    let file = bin.join("git");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    Git::locate_in(bin.as_os_str()).unwrap()
}

#[test]
fn many_fetches_at_once_are_few() {
    const CALLERS: usize = 16;
    let site = Site::new();
    site.add_remote();
    let repo = Repo::open_with(counting_git(site.folder.path()), &site.work).unwrap();
    let barrier = std::sync::Barrier::new(CALLERS);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                barrier.wait();
                repo.fetch().unwrap();
            });
        }
    });
    let log = std::fs::read_to_string(site.folder.path().join("fetches")).unwrap();
    let fetches = log.lines().count();
    assert!((1..CALLERS).contains(&fetches), "{fetches}");
}

#[test]
fn fetching_brings_new_branches_and_forgets_deleted_ones() {
    let site = Site::new();
    let remote = site.add_remote();
    let other = site.clone_remote("other");
    git(&other, &["switch", "--quiet", "-c", "issue-7"]);
    let made = commit(&other, "a", "1", "work");
    git(&other, &["push", "--quiet", "origin", "issue-7"]);
    let repo = site.repo();
    repo.fetch().unwrap();
    assert_eq!(repo.tip("issue-7").unwrap(), Some(made));
    git(&remote, &["branch", "-D", "issue-7"]);
    repo.fetch().unwrap();
    assert_eq!(repo.tip("issue-7").unwrap(), None);
}

#[test]
fn without_a_remote_there_is_nothing_to_fetch_or_push() {
    let site = Site::new();
    let repo = site.repo();
    assert!(!repo.has_remote().unwrap());
    repo.fetch().unwrap();
    repo.push_branch("trunk", &head(&site.work)).unwrap();
}

#[test]
fn a_remote_that_is_gone_is_an_error_of_its_own() {
    let site = Site::new();
    let remote = site.add_remote();
    std::fs::rename(&remote, remote.with_extension("away")).unwrap();
    let repo = site.repo();
    let error = repo.fetch().unwrap_err();
    let GitError::Shared(inner) = &error else {
        panic!("{error}")
    };
    assert!(
        matches!(
            **inner,
            GitError::Remote {
                fault: RemoteFault::NoSuchRepository,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.class(), FailureClass::Configuration);
    git(
        &site.work,
        &["remote", "set-url", "origin", "http://127.0.0.1:1/x.git"],
    );
    let error = repo.fetch().unwrap_err();
    assert_eq!(
        error.class(),
        FailureClass::Environmental { retry_at: None },
        "{error}"
    );
}

#[test]
fn pushing_is_never_forced() {
    let site = Site::new();
    let remote = site.add_remote();
    let repo = site.repo();
    let ours = site.branch("issue-1", "trunk", "a", "ours");
    repo.push_branch("issue-1", &ours).unwrap();
    repo.push_branch("issue-1", &ours).unwrap();
    assert_eq!(rev(&remote, "issue-1"), ours);
    git(&site.work, &["branch", "-D", "issue-1"]);
    let rewritten = site.branch("issue-1", "trunk", "a", "rewritten");
    let error = repo.push_branch("issue-1", &rewritten).unwrap_err();
    assert!(matches!(error, GitError::NonFastForward { .. }), "{error}");
    assert_eq!(rev(&remote, "issue-1"), ours);
    let odd = repo.push_branch("--force", &ours).unwrap_err();
    assert!(matches!(odd, GitError::InvalidName { .. }), "{odd}");
}

/// A branch `issue-1` on the remote, and the same work again on a trunk that has moved.
fn rebased(site: &Site) -> (CommitId, CommitId) {
    let old = site.branch("issue-1", "trunk", "a", "work");
    git(&site.work, &["push", "--quiet", "origin", "issue-1"]);
    commit(&site.work, "b", "1", "trunk moves");
    git(&site.work, &["switch", "--quiet", "issue-1"]);
    git(&site.work, &["rebase", "--quiet", "trunk"]);
    let new = head(&site.work);
    git(&site.work, &["switch", "--quiet", "trunk"]);
    (old, new)
}

#[test]
fn a_branch_is_replaced_only_where_it_is_what_the_work_started_from() {
    let site = Site::new();
    let remote = site.add_remote();
    let (old, new) = rebased(&site);
    let repo = site.repo();
    let refused = repo.push_branch("issue-1", &new).unwrap_err();
    assert!(matches!(refused, GitError::NonFastForward { .. }));
    repo.push_branch_over("issue-1", &new, &old).unwrap();
    assert_eq!(rev(&remote, "issue-1"), new);
    repo.push_branch_over("issue-1", &new, &old).unwrap();

    // A fast-forward is no different.
    git(&site.work, &["switch", "--quiet", "issue-1"]);
    let newer = commit(&site.work, "a", "more", "more");
    repo.push_branch_over("issue-1", &newer, &new).unwrap();
    assert_eq!(rev(&remote, "issue-1"), newer);

    // Somebody else's push stays, and so does the end of the branch.
    let error = repo.push_branch_over("issue-1", &old, &new).unwrap_err();
    assert!(matches!(error, GitError::NonFastForward { .. }), "{error}");
    assert_eq!(rev(&remote, "issue-1"), newer);
    git(&remote, &["branch", "-D", "issue-1"]);
    let error = repo.push_branch_over("issue-1", &new, &newer).unwrap_err();
    assert!(matches!(error, GitError::NonFastForward { .. }), "{error}");
    let gone = try_git(&remote, &["rev-parse", "--verify", "issue-1"]);
    assert!(!gone.status.success());
}

#[test]
fn the_default_branch_is_never_replaced() {
    let site = Site::new();
    let remote = site.add_remote();
    let (_, new) = rebased(&site);
    let trunk = rev(&remote, "trunk");
    let error = site.repo().push_branch_over("trunk", &new, &trunk);
    let error = error.unwrap_err();
    assert!(matches!(error, GitError::PushRefused { .. }), "{error}");
    assert_eq!(rev(&remote, "trunk"), trunk);
}

#[test]
fn a_remote_that_lets_nobody_replace_a_branch_refuses() {
    let site = Site::new();
    let remote = site.add_remote();
    git(&remote, &["config", "receive.denyNonFastForwards", "true"]);
    let (old, new) = rebased(&site);
    let error = site.repo().push_branch_over("issue-1", &new, &old);
    let error = error.unwrap_err();
    assert!(matches!(error, GitError::PushRefused { .. }), "{error}");
    assert_eq!(rev(&remote, "issue-1"), old);
}

#[test]
fn commits_that_are_missing_are_fetched() {
    let site = Site::new();
    let remote = site.add_remote();
    let other = site.clone_remote("other");
    git(&other, &["switch", "--quiet", "-c", "issue-7"]);
    let made = commit(&other, "a", "1", "work");
    git(&other, &["push", "--quiet", "origin", "issue-7"]);
    let repo = site.repo();
    repo.ensure_commits(&[&head(&site.work), &made]).unwrap();
    assert!(repo.tree_of(&made).is_ok());
    // What is here is not asked for.
    std::fs::rename(&remote, remote.with_extension("away")).unwrap();
    repo.ensure_commits(&[&made]).unwrap();
    std::fs::rename(remote.with_extension("away"), &remote).unwrap();
    let unpushed = commit(&other, "a", "2", "not pushed");
    let error = repo.ensure_commits(&[&made, &unpushed]).unwrap_err();
    assert!(matches!(error, GitError::NoSuchCommit { .. }), "{error}");
}

#[test]
fn what_is_in_a_branch_is_what_the_remote_has_there_now() {
    let site = Site::new();
    let remote = site.add_remote();
    let first = head(&site.work);
    let repo = site.repo();
    let unpushed = commit(&site.work, "a", "1", "not pushed");
    let contains = |id: &CommitId| repo.contains("trunk", id).unwrap();
    assert!(contains(&first));
    assert!(!contains(&unpushed));
    assert!(!contains(&CommitId::new("0".repeat(40))));
    let other = site.clone_remote("other");
    let theirs = commit(&other, "b", "1", "theirs");
    git(&other, &["push", "--quiet", "origin", "trunk"]);
    assert!(contains(&theirs));
    git(&remote, &["update-ref", "refs/heads/trunk", first.as_str()]);
    assert!(!contains(&theirs));
    let error = repo.contains("nowhere", &first).unwrap_err();
    assert!(matches!(error, GitError::NoSuchBranch { .. }), "{error}");
    std::fs::rename(&remote, remote.with_extension("away")).unwrap();
    assert!(repo.contains("trunk", &first).is_err());
    git(&site.work, &["remote", "remove", "origin"]);
    assert!(contains(&unpushed));
}

#[test]
fn what_the_remote_refuses_comes_with_its_words() {
    let site = Site::new();
    let remote = site.add_remote();
    let hook = remote.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(
        &hook,
        "#!/bin/sh\necho this branch is protected >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ours = site.branch("issue-1", "trunk", "a", "ours");
    let error = site.repo().push_branch("issue-1", &ours).unwrap_err();
    assert!(
        matches!(&error, GitError::PushRefused { reason, .. } if reason.contains("this branch is protected")),
        "{error}"
    );
}

#[test]
fn a_workers_push_leads_nowhere() {
    let site = Site::new();
    let remote = site.add_remote();
    git(
        &site.work,
        &["config", "remote.origin.pushUrl", remote.to_str().unwrap()],
    );
    let url = remote.to_str().unwrap();
    git(&site.work, &["remote", "add", "backup", url]);
    git(&site.work, &["config", "remote.backup.pushUrl", url]);
    let worktree = site.acquire(&site.pool(0), 1);
    commit(&worktree.path, "a", "1", "work");
    let push = |target: &str| {
        std::process::Command::new("git")
            .current_dir(&worktree.path)
            .args(["push", target, "HEAD:refs/heads/sneaked"])
            .envs(worker_git_env(&worktree.path))
            .output()
            .unwrap()
    };
    for target in ["origin", "backup", url] {
        let output = push(target);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{target}: {said}");
        assert!(
            said.contains("coord-pushes-your-branch"),
            "{target}: {said}"
        );
    }
    assert!(
        !try_git(&remote, &["rev-parse", "--verify", "sneaked"])
            .status
            .success()
    );
    let fetch = std::process::Command::new("git")
        .current_dir(&worktree.path)
        .args(["fetch", "origin"])
        .envs(worker_git_env(&worktree.path))
        .output()
        .unwrap();
    assert!(fetch.status.success(), "fetching still works");
}

#[test]
fn a_worker_can_commit_where_nobody_is_configured() {
    let site = Site::new();
    let worktree = site.acquire(&site.pool(0), 1);
    let name = || {
        let output = std::process::Command::new("git")
            .current_dir(&worktree.path)
            .args(["config", "user.name"])
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs([
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ])
            .envs(worker_git_env(&worktree.path))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    git(&site.work, &["config", "user.name", "Ada"]);
    assert_eq!(name(), "Ada\n", "whoever is configured stays");
    git(&site.work, &["config", "--unset", "user.name"]);
    let configured = std::process::Command::new("git")
        .args(["config", "--global", "user.name"])
        .output()
        .unwrap();
    let person = String::from_utf8(configured.stdout).unwrap();
    let expected = if person.is_empty() { "coord\n" } else { "" };
    assert_eq!(
        name(),
        expected,
        "a person's own name is looked up by git itself"
    );
}
