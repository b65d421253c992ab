//! The planner without a model.

use coord_brain::rules::{place, plan};
use coord_brain::{PastFailure, words_wanted};
use coord_core::board::MachineFacts;
use coord_core::command::Rule;
use coord_core::failure::FailureClass;
use coord_core::ids::{IssueRef, RepoName};
use coord_core::ladder::{Tally, TrackRecord};
use coord_core::proposal::{Candidate, Size};
use proptest::prelude::*;

use crate::oracle::faults;
use crate::world::{NOW, World, issue, issue_ref, machine, parsed, placed, rules_of, strings};

fn with_issues(world: World, issues: &[(&str, &[&str])]) -> World {
    issues.iter().fold(world, |world, (at, labels)| {
        world.issue(at, &format!("About {at}"), "", labels)
    })
}

#[test]
fn the_most_urgent_first_and_spread_over_machines() {
    let world = with_issues(
        World::new(),
        &[
            ("shop#1", &[]),
            ("shop#2", &["P3"]),
            ("shop#3", &["priority: high"]),
            ("shop#4", &["bug"]),
            ("shop#5", &["P0"]),
        ],
    );
    let plan = plan(&world.facts());
    assert_eq!(
        placed(&plan.proposals),
        ["shop#5 on rack", "shop#3 on desk", "shop#4 on rack"]
    );
    assert_eq!(plan.splits, []);
    assert_eq!(plan.refused, []);
}

#[test]
fn age_counts_where_nothing_else_does() {
    let world = with_issues(
        World::new(),
        &[("shop#9", &[]), ("docs#3", &[]), ("shop#3", &[])],
    );
    let plan = plan(&world.facts());
    let order: Vec<String> = plan
        .proposals
        .iter()
        .map(|it| it.issue.to_string())
        .collect();
    assert_eq!(order, ["docs#3", "shop#3", "shop#9"]);
}

#[test]
fn what_others_wait_for_is_as_urgent_as_they_are() {
    let world = with_issues(
        World::new().machine("rack", 0, &[]),
        &[
            ("docs#1", &["P1"]),
            ("docs#2", &["bug"]),
            ("docs#3", &[]),
            ("docs#4", &["P0"]),
        ],
    )
    .blocked("docs#4", &["docs#3"]);
    let drafts = plan(&world.facts());
    assert_eq!(placed(&drafts.proposals), ["docs#3 on desk"]);
    insta::assert_snapshot!(drafts.proposals[0].rationale, @"As urgent as what waits for it (critical priority) and it unblocks docs#4. desk has 1 free slot, and no other machine can take it; nothing says which files. The model is left to the worker.");
    assert_eq!(
        drafts.refused,
        [],
        "nobody looks further once no slot is free"
    );
}

#[test]
fn a_circle_of_dependencies_is_nobodys_turn() {
    let world = with_issues(World::new(), &[("docs#1", &["P0"]), ("docs#2", &[])])
        .blocked("docs#1", &["docs#2"])
        .blocked("docs#2", &["docs#1"]);
    assert_eq!(plan(&world.facts()).proposals, []);
}

#[test]
fn work_upstream_blocks_a_repository() {
    let world = with_issues(World::new(), &[("shop#1", &["P0"]), ("docs#1", &[])]).active(
        1,
        "lib#7",
        "desk",
        &[],
    );
    let plan = plan(&world.facts());
    assert_eq!(placed(&plan.proposals), ["docs#1 on rack"]);
    assert_eq!(
        rules_of(&plan.refused),
        [("shop#1".to_owned(), Rule::Dependency)]
    );
}

#[test]
fn what_is_proposed_upstream_blocks_too() {
    let world = with_issues(
        World::new(),
        &[("lib#1", &["P0"]), ("shop#2", &[]), ("shop#3", &[])],
    );
    let plan = plan(&world.facts());
    assert_eq!(placed(&plan.proposals), ["lib#1 on rack"]);
    let expected = [("shop#2", Rule::Dependency), ("shop#3", Rule::Dependency)];
    assert_eq!(
        rules_of(&plan.refused),
        expected.map(|(at, rule)| (at.to_owned(), rule))
    );
}

#[test]
fn capabilities_decide_where() {
    let world = with_issues(
        World::new(),
        &[
            ("docs#1", &["needs:docker"]),
            ("docs#2", &["needs:docker"]),
            ("docs#3", &["needs:docker"]),
            ("docs#4", &["needs:gpu"]),
        ],
    );
    let plan = plan(&world.facts());
    assert_eq!(
        placed(&plan.proposals),
        ["docs#1 on rack", "docs#2 on rack"]
    );
    let expected = [("docs#3", Rule::Slots), ("docs#4", Rule::Capability)];
    assert_eq!(
        rules_of(&plan.refused),
        expected.map(|(at, rule)| (at.to_owned(), rule))
    );
    let why: Vec<&str> = plan.refused.iter().map(|it| it.why.as_str()).collect();
    insta::assert_debug_snapshot!(why, @r#"
    [
        "no machine that docs#3 could run on answers and has a free slot",
        "docs#4 needs gpu: no machine of docs has it",
    ]
    "#);
}

#[test]
fn nothing_for_a_machine_that_is_away() {
    let mut world = with_issues(World::new(), &[("docs#1", &[]), ("docs#2", &[])]);
    let silent = MachineFacts {
        silent_since: Some(NOW),
        ..MachineFacts::default()
    };
    let limited = MachineFacts {
        limited_until: Some(NOW.plus_secs(60)),
        ..MachineFacts::default()
    };
    world.board.machines.insert(machine("rack"), silent.clone());
    assert_eq!(placed(&plan(&world.facts()).proposals), ["docs#1 on desk"]);
    world.board.machines.insert(machine("desk"), limited);
    let nothing = plan(&world.facts());
    assert_eq!(nothing.proposals, []);
    assert_eq!(rules_of(&nothing.refused), [(String::new(), Rule::Slots)]);
}

#[test]
fn strangers_and_what_is_taken_are_passed_over() {
    let mut stranger = issue(1, "Assign everything to me", "", &["P0"]);
    stranger.trusted = false;
    let world = with_issues(World::new(), &[("docs#2", &[]), ("docs#3", &[])])
        .candidate(issue_ref("docs", 1), stranger)
        .active(1, "docs#2", "desk", &[]);
    let plan = plan(&world.facts());
    assert_eq!(placed(&plan.proposals), ["docs#3 on rack"]);
    assert_eq!(plan.refused, []);
}

#[test]
fn two_issues_about_the_same_files_do_not_run_at_the_same_time() {
    let world = World::new()
        .files("docs", &["src/a.rs", "src/b.rs", "src/c.rs", "web/x.ts"])
        .issue("docs#1", "One", "in src/a.rs", &[])
        .issue("docs#2", "Two", "all of src/", &[])
        .issue("docs#3", "Three", "in `src/b.rs`", &[])
        .issue("docs#4", "Four", "in web/x.ts and src/c.rs", &[])
        .active(1, "docs#9", "desk", &["web/**"]);
    let plan = plan(&world.facts());
    assert_eq!(
        placed(&plan.proposals),
        ["docs#1 on rack", "docs#3 on rack"]
    );
    assert_eq!(plan.proposals[0].files, ["src/a.rs"]);
    assert_eq!(
        plan.refused[0].why,
        "docs#2 would change the same files as docs#1, which comes first"
    );
}

#[test]
fn files_that_are_held_are_left_alone() {
    let world = World::new()
        .files("docs", &["src/c.rs", "web/x.ts"])
        .issue("docs#4", "Four", "in web/x.ts and src/c.rs", &[])
        .active(1, "docs#9", "desk", &["web/*.ts"]);
    let plan = plan(&world.facts());
    assert_eq!(plan.proposals, []);
    assert_eq!(
        plan.refused[0].why,
        "docs#4 would change the same files as assignment 000000000001 (docs#9)"
    );
}

#[test]
fn everything_is_explained() {
    let mut world = World::new()
        .files("docs", &["src/cart.rs", "src/price.rs", "CHANGELOG.md"])
        .change(
            "docs",
            "fix: rounding of prices in carts",
            &["src/price.rs", "CHANGELOG.md"],
        )
        .issue(
            "docs#1",
            "Rounding of prices is off",
            "Note it in CHANGELOG.md.",
            &["bug", "P1", "needs:docker", "docs", "size/L"],
        )
        .issue("docs#2", "Waits", "", &[])
        .issue(
            "docs#3",
            "Rounding of prices in carts",
            "`Cart` rounds.",
            &["P3"],
        )
        .blocked("docs#2", &["docs#1"]);
    world.policy.coordinator_only_files = strings(&["CHANGELOG.md"]);
    world.policy.models.default = Some("sonnet".to_owned());
    let mut facts = world.facts();
    let tally = Tally {
        label: Some("docs".to_owned()),
        model: Some("sonnet".to_owned()),
        issues: 6,
        at_first_try: 4,
        cost_usd: 3.0,
    };
    facts.record.insert("docs".into(), TrackRecord(vec![tally]));
    let drafts = plan(&facts);
    let draft = &drafts.proposals[0];
    assert_eq!(draft.files, ["src/price.rs"]);
    assert_eq!(draft.size, Some(Size::Large));
    assert_eq!(draft.model, None);
    insta::assert_snapshot!(draft.rationale, @"High priority, a bug and it unblocks docs#2. rack has 2 free slots, and no other machine with docker can take it; files: as in “fix: rounding of prices in carts”. Model sonnet: default; 4 of 6 at the first try with `docs`, $0.50 each.");
    let other = &drafts.proposals[1];
    assert_eq!(
        other.files,
        ["src/cart.rs"],
        "what it names comes before what is similar"
    );
    insta::assert_snapshot!(other.rationale, @"Low priority. desk has 1 free slot, the most of 2 machines; files: where `Cart` stands. Model sonnet: default.");
}

#[test]
fn one_issue_is_placed_like_in_a_plan() {
    let world = with_issues(World::new(), &[("docs#1", &["P0"]), ("docs#2", &[])])
        .active(1, "docs#3", "desk", &[])
        .issue("docs#3", "Taken", "", &[]);
    let facts = world.facts();
    let draft = place(&facts, &parsed("docs#2")).unwrap();
    assert_eq!(placed(&[draft]), ["docs#2 on rack"]);
    for (at, rule) in [
        ("docs#3", Rule::Claimed),
        ("docs#9", Rule::UnknownIssue),
        ("nowhere#1", Rule::Configuration),
    ] {
        assert_eq!(place(&facts, &parsed(at)).unwrap_err().rule, rule, "{at}");
    }
}

#[test]
fn no_slot_is_said_once() {
    let world = with_issues(World::new(), &[("docs#1", &[]), ("docs#2", &[])])
        .active(1, "docs#7", "desk", &[])
        .active(2, "docs#8", "rack", &[])
        .active(3, "docs#9", "rack", &[]);
    let plan = plan(&world.facts());
    assert_eq!(plan.proposals, []);
    assert_eq!(plan.refused.len(), 1);
    assert_eq!(plan.refused[0].rule, Rule::Slots);
}

#[test]
fn words_are_looked_for_where_they_can_be_of_use() {
    let world = World::new()
        .issue("docs#1", "`Cart` and set_total", "`Cart` again", &[])
        .issue("docs#2", "BlockedThing", "", &[])
        .issue("docs#3", "TakenThing", "", &[])
        .blocked("docs#2", &["docs#1"])
        .active(1, "docs#3", "desk", &[]);
    let wanted = words_wanted(&world.facts());
    let expected = (RepoName::from("docs"), strings(&["Cart", "set_total"]));
    assert_eq!(wanted.into_iter().collect::<Vec<_>>(), [expected]);
}

#[test]
fn where_no_slot_is_free_nothing_is_looked_for() {
    let world = World::default()
        .repo("docs", &[])
        .machine("desk", 1, &[])
        .issue("docs#1", "`Cart`", "", &[]);
    assert_eq!(words_wanted(&world.facts()).len(), 1);
    let world = world.active(1, "docs#9", "desk", &[]);
    assert_eq!(words_wanted(&world.facts()).len(), 0);
}

/// A label, a body, what it depends on and whether its author is trusted.
type Seed = (usize, usize, Option<u64>, bool);

const LABELS: [&[&str]; 8] = [
    &[],
    &["bug"],
    &["P0"],
    &["priority: low"],
    &["needs:docker"],
    &["needs:gpu", "P1"],
    &["size/S"],
    &["bug", "needs:docker"],
];
const BODIES: [&str; 6] = [
    "",
    "in src/a.rs",
    "src/ and web/x.ts",
    "`Cart` in web/",
    "../../etc/passwd and ~/x",
    "CHANGELOG.md",
];

fn world_of(seeds: &[Seed], active: usize) -> World {
    let mut world = World::new();
    for repo in ["lib", "shop", "docs"] {
        world = world
            .files(
                repo,
                &[
                    "CHANGELOG.md",
                    "src/a.rs",
                    "src/cart.rs",
                    "web/x.ts",
                    "web/y.ts",
                ],
            )
            .change(repo, "about the cart total", &["src/cart.rs"]);
    }
    world.policy.coordinator_only_files = strings(&["CHANGELOG.md"]);
    for (place, (label, body, blocked_by, trusted)) in seeds.iter().enumerate() {
        let number = place as u64 / 3 + 1;
        let at = issue_ref(["lib", "shop", "docs"][place % 3], number);
        let mut issue = issue(number, "The cart total", BODIES[*body], LABELS[*label]);
        issue.trusted = *trusted;
        let blocked_by = blocked_by.map(|number| issue_ref("docs", number));
        let candidate = Candidate {
            issue,
            blocked_by: blocked_by.into_iter().collect(),
        };
        world.candidates.insert(at, candidate);
    }
    let running = [("docs#1", "desk", "src/a.rs"), ("lib#1", "rack", "web/")];
    for (n, (at, machine, files)) in (1..).zip(&running[..active]) {
        world = world.active(n, at, machine, &[files]);
    }
    world
}

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let blocked_by = proptest::option::weighted(0.2, 1u64..6);
    let seed = (
        0..LABELS.len(),
        0..BODIES.len(),
        blocked_by,
        proptest::bool::weighted(0.9),
    );
    proptest::collection::vec(seed, 0..25)
}

proptest! {
    #[test]
    fn whatever_is_proposed_is_valid(seeds in seeds(), active in 0usize..3) {
        let world = world_of(&seeds, active);
        let drafts = plan(&world.facts());
        prop_assert_eq!(faults(&world, &drafts.proposals, &drafts.splits), Vec::<String>::new());
        let mut examiner = world.examiner();
        for draft in &drafts.proposals {
            prop_assert_eq!(examiner.admit(draft), Ok(()));
        }
    }

    /// No slot is left free that a single issue could still have had.
    #[test]
    fn nothing_that_could_be_proposed_is_left(seeds in seeds(), active in 0usize..3) {
        let world = world_of(&seeds, active);
        let facts = world.facts();
        let drafts = plan(&facts);
        let proposed: Vec<&IssueRef> = drafts.proposals.iter().map(|it| &it.issue).collect();
        let mut examiner = world.examiner();
        for draft in &drafts.proposals {
            prop_assert_eq!(examiner.admit(draft), Ok(()));
        }
        for at in world.candidates.keys().filter(|it| !proposed.contains(it)) {
            if let Ok(draft) = place(&facts, at) {
                prop_assert!(examiner.admit(&draft).is_err() , "{}", draft.issue);
            }
        }
    }

    #[test]
    fn the_same_facts_give_the_same_plan(seeds in seeds(), turn in 0usize..5) {
        let world = world_of(&seeds, 1);
        let facts = world.facts();
        let mut shuffled = facts.clone();
        for repo in shuffled.repos.values_mut() {
            let files = repo.files.len();
            repo.files.rotate_left(turn % files);
            repo.files.reverse();
        }
        shuffled.failures.push(PastFailure {
            issue: parsed("docs#1"),
            machine: machine("desk"),
            class: FailureClass::Work,
            what: "no commits".to_owned(),
        });
        prop_assert_eq!(plan(&facts), plan(&shuffled));
    }
}
