//! The forge's checks as a gate: a merge waits for what has not ended, and is refused for what
//! ended badly.

use coord_core::assignment::MergeState;
use coord_core::ids::AssignmentId;
use coord_core::key::EffectKind;
use coord_core::policy::Gate;
use coord_engine::{Carried, Engine, now, settled};

use crate::github::{Coordinator, Town, wanted};
use crate::world::{drive, has_open};

/// An assignment that is done and about to be merged, with the head of its branch.
struct Ready {
    town: Town,
    engine: Engine,
    id: AssignmentId,
    head: String,
    issue: u64,
    _ann: Coordinator,
}

impl Ready {
    async fn new() -> Self {
        let town = Town::new().await;
        let mut ann = town.coordinator("ann");
        ann.gates = vec![Gate::Test, Gate::Ci];
        town.workers_solve(&ann);
        let engine = ann.engine().await;
        let issue = town.api.open_issue("Solve it", "", &[], "ann");
        let committed = engine.assign(wanted(issue)).await.unwrap();
        let id = committed.board.assignments.keys().next().unwrap().clone();
        drive(&engine, |board| has_open(board, EffectKind::Merge)).await;
        let branch = format!("issue-{issue}-solve-it");
        let head = town.api.branch(&branch).unwrap().unwrap();
        Self {
            town,
            engine,
            id,
            head,
            issue,
            _ann: ann,
        }
    }

    /// Tries the merge once.
    async fn merge(&self) -> Carried {
        let rows = self.engine.store().outbox().await.unwrap();
        let is_merge = |key: &_| EffectKind::of(key) == Some(EffectKind::Merge);
        let keys: Vec<_> = rows
            .into_iter()
            .map(|row| row.key)
            .filter(is_merge)
            .collect();
        self.engine.carry_out_now(&keys).await.unwrap().remove(0)
    }

    /// Lets everything go on until nothing is left to do.
    async fn end(&self) {
        drive(&self.engine, |board| settled(board, &self.id)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_waits_for_a_check_that_has_not_ended() {
    let ready = Ready::new().await;
    let api = &ready.town.api;
    api.set_check(&ready.head, "build", "in_progress", None);
    let Carried::Postponed { error, .. } = ready.merge().await else {
        panic!("it did not wait");
    };
    assert!(error.contains("checks have not ended: build"), "{error}");
    api.set_check(&ready.head, "build", "completed", Some("success"));
    ready.end().await;
    assert!(!api.issue(ready.issue).unwrap().open);
    ready.town.is_in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_required_is_waited_for_before_it_appears() {
    let ready = Ready::new().await;
    let api = &ready.town.api;
    api.protect("main", &["build"]);
    api.set_status(&ready.head, "lint", "success");
    let Carried::Postponed { error, .. } = ready.merge().await else {
        panic!("it did not wait");
    };
    assert!(error.contains("checks have not ended: build"), "{error}");
    api.set_check(&ready.head, "build", "completed", Some("success"));
    ready.end().await;
    assert!(!api.issue(ready.issue).unwrap().open);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_check_refuses_the_merge_and_is_named() {
    let ready = Ready::new().await;
    let api = &ready.town.api;
    api.set_check(&ready.head, "build", "completed", Some("failure"));
    api.set_status(&ready.head, "lint", "success");
    ready.end().await;
    assert!(api.issue(ready.issue).unwrap().open);
    let it = ready.engine.store().assignment(&ready.id).await.unwrap();
    let entry = it.unwrap().merge.unwrap();
    let reason = "the forge's checks are not good: build".to_owned();
    assert_eq!(entry.state, MergeState::Refused { reason });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_get_a_moment_to_appear() {
    let ready = Ready::new().await;
    let before = now();
    let Carried::Postponed { until, error, .. } = ready.merge().await else {
        panic!("it did not wait");
    };
    assert!(error.contains("no check has appeared yet"), "{error}");
    assert!(until >= before.plus_secs(10), "{until:?}");
    assert_eq!(ready.town.api.pulls().len(), 1, "it is open meanwhile");
}
