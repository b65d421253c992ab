//! Checkouts that are brought up to date before a worker starts, and those that are left alone.

use coord_core::ids::AssignmentId;
use coord_protocol::{AssignBody, ClientError, EndResult};
use coord_test_support::git_fixture::git;

use crate::rig::Rig;

/// Somebody else pushes to the default branch; answers the commit.
fn others_push(rig: &Rig) -> String {
    let desk = rig.sandbox.path().join("desk");
    let (from, to) = (rig.repo.remote_path(), desk.to_string_lossy().into_owned());
    git(
        rig.sandbox.path(),
        &["clone", "--quiet", &from.to_string_lossy(), &to],
    )
    .unwrap();
    std::fs::write(desk.join("README.md"), "theirs\n").unwrap();
    git(
        &desk,
        &["commit", "--quiet", "--all", "--message", "theirs"],
    )
    .unwrap();
    git(&desk, &["push", "--quiet", "origin", "main"]).unwrap();
    git(&desk, &["rev-parse", "HEAD"]).unwrap()
}

fn pulling(rig: &Rig, number: u64) -> AssignBody {
    AssignBody {
        pull_repos: vec!["shop".to_owned(), "elsewhere".to_owned()],
        context: Some("do-context".to_owned()),
        ..rig.body(number, "do-commit")
    }
}

/// The lines about repositories at the head of the log, and the prompt.
fn told(rig: &Rig, id: &AssignmentId) -> (Vec<String>, String) {
    let log = std::fs::read_to_string(rig.folder(id).join("log.ndjson")).unwrap();
    let head = log.lines().take_while(|line| line.starts_with('#')).skip(1);
    let prompt = std::fs::read_to_string(rig.folder(id).join("prompt.txt")).unwrap();
    (head.map(str::to_owned).collect(), prompt)
}

fn at(rig: &Rig) -> String {
    git(&rig.repo.clone_path(), &["rev-parse", "HEAD"]).unwrap()
}

#[tokio::test]
async fn a_stale_clean_checkout_is_fast_forwarded() {
    let rig = Rig::new();
    let (from, to) = (at(&rig), others_push(&rig));
    let (id, end) = rig.run(&pulling(&rig, 7)).await;
    assert_eq!(
        (end.result, end.base.as_ref()),
        (EndResult::Done, Some(&to))
    );
    assert_eq!(at(&rig), to);
    let (head, prompt) = told(&rig, &id);
    let [moved, unknown] = &head[..] else {
        panic!("{head:?}")
    };
    assert_eq!(
        *moved,
        format!(
            "# shop: fast-forwarded from {} to {}",
            &from[..10],
            &to[..10]
        )
    );
    assert_eq!(
        unknown,
        "# elsewhere: not brought up to date: this machine does not know it"
    );
    assert!(
        prompt.contains("# From the coordinator\n\ndo-context\n"),
        "{prompt}"
    );
    assert!(!prompt.contains("out of date"), "{prompt}");
}

#[tokio::test]
async fn a_dirty_checkout_is_left_alone_and_the_worker_is_told() {
    let rig = Rig::new();
    let (from, to) = (at(&rig), others_push(&rig));
    let clone = rig.repo.clone_path();
    std::fs::write(clone.join("README.md"), "mine\n").unwrap();
    let (id, end) = rig.run(&pulling(&rig, 7)).await;
    assert_eq!((end.result, end.base), (EndResult::Done, Some(to)));
    assert_eq!(at(&rig), from);
    assert_eq!(
        std::fs::read_to_string(clone.join("README.md")).unwrap(),
        "mine\n"
    );
    let (head, prompt) = told(&rig, &id);
    assert_eq!(
        head[0],
        "# shop: not brought up to date: it has changes that are not committed"
    );
    assert!(
        prompt.contains("- `shop: it has changes that are not committed`"),
        "{prompt}"
    );
}

#[tokio::test]
async fn a_repeated_request_may_say_something_else_of_freshness_and_of_nothing_more() {
    let rig = Rig::new();
    let body = pulling(&rig, 7);
    let (id, _) = rig.run(&body).await;
    let later = AssignBody {
        pull_repos: Vec::new(),
        context: None,
        ..body.clone()
    };
    assert_eq!(rig.assign(&later).await.id, id);
    let other = AssignBody {
        model: Some("opus".to_owned()),
        ..later
    };
    let error = rig.client.assign(&other).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Refused { status: 409, .. }),
        "{error:?}"
    );
    assert_eq!(rig.starts(), 1);
}
