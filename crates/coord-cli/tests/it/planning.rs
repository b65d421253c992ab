//! `coord plan`, `approve` and `reject`: from what could be done to what is done.

use std::io::Write as _;
use std::process::Stdio;

use coord_test_support::processes;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::{Bench, Special};
use crate::brain;
use crate::issues::cannot_steer;
use crate::program::until;

/// Opens an issue.
fn issue(bench: &Bench, title: &str, body: &str) {
    let new = ["issue", "new", "--repo", "shop", title, "--body", body];
    bench.run(&new).ok();
}

/// Two issues that could be worked on, and one that has to wait for the first.
fn three_issues(bench: &Bench) {
    issue(bench, "Fix the cart", "The sum in `src/cart.rs` is wrong.");
    issue(bench, "Describe it", "`docs/guide.md` says nothing.");
    issue(bench, "Build on it", "Depends on #1");
}

/// A desk with two proposals for two issues.
fn proposed() -> Bench {
    let bench = Bench::with_agent(Special::default());
    three_issues(&bench);
    bench.run(&["plan", "--planner", "rules"]).ok();
    bench
}

/// A desk whose model plans with these answers.
fn thinking(answers: &[Value]) -> Bench {
    let bench = Bench::new(Special::default());
    let worker = brain::that_answers(&bench, answers);
    let bench = bench.with_worker(Some(worker));
    three_issues(&bench);
    bench
}

fn ids(value: &Value) -> Vec<&str> {
    let all = value.as_array().unwrap();
    all.iter().map(|it| it["id"].as_str().unwrap()).collect()
}

#[test]
fn rules_plan_and_a_person_approves() {
    let bench = Bench::with_agent(Special::default());
    three_issues(&bench);
    let plan = bench.run(&["plan", "--planner", "rules"]).ok();
    insta::assert_snapshot!(bench.redact(&plan.out), @r"
    plan by rules

    ID  ISSUE  TITLE  MACHINE  MODEL  SIZE  FILES
    P1  shop#1  Fix the cart  laptop  sonnet  small  ?
      It unblocks shop#3. laptop has 20 free slots, and no other machine can take it; nothing says which files. Model sonnet: default.
    P2  shop#2  Describe it  laptop  sonnet  small  ?
      The oldest of those with the same priority that nothing stands in the way of. laptop has 19 free slots, and no other machine can take it; nothing says which files. Model sonnet: default.

    refused
      shop#3 depends on shop#1, which is open
    ");
    insta::assert_snapshot!(bench.redact(&plan.err), @r"
    reading issues and repositories
    hint: `coord approve P1,P2` starts the work
    ");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    no assignments; `coord assign MACHINE REPO ISSUE` makes one

    proposed [span] ago; `coord approve`, `coord split` or `coord reject` answers
      P1 shop#1 Fix the cart on laptop
      P2 shop#2 Describe it on laptop

    blocked
      shop#3 Build on it depends on shop#1
    ");
    insta::assert_snapshot!(bench.says(&["why", "1"]), @r"
    shop#1: no assignment on the board is for shop#1
    it is proposed for laptop: `coord approve P1` starts the work
    ");
    insta::assert_snapshot!(bench.says(&["why", "3"]), @r"
    shop#3: no assignment on the board is for shop#3
    it depends on shop#1, which is open
    ");
    insta::assert_snapshot!(bench.says(&["approve", "p1", "--until", "tested"]), @r"
    P1
    → laptop → shop#1: Fix the cart
    → model: sonnet
    → branch: issue-1-fix-the-cart
    → dispatched (assignment [id])
    ");
    insta::assert_snapshot!(bench.says(&["reject", "2"]), @"P2 rejected");
    let status = bench.json(&["status"]);
    assert_eq!(status["proposals"], json!([]));
    assert_eq!(status["assignments"][0]["goal"], json!("tested"));
    insta::assert_snapshot!(bench.says(&["history", "--kind", "planned", "proposal_approved", "proposal_rejected"]), @r"
    [date] [time]  plan by rules: P1, P2 proposed, 1 refused
    [date] [time]  [id] carries out proposal P1
    [date] [time]  proposal P2 rejected
    ");
}

#[test]
fn a_new_plan_replaces_the_one_before_unless_it_is_a_dry_run() {
    let bench = proposed();
    let dry = bench.run(&["plan", "--planner", "rules", "--dry-run"]).ok();
    assert!(
        dry.out.ends_with("dry run: nothing was saved\n"),
        "{}",
        dry.out
    );
    let status = bench.json(&["status"]);
    assert_eq!(ids(&status["proposals"]), ["P1", "P2"]);
    let plan = bench.json(&["plan", "--planner", "rules"]);
    assert_eq!(ids(&plan["proposals"]), ["P3", "P4"], "no id is used twice");
    insta::assert_snapshot!(bench.complains(2, &["approve", "P1,P3"]), @r"
    error: nothing that is proposed has the id P1
    hint: `coord status` lists what is proposed; a new plan replaces the one before
    ");
    assert_eq!(bench.json(&["status"])["assignments"], json!([]));
}

#[test]
fn a_plan_as_data() {
    let bench = thinking(&[
        json!({"proposals": [brain::proposal(1, &["src/**"])], "splits": [brain::split(2)]}),
    ]);
    let mut plan = bench.json(&["plan"]);
    for list in ["proposals", "splits"] {
        assert!(plan[list][0]["proposed_at"].is_i64(), "{plan}");
        plan[list][0]["proposed_at"] = json!(0);
    }
    insta::assert_snapshot!(format!("{plan:#}"), @r#"
    {
      "blocked": [],
      "blocked_issues": [
        {
          "blocked_by": [
            {
              "number": 1,
              "repo": "shop"
            }
          ],
          "issue": {
            "number": 3,
            "repo": "shop"
          },
          "title": "Build on it"
        }
      ],
      "by": {
        "model": "claude-opus-5-5",
        "planner": "brain"
      },
      "cost_usd": 0.25,
      "dry_run": false,
      "fed_back": [],
      "proposals": [
        {
          "chosen_model": {
            "model": "sonnet",
            "why": "default"
          },
          "files": [
            "src/**"
          ],
          "id": "P1",
          "issue": {
            "number": 1,
            "repo": "shop"
          },
          "machine": "laptop",
          "model": null,
          "notes": null,
          "proposed_at": 0,
          "rationale": "It is next.\nAnd it is small.",
          "size": "small",
          "title": "Fix the cart"
        }
      ],
      "refused": [],
      "splits": [
        {
          "chunks": [
            {
              "after": [],
              "files": [],
              "scope": "All of One.",
              "title": "One"
            },
            {
              "after": [],
              "files": [],
              "scope": "All of Two.",
              "title": "Two"
            },
            {
              "after": [
                0
              ],
              "files": [],
              "scope": "All of Three.",
              "title": "Three"
            }
          ],
          "failed": null,
          "id": "S1",
          "issue": {
            "number": 2,
            "repo": "shop"
          },
          "proposed_at": 0,
          "rationale": "It is too much.",
          "title": "Describe it",
          "under_way": false
        }
      ],
      "unread": []
    }
    "#);
    let status = bench.json(&["status"]);
    assert_eq!(ids(&status["splits"]), ["S1"]);
    assert_eq!(
        status["blocked_issues"][0]["blocked_by"],
        json!([{"repo": "shop", "number": 1}])
    );
    let why = bench.json(&["why", "3"]);
    assert_eq!(why["blocked_by"], json!([{"repo": "shop", "number": 1}]));
}

#[test]
fn a_model_is_told_once_what_was_refused() {
    let wrong = json!({"proposals": [brain::proposal(1, &["src/**"]), brain::proposal(9, &[])], "splits": []});
    let hostile = "\u{1b}]0;gotcha\u{7}\u{1b}[2J\u{202e}evil\r";
    let mut better = brain::proposal(1, &["src/**"]);
    better["rationale"] = json!(format!("Why not?\n{hostile}"));
    let mut split = brain::split(2);
    split["chunks"][0]["files"] = json!(["docs/**"]);
    let second = json!({"proposals": [better, brain::proposal(1, &[])], "splits": [split]});
    let bench = thinking(&[wrong, second]);
    let plan = bench
        .run(&["plan", "--planner", "brain", "--model", "opus"])
        .ok();
    insta::assert_snapshot!(bench.redact(&plan.out), @r"
    plan by brain (claude-opus-5-5)

    ID  ISSUE  TITLE  MACHINE  MODEL  SIZE  FILES
    P1  shop#1  Fix the cart  laptop  sonnet  small  src/**
      Why not?
      ]0;gotcha[2J evil
      model: default

    S1 shop#2 Describe it: 3 parts
      It is too much.
      1. One (docs/**)
      2. Two
      3. Three (after 1)

    refused
      shop#1 has its place in this plan already

    blocked
      shop#3 Build on it depends on shop#1

    cost $0.50
    ");
    insta::assert_snapshot!(bench.redact(&plan.err), @r"
    reading issues and repositories
    the model thinks
    1 refusal: the model is told, and asked once more
    hint: `coord approve P1` starts the work, `coord split S1` opens the sub-issues
    ");
}

#[test]
fn what_a_planner_says_cannot_steer_the_terminal() {
    let hostile = "\u{1b}]0;gotcha\u{7}\u{1b}[2J\u{202e}evil\r";
    let mut proposal = brain::proposal(1, &[]);
    proposal["rationale"] = json!(hostile);
    proposal["notes"] = json!(hostile);
    let mut odd = brain::proposal(2, &[hostile]);
    odd["machine"] = json!(hostile);
    let mut split = brain::split(2);
    split["rationale"] = json!(hostile);
    let title = format!("gotcha {}", "\u{202e}evil");
    split["chunks"][0]["title"] = json!(title);
    let answer = json!({"proposals": [proposal, odd], "splits": [split]});
    let bench = thinking(&[answer.clone(), answer.clone(), answer.clone(), answer]);
    let plan = cannot_steer(&bench, &["plan"]);
    assert!(
        plan.contains("gotcha") && plan.contains("refused"),
        "{plan}"
    );
    let looks: [&[&str]; 6] = [
        &["status"],
        &["why", "1"],
        &["why", "2"],
        &["history"],
        &["split", "S1", "--dry-run"],
        &["approve", "P1", "--dry-run"],
    ];
    for args in looks {
        cannot_steer(&bench, args);
    }
}

#[test]
fn rules_stand_in_for_a_model_that_fails() {
    let bench = thinking(&[]);
    let plan = bench.run(&["plan"]).ok();
    let first = plan.out.lines().next().unwrap();
    assert!(
        first.starts_with("plan by rules, not by a model: "),
        "{first}"
    );
    assert!(
        plan.err.contains("the rules plan, not the model: "),
        "{}",
        plan.err
    );
    let bench = Bench::new(Special {
        worker: Some(json!(["no-such-program"])),
        ..Special::default()
    });
    three_issues(&bench);
    let plan = bench.json(&["plan"]);
    assert_eq!(
        plan["by"],
        json!({"planner": "rules"}),
        "nothing was wanted of a model"
    );
    let asked = bench.json(&["plan", "--planner", "brain"]);
    let instead = asked["by"]["instead"].as_str().unwrap();
    assert_eq!(instead, "`no-such-program` is not installed here");
}

#[test]
fn thinking_can_be_left() {
    let answer = json!({"proposals": [brain::proposal(1, &[])], "splits": []});
    let bench = thinking(&[answer]);
    bench.run(&["plan", "--planner", "rules"]).ok();
    std::fs::write(bench.path("hold"), "").unwrap();
    let plan = bench.start(&["plan"]);
    bench.appears(&bench.path("thinking"));
    plan.signal(Signal::INT);
    insta::assert_snapshot!(plan.end().code(130).last(), @"interrupted: nothing was planned, and what was proposed before stands");
    let status = bench.json(&["status"]);
    assert_eq!(ids(&status["proposals"]), ["P1", "P2"], "they stand");
    // The script of the model names this file.
    let gone = until(|| {
        let left = processes::of_folder(&bench.path("thinking")).unwrap();
        left.is_empty().then_some(())
    });
    assert!(gone.is_some(), "the model still thinks");
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let bench = proposed();
    let complains = |args: &[&str]| bench.complains(2, args);
    insta::assert_snapshot!(complains(&["approve", "P7"]), @r"
    error: nothing that is proposed has the id P7
    hint: `coord status` lists what is proposed; a new plan replaces the one before
    ");
    insta::assert_snapshot!(complains(&["approve", "X1"]), @r"
    error: `X1` is not an id such as P12 or S3
    hint: `coord status` lists what is proposed
    ");
    insta::assert_snapshot!(complains(&["approve", "S1"]), @r"
    error: S1 is a split
    hint: `coord split S1` opens its sub-issues
    ");
    insta::assert_snapshot!(complains(&["approve", "P1", "--briefing", "P1"]), @"error: `P1` is not ID=FILE, such as P1=briefing.md");
    insta::assert_snapshot!(complains(&["approve", "P1", "--briefing", "P2=-"]), @"error: there is a briefing for P2, which is not to be approved");
    insta::assert_snapshot!(complains(&["approve", "--all", "--briefing", "P1=-", "--briefing", "P2=-"]), @"error: stdin can only be the briefing of one proposal");
    insta::assert_snapshot!(complains(&["approve", "P1", "--briefing", "P1=a", "--briefing", "1=b"]), @"error: P1 has two briefings");
    insta::assert_snapshot!(bench.complains(1, &["approve", "P1", "--briefing", "P1=nope.md"]), @"error: cannot use `nope.md`: No such file or directory (os error 2)");
    insta::assert_snapshot!(complains(&["reject", "P1,S1"]), @r"
    error: nothing that is proposed has the id S1
    hint: `coord status` lists what is proposed; a new plan replaces the one before
    ");
    insta::assert_snapshot!(complains(&["split", "P1"]), @r"
    error: P1 is no split
    hint: `coord approve P1` starts the work
    ");
    insta::assert_snapshot!(complains(&["plan", "--repo", "nope"]), @r"
    error: there is no repository `nope` in the configuration
    hint: `coord config` shows the repositories
    ");
    insta::assert_snapshot!(complains(&["approve"]), @r"
    error: nothing is named that is to be approved
    hint: `coord approve P1,P2` approves these, `coord approve --all` everything
    ");
    assert_eq!(ids(&bench.json(&["status"])["proposals"]), ["P1", "P2"]);
}

#[test]
fn a_briefing_can_stand_in_a_file_or_come_through_a_pipe() {
    let bench = proposed();
    std::fs::write(bench.path("one.md"), "From a file.\n").unwrap();
    let args = [
        "approve",
        "P1",
        "P2",
        "--briefing",
        "P1=one.md",
        "--briefing",
        "2=-",
        "--json",
    ];
    let mut command = bench.command(&args);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let approve = bench.launch(command.stdin(Stdio::from(reader)));
    drop(command);
    writer.write_all(b"From a pipe.\n").unwrap();
    drop(writer);
    let answer = approve.end().ok().json();
    let briefings = answer["approved"].as_array().unwrap().iter();
    let briefings: Vec<_> = briefings
        .map(|it| {
            (
                &it["proposal"],
                &it["assignment"]["briefing"],
                &it["dispatched"],
            )
        })
        .collect();
    let (yes, one, two) = (
        json!(true),
        json!("From a file.\n"),
        json!("From a pipe.\n"),
    );
    assert_eq!(
        briefings,
        [(&json!("P1"), &one, &yes), (&json!("P2"), &two, &yes)]
    );
}

#[test]
fn one_that_is_refused_holds_up_no_other() {
    let bench = proposed();
    bench.assign("1");
    let dry = bench.run(&["approve", "--all", "--dry-run"]).code(1);
    insta::assert_snapshot!(bench.redact(&dry.out), @r"
    P2
    → laptop → shop#2: Describe it
    → model: sonnet
    → branch: issue-2-describe-it
    → dry run: nothing was dispatched
    ");
    insta::assert_snapshot!(bench.redact(&dry.err), @r"
    P1: error: shop#1 is claimed by assignment [id] on laptop, which is running
    hint: `coord stop [id]` first
    ");
    let answer = bench.run(&["approve", "--all", "--json"]).code(1).json();
    assert_eq!(answer["approved"][0]["proposal"], json!("P2"));
    assert_eq!(answer["refused"][0]["proposal"], json!("P1"));
    assert_eq!(answer["refused"][0]["failed"]["exit_code"], json!(1));
    bench.complains(1, &["approve", "P1"]);
    assert_eq!(ids(&bench.json(&["status"])["proposals"]), ["P1"]);
}

#[test]
fn of_two_at_once_one_approves() {
    let bench = proposed();
    let approve = ["approve", "P1", "--json"];
    let both = [bench.start(&approve), bench.start(&approve)];
    let mut codes = both.map(|it| it.end().code);
    codes.sort_unstable();
    assert_eq!(codes[0], Some(0));
    assert!(matches!(codes[1], Some(1 | 2)), "{codes:?}");
    let status = bench.json(&["status"]);
    assert_eq!(
        status["assignments"].as_array().unwrap().len(),
        1,
        "{status:#}"
    );
}

#[test]
fn all_of_nothing_is_nothing() {
    let bench = Bench::new(Special::default());
    let all = bench.run(&["approve", "--all"]).ok();
    insta::assert_snapshot!(all.out + &all.err, @"nothing is proposed; `coord plan` proposes");
    assert_eq!(
        bench.json(&["approve", "--all"]),
        json!({"approved": [], "refused": []})
    );
    let plan = bench.run(&["plan", "--planner", "rules"]).ok();
    insta::assert_snapshot!(plan.out, @r"
    plan by rules
    nothing is proposed
    ");
}
