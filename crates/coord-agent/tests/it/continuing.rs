//! Going on with earlier work: on its branch, in its session, and with what a person says.

use coord_core::ids::AssignmentId;
use coord_protocol::{AssignBody, ClientError, EndReport, EndResult};
use coord_test_support::git_fixture::git;

use crate::rig::{Rig, Special, soon};

/// A request that goes on with the branch of another.
fn goes_on(rig: &Rig, number: u64, branch: &str, words: &str) -> AssignBody {
    AssignBody {
        id: Some(AssignmentId::from_bits(1000 + number)),
        work_branch: Some(branch.to_owned()),
        start_branch: Some(branch.to_owned()),
        ..rig.body(number, words)
    }
}

#[tokio::test]
async fn it_goes_on_with_a_branch_and_counts_all_of_it() {
    let rig = Rig::new();
    let (_, first) = rig.run(&rig.body(7, "do-commit do-fail")).await;
    assert_eq!((first.result, first.pushed), (EndResult::Failed, true));
    let branch = first.branch.unwrap();
    // The base goes on meanwhile, which changes nothing of what was done.
    rig.repo
        .commit("other.txt", "other\n", "meanwhile")
        .unwrap();
    rig.repo.push().unwrap();
    let mut body = goes_on(&rig, 7, &branch, "do-env");
    body.base_sha.clone_from(&first.base);
    let (_, second) = rig.run(&body).await;
    assert_eq!(second.result, EndResult::Done, "{second:?}");
    assert_eq!(second.branch.as_deref(), Some(branch.as_str()));
    assert_eq!((second.commits, second.base), (2, first.base));
    assert_eq!(second.files, ["hello.txt", "seen-env.txt"]);
    let clone = rig.repo.clone_path();
    let head = second.head.unwrap();
    let ancestor = ["merge-base", "--is-ancestor", &first.head.unwrap(), &head];
    git(&clone, &ancestor).unwrap();
    let remote = git(&rig.repo.remote_path(), &["rev-parse", &branch]).unwrap();
    assert_eq!(remote, head);
}

/// A branch with one commit, and a base that has gone on meanwhile; the new tip of the base.
async fn parted(rig: &Rig, number: u64) -> (EndReport, String) {
    let (_, first) = rig.run(&rig.body(number, "do-commit")).await;
    let other = format!("other-{number}.txt");
    let tip = rig.repo.commit(&other, "other\n", "meanwhile").unwrap();
    rig.repo.push().unwrap();
    (first, tip)
}

#[tokio::test]
async fn a_branch_that_is_brought_up_to_its_base_counts_without_it() {
    let rig = Rig::new();
    // Also where the request does not know how far the base is.
    for (number, words, knows, commits) in [
        (7, "do-merge do-env", true, 3),
        (8, "do-merge do-env", false, 3),
        (9, "do-rebase do-env", true, 2),
        (10, "do-rebase do-env", false, 2),
    ] {
        let (first, tip) = parted(&rig, number).await;
        let branch = first.branch.clone().unwrap();
        let mut body = goes_on(&rig, number, &branch, words);
        body.base_sha = if knows { Some(tip.clone()) } else { first.base };
        let (_, second) = rig.run(&body).await;
        assert_eq!(second.result, EndResult::Done, "{second:?}");
        assert_eq!(second.files, ["hello.txt", "seen-env.txt"], "{number}");
        assert_eq!(second.commits, commits, "{number}");
        assert_eq!(second.base, Some(tip), "{number}");
        assert!(second.pushed, "{:?}", second.push_error);
        let remote = git(&rig.repo.remote_path(), &["rev-parse", &branch]).unwrap();
        assert_eq!(second.head, Some(remote), "{number}");
    }
}

#[tokio::test]
async fn a_branch_that_was_not_brought_up_says_so_by_its_base() {
    let rig = Rig::new();
    let (first, tip) = parted(&rig, 7).await;
    let mut body = goes_on(&rig, 7, &first.branch.unwrap(), "do-env");
    body.base_sha = Some(tip);
    let (_, second) = rig.run(&body).await;
    assert_eq!(second.files, ["hello.txt", "seen-env.txt"]);
    assert_eq!((second.commits, second.base), (2, first.base));
}

#[tokio::test]
async fn a_rewritten_branch_replaces_nothing_that_it_has_not_seen() {
    let rig = Rig::new();
    let (first, _) = parted(&rig, 7).await;
    let (branch, head) = (first.branch.unwrap(), first.head.unwrap());
    let body = goes_on(&rig, 7, &branch, "do-rebase do-wait");
    let id = rig.assign(&body).await.id;
    rig.says(&id, "waiting").await;
    let clone = rig.repo.clone_path();
    let args = [
        "commit-tree",
        "-m",
        "theirs",
        "-p",
        &head,
        &format!("{head}^{{tree}}"),
    ];
    let theirs = git(&clone, &args).unwrap();
    let target = format!("{theirs}:refs/heads/{branch}");
    git(&clone, &["push", "-q", "origin", &target]).unwrap();
    rig.open_gate();
    let end = rig.end(&id).await.end.unwrap();
    assert_eq!((end.result, end.pushed), (EndResult::Done, false));
    assert!(end.push_error.is_some());
    let remote = git(&rig.repo.remote_path(), &["rev-parse", &branch]).unwrap();
    assert_eq!(remote, theirs);
}

#[tokio::test]
async fn another_branch_can_start_where_one_is() {
    let rig = Rig::new();
    let (_, first) = rig.run(&rig.body(7, "do-commit")).await;
    let branch = first.branch.unwrap();
    let mut body = goes_on(&rig, 7, &branch, "do-env");
    body.work_branch = Some("issue-7-again".to_owned());
    let (_, second) = rig.run(&body).await;
    assert_eq!(second.branch.as_deref(), Some("issue-7-again"));
    assert_eq!(second.commits, 2);
    let remote = git(&rig.repo.remote_path(), &["rev-parse", &branch]).unwrap();
    assert_eq!(remote, first.head.unwrap(), "the branch itself stays");
}

#[tokio::test]
async fn a_branch_that_is_gone_is_named() {
    let rig = Rig::new();
    let (_, end) = rig
        .run(&goes_on(&rig, 7, "issue-7-gone", "do-commit"))
        .await;
    assert_eq!(end.result, EndResult::Failed);
    assert!(end.error.unwrap().contains("issue-7-gone"));
    assert_eq!(rig.starts(), 0);
}

/// Says which session it continues and writes down what it was told.
const RESUMED: &str = r#"prompt=$(cat); session=new
while [ $# -gt 0 ]; do case "$1" in --resume) session=$2; shift ;; --session-id) shift ;; esac; shift; done
echo '{"type":"system","subtype":"init","session_id":"s-1","model":"m"}'
printf '%s\n%s\n' "$session" "$prompt" > told.txt; ls >> told.txt
git -c user.name=w -c user.email=w@example.invalid add told.txt
git -c user.name=w -c user.email=w@example.invalid commit -q -m told
echo '{"type":"result","subtype":"success","is_error":false,"session_id":"s-1"}'"#;

#[tokio::test]
async fn a_session_goes_on_in_a_new_worktree_on_its_branch() {
    let command = ["sh", "-c", RESUMED, "worker"].map(str::to_owned).to_vec();
    let rig = Rig::special(Special {
        command: Some(command),
        cold: true,
        ..Special::default()
    });
    let (id, first) = rig.run(&rig.body(7, "first")).await;
    assert_eq!(first.session.as_deref(), Some("s-1"), "{first:?}");
    let worktree = rig.completed(&id).await.assignment.worktree_path.unwrap();
    // Somebody has cleared the worktrees away.
    let path = worktree.as_str();
    git(
        &rig.repo.clone_path(),
        &["worktree", "remove", "--force", "--force", path],
    )
    .unwrap();
    let mut body = goes_on(&rig, 7, &first.branch.unwrap(), "Take the blue one.");
    body.resume_session.clone_from(&first.session);
    body.issue_body = Some("the issue".to_owned());
    let (_, second) = rig.run(&body).await;
    assert_eq!(second.result, EndResult::Done, "{second:?}");
    let told = format!("{}:told.txt", second.head.unwrap());
    let told = git(&rig.repo.clone_path(), &["show", &told]).unwrap();
    assert!(told.starts_with("s-1\nTake the blue one.\n"), "{told}");
    assert!(told.contains("issue-7-"), "it is told where it is: {told}");
    assert!(
        !told.contains("the issue\n"),
        "it knows that already: {told}"
    );
}

/// Repeats what it hears until a message says that it is enough.
const HEARING: &str = r#"read -r first; echo '{"type":"system","subtype":"init","session_id":"s"}'
n=0; while read -r line; do n=$((n+1)); echo heard $n; case "$line" in *enough*) break ;; esac; done
echo "$n" > count.txt; git add count.txt
git -c user.name=w -c user.email=w@example.invalid commit -q -m count
echo '{"type":"result","subtype":"success","is_error":false}'; cat > /dev/null"#;

#[tokio::test]
async fn a_message_with_a_key_is_told_once_also_by_the_next_agent() {
    let mut rig = Rig::special(Special {
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), HEARING.to_owned()]),
        ..Special::default()
    });
    let mut body = rig.body(7, "listen");
    body.steerable = true;
    let id = rig.assign(&body).await.id;
    rig.says(&id, "init").await;
    for _ in 0..2 {
        soon(rig.client.input(&id, "left", Some("17")))
            .await
            .unwrap();
    }
    rig.says(&id, "heard 1").await;
    rig.kill();
    rig.start();
    soon(rig.client.input(&id, "left", Some("17")))
        .await
        .unwrap();
    soon(rig.client.input(&id, "enough", Some("guide:18")))
        .await
        .unwrap();
    let end = rig.end(&id).await.end.unwrap();
    let count = format!("{}:count.txt", end.head.unwrap());
    assert_eq!(git(&rig.repo.clone_path(), &["show", &count]).unwrap(), "2");
    // Also after its end what was told was told, and nothing else is.
    soon(rig.client.input(&id, "left", Some("17")))
        .await
        .unwrap();
    let late = rig.client.input(&id, "late", Some("19")).await.unwrap_err();
    assert!(
        matches!(late, ClientError::Refused { status: 409, .. }),
        "{late:?}"
    );
}

#[tokio::test]
async fn a_key_is_no_path() {
    let rig = Rig::new();
    let id = rig.assign(&rig.body(7, "do-wait")).await.id;
    for key in ["", "../x", "a b", &"x".repeat(65)] {
        let refused = rig.client.input(&id, "hi", Some(key)).await.unwrap_err();
        assert!(
            matches!(refused, ClientError::Refused { status: 400, .. }),
            "{key}: {refused:?}"
        );
    }
}
