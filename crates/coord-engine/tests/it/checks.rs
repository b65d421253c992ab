//! The forge's checks as a gate: they are waited for until they have ended, and looked at once more
//! with the merge.

use std::sync::Arc;

use coord_core::Command;
use coord_core::assignment::MergeMethod;
use coord_core::command::SetAside;
use coord_core::effect::{Effect, Outcome};
use coord_core::ids::{AssignmentId, CommitId, IssueRef};
use coord_core::policy::Gate;
use coord_engine::{Carried, Engine, now, settled};

use crate::github::{Coordinator, Town, wanted};
use crate::world::{carried, drive, outcome, publish, put_off};

/// A branch whose pull request is open.
struct Ready {
    town: Town,
    engine: Engine,
    head: String,
    issue: IssueRef,
    _ann: Coordinator,
}

const BRANCH: &str = "issue-1-it";

impl Ready {
    async fn new() -> Self {
        let town = Town::new().await;
        town.github.set_lazy_mergeability(false);
        let mut ann = town.coordinator("ann");
        ann.gates = vec![Gate::Test, Gate::Ci];
        let number = town.api.open_issue("Solve it", "", &[], "ann");
        let desks = ann.checkout("api").with_file_name("desks");
        let end = publish(&town.api.git_path(), &desks, BRANCH, "a.txt", "a\n");
        town.api
            .open_pull("Solve it", BRANCH, "main", "ann")
            .unwrap();
        Self {
            engine: ann.engine().await,
            town,
            head: end.head.unwrap(),
            issue: IssueRef {
                repo: "api".into(),
                number,
            },
            _ann: ann,
        }
    }

    /// Reads the checks once.
    async fn read(&self, key: &str) -> Carried {
        let effect = Effect::ReadChecks {
            id: AssignmentId::from_bits(1),
            issue: self.issue.clone(),
            branch: BRANCH.to_owned(),
            head: CommitId::new(&*self.head),
        };
        carried(&self.engine, key, effect).await
    }

    /// Tries the merge once.
    async fn merge(&self, key: &str) -> Carried {
        let effect = Effect::Merge {
            id: AssignmentId::from_bits(1),
            issue: self.issue.clone(),
            title: "Solve it".to_owned(),
            branch: BRANCH.to_owned(),
            head: CommitId::new(&*self.head),
            method: MergeMethod::Squash,
            onto: None,
            tree: None,
        };
        carried(&self.engine, key, effect).await
    }
}

fn good(note: &str) -> Outcome {
    Outcome::ChecksRead {
        good: true,
        note: note.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_has_not_ended_is_waited_for() {
    let ready = Ready::new().await;
    let api = &ready.town.api;
    api.set_check(&ready.head, "build", "in_progress", None);
    let why = put_off(ready.read("checks:it:1").await);
    assert!(why.contains("checks have not ended: build"), "{why}");
    let why = put_off(ready.merge("merge:it:1").await);
    assert!(why.contains("checks have not ended: build"), "{why}");
    api.set_check(&ready.head, "build", "completed", Some("success"));
    let read = outcome(ready.read("checks:it:2").await);
    assert_eq!(read, good("the forge's checks are good"));
    let merged = outcome(ready.merge("merge:it:2").await);
    assert!(matches!(merged, Outcome::Merged { .. }), "{merged:?}");
    ready.town.is_in_order();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_required_is_waited_for_before_it_appears() {
    let ready = Ready::new().await;
    let api = &ready.town.api;
    api.protect("main", &["build"]);
    api.set_status(&ready.head, "lint", "success");
    let why = put_off(ready.read("checks:it:1").await);
    assert!(why.contains("checks have not ended: build"), "{why}");
    api.set_check(&ready.head, "build", "completed", Some("success"));
    let read = outcome(ready.read("checks:it:2").await);
    assert_eq!(read, good("the forge's checks are good"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_check_is_named_and_refuses_the_merge() {
    let ready = Ready::new().await;
    let api = &ready.town.api;
    api.set_check(&ready.head, "build", "completed", Some("failure"));
    api.set_status(&ready.head, "lint", "success");
    let why = "the forge's checks are not good: build".to_owned();
    let read = outcome(ready.read("checks:it:1").await);
    let (good, note) = (false, why.clone());
    assert_eq!(read, Outcome::ChecksRead { good, note });
    let merged = outcome(ready.merge("merge:it:1").await);
    assert_eq!(merged, Outcome::MergeRefused { reason: why });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_get_a_moment_to_appear_and_are_not_waited_for_for_ever() {
    let ready = Ready::new().await;
    let before = now();
    let Carried::Postponed { until, error, .. } = ready.read("checks:it:1").await else {
        panic!("it did not wait");
    };
    assert!(error.contains("no check has appeared yet"), "{error}");
    assert!(until >= before.plus_secs(10), "{until:?}");
    let merged = outcome(ready.merge("merge:it:1").await);
    assert!(matches!(merged, Outcome::Merged { .. }), "{merged:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_has_set_aside_is_not_looked_at_again() {
    let town = Town::new().await;
    let mut ann = town.coordinator("ann");
    ann.gates = vec![Gate::Test, Gate::Ci];
    let (api, remote) = (town.api.clone(), town.api.git_path());
    let desks = ann.checkout("api").with_file_name("desks");
    ann.agent.workers_do(Arc::new(move |body| {
        let branch = body.work_branch.as_deref().unwrap();
        let end = publish(&remote, &desks, branch, "a.txt", "a\n");
        let head = end.head.as_deref().unwrap();
        api.set_check(head, "build", "completed", Some("failure"));
        end
    }));
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let committed = engine.assign(wanted(issue)).await.unwrap();
    let id = committed.board.assignments.keys().next().unwrap().clone();
    drive(&engine, |board| settled(board, &id)).await;
    let it = engine.store().assignment(&id).await.unwrap().unwrap();
    let checks = it.delivery.checks.unwrap();
    assert!(
        !checks.good && checks.note.ends_with(": build"),
        "{checks:?}"
    );
    assert!(town.api.issue(issue).unwrap().open);

    let merge = Command::Merge {
        ids: vec![id.clone()],
        repo: None,
        method: MergeMethod::Squash,
        ordered: false,
        set_aside: Some(SetAside {
            gates: vec![Gate::Ci],
            reason: "the runner is broken".to_owned(),
        }),
    };
    let committed = engine.command(merge).await.unwrap();
    assert_eq!(committed.refusal, None);
    drive(&engine, |board| settled(board, &id)).await;
    assert!(!town.api.issue(issue).unwrap().open);
    town.is_in_order();
}
