//! An issue from its claim to its closing on a GitHub that fails at any call in any way: in the end
//! everything is there once, as without a fault.

use std::time::Duration;

use coord_core::ids::AssignmentId;
use coord_engine::{Engine, settled};
use coord_test_support::github::{FakeGithub, Fault, When};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::github::{Town, git, wanted};
use crate::world::drive;

/// A request to a loopback server takes as long only on a very busy machine; then it is repeated.
const TIME_OUT: Duration = Duration::from_millis(1500);

/// How many random schedules are tried.
const SCHEDULES: usize = 10;

const FAULTS: [Fault; 7] = [
    Fault::TimeOutAfterEffect,
    Fault::Status(500),
    Fault::Status(502),
    Fault::StatusAfterEffect(502),
    Fault::SecondaryLimit {
        retry_after_secs: 1,
    },
    Fault::ConnectionReset,
    Fault::ConnectionResetAfterEffect,
];

/// Repeats the command as a person would.
async fn assign(engine: &Engine, issue: u64) -> AssignmentId {
    for _ in 0..100 {
        if let Ok(committed) = engine.assign(wanted(issue)).await
            && committed.refusal.is_none()
        {
            let mut assignments = committed.board.assignments.values();
            let it = assignments.find(|it| it.issue.number == issue);
            return it.unwrap().id.clone();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    panic!("the issue is never assigned");
}

/// One issue goes all the way while `faults` are on.
async fn one_issue(what: &str, faults: impl FnOnce(&FakeGithub)) {
    let town = Town::new().await;
    let mut ann = town.coordinator("ann");
    ann.patience = TIME_OUT;
    town.workers_solve(&ann);
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "Please.", &[], "ann");
    faults(&town.github);
    let id = assign(&engine, issue).await;
    drive(&engine, |board| settled(board, &id)).await;

    // In any order: a comment that has to wait keeps nothing else from going on.
    let by_ann = ["briefing", "completion", "merge"].map(|event| ("ann".to_owned(), event));
    let mut marks = town.marks(issue);
    marks.sort();
    assert_eq!(marks, by_ann, "{what}");
    assert_eq!(ann.worker(), Some(id), "{what}");
    assert!(!town.api.issue(issue).unwrap().open, "{what}");
    let pulls = town.api.pulls();
    assert_eq!(pulls.len(), 1, "{what}: {pulls:?}");
    assert!(pulls[0].merge_sha.is_some(), "{what}: {pulls:?}");
    let commits = git(&town.api.git_path(), &["rev-list", "--count", "main"]);
    assert_eq!(commits, "2", "{what}: the first commit, and the work");
    town.is_in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_may_fail_once_in_each_way() {
    let runs = FAULTS.map(|fault| async move {
        let what = format!("{fault:?}");
        one_issue(&what, |github| github.fail_every_call(&[fault])).await;
    });
    join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_schedule_of_faults_leads_to_the_same_end() {
    let mut runner = TestRunner::default();
    let fault = (1usize..60, select(FAULTS.to_vec()));
    let schedule = proptest::collection::vec(fault, 1..12);
    let schedules = (0..SCHEDULES).map(|_| schedule.new_tree(&mut runner).unwrap().current());
    let runs = schedules.map(|schedule| async move {
        let what = format!("{schedule:?}");
        one_issue(&what, |github| {
            for (nth, fault) in schedule {
                github.schedule(fault, When::Nth(nth));
            }
        })
        .await;
    });
    join_all(runs).await;
}
