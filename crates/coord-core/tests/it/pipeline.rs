//! The way of a finished branch: what is begun, in which order, and what stops it.

use coord_core::assignment::{Assignment, AssignmentKind, Goal, MergeMethod, WorkerEnd};
use coord_core::command::ServeRequest;
use coord_core::delivery::PullAuthor;
use coord_core::effect::{CombinedResult, Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::EffectKey;
use coord_core::policy::CapabilityRule;
use coord_core::verdict::{ReviewResult, TestResult};
use coord_core::{Board, BoardEvent, Command, Decision, Recorded};

use crate::world::{World, answered, commit, failed, green, head, id, policy, request};

const INTERRUPTED: FailureClass = FailureClass::Environmental { retry_at: None };

fn want_pull(world: &mut World, n: u64, author: PullAuthor, review: bool) -> Decision {
    let id = id(n);
    world.run(&Command::OpenPull { id, author, review })
}

/// The first words of what is open, and comments left out.
fn kinds_open(world: &World) -> Vec<&str> {
    let open = world.open().into_iter();
    let words = open.filter_map(|key| Some(key.split_once(':')?.0));
    words.filter(|word| *word != "comment").collect()
}

#[test]
fn from_the_worker_to_the_base_one_step_after_the_other() {
    let mut policy = policy();
    policy.repos.get_mut(&"lib".into()).unwrap().shared = true;
    policy.reviews.enabled = true;
    policy.reviews.auto_dispatch = true;
    policy.reviews.require_approval = true;
    let mut world = World::with(policy);
    world.assigned(request(1, "lib", 1, &["src/"]));
    let mut lines = Vec::new();
    let mut say = |world: &World| {
        let kinds = kinds_open(world).join(" ");
        lines.push(format!("{kinds:<8} {}", world.why("lib", 1)));
    };
    let _ = world.answer(&world.key("claim", 1), Outcome::Claimed);
    world.work(1, &["src/a.rs"]);
    say(&world);
    let _ = world.tested(1, TestResult::Passed);
    say(&world);
    let _ = world.pull_opened(1);
    say(&world);
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    let _ = world.reviewed(reviewer, ReviewResult::Approve);
    say(&world);
    let (good, note) = (true, "3 checks".into());
    let _ = world.answer(&world.key("checks", 1), Outcome::ChecksRead { good, note });
    say(&world);
    let _ = world.combined(1, &[green()]);
    say(&world);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty() && world.outbox.is_empty());
    insta::assert_snapshot!(lines.join("\n"), @r"
    test     testing: 0000000000 is being tested [test]
    pull     reviewing: its pull request is being opened [forge]
    dispatch reviewing: it is being reviewed by assignment 2dec89025cc1 on desk [worker]
    checks   merging: the forge's checks of it have not ended [forge]
    combine  merging: it is tested together with its base, and with what is merged before it [test]
    merge    merging: the forge was asked to merge it [forge]
    ");
}

#[test]
fn a_goal_of_tested_ends_with_the_verdict() {
    let mut world = World::new();
    let mut short = request(1, "lib", 1, &[]);
    short.goal = Goal::Tested;
    world.assigned(short);
    world.work(1, &["a"]);
    let _ = world.tested(1, TestResult::Failed);
    assert_eq!(world.open(), [""; 0], "nobody is sent to put it right");
    let _ = world.run(&Command::Test { id: id(1) });
    let _ = world.tested(1, TestResult::Passed);
    assert_eq!(world.open(), [""; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"merging: its branch is finished and nobody asked for the merge [person]");
}

fn broken(world: &mut World, class: FailureClass) {
    let error = "killed by a signal".into();
    let key = world.key("test", 1);
    let _ = world.answer(&key, Outcome::Failed { class, error });
}

#[test]
fn a_test_that_could_not_be_run_is_begun_once_more_and_is_never_red() {
    let mut world = World::new();
    world.done(1, &["a"]);
    broken(&mut world, INTERRUPTED);
    assert_eq!(world.get(1).verdict, None);
    let again = format!("test:{}:{}:2", id(1), head(1));
    assert_eq!(world.key("test", 1), again);
    broken(&mut world, INTERRUPTED);
    assert_eq!(world.open(), [""; 0]);
    assert_eq!(
        world.board.assignments.len(),
        1,
        "nobody has to put it right"
    );
    insta::assert_snapshot!(world.why("lib", 1), @"testing: its test could not be run: killed by a signal [person]");

    // A person has it begun again, and a verdict makes it forgotten.
    let _ = world.run(&Command::Test { id: id(1) });
    let _ = world.tested(1, TestResult::Passed);
    assert_eq!(world.get(1).delivery.test_failure, None);
    assert_eq!(kinds_open(&world), ["pull"]);
}

#[test]
fn a_missing_tool_is_told_at_once() {
    let mut world = World::new();
    world.done(1, &["a"]);
    broken(&mut world, FailureClass::Configuration);
    assert_eq!(world.open(), [""; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"testing: its test could not be run: killed by a signal [person]");
}

/// `rack` has a GPU and `desk` none; what is below `kernels/` needs one.
fn smoking() -> World {
    let mut policy = policy();
    policy.smoke.is_configured = true;
    policy.smoke.auto_queue = true;
    policy.smoke.rules = vec![
        CapabilityRule {
            files: vec!["kernels/".into(), "**/*.cu".into()],
            requires: vec!["gpu".into()],
        },
        CapabilityRule {
            files: vec!["web/".into()],
            requires: vec!["browser".into(), "gpu".into()],
        },
    ];
    let rack = policy.machines.get_mut(&"rack".into()).unwrap();
    rack.capabilities = vec!["gpu".into()];
    World::with(policy)
}

fn tested_on_desk(world: &mut World, files: &[&str]) {
    let mut on_desk = request(1, "lib", 1, &[]);
    on_desk.machine = Some("desk".into());
    world.assigned(on_desk);
    world.work(1, files);
    let _ = world.tested(1, TestResult::Passed);
}

#[test]
fn what_a_rule_names_is_tried_out_where_it_can_be() {
    for (path, is_tried) in [
        ("kernels/a.c", true),
        ("src/deep/add.cu", true),
        ("src/a.rs", false),
    ] {
        let mut world = smoking();
        tested_on_desk(&mut world, &[path]);
        let machine = is_tried.then(|| {
            let smoke = world.looks_at(1, AssignmentKind::Smoke);
            world.get(smoke).machine.as_str().to_owned()
        });
        assert_eq!(machine.as_deref(), is_tried.then_some("rack"), "{path}");
        let next = if is_tried { "dispatch" } else { "pull" };
        assert_eq!(kinds_open(&world), [next], "{path}");
    }
}

#[test]
fn a_change_that_no_machine_can_try_waits_for_a_person() {
    let mut world = smoking();
    tested_on_desk(&mut world, &["web/page.html"]);
    assert_eq!(world.open(), [""; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"merging: no machine that may try it out has browser, gpu [person]");
    assert_eq!(world.merge(&[1], false).refusal, None);
    world.merged(1, 1);
}

#[test]
fn the_exit_of_the_smoke_command_is_the_verdict() {
    let mut world = smoking();
    tested_on_desk(&mut world, &["kernels/a.c"]);
    let smoke = world.looks_at(1, AssignmentKind::Smoke);
    assert_eq!(world.spec(smoke).model, None, "no model is asked");
    let _ = world.ends(smoke, failed(FailureClass::Configuration, "no driver"));
    insta::assert_snapshot!(world.why("lib", 1), @"merging: its smoke test (assignment 2dec89025cc1) came to nothing: no driver [person]");

    let by_hand = ServeRequest {
        id: id(7),
        kind: AssignmentKind::Smoke,
        about: id(1),
        machine: None,
        model: None,
    };
    let mut wrong = by_hand.clone();
    wrong.machine = Some("desk".into());
    let refused = world.run(&Command::Serve(Box::new(wrong)));
    insta::assert_snapshot!(refused.refusal.unwrap().why, @"desk has no gpu, which the change needs");
    assert_eq!(world.run(&Command::Serve(Box::new(by_hand))).refusal, None);
    let said = WorkerEnd {
        answer: Some("segfault at 0".into()),
        ..failed(FailureClass::Work, "ended with code 139")
    };
    let _ = world.ends(7, said);
    let fix = world.next_of(1);
    assert_eq!(world.get(fix).kind, AssignmentKind::Fix);
    let told = world.spec(fix);
    assert!(told.issue_body.unwrap().contains("segfault at 0"));
    assert!(!told.briefing.contains("segfault"));
}

#[test]
fn a_good_smoke_test_lets_it_pass() {
    let mut world = smoking();
    tested_on_desk(&mut world, &["kernels/a.c"]);
    let smoke = world.looks_at(1, AssignmentKind::Smoke);
    let good = answered(None);
    let _ = world.ends(smoke, good);
    assert_eq!(kinds_open(&world), ["pull"]);
    world.merged(1, 1);
    assert!(world.board.assignments.is_empty());
}

#[test]
fn who_tries_out_what_was_pushed_since_is_waited_for() {
    let mut world = smoking();
    tested_on_desk(&mut world, &["kernels/a.c"]);
    let smoke = world.looks_at(1, AssignmentKind::Smoke);
    let _ = world.ends(smoke, answered(None));
    let _ = world.pull_opened(1);
    let head = commit(0xbeef);
    let _ = world.combined(1, &[CombinedResult::HeadMoved { head }]);
    let _ = world.tested(1, TestResult::Passed);
    assert_eq!(
        kinds_open(&world),
        ["dispatch"],
        "it is not merged meanwhile"
    );
    let again = world.looks_at(1, AssignmentKind::Smoke);
    let _ = world.ends(again, answered(None));
    world.merged(1, 1);
}

fn pull_text(world: &World, n: u64) -> (String, String) {
    let key = EffectKey::from(world.key("pull", n).as_str());
    match &world.outbox[&key].effect {
        Effect::OpenPull { title, body, .. } => (title.clone(), body.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pull_request_that_a_person_wants_has_the_text_of_a_worker() {
    let mut world = World::new();
    let mut by_hand = request(1, "lib", 1, &[]);
    by_hand.goal = Goal::Worked;
    world.assigned(by_hand);
    world.work(1, &["a"]);
    assert_eq!(kinds_open(&world), [""; 0]);
    let _ = want_pull(&mut world, 1, PullAuthor::Worker, false);
    let author = world.looks_at(1, AssignmentKind::Pr);
    insta::assert_snapshot!(world.why("lib", 1), @"testing: the text of its pull request is being written by assignment 2dec89025cc1 on desk [worker]");
    let (title, body) = ("Add the thing".to_owned(), "It adds the thing.".to_owned());
    let _ = world.judged(author, Outcome::PullWritten { title, body });
    let (title, body) = pull_text(&world, 1);
    assert_eq!(
        (title.as_str(), body.as_str()),
        ("Add the thing", "It adds the thing.")
    );
    let _ = world.pull_opened(1);
    assert_eq!(world.get(1).delivery.pull, Some(100));
    assert_eq!(kinds_open(&world), [""; 0], "it was not to be reviewed");

    let again = want_pull(&mut world, 1, PullAuthor::Worker, false);
    insta::assert_snapshot!(again.refusal.unwrap().why, @"assignment 000000000001 has pull request #100 already");
    assert_eq!(
        want_pull(&mut world, 1, PullAuthor::Template, true).refusal,
        None
    );
    let reviewer = world.looks_at(1, AssignmentKind::Review);
    assert_eq!(world.spec(reviewer).serving.unwrap().pull, Some(100));
}

#[test]
fn an_author_that_is_of_no_use_twice_is_replaced_by_a_template() {
    let mut world = World::new();
    world.policy.pipeline.pull_author = PullAuthor::Worker;
    world.done(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let first = world.looks_at(1, AssignmentKind::Pr);
    let why = "no title".into();
    let _ = world.judged(first, Outcome::AnswerInvalid { why });
    let second = world.looks_at(1, AssignmentKind::Pr);
    assert_ne!(first, second);
    let _ = world.ends(second, failed(FailureClass::Work, "no idea"));
    let (title, body) = pull_text(&world, 1);
    insta::assert_snapshot!(format!("{title}\n{body}"), @r"
    Do thing 1
    The work of assignment 000000000001 on rack: 1 commit(s), 1 file(s).
    ");
}

#[test]
fn a_forge_that_opens_no_pull_request_waits_for_a_person() {
    let mut world = World::new();
    world.done(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let (class, error) = (FailureClass::Configuration, "403: no right".into());
    let _ = world.answer(&world.key("pull", 1), Outcome::Failed { class, error });
    assert_eq!(world.open(), [""; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"merging: the forge does not open its pull request: 403: no right [person]");
    let _ = want_pull(&mut world, 1, PullAuthor::Template, false);
    let _ = world.pull_opened(1);
    world.merged(1, 1);
}

#[test]
fn nothing_is_merged_while_its_pull_request_is_being_opened() {
    let mut world = World::tested_by_hand(1);
    let _ = world.merge(&[1], false);
    assert_eq!(kinds_open(&world), ["pull"]);
    let _ = world.pull_opened(1);
    assert_eq!(kinds_open(&world), ["combine"]);
}

#[test]
fn bad_checks_are_a_persons_and_read_again_when_the_merge_is_wanted_again() {
    let mut world = World::on_a_shared_forge(1);
    let _ = world.pull_opened(1);
    let read = |world: &mut World, good: bool, note: &str| {
        let (key, note) = (world.key("checks", 1), note.to_owned());
        let _ = world.answer(&key, Outcome::ChecksRead { good, note });
    };
    read(&mut world, false, "lint is red");
    assert_eq!(kinds_open(&world), [""; 0]);
    insta::assert_snapshot!(world.why("lib", 1), @"merging: lint is red [person]");
    assert_eq!(world.merge(&[1], false).refusal, None);
    insta::assert_snapshot!(world.why("lib", 1), @"merging: the forge's checks of it have not ended [forge]");
    read(&mut world, true, "2 checks");
    world.merged(1, 1);
}

#[test]
fn the_configured_method_is_that_of_the_merge() {
    let mut world = World::new();
    world.policy.pipeline.merge_method = MergeMethod::Rebase;
    world.delivered(1, &["a"]);
    assert_eq!(world.batch(1)[0].method, MergeMethod::Rebase);
}

/// Takes out of a log what the build before knew nothing of.
fn as_it_was(value: &mut serde_json::Value) {
    const NEW: [&str; 10] = [
        "about",
        "rounds",
        "spent_usd",
        "over_budget",
        "answer_refused",
        "delivery",
        "output",
        "warning",
        "onto",
        "answer",
    ];
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| !NEW.contains(&name.as_str()));
            fields.values_mut().for_each(as_it_was);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(as_it_was),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

#[test]
fn a_log_of_the_build_before_leads_to_the_same_board() {
    let mut world = World::new();
    world.done(1, &["a"]);
    let _ = world.tested(1, TestResult::Passed);
    let end_of_old = world.log.iter().position(|it| {
        matches!(&it.event, BoardEvent::EffectQueued { key, .. } if key.as_str().starts_with("pull:"))
    });
    let mut board = Board::default();
    for recorded in &world.log[..end_of_old.unwrap()] {
        let mut value = serde_json::to_value(recorded).unwrap();
        as_it_was(&mut value);
        board.apply(&serde_json::from_value::<Recorded>(value).unwrap());
    }
    // What it was about to do it does now.
    world.board = board;
    world.outbox.clear();
    world.keys.clear();
    let _ = world.run(&Command::Tick);
    assert_eq!(kinds_open(&world), ["pull"]);
    assert!(world.get(1).holds_lease());
    let of_old = |it: &Assignment| serde_json::to_value(it).unwrap();
    let mut value = of_old(world.get(1));
    as_it_was(&mut value);
    let read: Assignment = serde_json::from_value(value).unwrap();
    assert_eq!(of_old(&read), of_old(world.get(1)));
}
