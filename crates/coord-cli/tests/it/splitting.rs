//! `coord split`: sub-issues that are opened once.

use serde_json::json;

use crate::bench::{Bench, Special};
use crate::brain;

/// A desk with a proposed split of the issue 1.
fn to_split() -> Bench {
    let bench = Bench::new(Special::default());
    let answer = json!({"proposals": [], "splits": [brain::split(1)]});
    let worker = brain::that_answers(&bench, &[answer]);
    let bench = bench.with_worker(Some(worker));
    bench
        .run(&["issue", "new", "Rework it", "--body", "All of it."])
        .ok();
    bench.run(&["plan"]).ok();
    bench
}

#[test]
fn a_split_opens_its_sub_issues_once() {
    let bench = to_split();
    insta::assert_snapshot!(bench.says(&["split", "S1", "--dry-run"]), @r"
    S1 shop#1 Rework it: 3 parts
      1. One
      2. Two
      3. Three (after 1)
    dry run: no issue was opened
    ");
    assert_eq!(bench.json(&["issue", "list"]).as_array().unwrap().len(), 1);
    insta::assert_snapshot!(bench.says(&["split", "1"]), @r"
    split shop#1 Rework it
      #2 One
      #3 Two
      #4 Three (after #2)
    ");
    insta::assert_snapshot!(bench.says(&["issue", "show", "1"]), @r"
    #1 Rework it (open)
    All of it.

    <!-- coord:begin=tasks -->
    - [ ] #2 One
    - [ ] #3 Two
    - [ ] #4 Three
    <!-- coord:end=tasks -->
    ");
    insta::assert_snapshot!(bench.says(&["issue", "show", "4"]), @r"
    #4 Three (open)
    Part of #1.
    Depends on #2

    All of Three.
    ");
    insta::assert_snapshot!(bench.why("4"), @"shop#4: no assignment on the board is for shop#4");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    no assignments; `coord assign MACHINE REPO ISSUE` makes one

    blocked
      shop#1 Rework it depends on shop#2, shop#3, shop#4
      shop#3 Two depends on shop#2
      shop#4 Three depends on shop#2, shop#3
    ");
    insta::assert_snapshot!(bench.complains(2, &["split", "S1"]), @r"
    error: nothing that is proposed has the id S1
    hint: `coord status` lists what is proposed; a new plan replaces the one before
    ");
    insta::assert_snapshot!(bench.says(&["history", "--kind", "split_started", "split_done"]), @r"
    [date] [time]  split S1: its sub-issues are being created
    [date] [time]  shop#1 split into 3 sub-issues: #2, #3, #4 (S1)
    ");
}

#[test]
fn as_data_it_is_the_issues() {
    let bench = to_split();
    let dry = bench.json(&["split", "S1", "--dry-run"]);
    assert_eq!(dry["splits"][0]["chunks"][2]["after"], json!([0]));
    let done = bench.json(&["split", "S1"]);
    insta::assert_snapshot!(format!("{done:#}"), @r#"
    {
      "failed": [],
      "splits": [
        {
          "created": [
            {
              "after": [],
              "number": 2,
              "title": "One"
            },
            {
              "after": [],
              "number": 3,
              "title": "Two"
            },
            {
              "after": [
                2
              ],
              "number": 4,
              "title": "Three"
            }
          ],
          "issue": {
            "number": 1,
            "repo": "shop"
          },
          "split": "S1"
        }
      ]
    }
    "#);
}

#[test]
fn two_at_once_are_one_split() {
    let bench = to_split();
    let both = [bench.start(&["split", "S1"]), bench.start(&["split", "S1"])];
    let codes = both.map(|it| it.end().code);
    assert!(codes.contains(&Some(0)), "{codes:?}");
    assert_eq!(bench.json(&["issue", "list"]).as_array().unwrap().len(), 4);
}
