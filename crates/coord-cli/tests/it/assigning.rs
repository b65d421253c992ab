//! `coord assign`: what it says when it dispatches, waits or refuses.

use coord_test_support::git_fixture::git;
use serde_json::json;

use crate::bench::{Bench, Special, commit, unused_port, write};

#[test]
fn a_dispatch_says_where_what_and_how() {
    let bench = Bench::with_agent(Special::default());
    bench.small_issue("a.txt");
    insta::assert_snapshot!(bench.says(&["assign", "laptop", "shop", "1", "--model", "opus"]), @r"
    → laptop → shop#1: Write a.txt
    → model: opus
    → branch: issue-1-write-a-txt
    → dispatched (assignment [id])
    ");
}

#[test]
fn as_data_it_is_the_assignment() {
    let bench = Bench::with_agent(Special::default());
    bench.small_issue("a.txt");
    let args = [
        "assign",
        "-",
        "shop",
        "1",
        "--briefing=-v",
        "--files",
        "a.txt",
        "b/**",
    ];
    let answer = bench.json(&args);
    let assignment = &answer["assignment"];
    assert_eq!(answer["dispatched"], json!(true));
    assert_eq!(assignment["machine"], json!("laptop"));
    assert_eq!(assignment["briefing"], json!("-v"));
    assert_eq!(assignment["scope"]["allowed"], json!(["a.txt", "b/**"]));
}

#[test]
fn the_briefing_can_stand_in_a_file() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    std::fs::write(bench.path("todo.md"), "do it well\n").unwrap();
    let answer = bench.json(&[
        "assign",
        "laptop",
        "shop",
        "1",
        "--briefing-file",
        "todo.md",
    ]);
    assert_eq!(answer["assignment"]["briefing"], json!("do it well\n"));

    bench.small_issue("b.txt");
    let args = [
        "assign",
        "laptop",
        "shop",
        "2",
        "--briefing-file",
        "nope.md",
    ];
    insta::assert_snapshot!(bench.complains(1, &args), @"error: cannot use `nope.md`: No such file or directory (os error 2)");
}

#[test]
fn a_dry_run_changes_nothing() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    insta::assert_snapshot!(bench.says(&["assign", "laptop", "shop", "1", "--dry-run"]), @r"
    → laptop → shop#1: Write a.txt
    → model: sonnet
    → branch: issue-1-write-a-txt
    → dry run: nothing was dispatched
    ");
    let events = bench.json(&["assign", "laptop", "shop", "1", "--dry-run"]);
    assert_eq!(events["events"][0]["kind"], json!("assignment_requested"));
    let refused = bench.complains(2, &["assign", "tower", "shop", "1", "--dry-run"]);
    assert!(refused.contains("tower"), "{refused}");
    assert_eq!(bench.json(&["history"]), json!([]));
}

#[test]
fn what_does_not_exist_is_wrong_usage() {
    let bench = Bench::new(Special {
        repos: "  - name: other\n    forge: local\n",
        ..Special::default()
    });
    bench.small_issue("a.txt");
    let complains = |args: &[&str]| bench.complains(2, args);
    insta::assert_snapshot!(complains(&["assign", "tower", "shop", "1"]), @r"
    error: no machine is called tower
    hint: `coord config` lists the machines
    ");
    insta::assert_snapshot!(complains(&["assign", "laptop", "shoop", "1"]), @r"
    error: there is no repository `shoop` in the configuration
    hint: `coord config` shows the repositories
    ");
    insta::assert_snapshot!(complains(&["assign", "laptop", "shop", "9"]), @r"
    error: there is no issue #9 in `shop`
    hint: `coord issue list --repo shop` shows the open ones
    ");
    insta::assert_snapshot!(complains(&["assign", "laptop", "shop", "one"]), @r"
    error: invalid value 'one' for '<ISSUE>': invalid digit found in string

    For more information, try '--help'.
    ");
    assert_eq!(bench.json(&["status"])["assignments"], json!([]));

    let other = ["issue", "new", "--repo", "other", "Elsewhere"];
    bench.run(&other).ok();
    insta::assert_snapshot!(bench.complains(1, &["assign", "laptop", "other", "1"]), @r"
    error: the forge of `other` failed: this machine has no checkout of `other`
    hint: add the path of `other` to this machine in coordinator.yml
    ");
}

#[test]
fn a_closed_issue_is_refused() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    bench.run(&["issue", "close", "1"]).ok();
    insta::assert_snapshot!(bench.complains(1, &["assign", "laptop", "shop", "1"]), @r"
    error: shop#1 is closed
    hint: open it again first
    ");
}

#[test]
fn a_claimed_issue_is_refused_naming_the_claim() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.running("a.txt");
    let args = ["assign", "laptop", "shop", "1"];
    insta::assert_snapshot!(bench.complains(1, &args), @r"
    error: shop#1 is claimed by assignment [id] on laptop, which is running
    hint: `coord stop [id]` first
    ");
    let refusal = bench.run(&[&args[..], &["--json"]].concat()).code(1).json();
    let error = refusal["error"].as_str().unwrap();
    assert!(error.contains(&id), "{error}");
    assert_eq!(refusal["exit_code"], json!(1));
}

#[test]
fn a_branch_of_somebody_else_is_a_claim_until_it_is_gone() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let branch = "refs/heads/main:refs/heads/issue-1-by-hand";
    let clone = bench.repo.clone_path();
    git(&clone, &["push", "-q", "origin", branch]).unwrap();
    let args = ["assign", "laptop", "shop", "1"];
    insta::assert_snapshot!(bench.complains(1, &args), @r"
    error: shop#1 is claimed by the branch issue-1-by-hand, which is not ours
    hint: merge or delete the branch first
    ");
    let gone = ["push", "-q", "origin", ":issue-1-by-hand"];
    git(&clone, &gone).unwrap();
    bench.run(&args).ok();
}

#[test]
fn a_remote_that_does_not_answer_leaves_the_claim_unknown() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let nobody = format!("http://127.0.0.1:{}/shop.git", unused_port());
    let clone = bench.repo.clone_path();
    git(&clone, &["remote", "set-url", "origin", &nobody]).unwrap();
    let args = ["assign", "laptop", "shop", "1"];
    let refused = bench.complains(1, &args);
    let (error, hint) = refused.split_once('\n').unwrap();
    assert!(
        error.starts_with("error: whether somebody else works on shop#1 is unknown: "),
        "{error}"
    );
    insta::assert_snapshot!(hint, @"hint: try again, or pass --accept-unknown when nobody does");
    bench.run(&[&args[..], &["--accept-unknown"]].concat()).ok();
}

#[test]
fn overlapping_files_are_refused_or_waited_for_or_allowed() {
    let bench = Bench::with_agent(Special::default());
    let steps = [json!({"say": "hi"}), write("a.txt"), commit()];
    bench.issue("One", &steps);
    bench.issue("Two", &steps);
    bench.issue("Three", &steps);
    bench
        .run(&["assign", "laptop", "shop", "1", "--files", "src/**"])
        .ok();
    let two = ["assign", "laptop", "shop", "2", "--files", "src/a.txt"];
    insta::assert_snapshot!(bench.complains(1, &two), @r"
    error: its files overlap with assignment [id] (shop#1): src/**
    hint: wait for it, narrow the files, or pass --allow-overlap
    ");
    let waits = bench.says(&[&two[..], &["--wait"]].concat());
    insta::assert_snapshot!(waits, @r"
    → laptop → shop#2: Two
    → model: sonnet
    → branch: issue-2-two
    → waits (assignment [id]): its files overlap with assignment [id] (shop#1): src/**
    ");
    let three = [
        "assign",
        "laptop",
        "shop",
        "3",
        "--files",
        "src/a.txt",
        "--allow-overlap",
    ];
    bench.run(&three).ok();
}

#[test]
fn work_upstream_is_refused_or_ignored() {
    let bench = Bench::new(Special {
        repo: "    depends_on: [lib]\n",
        repos: "  - name: lib\n    forge: local\n",
        works_on: "shop, lib",
        ..Special::default()
    });
    bench
        .run(&["issue", "new", "--repo", "lib", "Upstream"])
        .ok();
    bench
        .run(&["issue", "new", "--repo", "shop", "Downstream"])
        .ok();
    bench.run(&["assign", "laptop", "lib", "1"]).ok();
    let args = ["assign", "laptop", "shop", "1"];
    insta::assert_snapshot!(bench.complains(1, &args), @r"
    error: shop depends on lib, where assignment [id] (lib#1) is not finished
    hint: wait for it, or pass --ignore-deps
    ");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  unknown for [span]: cannot reach the agent at http://127.0.0.1:[port]  ?  shop, lib

    ID  ISSUE  TITLE  MACHINE  STATE  FOR  NOW
    [id]  lib#1  Upstream  laptop  requested  [span]

    postponed; `coord up` or `coord resume` goes on with it
      the dispatch of [id] will be tried again from [time] on: cannot reach the agent at http://127.0.0.1:[port]: Connection refused (os error 111)

    blocked
      shop is blocked by work in lib
    ");
    bench.run(&[&args[..], &["--ignore-deps"]].concat()).ok();
}

#[test]
fn without_a_free_slot_it_is_refused_or_waits() {
    let bench = Bench::new(Special {
        slots: 1,
        ..Special::default()
    });
    bench.small_issue("a.txt");
    bench.small_issue("b.txt");
    bench.run(&["assign", "laptop", "shop", "1"]).ok();
    insta::assert_snapshot!(bench.complains(1, &["assign", "laptop", "shop", "2"]), @r"
    error: every slot of laptop is taken
    hint: wait for a worker to end, or raise max_workers
    ");
    insta::assert_snapshot!(bench.complains(1, &["assign", "-", "shop", "2"]), @r"
    error: no machine that may work on shop has a free slot
    hint: wait for a worker to end, or raise max_workers
    ");
    insta::assert_snapshot!(bench.says(&["assign", "-", "shop", "2", "--wait"]), @r"
    → laptop → shop#2: Write b.txt
    → model: sonnet
    → branch: issue-2-write-b-txt
    → waits (assignment [id]): no machine that may work on shop has a free slot
    ");
}

#[test]
fn an_agent_that_is_away_gets_it_later() {
    let mut bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let kept = bench.run(&["assign", "laptop", "shop", "1"]).ok();
    insta::assert_snapshot!(bench.redact(&kept.out), @r"
    → laptop → shop#1: Write a.txt
    → model: sonnet
    → branch: issue-1-write-a-txt
    → kept (assignment [id]), not dispatched yet: cannot reach the agent at http://127.0.0.1:[port]: Connection refused (os error 111)
    ");
    insta::assert_snapshot!(bench.redact(&kept.err), @"it goes out as soon as `coord up`, `coord wait` or `coord resume` reaches the agent");
    insta::assert_snapshot!(bench.says(&["why", "1"]), @r"
    shop#1: the agent on laptop cannot be reached; whether it has the assignment is unknown
    the dispatch of [id] will be tried again from [time] on: cannot reach the agent at http://127.0.0.1:[port]: Connection refused (os error 111)
      #1  [date] [time]  [id] shop#1 requested on laptop: Write a.txt
    ");
    insta::assert_snapshot!(bench.says(&["resume", "--no-wait"]), @"1 unfinished assignment; `coord up` or `coord resume` goes on with them");

    bench.start_agent();
    insta::assert_snapshot!(bench.says(&["resume"]), @"[id] shop#1: done: 1 commit on issue-1-write-a-txt at [commit]");
    insta::assert_snapshot!(bench.says(&["resume"]), @"");
}

#[test]
fn it_can_go_all_the_way_by_itself() {
    let bench = Bench::with_agent(Special::default());
    bench.small_issue("a.txt");
    bench
        .run(&["assign", "laptop", "shop", "1", "--until", "merged"])
        .ok();
    let id = bench.only_assignment()["id"].as_str().unwrap().to_owned();
    bench.run(&["wait", &id]).ok();
    assert_eq!(
        bench.repo.remote_file("main", "a.txt").as_deref(),
        Some("a.txt")
    );
    assert_eq!(bench.json(&["issue", "list"]), json!([]));
}

#[test]
fn the_chosen_machine_has_what_the_labels_ask_for() {
    let bench = Bench::new(Special::default());
    let new = ["issue", "new", "Build the image", "--label", "needs:docker"];
    bench.run(&new).ok();
    insta::assert_snapshot!(bench.complains(1, &["assign", "-", "shop", "1"]), @r"
    error: no machine that may work on shop has what shop#1 needs: docker
    hint: add it to `capabilities` of a machine, or name the machine
    ");
}

#[test]
fn an_open_issue_that_comes_first_is_waited_for_or_ignored() {
    let bench = Bench::new(Special::default());
    bench.small_issue("a.txt");
    let body = "Depends on #1, blocked by shop#7";
    bench
        .run(&["issue", "new", "Then b.txt", "--body", body])
        .ok();
    let args = ["assign", "laptop", "shop", "2"];
    insta::assert_snapshot!(bench.complains(1, &args), @r"
    error: shop#2 depends on shop#1, which is open
    hint: solve that first, or pass --ignore-deps
    ");
    insta::assert_snapshot!(bench.says(&[&args[..], &["--wait"]].concat()), @r"
    → laptop → shop#2: Then b.txt
    → model: sonnet
    → branch: issue-2-then-b-txt
    → waits (assignment [id]): shop#2 depends on shop#1, which is open
    ");
    insta::assert_snapshot!(bench.says(&["why", "2"]), @r"
    shop#2: assignment [id] waits: shop#2 depends on shop#1, which is open
      #1  [date] [time]  refused: shop#2 depends on shop#1, which is open
      #2  [date] [time]  [id] shop#2 waits: shop#2 depends on shop#1, which is open
    ");
    let id = bench.only_assignment()["id"].as_str().unwrap().to_owned();
    bench.run(&["stop", &id]).ok();
    bench.run(&[&args[..], &["--ignore-deps"]].concat()).ok();
}
