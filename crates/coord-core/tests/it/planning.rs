//! Plans: what is saved of them, what is refused, and what people make of the rest.

use coord_core::Command;
use coord_core::assignment::{Goal, WorkerEnd, WorkerResult};
use coord_core::command::{Decision, PlanRequest, Rule, WhenBlocked};
use coord_core::effect::{Effect, Outcome};
use coord_core::failure::FailureClass;
use coord_core::ids::{IssueRef, ProposalId, SplitId};
use coord_core::issue::IssueState;
use coord_core::proposal::{Candidate, Candidates, Chunk, Planner, ProposalDraft, SplitDraft};

use crate::world::{World, failed, id, issue_ref, policy, request, success};

fn draft(machine: &str, repo: &str, number: u64, files: &[&str]) -> ProposalDraft {
    ProposalDraft {
        machine: machine.into(),
        issue: issue_ref(repo, number),
        rationale: "It is the oldest.".into(),
        files: files.iter().map(|it| (*it).to_owned()).collect(),
        notes: None,
        model: None,
        size: None,
    }
}

fn chunk(title: &str, after: &[usize]) -> Chunk {
    Chunk {
        title: title.into(),
        scope: "Only this.".into(),
        files: Vec::new(),
        after: after.to_vec(),
    }
}

fn split(number: u64, chunks: Vec<Chunk>) -> SplitDraft {
    SplitDraft {
        issue: issue_ref("lib", number),
        rationale: "It is two things.".into(),
        chunks,
    }
}

/// Issues 1 to 8 of both repositories; the last of them is closed, the one before a stranger's.
fn candidates() -> Candidates {
    let candidate = |repo: &'static str| {
        move |number: u64| {
            let mut issue = request(0, repo, number, &[]).issue;
            if number == 8 {
                issue.state = IssueState::Closed;
            }
            issue.trusted = number != 7;
            let blocked_by = Vec::new();
            (issue_ref(repo, number), Candidate { issue, blocked_by })
        }
    };
    (1..=8)
        .map(candidate("lib"))
        .chain((1..=8).map(candidate("app")))
        .collect()
}

fn ids(world: &World) -> Vec<(String, IssueRef)> {
    let proposals = world.board.proposals.values();
    proposals
        .map(|it| (it.id.to_string(), it.draft.issue.clone()))
        .collect()
}

fn refused(decision: &Decision) -> Vec<String> {
    let found = decision.events.iter().find_map(|event| match event {
        coord_core::BoardEvent::Planned { plan } => Some(&plan.refused),
        _ => None,
    });
    found
        .unwrap()
        .iter()
        .map(|it| format!("{:?}: {it}", it.rule))
        .collect()
}

#[test]
fn what_is_valid_is_saved_and_the_rest_is_named() {
    let mut world = World::new();
    world.policy.machines.get_mut(&"desk".into()).unwrap().repos = vec!["lib".into()];
    world.policy.models.escalation = vec!["haiku".into(), "opus".into()];
    world.assigned(request(1, "lib", 6, &["docs/"]));
    let mut candidates = candidates();
    let needs = candidates.get_mut(&issue_ref("lib", 4)).unwrap();
    needs.issue.labels = vec!["needs:gpu".into()];
    let waits = candidates.get_mut(&issue_ref("lib", 5)).unwrap();
    waits.blocked_by = vec![issue_ref("lib", 1)];
    let proposals = vec![
        draft("desk", "lib", 1, &["src/"]),
        draft("toaster", "lib", 2, &[]),
        draft("rack", "kitchen", 2, &[]),
        draft("desk", "app", 2, &[]),
        draft("rack", "lib", 99, &[]),
        draft("rack", "lib", 8, &[]),
        draft("rack", "lib", 7, &[]),
        draft("rack", "lib", 6, &[]),
        draft("rack", "lib", 1, &[]),
        draft("rack", "lib", 2, &["src/lib.rs"]),
        draft("rack", "lib", 2, &["docs/x.md"]),
        draft("rack", "lib", 2, &["../secret"]),
        draft("rack", "lib", 2, &["/etc/passwd"]),
        draft("rack", "lib", 4, &[]),
        draft("rack", "lib", 5, &[]),
        draft("rack", "app", 3, &[]),
        ProposalDraft {
            model: Some("gpt".into()),
            ..draft("rack", "lib", 2, &[])
        },
        ProposalDraft {
            notes: Some("x".repeat(40_000)),
            ..draft("rack", "lib", 2, &[])
        },
        draft("desk", "lib", 2, &[]),
        draft("rack", "lib", 2, &[]),
        draft("rack", "lib", 3, &[]),
    ];
    let decision = world.plan(candidates, proposals, Vec::new());
    insta::assert_snapshot!(refused(&decision).join("\n"), @r"
    Configuration: no machine is called `toaster`
    Configuration: no repository is called `kitchen`
    Configuration: desk may not work on app
    UnknownIssue: lib#99 is not among the open issues
    IssueClosed: lib#8 is closed
    Untrusted: lib#7 was opened by `somebody`, whom `trust` does not name
    Claimed: lib#6 is claimed by assignment 000000000001 on rack, which is requested
    Duplicate: lib#1 has its place in this plan already
    FileOverlap: its files overlap with an earlier proposal of this plan (lib#1): src/
    FileOverlap: its files overlap with assignment 000000000001 (lib#6): docs/
    Invalid: `../secret` is no glob relative to the root of lib
    Invalid: `/etc/passwd` is no glob relative to the root of lib
    Capability: lib#4 needs `gpu`, which rack does not have
    Dependency: lib#5 depends on lib#1, which is open
    Dependency: app depends on lib, where assignment 000000000001 (lib#6) is not finished
    Configuration: the model `gpt` is not configured
    Invalid: the notes of lib#2: 40000 bytes, where 32768 are allowed
    Slots: every slot of desk is taken
    Slots: every slot of rack is taken
    ");
    let expected = [
        ("P1".to_owned(), issue_ref("lib", 1)),
        ("P2".to_owned(), issue_ref("lib", 2)),
    ];
    assert_eq!(ids(&world), expected);
    assert_eq!(world.board.spent_on_day(world.now), 0.25);
}

#[test]
fn splits_have_rules_too() {
    let mut world = World::new();
    let two = || vec![chunk("One", &[]), chunk("Two", &[0])];
    let splits = vec![
        split(1, two()),
        split(1, two()),
        split(2, vec![chunk("One", &[])]),
        split(2, vec![chunk("One", &[1]), chunk("Two", &[])]),
        split(2, vec![chunk("", &[]), chunk("Two", &[])]),
        split(2, vec![chunk("One\nand a half", &[]), chunk("Two", &[])]),
        split(3, two()),
        split(99, two()),
    ];
    let proposals = vec![draft("rack", "lib", 3, &[])];
    let decision = world.plan(candidates(), proposals, splits);
    insta::assert_snapshot!(refused(&decision).join("\n"), @r"
    Duplicate: lib#1 is split twice in this plan
    Invalid: a split of lib#2 has 1 parts, and may have 2 to 12
    Invalid: part 1 of the split of lib#2 comes after one that is not before it
    Invalid: part 1 of the split of lib#2 needs a title of one line, at most 200 bytes long
    Invalid: part 1 of the split of lib#2 needs a title of one line, at most 200 bytes long
    Duplicate: lib#3 has its place in this plan already
    UnknownIssue: lib#99 is not among the open issues
    ");
    let splits: Vec<String> = world.board.splits.keys().map(ToString::to_string).collect();
    assert_eq!(splits, ["S1"]);
}

#[test]
fn a_plan_replaces_the_one_before_and_no_id_comes_twice() {
    let mut world = World::new();
    let _ = world.plan(candidates(), vec![draft("rack", "lib", 1, &[])], Vec::new());
    let _ = world.plan(candidates(), vec![draft("rack", "lib", 2, &[])], Vec::new());
    assert_eq!(ids(&world), [("P2".to_owned(), issue_ref("lib", 2))]);
    let _ = world.plan(candidates(), Vec::new(), Vec::new());
    assert!(world.board.proposals.is_empty());
    let _ = world.plan(candidates(), vec![draft("rack", "lib", 3, &[])], Vec::new());
    assert_eq!(ids(&world), [("P3".to_owned(), issue_ref("lib", 3))]);
}

#[test]
fn splits_are_replaced_with_the_plan_too() {
    let mut world = World::new();
    let two = |number| split(number, vec![chunk("One", &[]), chunk("Two", &[0])]);
    let ids = |world: &World| -> Vec<String> {
        world.board.splits.keys().map(ToString::to_string).collect()
    };
    let _ = world.plan(candidates(), Vec::new(), vec![two(1)]);
    let _ = world.plan(candidates(), Vec::new(), vec![two(2)]);
    assert_eq!(ids(&world), ["S2"]);
    let _ = world.plan(candidates(), Vec::new(), Vec::new());
    assert!(ids(&world).is_empty());
    let _ = world.plan(candidates(), Vec::new(), vec![two(3)]);
    assert_eq!(ids(&world), ["S3"]);
}

#[test]
fn nobody_believes_every_price() {
    for (told, counted) in [
        (0.5, 0.5),
        (-1.0, 0.0),
        (f64::NAN, 0.0),
        (f64::INFINITY, 0.0),
        (1e9, 1e4),
    ] {
        let mut world = World::new();
        let plan = PlanRequest {
            planner: Planner::Brain { model: None },
            cost_usd: told,
            candidates: candidates(),
            proposals: Vec::new(),
            splits: Vec::new(),
            refused: Vec::new(),
        };
        let _ = world.run(&Command::Plan(Box::new(plan)));
        assert_eq!(world.board.spent_on_day(world.now), counted, "{told}");
    }
}

#[test]
fn a_proposal_is_for_its_own_issue() {
    let mut world = World::new();
    let _ = world.plan(candidates(), vec![draft("rack", "lib", 1, &[])], Vec::new());
    let mut another = request(1, "lib", 2, &[]);
    another.proposal = Some(ProposalId(1));
    world.refused(another, Rule::UnknownProposal);
    assert_eq!(ids(&world).len(), 1);
}

#[test]
fn what_a_split_creates_is_its_own_on_every_board() {
    let mut keys = Vec::new();
    for seconds in [0, 1] {
        let mut world = World::new();
        world.sleep(seconds);
        let two = vec![chunk("One", &[]), chunk("Two", &[0])];
        let _ = world.plan(candidates(), Vec::new(), vec![split(1, two)]);
        for _ in 0..2 {
            world.sleep(100);
            let decision = world.run(&Command::Split { id: SplitId(1) });
            let Effect::Split(spec) = &decision.effects[0].effect else {
                panic!("{:?}", decision.effects);
            };
            keys.push(spec.key.clone());
            let (class, error) = (FailureClass::Work, "no".to_owned());
            let row = decision.effects[0].key.as_str();
            let _ = world.answer(row, Outcome::Failed { class, error });
        }
    }
    assert_eq!(
        keys[0], keys[1],
        "the second try finds what the first has created"
    );
    assert_eq!(keys[2], keys[3]);
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn what_is_approved_is_proposed_no_more() {
    let mut world = World::new();
    let mut with_notes = draft("desk", "lib", 1, &["src/"]);
    with_notes.notes = Some("Look at src/a.rs.".into());
    let _ = world.plan(candidates(), vec![with_notes], Vec::new());
    let mut approved = request(1, "lib", 1, &["src/"]);
    approved.proposal = Some(ProposalId(1));
    approved.notes = Some("Look at src/a.rs.".into());
    world.assigned(approved.clone());
    assert!(world.board.proposals.is_empty());
    let briefing = &world.get(1).briefing;
    assert_eq!(
        briefing,
        "Please do thing 1.\n\n## Notes of the planner\n\nLook at src/a.rs."
    );
    assert_eq!(
        world.get(1).issue_body,
        None,
        "nobody trusted has said a word"
    );

    // Twice at the same time: the second one is told.
    approved.id = id(2);
    world.refused(approved, Rule::UnknownProposal);
}

#[test]
fn what_cannot_start_stays_proposed() {
    let mut world = World::new();
    let _ = world.plan(
        candidates(),
        vec![draft("desk", "lib", 1, &["src/"])],
        Vec::new(),
    );
    world.assigned(request(1, "lib", 2, &["src/"]));
    let mut approved = request(2, "lib", 1, &["src/"]);
    approved.proposal = Some(ProposalId(1));
    world.refused(approved, Rule::FileOverlap);
    assert_eq!(ids(&world).len(), 1);
}

#[test]
fn proposals_are_put_aside_all_or_none() {
    let mut world = World::new();
    let proposals = vec![draft("rack", "lib", 1, &[]), draft("rack", "lib", 2, &[])];
    let _ = world.plan(
        candidates(),
        proposals,
        vec![split(3, vec![chunk("a", &[]), chunk("b", &[])])],
    );
    let reject = |proposals: &[u32], splits: &[u32]| Command::Reject {
        proposals: proposals.iter().map(|it| ProposalId(*it)).collect(),
        splits: splits.iter().map(|it| SplitId(*it)).collect(),
    };
    let refusal = world.run(&reject(&[1, 9], &[])).refusal.unwrap();
    assert_eq!(refusal.rule, Rule::UnknownProposal);
    assert_eq!(ids(&world).len(), 2);
    let _ = world.run(&reject(&[1], &[1]));
    assert_eq!(ids(&world), [("P2".to_owned(), issue_ref("lib", 2))]);
    assert!(world.board.splits.is_empty());
}

#[test]
fn a_split_is_carried_out_once_and_may_be_tried_again() {
    let mut world = World::new();
    let two = vec![chunk("One", &[]), chunk("Two", &[0])];
    let _ = world.plan(candidates(), Vec::new(), vec![split(1, two)]);
    let split = Command::Split { id: SplitId(1) };
    let first = world.run(&split);
    let Effect::Split(spec) = &first.effects[0].effect else {
        panic!("{:?}", first.effects);
    };
    assert_eq!((spec.parent.number, spec.chunks.len()), (1, 2));
    let key = first.effects[0].key.as_str().to_owned();
    assert!(world.run(&split).events.is_empty(), "it is under way");
    let _ = world.plan(candidates(), vec![draft("rack", "lib", 1, &[])], Vec::new());
    assert!(world.board.proposals.is_empty(), "it is being split");
    assert_eq!(world.board.splits.len(), 1, "a new plan leaves it alone");

    let (class, error) = (FailureClass::Configuration, "no such issue".to_owned());
    let _ = world.answer(&key, Outcome::Failed { class, error });
    assert_eq!(
        world.board.splits[&SplitId(1)].failed.as_deref(),
        Some("no such issue")
    );
    assert!(world.outbox.is_empty());

    let key = world.run(&split).effects[0].key.as_str().to_owned();
    let _ = world.answer(
        &key,
        Outcome::SplitDone {
            created: vec![10, 11],
        },
    );
    assert!(world.board.splits.is_empty() && world.outbox.is_empty());
    let refusal = world.run(&split).refusal.unwrap();
    assert_eq!(refusal.rule, Rule::UnknownProposal);
}

#[test]
fn work_waits_for_the_issues_that_its_issue_depends_on() {
    let mut world = World::new();
    let mut blocked = request(1, "lib", 1, &[]);
    blocked.blocked_by = vec![issue_ref("app", 5), issue_ref("lib", 6)];
    let why = world.refused(blocked.clone(), Rule::Dependency);
    assert_eq!(
        why,
        "lib#1 depends on app#5 and 1 more, which are open (solve that first, or pass --ignore-deps)"
    );

    blocked.when_blocked = WhenBlocked::Wait;
    let _ = world.assign(blocked);
    let closed = |issue| Command::IssuesClosed {
        issues: vec![issue],
    };
    let _ = world.run(&closed(issue_ref("lib", 6)));
    assert!(world.find_key("dispatch", 1).is_none());
    let unrelated = world.run(&closed(issue_ref("lib", 7)));
    assert!(unrelated.events.is_empty());
    let _ = world.run(&closed(issue_ref("app", 5)));
    assert!(world.find_key("dispatch", 1).is_some());

    let mut anyway = request(2, "lib", 2, &[]);
    anyway.blocked_by = vec![issue_ref("lib", 3)];
    anyway.waivers.ignore_deps = true;
    world.assigned(anyway);
}

#[test]
fn who_waits_for_an_issue_holds_nothing_back() {
    let mut world = World::new();
    let mut blocked = request(2, "lib", 2, &["src/"]);
    blocked.blocked_by = vec![issue_ref("lib", 1)];
    blocked.when_blocked = WhenBlocked::Wait;
    let _ = world.assign(blocked);
    world.sleep(1);
    world.assigned(request(1, "lib", 1, &["src/"]));
}

#[test]
fn who_waits_for_an_issue_is_not_at_work_upstream() {
    let mut world = World::new();
    let mut blocked = request(2, "lib", 2, &[]);
    blocked.blocked_by = vec![issue_ref("app", 1)];
    blocked.when_blocked = WhenBlocked::Wait;
    let _ = world.assign(blocked);
    world.sleep(1);
    world.assigned(request(1, "app", 1, &[]));
}

#[test]
fn whoever_goes_on_waits_for_the_same_issues() {
    let mut world = World::new();
    let mut anyway = request(1, "lib", 1, &[]);
    anyway.blocked_by = vec![issue_ref("lib", 6), issue_ref("lib", 7)];
    anyway.waivers.ignore_deps = true;
    world.assigned(anyway);
    let _ = world.run(&Command::IssuesClosed {
        issues: vec![issue_ref("lib", 6)],
    });
    let _ = world.finish(1, crate::world::failed(FailureClass::Work, "no"));
    let again = crate::world::again(2, 1, &issue_ref("lib", 1));
    let _ = world.run(&Command::Retry(Box::new(again)));
    let next = world.get(2);
    assert!(next.state.takes_slot(), "the waiver goes on too");
    assert_eq!(next.blocked_by, [issue_ref("lib", 7)].into());
}

#[test]
fn what_is_being_split_is_not_worked_on() {
    let mut world = World::new();
    let two = vec![chunk("One", &[]), chunk("Two", &[0])];
    let _ = world.plan(candidates(), Vec::new(), vec![split(1, two)]);
    let _ = world.run(&Command::Split { id: SplitId(1) });
    let decision = world.assign(request(1, "lib", 1, &[]));
    assert!(decision.refusal.is_some(), "{decision:?}");
}

#[test]
fn what_is_worked_on_is_not_split() {
    let mut world = World::new();
    let two = || vec![chunk("One", &[]), chunk("Two", &[0])];
    let _ = world.plan(candidates(), Vec::new(), vec![split(1, two())]);
    world.assigned(request(1, "lib", 1, &[]));
    let split_it = Command::Split { id: SplitId(1) };
    let refusal = world.run(&split_it).refusal.unwrap();
    assert_eq!(refusal.rule, Rule::Claimed);
    let decision = world.plan(candidates(), Vec::new(), vec![split(1, two())]);
    assert!(refused(&decision)[0].starts_with("Claimed: "));
}

#[test]
fn a_split_under_way_is_not_put_aside_and_keeps_its_id() {
    let mut world = World::new();
    let two = || vec![chunk("One", &[]), chunk("Two", &[0])];
    let _ = world.plan(candidates(), Vec::new(), vec![split(1, two())]);
    let key = world.run(&Command::Split { id: SplitId(1) }).effects[0]
        .key
        .as_str()
        .to_owned();
    let reject = Command::Reject {
        proposals: Vec::new(),
        splits: vec![SplitId(1)],
    };
    let refusal = world.run(&reject).refusal.unwrap();
    assert_eq!(refusal.rule, Rule::State);
    let decision = world.plan(
        candidates(),
        Vec::new(),
        vec![split(1, two()), split(2, two())],
    );
    assert_eq!(refused(&decision), ["Claimed: lib#1 is being split (S1)"]);
    let ids: Vec<String> = world.board.splits.keys().map(ToString::to_string).collect();
    assert_eq!(ids, ["S1", "S2"]);
    // An answer to another question is none.
    let _ = world.answer(&key, Outcome::Told);
    assert!(world.board.splits[&SplitId(1)].failed.is_some());
    assert!(world.run(&reject).refusal.is_none());
    assert_eq!(world.board.splits.len(), 1);
}

#[test]
fn limits_are_exact() {
    let parts = |n: usize| (0..n).map(|_| chunk("Part", &[])).collect::<Vec<_>>();
    let first = |scope: String, glob: &str| {
        let one = Chunk {
            scope,
            files: vec![glob.to_owned()],
            ..chunk("One", &[])
        };
        vec![one, chunk("Two", &[])]
    };
    let titled = |title: String| vec![chunk(&title, &[]), chunk("Two", &[])];
    let long = |files: usize, length: usize| ProposalDraft {
        files: (0..files).map(|n| format!("{n:0length$}")).collect(),
        ..draft("rack", "lib", 1, &[])
    };
    let said = |rationale: usize, notes: usize| ProposalDraft {
        rationale: "r".repeat(rationale),
        notes: Some("n".repeat(notes)),
        ..draft("rack", "lib", 1, &[])
    };
    let allowed = |proposals: Vec<ProposalDraft>, splits: Vec<SplitDraft>| {
        let decision = World::new().plan(candidates(), proposals, splits);
        refused(&decision).is_empty()
    };
    for (it, is_allowed) in [
        (long(100, 300), true),
        (long(101, 300), false),
        (long(100, 301), false),
        (said(4096, 32 * 1024), true),
        (said(4097, 0), false),
        (said(0, 32 * 1024 + 1), false),
        (draft("rack", "lib", 1, &[" "]), false),
        (draft("rack", "lib", 1, &["a\nb"]), false),
        (draft("rack", "lib", 1, &["a/../b"]), false),
        (draft("rack", "lib", 1, &["~/x"]), false),
        (draft("rack", "lib", 1, &["\\x"]), false),
        (draft("rack", "lib", 1, &["a..b/...", "[x]", "**"]), true),
    ] {
        assert_eq!(allowed(vec![it.clone()], Vec::new()), is_allowed, "{it:?}");
    }
    for (chunks, is_allowed) in [
        (parts(1), false),
        (parts(2), true),
        (parts(12), true),
        (parts(13), false),
        (titled("t".repeat(200)), true),
        (titled("t".repeat(201)), false),
        (titled("  ".into()), false),
        (first("s".repeat(32 * 1024), "src/"), true),
        (first("s".repeat(32 * 1024 + 1), "src/"), false),
        (first(String::new(), "../secret"), false),
        (vec![chunk("One", &[0]), chunk("Two", &[])], false),
        (vec![chunk("One", &[]), chunk("Two", &[0])], true),
    ] {
        let it = split(1, chunks);
        assert_eq!(allowed(Vec::new(), vec![it.clone()]), is_allowed, "{it:?}");
    }
}

#[test]
fn a_label_asks_for_a_machine_that_can() {
    let mut policy = policy();
    policy
        .machines
        .get_mut(&"desk".into())
        .unwrap()
        .capabilities = vec!["gpu".into()];
    let mut world = World::with(policy);
    let mut wants = request(1, "lib", 1, &[]);
    wants.issue.labels = vec!["needs:gpu".into()];
    assert_eq!(
        world.assigned(wants).machine.as_str(),
        "desk",
        "rack has more free slots"
    );
    let mut unheard_of = request(2, "lib", 2, &[]);
    unheard_of.issue.labels = vec!["needs:moon".into()];
    let why = world.refused(unheard_of, Rule::Capability);
    assert_eq!(
        why,
        "no machine that may work on lib has what lib#2 needs: moon (add it to `capabilities` of a machine, or name the machine)"
    );
}

#[test]
fn what_waits_for_a_person_is_not_proposed_again() {
    let ends = [
        (
            success(1, &["a.rs"]),
            Some("is done and waits for a person"),
        ),
        (
            WorkerEnd {
                exit_code: Some(0),
                ..WorkerEnd::unreported(WorkerResult::Done, None)
            },
            Some("made no commits"),
        ),
        (failed(FailureClass::Work, "no"), Some("failed")),
        (WorkerEnd::unreported(WorkerResult::Cancelled, None), None),
    ];
    for (end, why) in ends {
        let mut world = World::new();
        let mut by_hand = request(1, "lib", 1, &[]);
        by_hand.goal = Goal::Worked;
        world.assigned(by_hand);
        let _ = world.finish(1, end);
        let decision = world.plan(candidates(), vec![draft("rack", "lib", 1, &[])], Vec::new());
        let why = why.map(|why| format!("State: the last assignment of lib#1, {}, {why}", id(1)));
        assert_eq!(refused(&decision), Vec::from_iter(why));
    }
}
