//! Leases on files: what is granted, to whom, and what is denied.

use std::collections::BTreeSet;

use coord_core::assignment::{Assignment, AssignmentKind, AssignmentState};
use coord_core::command::{AgentReport, Rule, WhenBlocked};
use coord_core::effect::Outcome;
use coord_core::failure::FailureClass;
use coord_core::lease::{self, Denial, LeaseMode};
use coord_core::proposal::{Candidate, Candidates, ProposalDraft};
use coord_core::scope::Glob;
use coord_core::verdict::TestResult;
use coord_core::{BoardEvent, Command};
use proptest::prelude::*;

use crate::world::{World, failed, id, issue_ref, policy, request, success};

const WORK: FailureClass = FailureClass::Work;

/// Machines with many slots, and files that several workers may want.
fn wide(leases: LeaseMode) -> World {
    let mut policy = policy();
    for machine in policy.machines.values_mut() {
        machine.max_workers = 9;
    }
    for repo in policy.repos.values_mut() {
        repo.depends_on.clear();
    }
    policy.leases = leases;
    World::with(policy)
}

/// Asks as an agent does, which says itself what it denies.
fn asks(world: &mut World, n: u64, path: &str) -> Result<(), Denial> {
    let path = path.to_owned();
    let _ = world.report(
        n,
        AgentReport::LeaseAsked {
            ask: 1,
            path: path.clone(),
        },
    );
    let answer = lease::answer(&world.board, &world.policy, &id(n), &path);
    if let Err(why) = answer.clone() {
        let tool = "Edit".to_owned();
        let _ = world.report(n, AgentReport::EditDenied { path, tool, why });
    }
    answer
}

fn leased(by: u64) -> Result<(), Denial> {
    Err(Denial::Leased { by: id(by) })
}

#[test]
fn who_asks_first_has_it() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &[]));
    world.assigned(request(2, "lib", 2, &[]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    assert_eq!(asks(&mut world, 2, "src/a.rs"), leased(1));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()), "again");
    assert!(world.get(1).observed.contains("src/a.rs"));
    assert!(world.get(2).observed.is_empty());
    let denials = world.log.iter().filter(|it| {
        matches!(&it.event, BoardEvent::EditDenied { id: who, why: Denial::Leased { by }, .. }
            if *who == id(2) && *by == id(1))
    });
    assert_eq!(denials.count(), 1);

    // Another repository has other files.
    world.assigned(request(3, "app", 1, &[]));
    assert_eq!(asks(&mut world, 3, "src/a.rs"), Ok(()));

    let _ = world.finish(1, failed(WORK, "it gave up"));
    assert_eq!(
        asks(&mut world, 2, "src/a.rs"),
        Ok(()),
        "nobody holds it now"
    );
    assert_eq!(asks(&mut world, 1, "src/b.rs"), Err(Denial::Over));
}

#[test]
fn what_is_declared_is_held_from_the_request_to_the_merge() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.assigned(request(2, "lib", 2, &["docs/"]));
    assert_eq!(asks(&mut world, 2, "src/deep/x.rs"), leased(1));
    assert_eq!(asks(&mut world, 1, "src/deep/x.rs"), Ok(()));
    assert_eq!(
        asks(&mut world, 2, "tests/x.rs"),
        Ok(()),
        "free, and the mode allows it"
    );
    // Its branch is on its way to the merge.
    let _ = world.finish(1, success(1, &["src/deep/x.rs"]));
    assert_eq!(asks(&mut world, 2, "src/deep/x.rs"), leased(1));
}

#[test]
fn strict_keeps_to_what_was_declared() {
    let mut world = wide(LeaseMode::Strict);
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.assigned(request(2, "lib", 2, &[]));
    assert_eq!(asks(&mut world, 1, "docs/x.md"), Err(Denial::Outside));
    assert_eq!(
        asks(&mut world, 2, "docs/x.md"),
        Ok(()),
        "it declared nothing"
    );
    let glob = "CHANGELOG.md".to_owned();
    assert_eq!(
        asks(&mut world, 2, "CHANGELOG.md"),
        Err(Denial::Forbidden { glob })
    );
}

#[test]
fn a_shell_command_takes_nothing_from_anybody() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &["src/"]));
    world.assigned(request(2, "lib", 2, &[]));
    let paths = vec!["src/a.rs".to_owned(), "tests/t.rs".to_owned()];
    let _ = world.report(2, AgentReport::Files { paths });
    assert_eq!(
        world.get(2).leased,
        BTreeSet::from(["tests/t.rs".to_owned()])
    );
    assert_eq!(
        asks(&mut world, 1, "src/a.rs"),
        Ok(()),
        "it is still its own"
    );
    assert_eq!(asks(&mut world, 2, "src/a.rs"), leased(1));
    assert_eq!(asks(&mut world, 1, "tests/t.rs"), leased(2));
}

#[test]
fn who_goes_on_needs_what_the_one_before_was_granted() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &[]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    let _ = world.finish(1, failed(WORK, "it gave up"));
    world.assigned(request(2, "lib", 2, &[]));
    assert_eq!(asks(&mut world, 2, "src/a.rs"), Ok(()));
    let again = crate::world::again(3, 1, &issue_ref("lib", 1));
    let refused = world.run(&Command::Retry(Box::new(again))).refusal.unwrap();
    assert_eq!(
        (refused.rule, refused.assignment),
        (Rule::FileOverlap, Some(id(2)))
    );
}

#[test]
fn what_nobody_may_change_nobody_is_granted() {
    let mut world = wide(LeaseMode::Warn);
    let mut careful = request(1, "lib", 1, &["src/", "CHANGELOG.md"]);
    careful.scope.forbidden = vec!["src/generated/".into()];
    world.assigned(careful);
    let forbidden = &world.spec(1).scope.forbidden;
    assert_eq!(forbidden[..], ["src/generated/", "CHANGELOG.md"]);
    for (path, glob) in [
        ("CHANGELOG.md", "CHANGELOG.md"),
        ("src/generated/x.rs", "src/generated/"),
    ] {
        let glob = glob.to_owned();
        assert_eq!(asks(&mut world, 1, path), Err(Denial::Forbidden { glob }));
    }
    assert_eq!(asks(&mut world, 1, "src/x.rs"), Ok(()));
    assert_eq!(world.get(1).leased, BTreeSet::from(["src/x.rs".to_owned()]));
}

#[test]
fn a_waiver_is_for_what_is_declared() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &[]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    assert_eq!(asks(&mut world, 1, "docs/a.md"), Ok(()));
    let why = world.refused(request(2, "lib", 2, &["src/"]), Rule::FileOverlap);
    assert!(why.contains("(lib#1): src/a.rs"), "{why}");

    let mut anyway = request(2, "lib", 2, &["src/"]);
    anyway.waivers.allow_overlap = true;
    world.assigned(anyway);
    assert_eq!(asks(&mut world, 2, "src/a.rs"), Ok(()), "a person said so");
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()), "it had it before");
    assert_eq!(asks(&mut world, 2, "docs/a.md"), leased(1));
    assert_eq!(asks(&mut world, 1, "src/b.rs"), leased(2));

    let mut without_files = request(3, "lib", 3, &[]);
    without_files.waivers.allow_overlap = true;
    world.assigned(without_files);
    assert_eq!(asks(&mut world, 3, "docs/a.md"), leased(1));
}

#[test]
fn who_declared_a_file_keeps_it_when_somebody_is_let_in() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &["src/"]));
    let mut anyway = request(2, "lib", 2, &["src/a.rs"]);
    anyway.waivers.allow_overlap = true;
    world.assigned(anyway);
    assert_eq!(asks(&mut world, 2, "src/a.rs"), Ok(()));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
}

#[test]
fn who_puts_a_branch_right_has_what_it_was_granted() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &["docs/"]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    world.assigned(request(2, "lib", 2, &[]));
    let _ = world.finish(1, success(1, &["docs/x.md", "src/a.rs"]));
    let _ = world.tested(1, TestResult::Failed);
    let next = world.next_of(1);
    let held = BTreeSet::from(["docs/x.md".to_owned(), "src/a.rs".to_owned()]);
    assert_eq!(world.get(next).leased, held);
    assert_eq!(world.spec(next).leased, held);
    assert!(world.get(next).observed.is_empty());
    world.assigned(request(3, "lib", 3, &[]));
    let do_not_touch = world.spec(3).do_not_touch;
    assert_eq!(do_not_touch, ["docs/", "docs/x.md", "src/a.rs"]);
    assert_eq!(asks(&mut world, 2, "src/a.rs"), leased(next));
    assert_eq!(asks(&mut world, 2, "docs/y.md"), leased(next));
    let path = "src/a.rs".to_owned();
    let again = world.report(next, AgentReport::LeaseAsked { ask: 1, path });
    assert_eq!(
        crate::world::kinds(&again),
        ["effect_settled", "assignment_accepted"],
        "it is its own already"
    );
}

#[test]
fn who_was_taken_over_changes_nothing_more() {
    let mut world = wide(LeaseMode::Warn);
    let rules = &mut world.policy.concurrency;
    (rules.auto_reassign, rules.max_retries, rules.stale_seconds) = (true, 1, 60);
    world.assigned(request(1, "lib", 1, &["src/"]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    let machine = world.machine_of(1);
    let error = "refused".into();
    let _ = world.run(&Command::AgentUnreachable {
        machine: machine.clone(),
        error,
    });
    world.sleep(60);
    let _ = world.run(&Command::AgentStale { machine });
    let next = world.next_of(1);
    for path in ["src/a.rs", "src/b.rs", "free.txt"] {
        assert_eq!(asks(&mut world, 1, path), Err(Denial::Over), "{path}");
    }
    assert_eq!(asks(&mut world, next, "src/a.rs"), Ok(()));
    let paths = vec!["free.txt".to_owned()];
    let _ = world.report(1, AgentReport::Files { paths });
    assert!(world.get(1).observed.contains("free.txt"));
    assert_eq!(world.get(1).leased, BTreeSet::from(["src/a.rs".to_owned()]));
    assert_eq!(asks(&mut world, next, "free.txt"), Ok(()));
    let denials = world.log.iter().filter(|it| {
        matches!(&it.event, BoardEvent::EditDenied { id: who, why: Denial::Over, .. } if *who == id(1))
    });
    assert_eq!(denials.count(), 3);
}

#[test]
fn a_reader_is_granted_nothing() {
    let mut world = wide(LeaseMode::Warn);
    world.policy.reviews.enabled = true;
    world.policy.reviews.auto_dispatch = true;
    world.delivered(1, &["src/a.rs"]);
    let reader = world.looks_at(1, AssignmentKind::Review);
    assert_eq!(asks(&mut world, reader, "free.txt"), Err(Denial::Over));
    world.assigned(request(2, "lib", 2, &[]));
    assert_eq!(asks(&mut world, 2, "free.txt"), Ok(()));
}

#[test]
fn what_an_agent_says_it_did_is_in_the_log_and_takes_nothing() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &[]));
    let path = || "src/a.rs".to_owned();
    let (tool, why) = ("Edit".to_owned(), Denial::Unreachable);
    let reports = [
        (
            AgentReport::EditDenied {
                path: path(),
                tool,
                why,
            },
            "edit_denied",
        ),
        (
            AgentReport::EditUnchecked { path: path() },
            "edit_unchecked",
        ),
        (
            AgentReport::FilesRestored {
                paths: vec![path()],
            },
            "files_restored",
        ),
    ];
    let _ = world.answer(&world.key("dispatch", 1), Outcome::Dispatched);
    for (report, kind) in reports {
        let decision = world.report(1, report);
        assert_eq!(crate::world::kinds(&decision), [kind]);
    }
    let nothing = AgentReport::FilesRestored { paths: Vec::new() };
    assert_eq!(world.report(1, nothing).events, []);
    assert!(world.get(1).leased.is_empty() && world.get(1).observed.is_empty());
    let _ = world.finish(1, failed(WORK, "it gave up"));
    let path = path();
    let late = world.report(1, AgentReport::EditUnchecked { path });
    assert_eq!(late.events, []);
}

#[test]
fn what_somebody_has_changed_anyway_is_not_declared_by_another_one() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &[]));
    world.assigned(request(2, "lib", 2, &[]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    let paths = vec!["src/a.rs".to_owned()];
    let _ = world.report(2, AgentReport::Files { paths });
    let _ = world.finish(1, failed(WORK, "it gave up"));
    let why = world.refused(request(3, "lib", 3, &["src/"]), Rule::FileOverlap);
    assert!(why.contains("(lib#2): src/a.rs"), "{why}");
    world.assigned(request(4, "lib", 4, &[]));
    assert_eq!(world.spec(4).do_not_touch, ["src/a.rs"]);
}

#[test]
fn what_was_granted_before_may_be_what_somebody_declares_by_now() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &[]));
    assert_eq!(asks(&mut world, 1, "src/a.rs"), Ok(()));
    let _ = world.finish(1, failed(WORK, "it gave up"));
    world.assigned(request(2, "lib", 2, &["src/"]));
    let again = crate::world::again(3, 1, &issue_ref("lib", 1));
    let refused = world.run(&Command::Retry(Box::new(again))).refusal.unwrap();
    assert_eq!(refused.rule, Rule::FileOverlap);
    assert!(refused.why.ends_with("(lib#2): src/"), "{refused}");
}

#[test]
fn who_waits_for_a_later_time_holds_nothing_back() {
    let mut world = wide(LeaseMode::Warn);
    world.assigned(request(1, "lib", 1, &["src/"]));
    let retry_at = Some(world.now.plus_secs(3600));
    let limit = FailureClass::Environmental { retry_at };
    let _ = world.finish(1, failed(limit, "usage limit"));
    let next = world.next_of(1);
    assert_eq!(world.get(next).state, AssignmentState::Waiting);
    world.sleep(1);
    world.assigned(request(2, "lib", 2, &["src/a.rs"]));
    world.sleep(3600);
    let _ = world.run(&Command::Tick);
    assert_eq!(
        world.get(next).state,
        AssignmentState::Waiting,
        "it is later now"
    );
    world.refused(request(3, "lib", 3, &["src/b.rs"]), Rule::FileOverlap);
}

/// Whether two assignments hold something in common.
pub(crate) fn collide(one: &Assignment, other: &Assignment) -> bool {
    let globs = |it: &Assignment| -> Vec<Glob> {
        it.scope
            .allowed
            .iter()
            .map(|glob| Glob::new(glob))
            .collect()
    };
    let (mine, theirs) = (globs(one), globs(other));
    mine.iter()
        .any(|glob| theirs.iter().any(|it| it.overlaps(glob)))
        || theirs
            .iter()
            .any(|glob| one.leased.iter().any(|path| glob.matches(path)))
        || mine
            .iter()
            .any(|glob| other.leased.iter().any(|path| glob.matches(path)))
        || one.leased.intersection(&other.leased).next().is_some()
}

fn assert_no_collision(world: &World) {
    let live: Vec<&Assignment> = world
        .board
        .assignments
        .values()
        .filter(|it| it.holds_lease())
        .collect();
    for (place, one) in live.iter().enumerate() {
        for other in &live[place + 1..] {
            let same = one.issue.repo == other.issue.repo;
            assert!(
                !(same && collide(one, other)),
                "{one:?} and {other:?} collide"
            );
        }
    }
}

const FILES: [&str; 6] = [
    "src/a.rs",
    "src/b.rs",
    "src/deep/c.rs",
    "docs/d.md",
    "e.txt",
    "src",
];
const GLOBS: [&str; 8] = [
    "src/", "src/*.rs", "src/a.rs", "**/c.rs", "docs/**", "e.???", "*", "tests/",
];

#[derive(Debug, Clone)]
enum Move {
    Approve { proposal: usize, wait: bool },
    Ask { who: u64, path: usize },
    Bash { who: u64, path: usize },
    End { who: u64, well: bool },
    Retry { who: u64 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let (who, path) = (0u64..12, 0..FILES.len());
    let one = prop_oneof![
        4 => (0usize..12, any::<bool>()).prop_map(|(proposal, wait)| Move::Approve { proposal, wait }),
        4 => (who.clone(), path.clone()).prop_map(|(who, path)| Move::Ask { who, path }),
        2 => (who.clone(), path).prop_map(|(who, path)| Move::Bash { who, path }),
        2 => (who.clone(), any::<bool>()).prop_map(|(who, well)| Move::End { who, well }),
        1 => who.prop_map(|who| Move::Retry { who }),
    ];
    prop::collection::vec(one, 0..40)
}

type Proposed = (bool, u64, bool, Vec<usize>);

fn proposals() -> impl Strategy<Value = Vec<Proposed>> {
    let one = (
        any::<bool>(),
        1u64..7,
        any::<bool>(),
        prop::collection::vec(0..GLOBS.len(), 0..3),
    );
    prop::collection::vec(one, 1..12)
}

/// Every proposal as a planner would put it, whether it is a good idea or not.
fn approve(world: &mut World, n: u64, (app, number, rack, globs): &Proposed, wait: bool) {
    let repo = if *app { "app" } else { "lib" };
    let globs: Vec<&str> = globs.iter().map(|glob| GLOBS[*glob]).collect();
    let mut request = request(n, repo, *number, &globs);
    request.machine = Some(if *rack { "rack" } else { "desk" }.into());
    if wait {
        request.when_blocked = WhenBlocked::Wait;
    }
    let _ = world.assign(request);
}

proptest! {
    #[test]
    fn no_two_live_leases_overlap(
        proposals in proposals(),
        moves in moves(),
        strict in any::<bool>(),
        slots in 1u32..6,
    ) {
        let mut world = wide(if strict { LeaseMode::Strict } else { LeaseMode::Warn });
        for machine in world.policy.machines.values_mut() {
            machine.max_workers = slots;
        }
        for (turn, one) in moves.iter().enumerate() {
            match *one {
                Move::Approve { proposal, wait } => {
                    let proposed = &proposals[proposal % proposals.len()];
                    approve(&mut world, (proposal % proposals.len()) as u64, proposed, wait);
                }
                Move::Ask { who, path } if world.board.assignments.contains_key(&id(who)) => {
                    let path = FILES[path].to_owned();
                    let _ = world.report(who, AgentReport::LeaseAsked { ask: 0, path });
                }
                Move::Bash { who, path } if world.board.assignments.contains_key(&id(who)) => {
                    let paths = vec![FILES[path].to_owned()];
                    let _ = world.report(who, AgentReport::Files { paths });
                }
                Move::End { who, well } if world.board.assignments.contains_key(&id(who)) => {
                    let end = if well { success(who, &["e.txt"]) } else { failed(WORK, "no") };
                    let _ = world.finish(who, end);
                }
                Move::Retry { who } => {
                    let old = world.board.assignments.get(&id(who)).map(|it| it.issue.clone());
                    if let Some(issue) = old {
                        let again = crate::world::again(100 + turn as u64, who, &issue);
                        let _ = world.run(&Command::Retry(Box::new(again)));
                    }
                }
                Move::Ask { .. } | Move::Bash { .. } | Move::End { .. } => {}
            }
            assert_no_collision(&world);
        }
    }

    /// What a plan lets through at once could be approved as a whole.
    #[test]
    fn a_plan_never_overlaps_with_itself_or_with_what_is_there(
        before in proposals(),
        planned in proposals(),
    ) {
        let mut world = wide(LeaseMode::Warn);
        for (n, proposed) in before.iter().enumerate() {
            approve(&mut world, n as u64, proposed, false);
        }
        let draft = |(app, number, rack, globs): &Proposed| ProposalDraft {
            machine: if *rack { "rack" } else { "desk" }.into(),
            issue: issue_ref(if *app { "app" } else { "lib" }, *number),
            rationale: String::new(),
            files: globs.iter().map(|glob| GLOBS[*glob].to_owned()).collect(),
            notes: None,
            model: None,
            size: None,
        };
        let drafts: Vec<ProposalDraft> = planned.iter().map(draft).collect();
        let candidate = |it: &ProposalDraft| (it.issue.clone(), Candidate {
            issue: request(0, it.issue.repo.as_str(), it.issue.number, &[]).issue,
            blocked_by: Vec::new(),
        });
        let candidates: Candidates = drafts.iter().map(candidate).collect();
        let _ = world.plan(candidates, drafts, Vec::new());
        let proposed: Vec<_> = world.board.proposals.values().cloned().collect();
        for (n, proposal) in proposed.iter().enumerate() {
            let globs: Vec<&str> = proposal.draft.files.iter().map(String::as_str).collect();
            let issue = &proposal.draft.issue;
            let mut request = request(500 + n as u64, issue.repo.as_str(), issue.number, &globs);
            request.machine = Some(proposal.draft.machine.clone());
            request.proposal = Some(proposal.id);
            let decision = world.assign(request);
            prop_assert_eq!(decision.refusal, None);
            assert_no_collision(&world);
        }
        prop_assert!(world.board.proposals.is_empty());
    }
}

#[test]
fn commits_that_change_what_is_forbidden_are_no_success() {
    let mut world = wide(LeaseMode::Off);
    world.assigned(request(1, "lib", 1, &[]));
    let _ = world.finish(1, success(1, &["src/a.rs", "CHANGELOG.md"]));
    let end = world.get(1).end.clone().unwrap();
    let error = end.error.unwrap();
    assert_eq!(
        error,
        "its commits change CHANGELOG.md, which no worker may change (`CHANGELOG.md`)"
    );
    assert_eq!(
        world.get(1).state,
        coord_core::assignment::AssignmentState::Failed
    );
    assert!(end.head.is_some(), "what it did is kept");
}
