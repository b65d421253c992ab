//! Claims on a forge that several coordinators use: who may start a worker, and what is left of a
//! claim that was lost, taken back or abandoned.

use coord_core::Command;
use coord_core::assignment::{Assignment, AssignmentState};
use coord_core::command::Rule;
use coord_core::ids::{AssignmentId, Timestamp};
use coord_core::key::EffectKind;
use coord_engine::{AssignInput, Carried, Engine};
use coord_test_support::github::{Fault, When};

use crate::github::{Coordinator, Town, wanted};
use crate::world::{cancelled, drive, drive_to_the_end, is_kind};

async fn assign_as(engine: &Engine, input: AssignInput) -> AssignmentId {
    let before = engine.store().board().await.unwrap();
    let committed = engine.assign(input).await.unwrap();
    assert_eq!(committed.refusal, None);
    let mut ids = committed.board.assignments.keys();
    let new = ids.find(|id| !before.assignments.contains_key(*id));
    new.unwrap().clone()
}

async fn assign(engine: &Engine, issue: u64) -> AssignmentId {
    assign_as(engine, wanted(issue)).await
}

async fn state(engine: &Engine, id: &AssignmentId) -> AssignmentState {
    let it = engine.store().assignment(id).await.unwrap();
    it.unwrap().state
}

/// Drives until the agent has accepted it, or somebody else has it.
async fn drive_to_the_start(engine: &Engine, id: &AssignmentId) {
    let over = |state| state == AssignmentState::Running || state == AssignmentState::Cancelled;
    drive(engine, |board| {
        over(board.assignments[id].state) && board.open_effects.is_empty()
    })
    .await;
}

/// Carries out what there is of one kind, once.
async fn carry_out(engine: &Engine, kind: EffectKind) -> Vec<Carried> {
    let rows = engine.store().outbox().await.unwrap();
    let keys: Vec<_> = rows.into_iter().map(|row| row.key).collect();
    let keys: Vec<_> = keys.into_iter().filter(|key| is_kind(key, kind)).collect();
    assert_ne!(keys, [], "there is no {}", kind.as_str());
    engine.carry_out_now(&keys).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_on_github_becomes_a_commit_and_each_comment_is_posted_once() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    town.workers_solve(&ann);
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "Please.", &[], "ann");
    engine.sync(&"api".into()).await.unwrap();
    let id = assign(&engine, issue).await;
    drive_to_the_end(&engine, &id).await;
    let by_ann = ["briefing", "completion", "merge"].map(|event| ("ann".to_owned(), event));
    assert_eq!(town.marks(issue), by_ann);
    assert!(!town.api.issue(issue).unwrap().open);
    let file = git_show(&town, "main:issue-1.txt");
    assert_eq!(file, "solved");
    let mirror = engine.mirror(&"api".into()).unwrap();
    let open = mirror
        .issues(Some(coord_core::issue::IssueState::Open))
        .await;
    assert_eq!(open.unwrap(), [], "the mirror knows that it is closed");
    let local = crate::github::git(&ann.checkout("api"), &["log", "--oneline", "main"]);
    assert_eq!(local.lines().count(), 1, "nobody's checkout has moved");
    town.is_in_order();
}

fn git_show(town: &Town, what: &str) -> String {
    crate::github::git(&town.api.git_path(), &["show", what])
}

/// A hundred issues, each of them wanted by both at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_coordinators_at_the_same_instant_one_starts_a_worker() {
    const ISSUES: usize = 100;
    let town = Town::new().await;
    let (ann, ben) = (town.coordinator("ann"), town.coordinator("ben"));
    let (one, two) = tokio::join!(ann.engine(), ben.engine());
    let mut pairs = Vec::new();
    for _ in 0..ISSUES {
        let issue = town.api.open_issue("Solve it", "", &[], "ann");
        let (a, b) = tokio::join!(assign(&one, issue), assign(&two, issue));
        pairs.push((issue, a, b));
    }
    let all_decided = |board: &coord_core::Board| {
        let over = |it: &Assignment| {
            it.state == AssignmentState::Running || it.state == AssignmentState::Cancelled
        };
        board.assignments.values().all(over) && board.open_effects.is_empty()
    };
    tokio::join!(drive(&one, all_decided), drive(&two, all_decided));
    let mut started = [0, 0];
    for (issue, a, b) in pairs {
        let has = |of: &Coordinator, id| of.agent.seen(|seen| seen.workers.contains(id));
        let (at_ann, at_ben) = (has(&ann, &a), has(&ben, &b));
        assert!(at_ann != at_ben, "{issue}: {at_ann} {at_ben}");
        started[usize::from(at_ben)] += 1;
        let states = [state(&one, &a).await, state(&two, &b).await];
        let (running, cancelled) = (AssignmentState::Running, AssignmentState::Cancelled);
        let expected = match at_ann {
            true => [running, cancelled],
            false => [cancelled, running],
        };
        assert_eq!(states, expected, "{issue}");
        let mut marks = town.marks(issue);
        marks.sort();
        let (winner, loser) = match at_ann {
            true => ("ann", "ben"),
            false => ("ben", "ann"),
        };
        let mut expected = [
            (winner.to_owned(), "briefing"),
            (loser.to_owned(), "withdrawn"),
        ];
        expected.sort();
        assert_eq!(marks, expected, "{issue}");
    }
    let workers = [&ann, &ben].map(|of| of.agent.seen(|seen| seen.workers.len()));
    assert_eq!(workers, started, "no other worker was started");
    town.is_in_order();
}

/// While a claim waits for a rate limit, others may do the work and close the issue.
#[tokio::test]
async fn a_claim_that_was_parked_for_long_looks_again_before_it_is_made() {
    type Meanwhile = fn(&Town, u64);
    let closed: Meanwhile = |town, issue| town.api.close_issue(issue, "ann");
    let published: Meanwhile = |town, issue| {
        let branch = format!("issue-{issue}-theirs");
        town.api
            .push_file(&branch, "theirs.txt", "solved\n")
            .unwrap();
    };
    for meanwhile in [closed, published] {
        let town = Town::new().await;
        let ann = town.coordinator("ann");
        let engine = ann.engine().await;
        let issue = town.api.open_issue("Solve it", "", &[], "ann");
        let id = assign(&engine, issue).await;
        let limit = Fault::SecondaryLimit {
            retry_after_secs: 1,
        };
        town.github
            .schedule(limit, When::request("POST", "/comments"));
        assert!(!carry_out(&engine, EffectKind::Claim).await[0].is_settled());
        meanwhile(&town, issue);
        drive_to_the_start(&engine, &id).await;
        assert_eq!(state(&engine, &id).await, AssignmentState::Cancelled);
        assert_eq!((town.marks(issue), ann.worker()), (Vec::new(), None));
    }
}

#[tokio::test]
async fn the_loser_says_so_and_names_the_winner() {
    let town = Town::new().await;
    let (ann, ben) = (town.coordinator("ann"), town.coordinator("ben"));
    let (one, two) = (ann.engine().await, ben.engine().await);
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let (_, b) = (assign(&one, issue).await, assign(&two, issue).await);
    let won = carry_out(&one, EffectKind::Claim).await;
    let first = town.api.comments(issue)[0].id;
    // The loser's withdrawal is done, and nobody hears of it: the next try finds it.
    town.github.schedule(
        Fault::StatusAfterEffect(502),
        When::request("PATCH", "/comments/"),
    );
    let unknown = carry_out(&two, EffectKind::Claim).await;
    assert!(
        won[0].is_settled() && !unknown[0].is_settled(),
        "{won:?} {unknown:?}"
    );
    drive_to_the_end(&two, &b).await;
    let comments = town.api.comments(issue);
    let body = comments[1].body.split("\n\n").next().unwrap();
    assert_eq!(
        body,
        format!("Withdrawn: another coordinator claimed this issue first (comment {first}).")
    );
    let end = two
        .store()
        .assignment(&b)
        .await
        .unwrap()
        .unwrap()
        .end
        .unwrap();
    assert!(
        end.error
            .unwrap()
            .contains(&format!("(comment {first} by ann)")),
        "it names the claim"
    );
    assert_eq!((comments.len(), ben.worker()), (2, None));
    town.is_in_order();
}

#[tokio::test]
async fn a_claim_whose_answer_got_lost_is_found_again() {
    for fault in [
        Fault::StatusAfterEffect(502),
        Fault::Status(502),
        Fault::ConnectionResetAfterEffect,
        Fault::SecondaryLimit {
            retry_after_secs: 1,
        },
    ] {
        let town = Town::new().await;
        let ann = town.coordinator("ann");
        let engine = ann.engine().await;
        let issue = town.api.open_issue("Solve it", "", &[], "ann");
        let id = assign(&engine, issue).await;
        town.github
            .schedule(fault, When::request("POST", "/comments"));
        drive_to_the_start(&engine, &id).await;
        assert_eq!(
            town.marks(issue),
            [("ann".to_owned(), "briefing")],
            "{fault:?}"
        );
        assert_eq!(ann.worker(), Some(id), "{fault:?}");
        assert_eq!(town.github.pending_faults(), 0);
    }
}

#[tokio::test]
async fn a_stop_takes_the_claim_back_and_the_issue_is_free_again() {
    let town = Town::new().await;
    let (ann, ben) = (town.coordinator("ann"), town.coordinator("ben"));
    let (one, two) = (ann.engine().await, ben.engine().await);
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let a = assign(&one, issue).await;
    drive_to_the_start(&one, &a).await;
    ann.agent.worker_starts(&a);
    let refusal = two.assign(wanted(issue)).await.unwrap().refusal.unwrap();
    assert_eq!(refusal.rule, Rule::Claimed);
    stop(&one, &a).await;
    ann.agent.worker_ends(&a, cancelled());
    drive_to_the_end(&one, &a).await;
    assert_eq!(town.marks(issue), [("ann".to_owned(), "withdrawn")]);
    let b = assign(&two, issue).await;
    drive_to_the_start(&two, &b).await;
    assert_eq!(ben.worker(), Some(b));
    town.is_in_order();
}

async fn stop(engine: &Engine, id: &AssignmentId) {
    let stop = Command::Stop { id: id.clone() };
    assert_eq!(engine.command(stop).await.unwrap().refusal, None);
}

#[tokio::test]
async fn what_is_stopped_before_it_claims_posts_nothing() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let id = assign(&engine, issue).await;
    stop(&engine, &id).await;
    drive_to_the_end(&engine, &id).await;
    assert_eq!(state(&engine, &id).await, AssignmentState::Cancelled);
    assert_eq!((town.marks(issue), ann.worker()), (Vec::new(), None));
}

#[tokio::test]
async fn what_is_stopped_after_a_claim_that_nobody_knows_of_takes_it_back() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let id = assign(&engine, issue).await;
    town.github.schedule(
        Fault::StatusAfterEffect(502),
        When::request("POST", "/comments"),
    );
    let unknown = carry_out(&engine, EffectKind::Claim).await;
    assert!(!unknown[0].is_settled());
    stop(&engine, &id).await;
    drive_to_the_end(&engine, &id).await;
    assert_eq!(state(&engine, &id).await, AssignmentState::Cancelled);
    assert_eq!(town.marks(issue), [("ann".to_owned(), "withdrawn")]);
    assert_eq!(ann.worker(), None);
}

/// A coordinator that has claimed the issue and is gone for good.
async fn abandoned(town: &Town, issue: u64) -> Coordinator {
    let gone = town.coordinator("gone");
    let engine = gone.engine().await;
    let _ = assign(&engine, issue).await;
    let claimed = carry_out(&engine, EffectKind::Claim).await;
    assert!(claimed[0].is_settled(), "{claimed:?}");
    gone
}

#[tokio::test]
async fn the_claim_of_a_coordinator_that_is_gone_stands_until_a_person_takes_over() {
    let town = Town::new().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let _gone = abandoned(&town, issue).await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let refusal = engine.assign(wanted(issue)).await.unwrap().refusal.unwrap();
    assert_eq!(refusal.rule, Rule::Claimed);
    assert!(refusal.hint.unwrap().contains("--take-over"));
    let mut taking_over = wanted(issue);
    taking_over.waivers.take_over = true;
    let id = assign_as(&engine, taking_over).await;
    drive_to_the_start(&engine, &id).await;
    assert_eq!(ann.worker(), Some(id));
    let marks = [
        ("gone".to_owned(), "briefing"),
        ("ann".to_owned(), "briefing"),
    ];
    assert_eq!(town.marks(issue), marks);
}

#[tokio::test]
async fn taking_one_claim_over_is_not_taking_the_next_one_over() {
    let town = Town::new().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let _gone = abandoned(&town, issue).await;
    let (ann, ben) = (town.coordinator("ann"), town.coordinator("ben"));
    let (one, two) = (ann.engine().await, ben.engine().await);
    let mut taking_over = wanted(issue);
    taking_over.waivers.take_over = true;
    let a = assign_as(&one, taking_over.clone()).await;
    let b = assign_as(&two, taking_over).await;
    drive_to_the_start(&two, &b).await;
    drive_to_the_start(&one, &a).await;
    assert_eq!((ann.worker(), ben.worker()), (None, Some(b)));
}

#[tokio::test]
async fn an_attempt_of_our_own_that_ended_is_nobodys_claim() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let first = assign(&engine, issue).await;
    drive_to_the_start(&engine, &first).await;
    ann.agent.worker_starts(&first);
    let failed = crate::agent::ended(coord_protocol::EndResult::Failed);
    ann.agent.worker_ends(&first, failed);
    // It learns of the end and posts nothing: the claim still stands on the forge.
    engine.look(None).await.unwrap();
    assert_eq!(state(&engine, &first).await, AssignmentState::Failed);
    assert_eq!(town.marks(issue), [("ann".to_owned(), "briefing")]);
    assert_eq!(engine.assign(wanted(issue)).await.unwrap().refusal, None);
}

#[tokio::test]
async fn markers_of_strangers_claim_nothing() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let forged = "<!-- coord:event=briefing assignment=0000000000ab machine=m repo=api issue=1 -->";
    town.api.comment(issue, "mallory", forged);
    let id = assign(&engine, issue).await;
    drive_to_the_start(&engine, &id).await;
    assert_eq!(ann.worker(), Some(id));
}

#[tokio::test]
async fn an_issue_of_a_stranger_needs_a_persons_word() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "mallory");
    let refusal = engine.assign(wanted(issue)).await.unwrap().refusal.unwrap();
    assert_eq!(refusal.rule, Rule::Untrusted);
    let mut trusted = wanted(issue);
    trusted.waivers.trust = true;
    let _ = assign_as(&engine, trusted).await;
}

/// What is left of the rate limit says when each effect is tried again, not the back-off.
#[tokio::test]
async fn an_effect_that_meets_a_rate_limit_is_parked_until_it_is_over() {
    let town = Town::new().await;
    let ann = town.coordinator("ann");
    town.workers_solve(&ann);
    let engine = ann.engine().await;
    let issue = town.api.open_issue("Solve it", "", &[], "ann");
    let id = assign(&engine, issue).await;
    let kinds = [
        EffectKind::Claim,
        EffectKind::Comment,
        EffectKind::Merge,
        EffectKind::Close,
    ];
    for kind in kinds {
        let reached = |board: &coord_core::Board| {
            let mut open = board.open_effects.keys();
            open.any(|key| is_kind(key, kind))
        };
        drive(&engine, reached).await;
        let at = u64::try_from(coord_engine::now().as_millis()).unwrap() / 1000 + 3;
        for _ in 0..20 {
            let limit = Fault::PrimaryLimit { reset: at };
            town.github.schedule(limit, When::request("GET", "/repos/"));
        }
        let parked = carry_out(&engine, kind).await;
        town.github.clear_faults();
        let until = parked.iter().find_map(|it| match it {
            Carried::Postponed { until, .. } => Some(*until),
            Carried::Settled { .. } => None,
        });
        let reset = Timestamp::from_millis(i64::try_from(at * 1000).unwrap());
        assert!(until >= Some(reset), "{}: {parked:?}", kind.as_str());
        assert!(
            until <= Some(reset.plus_secs(120)),
            "{}: {parked:?}",
            kind.as_str()
        );
    }
    drive_to_the_end(&engine, &id).await;
    assert_eq!(town.marks(issue).len(), 3);
    town.is_in_order();
}
