//! Workers that would get in each other's way, and are kept from it at their tool calls.

use std::collections::BTreeMap;

use coord_core::ids::AssignmentId;
use coord_protocol::{
    AgentEventKind, AgentEvents, AssignBody, AssignmentType, LeaseDenial, LeaseMode,
};
use coord_test_support::git_fixture::git;
use futures_util::StreamExt as _;

use crate::hands::{Called, Hands};
use crate::rig::{Rig, Special, events_of, soon};

/// A worker that waits, and may change what `allowed` says.
pub(crate) fn body(rig: &Rig, number: u64, mode: LeaseMode, allowed: &[&str]) -> AssignBody {
    AssignBody {
        leases: Some(mode),
        files_allowed: allowed.iter().map(|it| (*it).to_owned()).collect(),
        issue_title: format!("Issue {number}"),
        ..rig.body(number, "do-wait")
    }
}

pub(crate) async fn hands(rig: &Rig, body: &AssignBody) -> (AssignmentId, Hands) {
    let id = rig.assign(body).await.id;
    let hands = Hands::of(rig, &id).await;
    (id, hands)
}

/// The next event of `id` that is about leases or files.
pub(crate) async fn next(events: &mut AgentEvents, id: &AssignmentId) -> AgentEventKind {
    soon(async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            let about = matches!(
                event.kind,
                AgentEventKind::LeaseAsked { .. }
                    | AgentEventKind::EditDenied { .. }
                    | AgentEventKind::EditUnchecked { .. }
                    | AgentEventKind::FilesRestored { .. }
                    | AgentEventKind::Files { .. }
            );
            if about && event.id.as_ref() == Some(id) {
                return event.kind;
            }
        }
    })
    .await
}

fn files(paths: &[&str]) -> AgentEventKind {
    let paths = paths.iter().map(|it| (*it).to_owned()).collect();
    AgentEventKind::Files { paths }
}

fn unchecked(path: &str) -> AgentEventKind {
    let path = path.to_owned();
    AgentEventKind::EditUnchecked { path }
}

#[tokio::test]
async fn a_held_file_is_denied_and_the_denial_names_the_holder() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let (one, holder) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &["src/**"])).await;
    let (two, other) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    assert_eq!(holder.write("src/a.rs", "one").made(), "");
    assert_eq!(next(&mut events, &one).await, files(&["src/a.rs"]));

    let reason = other.write("src/a.rs", "two").denied();
    let named = format!(
        "`src/a.rs` is held by assignment {one} (issue shop#1 \"Issue 1\", machine laptop)."
    );
    assert!(reason.starts_with(&named), "{reason}");
    assert!(reason.contains("STUCK:"), "{reason}");
    assert_eq!(other.read("src/a.rs"), None);
    let told = AgentEventKind::EditDenied {
        path: "src/a.rs".to_owned(),
        tool: "Write".to_owned(),
        reason,
        denial: LeaseDenial::Leased { by: one.clone() },
    };
    assert_eq!(next(&mut events, &two).await, told);
    let notebook = other.edit("NotebookEdit", "notebook_path", "src/n.ipynb", "{}");
    assert!(notebook.denied().contains("src/n.ipynb"));

    rig.open_gate();
    rig.end(&one).await;
    rig.end(&two).await;
}

#[tokio::test]
async fn what_a_worker_holds_is_free_when_it_has_ended() {
    let rig = Rig::new();
    let (one, first) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &[])).await;
    let (_two, second) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    first.write("a", "1").made();
    second.write("a", "2").denied();
    rig.client.cancel(&one).await.unwrap();
    rig.end(&one).await;
    assert_eq!(second.write("a", "2").made(), "");
}

#[tokio::test]
async fn of_many_edits_at_once_each_path_has_one_author() {
    let rig = Rig::special(Special {
        workers: Some(4),
        ..Special::default()
    });
    let mut workers = Vec::new();
    for number in 1..=4 {
        workers.push(hands(&rig, &body(&rig, number, LeaseMode::Warn, &[])).await);
    }
    let mut calls = tokio::task::JoinSet::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..40 {
        for (id, hands) in &workers {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let (path, id, hands) = (format!("src/f{}", random % 12), id.clone(), hands.clone());
            calls.spawn_blocking(move || {
                let called = hands.write(&path, id.as_str());
                (path, id, called)
            });
        }
    }
    let mut authors: BTreeMap<String, AssignmentId> = BTreeMap::new();
    let mut denied = Vec::new();
    while let Some(called) = calls.join_next().await {
        let (path, id, called) = called.unwrap();
        match called {
            Called::Denied(reason) => denied.push((path, id, reason)),
            Called::Made(text) => {
                assert_eq!(text, "", "nobody was objected to");
                let author = authors.entry(path.clone()).or_insert_with(|| id.clone());
                assert_eq!(*author, id, "{path} has two authors");
            }
        }
    }
    assert_eq!(authors.len(), 12);
    assert!(!denied.is_empty());
    for (path, id, reason) in denied {
        let author = &authors[&path];
        assert_ne!(*author, id);
        assert!(reason.contains(author.as_str()), "{path}: {reason}");
    }
    for (id, hands) in &workers {
        for (path, author) in &authors {
            assert_eq!(hands.read(path).is_some(), author == id, "{path}");
        }
    }
}

#[tokio::test]
async fn a_forbidden_file_is_denied_and_what_bash_did_to_it_is_undone() {
    let rig = Rig::new();
    rig.repo.commit("Cargo.lock", "v1\n", "lock").unwrap();
    rig.repo.push().unwrap();
    let mut events = rig.client.events(None).await.unwrap();
    let body = AssignBody {
        files_forbidden: vec!["Cargo.lock".to_owned(), "gen/**".to_owned()],
        ..body(&rig, 1, LeaseMode::Warn, &["**"])
    };
    let (id, worker) = hands(&rig, &body).await;
    let reason = worker.write("Cargo.lock", "mine").denied();
    assert!(
        reason.contains("must not be changed by any worker (`Cargo.lock`)"),
        "{reason}"
    );
    let denied = next(&mut events, &id).await;
    let glob = "Cargo.lock".to_owned();
    assert!(
        matches!(&denied, AgentEventKind::EditDenied { denial, .. } if *denial == LeaseDenial::Forbidden { glob }),
        "{denied:?}"
    );

    let told = worker.bash("echo mine > Cargo.lock; mkdir gen; echo x > gen/x; echo y > own");
    assert!(told.contains("`Cargo.lock`, `gen/x`"), "{told}");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v1\n");
    assert_eq!(
        (worker.read("gen/x"), worker.read("own").unwrap()),
        (None, "y\n".to_owned())
    );
    assert_eq!(next(&mut events, &id).await, files(&["own"]));
    let paths = vec!["Cargo.lock".to_owned(), "gen/x".to_owned()];
    assert_eq!(
        next(&mut events, &id).await,
        AgentEventKind::FilesRestored { paths }
    );

    let told = worker
        .bash("git rm -q Cargo.lock; echo z > own; git add own; git commit -q -m both; false");
    assert!(told.contains("If you have committed that change"), "{told}");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v1\n");
    let paths = vec!["Cargo.lock".to_owned()];
    assert_eq!(
        next(&mut events, &id).await,
        AgentEventKind::FilesRestored { paths }
    );
    assert_eq!(worker.bash("git add -A; git commit -q -m back"), "");

    // Something in the background that nobody sees: it is found at the end.
    std::fs::write(worker.worktree.join("Cargo.lock"), "late").unwrap();
    rig.open_gate();
    let last = events_of(&mut events, &id).await;
    let paths = vec!["Cargo.lock".to_owned()];
    let restored = AgentEventKind::FilesRestored { paths };
    assert!(last.iter().any(|it| it.kind == restored), "{last:?}");
    let end = rig.completed(&id).await.end.unwrap();
    assert_eq!(end.files, ["own"]);
    let lock = git(
        &rig.repo.remote_path(),
        &["show", &format!("{}:Cargo.lock", end.branch.unwrap())],
    );
    assert_eq!(lock.unwrap(), "v1");
}

#[tokio::test]
async fn calls_side_by_side_undo_only_what_is_forbidden() {
    let rig = Rig::new();
    rig.repo.commit("Cargo.lock", "v1\n", "lock").unwrap();
    rig.repo.push().unwrap();
    let body = AssignBody {
        files_forbidden: vec!["Cargo.lock".to_owned()],
        ..body(&rig, 1, LeaseMode::Warn, &["**"])
    };
    let (_id, worker) = hands(&rig, &body).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..8 {
        let worker = worker.clone();
        calls.spawn_blocking(move || {
            worker.bash(&format!("echo {n} > own{n}; echo {n} > Cargo.lock"))
        });
    }
    let told: Vec<String> = calls.join_all().await;
    assert!(
        told.iter().any(|it| it.contains("`Cargo.lock`")),
        "{told:?}"
    );
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v1\n");
    for n in 0..8 {
        assert_eq!(worker.read(&format!("own{n}")).unwrap(), format!("{n}\n"));
    }
}

#[tokio::test]
async fn what_comes_from_the_base_branch_is_nobodys_change() {
    let rig = Rig::new();
    rig.repo.commit("Cargo.lock", "v1\n", "lock").unwrap();
    rig.repo.push().unwrap();
    let mut events = rig.client.events(None).await.unwrap();
    let body = AssignBody {
        files_forbidden: vec!["Cargo.lock".to_owned()],
        ..body(&rig, 1, LeaseMode::Strict, &["src/**"])
    };
    let (id, worker) = hands(&rig, &body).await;
    rig.repo.commit("Cargo.lock", "v2\n", "newer").unwrap();
    rig.repo.commit("other", "other\n", "another file").unwrap();
    rig.repo.push().unwrap();
    git(&rig.repo.clone_path(), &["fetch", "-q"]).unwrap();
    let told = worker.bash(
        "mkdir src; echo a > src/a; git add .; git commit -q -m a; git rebase -q origin/main",
    );
    assert_eq!(told, "");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
    assert_eq!(next(&mut events, &id).await, files(&["src/a"]));
    let told = worker.bash("echo mine > Cargo.lock");
    assert!(told.contains("Cargo.lock"), "{told}");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
}

/// A repository whose base goes on in a forbidden file, in one of nobody and in `README.md`, after a
/// worker has begun, who has changed `README.md` too where it `parts`.
async fn behind(rig: &Rig, parts: bool) -> (AssignmentId, Hands) {
    rig.repo.commit("Cargo.lock", "v1\n", "lock").unwrap();
    rig.repo.push().unwrap();
    let body = AssignBody {
        files_forbidden: vec!["Cargo.lock".to_owned()],
        ..body(rig, 1, LeaseMode::Strict, &["README.md"])
    };
    let (id, worker) = hands(rig, &body).await;
    if parts {
        assert_eq!(worker.bash("echo own > README.md; git commit -qam own"), "");
    }
    rig.repo.commit("Cargo.lock", "v2\n", "newer").unwrap();
    rig.repo.commit("other", "other\n", "another file").unwrap();
    rig.repo
        .commit("README.md", "theirs\n", "the same file")
        .unwrap();
    rig.repo.push().unwrap();
    git(&rig.repo.clone_path(), &["fetch", "-q"]).unwrap();
    (id, worker)
}

#[tokio::test]
async fn in_the_middle_of_a_merge_the_base_is_nobodys_change() {
    let rig = Rig::new();
    let (_id, worker) = behind(&rig, true).await;
    assert_eq!(worker.bash("git merge -q origin/main || true"), "");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
    let told = worker.bash("echo mine > Cargo.lock");
    assert!(told.contains("Cargo.lock"), "{told}");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
    let told = worker.bash("echo both > README.md; git add README.md; git commit -qm both");
    assert_eq!(told, "");
    assert_eq!(worker.bash("git reset -q --hard HEAD~1"), "");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v1\n");
}

#[tokio::test]
async fn in_the_middle_of_a_rebase_the_base_is_nobodys_change() {
    let rig = Rig::new();
    let (_id, worker) = behind(&rig, true).await;
    assert_eq!(worker.bash("git rebase -q origin/main || true"), "");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
    let told = worker.bash("echo mine > Cargo.lock");
    assert!(told.contains("Cargo.lock"), "{told}");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
    assert_eq!(worker.bash("git rebase --abort"), "");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v1\n");
}

#[tokio::test]
async fn who_has_nothing_of_its_own_may_go_on_from_a_newer_base() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let (id, worker) = behind(&rig, false).await;
    assert_eq!(worker.bash("git merge -q --ff-only origin/main"), "");
    assert_eq!(worker.read("Cargo.lock").unwrap(), "v2\n");
    assert_eq!(worker.bash("echo own > README.md"), "");
    assert_eq!(next(&mut events, &id).await, files(&["README.md"]));
}

#[tokio::test]
async fn what_bash_does_to_the_files_of_others_is_told_at_once() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let (one, holder) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &[])).await;
    let (two, other) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    holder.write("README.md", "one").made();
    let told = other.bash("echo two > README.md");
    let named = format!("You have changed `README.md`, which is held by assignment {one}");
    assert!(told.starts_with(&named), "{told}");
    assert_eq!(next(&mut events, &two).await, files(&["README.md"]));
    assert_eq!(next(&mut events, &two).await, unchecked("README.md"));
    assert_eq!(other.bash("true"), "");
    assert_eq!(other.bash("git checkout -q README.md"), "");
    assert!(!other.bash("echo again > README.md").is_empty());
    assert_eq!(next(&mut events, &two).await, unchecked("README.md"));
    // It took nothing from anybody, and got nothing.
    other.write("README.md", "two").denied();
    holder.write("README.md", "three").made();
}

#[tokio::test]
async fn who_goes_over_everything_drowns_nobody() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &["src/**"])).await;
    let told = worker.bash("mkdir gen; for n in $(seq 300); do echo x > gen/$n; done");
    assert!(told.contains("gen/"), "{told}");
    assert!(told.len() < 10_000, "{}", told.len());
    worker.write("end", "x").denied();
    let mut unchecked = 0;
    loop {
        match next(&mut events, &id).await {
            AgentEventKind::EditUnchecked { .. } => unchecked += 1,
            AgentEventKind::Files { paths } => assert_eq!(paths.len(), 300),
            _ => break,
        }
    }
    assert_eq!(unchecked, 100);
}

#[tokio::test]
async fn strict_keeps_a_worker_within_what_it_declared() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let (id, worker) = hands(&rig, &body(&rig, 1, LeaseMode::Strict, &["src/**"])).await;
    assert_eq!(worker.write("src/a", "a").made(), "");
    assert_eq!(next(&mut events, &id).await, files(&["src/a"]));
    let reason = worker.write("doc/a", "a").denied();
    assert!(
        reason.contains("outside of the files that were given"),
        "{reason}"
    );
    let denied = next(&mut events, &id).await;
    assert!(
        matches!(&denied, AgentEventKind::EditDenied { denial: LeaseDenial::Outside, path, .. } if path == "doc/a"),
        "{denied:?}"
    );
    let told = worker.bash("mkdir doc; echo a > doc/b");
    assert!(
        told.contains("outside of the files that were given"),
        "{told}"
    );
    assert_eq!(next(&mut events, &id).await, files(&["doc/b"]));
    assert_eq!(next(&mut events, &id).await, unchecked("doc/b"));
}

#[tokio::test]
async fn the_real_path_counts() {
    let rig = Rig::new();
    let (_one, holder) = hands(&rig, &body(&rig, 1, LeaseMode::Warn, &["src/**"])).await;
    let (_two, other) = hands(&rig, &body(&rig, 2, LeaseMode::Warn, &[])).await;
    holder.write("src/a", "1").made();
    other.bash("mkdir src; ln -s src/a link; ln -s src dir; ln -s ../src/b sub; mkdir -p deep; ln -s ../src deep/er");
    for path in ["link", "dir/a", "deep/er/new", "deep/../src/a"] {
        assert!(other.write(path, "2").denied().contains("`src/"), "{path}");
    }
    let foreign = holder.worktree.join("src/a");
    let home = rig.sandbox.coord_home().join("agent/token");
    let checkout = rig.repo.clone_path().join("README.md");
    other.bash(&format!("ln -s '{}' out", holder.worktree.display()));
    for path in [&foreign, &home, &checkout, &other.worktree.join(".git")] {
        let reason = other.write(&path.to_string_lossy(), "2").denied();
        assert!(
            reason.contains("outside of your worktree"),
            "{path:?}: {reason}"
        );
    }
    assert!(
        other
            .write("out/new", "2")
            .denied()
            .contains("outside of your worktree")
    );
    let free = rig.sandbox.path().join("notes");
    assert_eq!(other.write(&free.to_string_lossy(), "2").made(), "");
    assert_eq!(holder.read("src/a").unwrap(), "1");
}

#[tokio::test]
async fn only_workers_that_publish_are_checked() {
    let rig = Rig::new();
    let checked = async |number, kind, mode| {
        let body = AssignBody {
            kind,
            leases: mode,
            ..rig.body(number, "do-wait")
        };
        let (id, hands) = hands(&rig, &body).await;
        rig.client.cancel(&id).await.unwrap();
        rig.end(&id).await;
        hands.are_checked()
    };
    let (work, warn) = (AssignmentType::Work, Some(LeaseMode::Warn));
    assert!(checked(1, work, warn).await);
    assert!(!checked(2, work, Some(LeaseMode::Off)).await);
    assert!(!checked(3, work, None).await);
    assert!(!checked(4, AssignmentType::Review, warn).await);
    assert!(!checked(5, AssignmentType::Smoke, warn).await);
}
