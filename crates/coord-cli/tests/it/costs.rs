//! `coord usage`: what the work has cost.

use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit, write};

fn cost(usd: f64) -> Value {
    json!({"cost": usd})
}

/// An issue that was merged at the second attempt, one whose work waits, and one that failed.
fn with_history() -> Bench {
    let bench = Bench::with_agent(Special::default());
    let ready = bench.path("ready");
    let check = json!({"run": format!("test -e '{}'", ready.display())});
    let steps = [cost(0.75), check, write("a.txt"), commit(), cost(0.5)];
    let issue = bench.issue("Write a.txt in the end", &steps).to_string();
    let first = bench.assign(&issue);
    bench.run(&["wait", &first]).code(1);
    std::fs::write(&ready, "").unwrap();
    let second = bench.assign(&issue);
    bench.run(&["wait", &second]).ok();
    bench.run(&["test", &second]).ok();
    bench.run(&["merge", &second]).ok();

    let waits = bench.issue(
        "Write b.txt",
        &[cost(0.1), write("b.txt"), commit(), cost(0.2)],
    );
    let fails = bench.issue("Fail", &[cost(3.0), json!({"run": "false"})]);
    for (issue, code) in [(waits, 0), (fails, 1)] {
        let issue = issue.to_string();
        let args = ["assign", "laptop", "shop", &issue, "--model", "opus"];
        let id = bench.json(&args)["assignment"]["id"].clone();
        bench.run(&["wait", id.as_str().unwrap()]).code(code);
    }
    bench
}

#[test]
fn of_a_history() {
    let bench = with_history();
    bench.running("c.txt");
    let glance = bench.says(&["usage"]);
    // Midnight may come at any time.
    let (glance, days) = glance.split_once("\n\nDAY").unwrap();
    insta::assert_snapshot!(glance, @r"
    4 assignments: $5.30, 11 turns
    $2.00 for 1 merged pull request: $2.00 each, failed attempts included
    $3.30 for issues without merged work
    1 running, not counted

    STAGE  ENDED  DONE  FAILED  CANCELLED  LOST  MERGED  TURNS  COST
    work: failed  2  0  2  0  0  0  4  $3.75
    work: merged  1  1  0  0  0  1  4  $1.25
    work: under way  1  1  0  0  0  0  3  $0.30

    REPOSITORY  ENDED  DONE  FAILED  CANCELLED  LOST  MERGED  TURNS  COST  PER MERGED
    shop  4  2  2  0  0  1  11  $5.30  $2.00
    ");
    assert!(days.contains("[date]"), "{days}");
    insta::assert_snapshot!(bench.says(&["usage", "--by", "issue"]), @r"
    4 assignments: $5.30, 11 turns
    $2.00 for 1 merged pull request: $2.00 each, failed attempts included
    $3.30 for issues without merged work
    1 running, not counted

    ISSUE  ENDED  DONE  FAILED  CANCELLED  LOST  MERGED  TURNS  COST  PER MERGED
    shop#4  1  0  1  0  0  0  2  $3.00  -
    shop#1  2  1  1  0  0  1  6  $2.00  $2.00
    shop#3  1  1  0  0  0  0  3  $0.30  -
    ");
    insta::assert_snapshot!(bench.says(&["usage", "--by", "model", "--limit", "1", "--since", "2020-01-01"]), @r"
    4 assignments since [date] 00:00 UTC: $5.30, 11 turns
    $2.00 for 1 merged pull request: $2.00 each, failed attempts included
    $3.30 for issues without merged work
    1 running, not counted

    MODEL  ENDED  DONE  FAILED  CANCELLED  LOST  MERGED  TURNS  COST
    opus  2  1  1  0  0  0  5  $3.30
    and 1 more; `--limit` shows them
    ");
    insta::assert_snapshot!(bench.says(&["usage", "--repo", "shop", "--since", "9999-01-01"]), @r"
    no assignment has ended in shop since [date] 00:00 UTC
    1 running, not counted
    ");

    let usage = bench.json(&["usage"]);
    insta::assert_snapshot!(format!("{:#}", usage["total"]), @r#"
    {
      "assignments": 4,
      "cancelled": 0,
      "cost_usd": 5.3,
      "done": 2,
      "failed": 2,
      "lost": 0,
      "merged": 1,
      "merged_issues_usd": 2.0,
      "turns": 11,
      "unmerged_issues_usd": 3.3,
      "usd_per_merged": 2.0
    }
    "#);
    assert_eq!(usage["running"], json!(1));
    let by = usage["by"].as_object().unwrap();
    let names: Vec<&String> = by.keys().collect();
    assert_eq!(names, ["day", "issue", "model", "repo", "stage"]);
    for (name, breakdown) in by {
        let rows = breakdown["rows"].as_array().unwrap();
        let sum: f64 = rows
            .iter()
            .map(|row| row["cost_usd"].as_f64().unwrap())
            .sum();
        assert!((sum - 5.3).abs() < 1e-6, "{name}: {breakdown:#}");
        assert_eq!(breakdown["left_out"], json!(0));
    }
    let keys = |by: &str, names: &[&str]| -> Vec<Vec<Value>> {
        let rows = usage["by"][by]["rows"].as_array().unwrap().iter();
        rows.map(|row| names.iter().map(|name| row[name].clone()).collect())
            .collect()
    };
    assert_eq!(
        keys("stage", &["kind", "fate", "cost_usd"]),
        [
            [json!("work"), json!("failed"), json!(3.75)],
            [json!("work"), json!("merged"), json!(1.25)],
            [json!("work"), json!("under_way"), json!(0.3)],
        ]
    );
    assert_eq!(
        keys("issue", &["repo", "issue"])[0],
        [json!("shop"), json!(4)]
    );
    assert_eq!(
        keys("model", &["model"]),
        [[json!("opus")], [json!("sonnet")]]
    );
    let one = bench.json(&["usage", "--by", "repo"]);
    assert_eq!(one["by"], json!({"repo": usage["by"]["repo"]}));
}

#[test]
fn of_nothing_and_of_what_is_not_there() {
    let bench = Bench::new(Special::default());
    insta::assert_snapshot!(bench.says(&["usage"]), @"no assignment has ended");
    insta::assert_snapshot!(bench.says(&["usage", "--repo", "shop", "--since", "2020-01-01"]), @"no assignment has ended in shop since [date] 00:00 UTC");
    let usage = bench.json(&["usage"]);
    assert_eq!(usage["total"]["usd_per_merged"], Value::Null);
    assert_eq!(usage["by"]["issue"], json!({"rows": [], "left_out": 0}));
    insta::assert_snapshot!(bench.complains(2, &["usage", "--repo", "nope"]), @r"
    error: there is no repository `nope`
    hint: known are shop
    ");
    insta::assert_snapshot!(bench.complains(2, &["usage", "--since", "soon"]), @"error: `soon` is neither a date such as 2026-11-23T08:00 nor a span such as 2h or 7d");
    bench.run(&["usage", "--by", "mood"]).code(2);
}
