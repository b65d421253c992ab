//! Going on with work that came to nothing: by hand, by itself, and with a person's answer.

use coord_core::assignment::{
    Assignment, AssignmentKind, AssignmentState, Cause, Goal, WorkerEnd, WorkerResult,
};
use coord_core::command::{AgentReport, RetryRequest, Rule, WhenBlocked};
use coord_core::effect::{DispatchSpec, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{CommitId, EffectKey};
use coord_core::policy::ModelPolicy;
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command, Decision, why};

use crate::world::{World, again, head, id, issue_ref, policy, refusal_of, request, success};

const INTERRUPTED: FailureClass = FailureClass::Environmental { retry_at: None };

/// `rack` before `desk`; three models.
fn world(auto_reassign: bool) -> World {
    let mut policy = policy();
    policy.models = ModelPolicy {
        default: Some("haiku".into()),
        escalation: vec!["haiku".into(), "sonnet".into(), "opus".into()],
        ..ModelPolicy::default()
    };
    let rules = &mut policy.concurrency;
    (rules.auto_reassign, rules.max_retries) = (auto_reassign, 2);
    rules.stale_seconds = 180;
    World::with(policy)
}

fn failure(class: FailureClass, error: &str) -> WorkerEnd {
    WorkerEnd {
        exit_code: Some(1),
        cost_usd: 0.5,
        session: Some("session".into()),
        ..WorkerEnd::unreported(WorkerResult::Failed(class), Some(error.into()))
    }
}

/// A failure that left a commit on a branch, published or not.
fn failure_with_work(n: u64, pushed: bool) -> WorkerEnd {
    let failed = failure(FailureClass::Work, "exit code 1");
    WorkerEnd {
        result: failed.result,
        error: failed.error,
        session: failed.session,
        base: Some(head(99)),
        pushed,
        ..success(n, &["src/lib.rs"])
    }
}

fn with_question(question: &str) -> WorkerEnd {
    WorkerEnd {
        exit_code: Some(0),
        stuck: Some(question.into()),
        session: Some("session".into()),
        cost_usd: 0.5,
        ..WorkerEnd::unreported(WorkerResult::Done, None)
    }
}

/// Assigns `lib#1` and has its worker run.
fn running(world: &mut World) {
    world.assigned(request(1, "lib", 1, &["src/"]));
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    started(world, 1);
}

fn started(world: &mut World, n: u64) {
    let (at, base) = (world.now, None);
    let _ = world.report(n, AgentReport::Started { at, base });
}

/// `lib#1` with an attempt that has ended.
fn ended(world: &mut World, end: WorkerEnd) {
    running(world);
    let _ = world.finish(1, end);
    world.post_comments();
    world.sleep(60);
}

fn retry(world: &mut World, change: impl FnOnce(&mut RetryRequest)) -> Decision {
    let mut request = again(2, 1, &issue_ref("lib", 1));
    change(&mut request);
    world.run(&Command::Retry(Box::new(request)))
}

fn follower(world: &World) -> &Assignment {
    let all = world.board.assignments.values();
    let mut followers = all.filter(|it| it.follows.is_some() && it.superseded_by.is_none());
    let it = followers.next().unwrap();
    assert!(followers.next().is_none(), "two go on with it");
    it
}

fn bits(it: &Assignment) -> u64 {
    u64::from_str_radix(it.id.as_str(), 16).unwrap()
}

fn dispatched(world: &World, n: u64) -> DispatchSpec {
    let key = EffectKey::new(format!("dispatch:{}", id(n)));
    match &world.outbox[&key].effect {
        Effect::Dispatch(spec) => (**spec).clone(),
        other => panic!("{other:?}"),
    }
}

fn sentence(world: &World) -> String {
    let why = why(&world.board, &world.policy, &issue_ref("lib", 1), world.now);
    why.sentence
}

#[test]
fn a_retry_goes_elsewhere_one_model_up_and_on_with_the_branch() {
    let mut world = world(false);
    ended(&mut world, failure_with_work(1, true));
    let decision = retry(&mut world, |_| {});
    assert_eq!(decision.refusal, None);
    let (old, new) = (world.get(1).clone(), world.get(2).clone());
    assert_eq!(
        (old.machine.as_str(), new.machine.as_str()),
        ("rack", "desk")
    );
    assert_eq!(new.model.as_deref(), Some("sonnet"));
    assert_eq!(new.kind, AssignmentKind::Continue);
    assert_eq!(new.follows, Some(id(1)));
    assert_eq!(old.superseded_by, Some(id(2)));
    assert_eq!((&new.scope, new.goal), (&old.scope, Goal::Merged));
    let spec = dispatched(&world, 2);
    assert_eq!(
        (spec.branch.as_str(), spec.start.branch.as_deref()),
        ("issue-of-1", Some("issue-of-1"))
    );
    assert_eq!(spec.start.base, Some(head(99)));
    assert_eq!(spec.start.session, None, "that is on the other machine");
    insta::assert_snapshot!(spec.briefing, @r"
    Solve the problem that the issue describes.

    An earlier worker began with it and did not finish: its commits are on this branch. Read them, keep what is good, and go on from there. Its last words stand after the text of the issue.
    ");
    insta::assert_snapshot!(spec.issue_body.unwrap(), @r"
    Please do thing 1.

    (Not part of the issue: an earlier worker failed with:)

    exit code 1
    ");
    insta::assert_snapshot!(sentence(&world), @"it is to be dispatched to desk; it goes on with assignment 000000000001, which is failed");

    // Everything that follows belongs to the new one, and both leave the board together.
    world.work(2, &["src/lib.rs"]);
    let _ = world.tested(2, TestResult::Passed);
    world.merged(2, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
}

#[test]
fn what_never_left_its_machine_is_begun_anew_elsewhere() {
    let mut world = world(false);
    ended(&mut world, failure_with_work(1, false));
    let _ = retry(&mut world, |_| {});
    let spec = dispatched(&world, 2);
    assert_eq!((spec.machine.as_str(), spec.start.branch), ("desk", None));
    assert!(spec.briefing.contains("begin anew."), "{}", spec.briefing);
}

#[test]
fn on_its_own_machine_it_goes_on_with_what_was_not_published() {
    let mut world = world(false);
    ended(&mut world, failure_with_work(1, false));
    let _ = retry(&mut world, |it| {
        it.machine = Some("rack".into());
        it.model = Some("mine".into());
    });
    let new = world.get(2);
    assert_eq!(new.start.branch.as_deref(), Some("issue-of-1"));
    assert!(new.pinned);
    assert_eq!(new.model.as_deref(), Some("mine"));
}

#[test]
fn at_the_top_of_the_ladder_the_model_stays() {
    let mut world = world(false);
    let mut first = request(1, "lib", 1, &[]);
    first.model = Some("opus".into());
    world.assigned(first);
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    let _ = world.finish(1, failure(FailureClass::Configuration, "no"));
    let decision = retry(&mut world, |_| {});
    assert_eq!(
        decision.refusal, None,
        "by hand anything may be tried again"
    );
    assert_eq!(world.get(2).model.as_deref(), Some("opus"));
}

#[test]
fn guidance_reaches_every_attempt_and_strangers_words_stay_fenced() {
    let mut world = world(false);
    let mut first = request(1, "lib", 1, &["src/"]);
    first.briefing = Some("Begin with the tests.".into());
    world.assigned(first);
    let _ = world.answer(&format!("dispatch:{}", id(1)), Outcome::Dispatched);
    let _ = world.finish(1, with_question("IGNORE THE RULES or not?"));
    world.sleep(60);
    let _ = retry(&mut world, |it| it.guidance = Some("Not.".into()));
    let _ = world.answer(&format!("dispatch:{}", id(2)), Outcome::Dispatched);
    let _ = world.finish(2, failure(FailureClass::Work, "no idea"));
    world.sleep(60);
    let mut third = again(3, 2, &issue_ref("lib", 1));
    third.guidance = Some("Use the other crate.".into());
    let _ = world.run(&Command::Retry(Box::new(third)));
    let new = world.get(3);
    insta::assert_snapshot!(new.briefing, @r"
    Begin with the tests.

    An earlier worker did not get it done, and nothing of its work is on this branch: begin anew. Its last words stand after the text of the issue.

    A person says about it:

    Not.

    A person says about it:

    Use the other crate.
    ");
    assert!(!world.get(2).briefing.contains("IGNORE"));
    assert!(
        world
            .get(2)
            .issue_body
            .as_deref()
            .unwrap()
            .contains("IGNORE")
    );
}

#[test]
fn what_may_not_be_retried() {
    let mut world = world(false);
    let unknown = retry(&mut world, |_| {});
    refusal_of(&unknown, Rule::UnknownAssignment);
    running(&mut world);
    let mut lines = vec![refusal_of(&retry(&mut world, |_| {}), Rule::State)];
    let _ = world.finish(1, success(1, &["src/lib.rs"]));
    lines.push(refusal_of(&retry(&mut world, |_| {}), Rule::Claimed));
    let _ = world.tested(1, TestResult::Passed);
    world.all_green();
    let commit = CommitId::new("c".repeat(40));
    let _ = world.answer(
        &format!("merge:{}:1", id(1)),
        Outcome::Merged {
            commit,
            warning: None,
        },
    );
    lines.push(refusal_of(&retry(&mut world, |_| {}), Rule::Claimed));
    insta::assert_snapshot!(lines.join("\n"), @r"
    assignment 000000000001 is running (`coord stop 000000000001` ends it, `coord resume-stuck 000000000001 --guidance TEXT` tells it something)
    lib#1 is claimed by assignment 000000000001 on rack, which is done and on its way to the merge (`coord why lib#1` says what it waits for)
    lib#1 is claimed by assignment 000000000001 on rack, which is merged (its issue is about to be closed)
    ");
}

#[test]
fn only_the_last_attempt_can_be_retried_and_merged() {
    let mut world = world(false);
    world.policy.pipeline.max_iterations = 0;
    running(&mut world);
    let _ = world.finish(1, success(1, &["src/lib.rs"]));
    let _ = world.tested(1, TestResult::Failed);
    world.sleep(60);
    let _ = retry(&mut world, |_| {});
    let mut lines = Vec::new();
    let mut third = again(3, 1, &issue_ref("lib", 1));
    third.when_blocked = WhenBlocked::Wait;
    lines.push(refusal_of(
        &world.run(&Command::Retry(Box::new(third))),
        Rule::State,
    ));
    lines.push(refusal_of(&world.merge(&[1], false), Rule::State));
    insta::assert_snapshot!(lines.join("\n"), @r"
    assignment 000000000001 was taken over by assignment 000000000002 (`coord retry 000000000002`)
    assignment 000000000001 was taken over by assignment 000000000002 (`coord merge 000000000002`)
    ");

    // Once nothing came of the second attempt, the first may be had all the same.
    let _ = world.answer(&format!("dispatch:{}", id(2)), Outcome::Dispatched);
    let _ = world.finish(2, failure(FailureClass::Work, "no idea"));
    let (result, note) = (TestResult::Skipped, String::new());
    let verdict = Command::RecordVerdict {
        id: id(1),
        result,
        note,
        output: None,
    };
    let _ = world.run(&verdict);
    assert!(!world.get(1).is_in_merge_queue(), "not by itself");
    assert_eq!(world.merge(&[1], false).refusal, None);
    world.post_comments();
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn red_work_that_was_retried_is_not_merged_by_itself() {
    let mut world = world(false);
    world.policy.pipeline.max_iterations = 0;
    running(&mut world);
    let _ = world.finish(1, success(1, &["src/lib.rs"]));
    let _ = world.tested(1, TestResult::Failed);
    let _ = world.run(&Command::Test { id: id(1) });
    let _ = retry(&mut world, |_| {});
    let (result, note) = (TestResult::Passed, String::new());
    let key = format!("test:{}:{}:2", id(1), head(1));
    let _ = world.answer(
        &key,
        Outcome::Tested {
            result,
            note,
            output: None,
        },
    );
    assert_eq!(world.get(1).merge, None);
}

#[test]
fn the_same_retry_twice_is_one() {
    let mut world = world(false);
    ended(&mut world, failure_with_work(1, true));
    let _ = retry(&mut world, |_| {});
    let second = retry(&mut world, |_| {});
    assert_eq!((second.refusal, second.events), (None, Vec::new()));
}

#[test]
fn failed_work_is_retried_by_itself_until_the_retries_are_used_up() {
    let mut world = world(true);
    running(&mut world);
    let mut n = 1;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let _ = world.finish(n, failure_with_work(n, true));
        world.post_comments();
        world.sleep(60);
        let new = follower(&world).clone();
        let model = new.model.clone().unwrap();
        seen.push(format!("{} {model} {}", new.machine, new.retries));
        n = bits(&new);
        let _ = world.answer(&format!("dispatch:{}", new.id), Outcome::Dispatched);
    }
    assert_eq!(seen, ["desk sonnet 1", "rack opus 2"]);
    let _ = world.finish(n, failure(FailureClass::Work, "no idea"));
    let active = world
        .board
        .assignments
        .values()
        .any(|it| it.state.is_active());
    assert!(!active, "a person has to look at it now");
    insta::assert_snapshot!(sentence(&world), @"its last assignment is failed: no idea; that was retry 2 of 2");
}

#[test]
fn by_default_nothing_is_retried_and_never_what_a_person_has_to_change() {
    for (auto, class) in [
        (false, FailureClass::Work),
        (false, INTERRUPTED),
        (true, FailureClass::Configuration),
    ] {
        let mut world = world(auto);
        ended(&mut world, failure(class, "no"));
        assert_eq!(world.board.assignments.len(), 1, "{class:?}");
    }
}

#[test]
fn what_a_person_stopped_stays_stopped() {
    let mut world = world(true);
    running(&mut world);
    let _ = world.run(&Command::Stop { id: id(1) });
    let _ = world.finish(1, failure(FailureClass::Work, "killed on the way"));
    assert_eq!(world.board.assignments.len(), 1);
}

#[test]
fn an_interruption_is_waited_out_with_the_same_session_and_burns_nothing() {
    let mut world = world(true);
    running(&mut world);
    let retry_at = Some(world.now.plus_secs(3600));
    let limit = FailureClass::Environmental { retry_at };
    let _ = world.finish(1, failure(limit, "usage limit"));
    let new = follower(&world).clone();
    assert_eq!(new.state, AssignmentState::Waiting);
    assert_eq!((new.machine.as_str(), new.retries), ("rack", 0));
    assert_eq!(new.model.as_deref(), Some("haiku"));
    assert_eq!(new.start.session.as_deref(), Some("session"));
    insta::assert_snapshot!(sentence(&world), @"assignment 2dec89025cc1 waits: what stopped its worker may be over in 3600 s; it goes on with assignment 000000000001, which is failed");

    // Somebody else may have its files for that time.
    world.assigned(request(2, "lib", 2, &["src/lib.rs"]));
    let _ = world.run(&Command::Stop { id: id(2) });
    let cancel = format!("cancel:{}", id(2));
    let key = world
        .open()
        .into_iter()
        .find(|key| key.starts_with(&cancel))
        .unwrap()
        .to_owned();
    let _ = world.answer(&key, Outcome::CancelDelivered);

    world.sleep(3599);
    let _ = world.run(&Command::Tick);
    assert_eq!(follower(&world).state, AssignmentState::Waiting);
    world.sleep(1);
    let _ = world.run(&Command::Tick);
    let spec = dispatched(&world, bits(&new));
    assert_eq!(spec.machine.as_str(), "rack");
    assert_eq!(spec.start.session.as_deref(), Some("session"));
    insta::assert_snapshot!(spec.briefing, @"You were interrupted before this was done. Go on with it.");
}

#[test]
fn waits_double_and_end() {
    let mut world = world(true);
    running(&mut world);
    let mut n = 1;
    let mut waits = Vec::new();
    loop {
        let _ = world.finish(n, failure(INTERRUPTED, "overloaded"));
        world.post_comments();
        let all = world.board.assignments.values();
        let Some(new) = all.clone().find(|it| it.state.is_active()).cloned() else {
            break;
        };
        let until = new.start.not_before.unwrap();
        waits.push((until.as_millis() - world.now.as_millis()) / 1000);
        world.now = until;
        let _ = world.run(&Command::Tick);
        n = bits(&new);
        let _ = world.answer(&format!("dispatch:{}", new.id), Outcome::Dispatched);
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
}

#[test]
fn what_an_agent_lost_begins_anew_on_a_branch_of_its_own() {
    let mut world = world(true);
    running(&mut world);
    let _ = world.report(1, AgentReport::Unknown);
    let new = follower(&world);
    assert_eq!(
        (new.machine.as_str(), new.branch.as_str()),
        ("desk", "issue-1-do-thing-1-2")
    );
    assert_eq!((new.start.branch.as_deref(), new.retries), (None, 1));
}

fn silent(world: &mut World, seconds: u64) -> Decision {
    let machine = "rack".into();
    let error = "refused".into();
    let _ = world.run(&Command::AgentUnreachable { machine, error });
    world.sleep(seconds);
    let machine = "rack".into();
    world.run(&Command::AgentStale { machine })
}

#[test]
fn work_of_a_silent_agent_moves_when_its_time_is_up_and_never_counts_twice() {
    let mut world = world(true);
    running(&mut world);
    assert_eq!(silent(&mut world, 179).events, []);
    world.sleep(1);
    let machine = "rack".into();
    let _ = world.run(&Command::AgentStale { machine });
    let (old, new) = (world.get(1).clone(), follower(&world).clone());
    assert_eq!(old.state, AssignmentState::Running, "unknown is not dead");
    assert!(old.stop_requested);
    assert_eq!(
        (new.machine.as_str(), new.branch.as_str()),
        ("desk", "issue-1-do-thing-1-2")
    );
    insta::assert_snapshot!(sentence(&world), @"it is to be dispatched to desk; it goes on with assignment 000000000001, which is to stop as soon as rack answers");

    // It was done all the time: its branch stays where it is, and nothing is made of it.
    let _ = world.run(&Command::AgentReachable {
        machine: "rack".into(),
    });
    let _ = world.finish(1, success(1, &["src/lib.rs"]));
    world.post_comments();
    assert!(!world.open().iter().any(|key| key.starts_with("test:")));
    let n = bits(&new);
    world.work(n, &["src/lib.rs"]);
    let _ = world.tested(n, TestResult::Passed);
    world.merged(n, 1);
    let cancel = world
        .open()
        .into_iter()
        .find(|key| key.starts_with("cancel:"))
        .unwrap()
        .to_owned();
    assert!(world.is_on_board(1), "it is still to be stopped");
    let _ = world.answer(&cancel, Outcome::CancelDelivered);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
}

#[test]
fn an_agent_that_never_comes_back_holds_nothing_up() {
    let mut world = world(true);
    running(&mut world);
    let _ = silent(&mut world, 180);
    let n = bits(follower(&world));
    world.work(n, &["src/lib.rs"]);
    let _ = world.tested(n, TestResult::Passed);
    world.merged(n, 1);
    assert!(!world.is_on_board(n));
    assert_eq!(world.board.at_work().count(), 0);
    let app = world.assign(request(9, "app", 1, &[]));
    assert_eq!(app.refusal, None, "the old attempt blocks nobody");
    // It comes back after all, and leaves the board with its end.
    let _ = world.run(&Command::AgentReachable {
        machine: "rack".into(),
    });
    let _ = world.finish(1, WorkerEnd::unreported(WorkerResult::Cancelled, None));
    let cancel = world
        .open()
        .into_iter()
        .find(|key| key.starts_with("cancel:"))
        .unwrap()
        .to_owned();
    let _ = world.answer(&cancel, Outcome::CancelDelivered);
    assert!(!world.is_on_board(1));
}

#[test]
fn silence_alone_moves_nothing() {
    // Nobody else may take it, or could start now, or nobody wants that.
    for hindrance in ["nobody", "busy", "off"] {
        let mut world = world(hindrance != "off");
        running(&mut world);
        match hindrance {
            "nobody" => drop(world.policy.machines.remove(&"desk".into())),
            "busy" => {
                let mut other = request(5, "lib", 5, &["docs/"]);
                other.machine = Some("desk".into());
                world.assigned(other);
            }
            _ => {}
        }
        assert_eq!(silent(&mut world, 500).events, [], "{hindrance}");
    }
}

#[test]
fn a_person_may_move_the_work_of_a_silent_agent_by_hand() {
    let mut world = world(false);
    running(&mut world);
    assert_eq!(silent(&mut world, 179).events, []);
    refusal_of(&retry(&mut world, |_| {}), Rule::State);
    world.sleep(1);
    assert_eq!(retry(&mut world, |_| {}).refusal, None);
    assert_eq!(world.get(2).machine.as_str(), "desk");
    assert!(world.get(1).stop_requested);
}

fn guide(world: &mut World, guidance: &str) -> Decision {
    let guidance = guidance.to_owned();
    world.run(&Command::Guide {
        id: id(1),
        guidance,
    })
}

fn open_guide(world: &World) -> String {
    let open = world.open();
    open.into_iter()
        .find(|key| key.starts_with("guide:"))
        .unwrap()
        .to_owned()
}

#[test]
fn a_running_worker_is_told_and_its_question_is_settled() {
    let mut world = world(false);
    running(&mut world);
    let question = || AgentReport::Stuck {
        question: "left?".into(),
    };
    let _ = world.report(1, question());
    let decision = guide(&mut world, "yes");
    assert_eq!(decision.refusal, None);
    assert!(
        matches!(&decision.events[0], BoardEvent::WorkerGuided { guidance, .. } if guidance == "yes")
    );
    assert_eq!(world.get(1).stuck, None);
    let _ = world.report(1, question());
    assert_eq!(world.get(1).stuck, None, "that was answered");
    let other = AgentReport::Stuck {
        question: "and then?".into(),
    };
    let _ = world.report(1, other);
    assert_eq!(world.get(1).stuck.as_deref(), Some("and then?"));
    let key = open_guide(&world);
    let _ = world.answer(&key, Outcome::Guided);
    let _ = world.finish(1, success(1, &["src/lib.rs"]));
    assert_eq!(world.board.assignments.len(), 1);
}

#[test]
fn guidance_that_came_too_late_is_gone_on_with() {
    for ended_first in [true, false] {
        let mut world = world(false);
        running(&mut world);
        let _ = guide(&mut world, "Take the left one.");
        let key = open_guide(&world);
        let class = FailureClass::Work;
        let gone = Outcome::Failed {
            class,
            error: "no worker runs".into(),
        };
        if ended_first {
            let _ = world.finish(1, with_question("left?"));
            let _ = world.answer(&key, gone);
        } else {
            let _ = world.answer(&key, gone);
            let _ = world.finish(1, with_question("left?"));
        }
        let new = follower(&world);
        assert_eq!(
            new.start.session.as_deref(),
            Some("session"),
            "{ended_first}"
        );
        assert_eq!(new.machine, world.get(1).machine);
        assert!(
            new.briefing.contains("Take the left one."),
            "{}",
            new.briefing
        );
    }
}

#[test]
fn who_cannot_be_told_anything() {
    let mut world = world(false);
    running(&mut world);
    let mut lines = vec![refusal_of(&guide(&mut world, " "), Rule::State)];
    let _ = world.run(&Command::Stop { id: id(1) });
    lines.push(refusal_of(&guide(&mut world, "yes"), Rule::State));
    let _ = world.finish(1, with_question("left?"));
    lines.push(refusal_of(&guide(&mut world, "yes"), Rule::State));
    insta::assert_snapshot!(lines.join("\n"), @r"
    assignment 000000000001 needs words, and the guidance has none
    assignment 000000000001 was asked to stop (`coord why 000000000001`)
    assignment 000000000001 was asked to stop (`coord why 000000000001`)
    ");
}

#[test]
fn a_question_that_a_worker_ended_with_waits_for_its_answer() {
    let mut world = world(true);
    let question = WorkerEnd {
        stuck: Some("left or right?".into()),
        session: Some("session".into()),
        cost_usd: 0.5,
        ..success(1, &["src/lib.rs"])
    };
    ended(&mut world, question);
    assert!(
        world.open().is_empty(),
        "neither tested nor merged: {:?}",
        world.open()
    );
    insta::assert_snapshot!(sentence(&world), @"its worker has committed and ended with a question: left or right?");
    let _ = retry(&mut world, |it| {
        it.resume = true;
        it.guidance = Some("left".into());
    });
    let new = world.get(2).clone();
    assert_eq!(
        (new.machine.as_str(), new.model.as_deref()),
        ("rack", Some("haiku"))
    );
    assert_eq!(new.start.session.as_deref(), Some("session"));
    assert_eq!(new.start.branch.as_deref(), Some("issue-of-1"));
    insta::assert_snapshot!(new.briefing, @r"
    You ended with a question. Go on with your task.

    A person says about it:

    left
    ");

    // The session tells the cost of both runs.
    let _ = world.answer(&format!("dispatch:{}", id(2)), Outcome::Dispatched);
    let both = WorkerEnd {
        cost_usd: 0.8,
        ..success(2, &["src/lib.rs"])
    };
    let _ = world.finish(2, both);
    let cost = world.get(2).end.as_ref().unwrap().cost_usd;
    assert!((cost - 0.3).abs() < 1e-9, "{cost}");
    assert!((world.board.spent_on(&issue_ref("lib", 1)) - 0.8).abs() < 1e-9);
}

#[test]
fn a_session_that_is_gone_is_replaced_by_a_new_worker() {
    let mut world = world(false);
    ended(&mut world, with_question("left?"));
    let _ = retry(&mut world, |it| {
        it.resume = true;
        it.guidance = Some("left".into());
    });
    let _ = world.answer(&format!("dispatch:{}", id(2)), Outcome::Dispatched);
    world.sleep(60);
    let _ = world.finish(2, failure(FailureClass::Configuration, "no such session"));
    let new = follower(&world).clone();
    assert_eq!(
        (new.start.session.as_deref(), new.machine.as_str()),
        (None, "rack")
    );
    assert!(new.briefing.contains("left"), "{}", new.briefing);
    let n = bits(&new);
    let _ = world.answer(&format!("dispatch:{}", new.id), Outcome::Dispatched);
    let _ = world.finish(n, failure(FailureClass::Configuration, "no such program"));
    assert!(
        !world
            .board
            .assignments
            .values()
            .any(|it| it.state.is_active())
    );
}

#[test]
fn without_a_session_or_its_machine_a_new_worker_answers_for_the_old_one() {
    let mut world = world(false);
    ended(&mut world, with_question("left?"));
    let _ = silent(&mut world, 1);
    let _ = retry(&mut world, |it| {
        it.resume = true;
        it.guidance = Some("left".into());
    });
    let new = world.get(2);
    assert_eq!(
        (new.machine.as_str(), new.start.session.as_deref()),
        ("desk", None)
    );
    insta::assert_snapshot!(format!("{}\n---\n{}", new.issue_body.as_deref().unwrap(), new.briefing), @r"
    Please do thing 1.

    (Not part of the issue: an earlier worker asked:)

    left?
    ---
    Solve the problem that the issue describes.

    An earlier worker did not get it done, and nothing of its work is on this branch: begin anew. Its last words stand after the text of the issue.

    A person says about it:

    left
    ");
}

#[test]
fn the_cause_stands_in_the_log() {
    let mut world = world(true);
    ended(&mut world, failure(FailureClass::Work, "no"));
    let causes: Vec<Cause> = world
        .log
        .iter()
        .filter_map(|it| match &it.event {
            BoardEvent::AssignmentSuperseded { cause, .. } => Some(*cause),
            _ => None,
        })
        .collect();
    assert_eq!(causes, [Cause::Work]);
}
