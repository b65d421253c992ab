//! The plan of the merge queue, and gates that a person sets aside.

use serde_json::{Value, json};

use crate::bench::{Bench, Special, commit};

fn says(bench: &Bench, path: &str, text: &str) -> String {
    let write = json!({"write": {"path": path, "content": format!("{text}\n")}});
    let issue = bench.issue(&format!("Say {text}"), &[write, commit()]);
    let id = bench.assign(&issue.to_string());
    bench.run(&["wait", &id]).ok();
    bench.run(&["test", &id, "--passed"]).ok();
    id
}

#[test]
fn the_plan_has_the_order_the_gates_and_the_conflicts() {
    let bench = Bench::with_agent(Special::default());
    let one = says(&bench, "same.txt", "one");
    let two = says(&bench, "same.txt", "two");
    let three = says(&bench, "ok.txt", "three");
    bench
        .repo
        .commit("ok.txt", "four\n", "moves the base")
        .unwrap();
    bench.repo.push().unwrap();
    let order = format!("{one},{two},{three}");
    insta::assert_snapshot!(bench.says(&["merge", "--dry-run", "--order", &order]), @r"
    1. [id] shop#1 Say one
      test holds: its tests passed
      ready
    2. [id] shop#2 Say two
      test holds: its tests passed
      waits for [id], which is merged before it
      will conflict with [id]: same.txt
    3. [id] shop#3 Say three
      test holds: its tests passed
      waits for [id], which is merged before it
      will conflict with the base: ok.txt
    dry run: nothing was merged
    ");
    let plan = bench.json(&["merge", "--dry-run", "--order", &order]);
    let entries = plan["entries"].as_array().unwrap();
    let ids: Vec<&Value> = entries.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [&json!(one), &json!(two), &json!(three)]);
    assert_eq!(entries[0]["conflict"], Value::Null);
    assert_eq!(
        entries[1]["conflict"],
        json!({"with": one, "paths": ["same.txt"]})
    );
    assert_eq!(
        entries[2]["conflict"],
        json!({"with": null, "paths": ["ok.txt"]})
    );
    assert_eq!(entries[1]["after"], json!(one));
    assert_eq!(entries[0]["gates"][0]["gate"], json!("test"));
    // Nothing was changed by that.
    assert_eq!(
        bench.json(&["history", "--kind", "merge_queued"]),
        json!([])
    );
}

#[test]
fn a_gate_is_set_aside_with_a_reason_that_stays_visible() {
    let bench = Bench::with_agent(Special::default());
    let id = bench.worked("a.txt");
    bench.run(&["merge", &id]).code(1);
    let over = ["merge", &id, "--override", "test"];
    bench.run(&over).code(2);
    insta::assert_snapshot!(bench.complains(2, &[&over[..], &["--reason", " "]].concat()), @r"
    error: the reason is empty
    hint: whoever reads the history wants to know why the gate did not count
    ");
    bench.run(&["merge", &id, "--reason", "why not"]).code(2);
    bench
        .run(&["merge", &id, "--override", "tests", "--reason", "x"])
        .code(2);
    let unnamed = ["merge", "--override", "test", "--reason", "in a hurry"];
    insta::assert_snapshot!(bench.complains(1, &unnamed), @r"
    error: a gate is only set aside for assignments that are named
    hint: `coord merge ID --override GATE`
    ");
    let over = [&over[..], &["--reason", "the tests are down"]].concat();
    insta::assert_snapshot!(bench.says(&[&over[..], &["--dry-run"]].concat()), @r"
    1. [id] shop#1 Write a.txt
      test holds: a person has set it aside: the tests are down
      ready
    dry run: nothing was merged
    ");
    assert_eq!(
        bench.json(&["history", "--kind", "gate_overridden"]),
        json!([])
    );
    insta::assert_snapshot!(bench.says(&over), @"[id] shop#1: merged as [commit]; pull request #2; gate `test` set aside for [commit]: the tests are down");
    insta::assert_snapshot!(bench.says(&["history", "--kind", "gate_overridden"]), @"[date] [time]  [id] gate `test` set aside for [commit]: the tests are down");
    insta::assert_snapshot!(bench.says(&["status"]), @r"
    MACHINE  AGENT  SLOTS  REPOSITORIES
    laptop  up  20 of 20 free  shop

    no assignments; `coord assign MACHINE REPO ISSUE` makes one

    lately finished
      [id] shop#1 Write a.txt: merged as [commit]; pull request #2; gate `test` set aside for [commit]: the tests are down
    ");
}
