//! Reviews and pull requests' texts: a worker that reads and answers, and whatever else it does is
//! of no effect.

use coord_core::ids::AssignmentId;
use coord_protocol::{AgentEventKind, AssignBody, AssignmentType, EndResult, FailureKind};
use coord_test_support::git_fixture::git;
use serde_json::json;

use crate::rig::{Rig, Special, events_of};

fn serving(rig: &Rig, number: u64, kind: AssignmentType, words: &str) -> AssignBody {
    AssignBody {
        kind,
        output_schema: Some(json!({"type": "object"})),
        ..rig.body(number, words)
    }
}

fn local_branches(rig: &Rig) -> String {
    let args = ["for-each-ref", "--format=%(refname:short)", "refs/heads"];
    git(&rig.repo.clone_path(), &args).unwrap()
}

#[tokio::test]
async fn a_reviewer_answers_and_nothing_else_is_left_of_it() {
    let rig = Rig::new();
    for (number, kind) in [(7, AssignmentType::Review), (8, AssignmentType::Pr)] {
        let (id, end) = rig.run(&serving(&rig, number, kind, "do-answer")).await;
        assert_eq!(end.result, EndResult::Done, "{end:?}");
        let answer = json!({"verdict": "approve", "findings": []});
        assert_eq!(end.answer, Some(answer));
        assert_eq!((end.branch.as_ref(), end.commits), (None, 0));
        assert_eq!((&end.head, end.tampered.len()), (&end.base, 0));
        let log = rig.client.logs(&id, 0).await.unwrap().text;
        let (header, _) = log.split_once('\n').unwrap();
        let flags = "--restricted --tools Read,Grep,Glob --permission-mode dontAsk";
        assert!(header.ends_with(flags), "{header}");
        assert!(!header.contains("skip-permissions"), "{header}");
        assert_eq!(rig.completed(&id).await.end, Some(end));
    }
    assert_eq!(local_branches(&rig), "main");
    assert_eq!(rig.repo.remote_branches().unwrap(), ["main"]);
}

#[tokio::test]
async fn an_answer_survives_the_agent() {
    let mut rig = Rig::new();
    let body = serving(&rig, 7, AssignmentType::Review, "do-answer do-wait");
    let id = rig.assign(&body).await.id;
    rig.says(&id, "waiting").await;
    rig.kill();
    rig.start();
    rig.open_gate();
    let end = rig.end(&id).await.end.unwrap();
    assert!(end.answer.is_some(), "{end:?}");
    rig.kill();
    rig.start();
    assert_eq!(rig.completed(&id).await.end, Some(end));
}

#[tokio::test]
async fn without_an_answer_it_has_failed() {
    let rig = Rig::new();
    for (number, words, class, error) in [
        (7, "do-talk", FailureKind::Work, "no answer in the schema"),
        (8, "do-exhaust", FailureKind::Work, "nothing fits"),
        (
            9,
            "do-answer do-die",
            FailureKind::Environmental,
            "signal 9",
        ),
    ] {
        let body = serving(&rig, number, AssignmentType::Review, words);
        let (_, end) = rig.run(&body).await;
        assert_eq!((end.result, end.answer), (EndResult::Failed, None));
        assert_eq!(end.class, Some(class), "{words}");
        assert!(
            end.error.as_ref().unwrap().contains(error),
            "{:?}",
            end.error
        );
    }
    let free = AssignBody {
        output_schema: None,
        ..serving(&rig, 10, AssignmentType::Review, "do-talk")
    };
    assert_eq!(rig.run(&free).await.1.result, EndResult::Done);
}

#[tokio::test]
async fn what_a_reviewer_changes_is_told_and_thrown_away() {
    let rig = Rig::new();
    let mut events = rig.client.events(None).await.unwrap();
    let words = "do-commit do-leave do-push do-answer";
    let body = serving(&rig, 7, AssignmentType::Review, words);
    let id = rig.assign(&body).await.id;
    let events = events_of(&mut events, &id).await;
    let AgentEventKind::Finished { end, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}");
    };
    assert_eq!(end.tampered, [".git/HEAD", "hello.txt", "uncommitted.txt"]);
    assert_eq!((end.commits, end.pushed, &end.wip_ref), (0, false, &None));
    assert_eq!((end.result, &end.answer), (EndResult::Failed, &None));
    assert_eq!(end.class, Some(FailureKind::Work));
    let error = "it may only read, and has changed .git/HEAD and 2 more";
    assert_eq!(end.error.as_deref(), Some(error));
    let files = |kind: &AgentEventKind| matches!(kind, AgentEventKind::Files { .. });
    assert!(!events.iter().any(|e| files(&e.kind)), "{events:?}");
    assert_eq!(local_branches(&rig), "main");
    assert_eq!(rig.repo.remote_branches().unwrap(), ["main"]);
    let refs = git(&rig.repo.clone_path(), &["for-each-ref", "refs/coord"]).unwrap();
    assert_eq!(refs, "");
    let (_, next) = rig.run(&rig.body(8, "do-stuck")).await;
    assert_eq!((next.commits, next.wip_ref), (0, None));
}

#[tokio::test]
async fn the_commit_is_the_one_that_was_named() {
    let rig = Rig::new();
    let (_, work) = rig.run(&rig.body(7, "do-commit")).await;
    let (branch, head) = (work.branch.unwrap(), work.head.unwrap());
    rig.run(&AssignBody {
        id: Some(AssignmentId::from_bits(8)),
        start_branch: Some(branch.clone()),
        ..rig.body(7, "do-env")
    })
    .await;
    let tip = git(&rig.repo.remote_path(), &["rev-parse", &branch]).ok();
    assert_ne!(Some(&head), tip.as_ref());
    let mut number = 20;
    let mut looked_at = async |base_sha: Option<&String>, target: Option<&String>| {
        number += 1;
        let body = AssignBody {
            base_sha: base_sha.cloned(),
            review_target: target.cloned(),
            ..serving(&rig, number, AssignmentType::Review, "do-answer")
        };
        rig.run(&body).await.1.head
    };
    assert_eq!(looked_at(None, Some(&branch)).await, tip);
    assert_eq!(looked_at(None, Some(&head)).await.as_ref(), Some(&head));
    let named = looked_at(Some(&head), Some(&branch)).await;
    assert_eq!(named.as_ref(), Some(&head));
    let nowhere = looked_at(None, Some(&"nowhere".to_owned())).await;
    assert_eq!(nowhere, None);
}

#[tokio::test]
async fn a_reviewer_sees_no_copied_files_and_no_setup_runs_for_it() {
    let rig = Rig::special(Special {
        repo: "    worktree: {setup: 'exit 3', copy: [.env]}\n",
        ..Special::default()
    });
    rig.repo.commit(".gitignore", ".env\n", "ignore").unwrap();
    rig.repo.push().unwrap();
    rig.repo.write(".env", "secret\n").unwrap();
    let body = serving(&rig, 7, AssignmentType::Review, "do-answer do-wait");
    let id = rig.assign(&body).await.id;
    rig.says(&id, "waiting").await;
    let status = rig.client.status(coord_protocol::StatusQuery::default());
    let worktree = status.await.unwrap().active[0]
        .assignment
        .worktree_path
        .clone();
    let worktree = std::path::PathBuf::from(worktree.unwrap());
    assert!(worktree.join(".gitignore").exists() && !worktree.join(".env").exists());
    rig.open_gate();
    assert_eq!(rig.end(&id).await.end.unwrap().result, EndResult::Done);
}
