//! `coord demo`: five issues become five merges, and nothing is left behind.

use coord_test_support::git_fixture::git;
use coord_test_support::processes;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bench::{Bench, Special};
use crate::program::PATIENCE;

#[test]
fn five_issues_are_merged_and_nothing_is_left() {
    let bench = Bench::new(Special::default());
    let ran = bench.run(&["demo"]).ok();
    assert!(ran.err.contains("the workers are simulated"), "{}", ran.err);
    assert!(ran.out.contains("5 of 5 issues merged in "), "{}", ran.out);
    assert!(
        ran.out
            .contains("greetings#4 waited: its files overlap with"),
        "{}",
        ran.out
    );
    processes::wait_only(bench.sandbox.path(), &[], PATIENCE).unwrap();
    let left = std::fs::read_dir(bench.path("tmp")).unwrap();
    assert_eq!(left.count(), 0);
    assert!(!bench.sandbox.coord_home().join("coord.db").exists());
}

#[test]
fn its_table_as_data_and_a_folder_that_is_kept() {
    let bench = Bench::new(Special::default());
    let mut table = bench.run(&["demo", "--dir", "kept", "--json"]).ok().json();
    let shape = shape(&mut table);
    insta::assert_snapshot!(shape, @r#"
    {
      "issues": [
        {
          "assignment": "text",
          "branch": "issue-1-add-a-slugify-function",
          "commits": 1,
          "issue": 1,
          "merged": "text",
          "state": "done",
          "tests": "passed",
          "title": "Add a slugify function",
          "total_seconds": "number",
          "waited_for": "",
          "worker_seconds": "number"
        },
        {
          "assignment": "text",
          "branch": "issue-2-count-the-words-of-a-text",
          "commits": 1,
          "issue": 2,
          "merged": "text",
          "state": "done",
          "tests": "passed",
          "title": "Count the words of a text",
          "total_seconds": "number",
          "waited_for": "",
          "worker_seconds": "number"
        },
        {
          "assignment": "text",
          "branch": "issue-3-greet-in-german-too",
          "commits": 1,
          "issue": 3,
          "merged": "text",
          "state": "done",
          "tests": "passed",
          "title": "Greet in German too",
          "total_seconds": "number",
          "waited_for": "",
          "worker_seconds": "number"
        },
        {
          "assignment": "text",
          "branch": "issue-4-greet-the-whole-world-without-a-name",
          "commits": 1,
          "issue": 4,
          "merged": "text",
          "state": "done",
          "tests": "passed",
          "title": "Greet the whole world without a name",
          "total_seconds": "number",
          "waited_for": "text",
          "worker_seconds": "number"
        },
        {
          "assignment": "text",
          "branch": "issue-5-document-the-functions",
          "commits": 1,
          "issue": 5,
          "merged": "text",
          "state": "done",
          "tests": "passed",
          "title": "Document the functions",
          "total_seconds": "number",
          "waited_for": "",
          "worker_seconds": "number"
        }
      ],
      "merged": 5,
      "seconds": "number"
    }
    "#);
    let project = bench.path("kept/project");
    let merged = git(
        &bench.path("kept/remote.git"),
        &["log", "--format=%s", "main"],
    )
    .unwrap();
    assert_eq!(merged.lines().count(), 6, "{merged}");
    assert_eq!(git(&project, &["status", "--porcelain"]).unwrap(), "");
    let trace = std::fs::read_to_string(bench.path("kept/workers.log")).unwrap();
    assert_eq!(trace.lines().count(), 10, "{trace}");

    // All is done already: nothing runs again.
    let again = bench.run(&["demo", "--dir", "kept"]).ok();
    assert!(again.err.contains("everything is kept in"), "{}", again.err);
    assert_eq!(
        std::fs::read_to_string(bench.path("kept/workers.log")).unwrap(),
        trace
    );
    processes::wait_only(bench.sandbox.path(), &[], PATIENCE).unwrap();
}

/// Every value that differs each time becomes the name of its type.
fn shape(value: &mut Value) -> String {
    let rows = value["issues"].as_array_mut().unwrap();
    for row in rows {
        for (key, value) in row.as_object_mut().unwrap() {
            let stays = matches!(
                key.as_str(),
                "issue" | "title" | "branch" | "commits" | "tests" | "state"
            );
            if !stays && value.as_str() != Some("") {
                *value = Value::from(if value.is_number() { "number" } else { "text" });
            }
        }
    }
    value["seconds"] = Value::from(if value["seconds"].is_number() {
        "number"
    } else {
        ""
    });
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn the_whole_pipeline_with_everything_that_comes_back() {
    let bench = Bench::new(Special::default());
    let ran = bench.run(&["demo", "--full"]).ok();
    assert!(ran.out.contains("5 issues merged in "), "{}", ran.out);
    let word = "was green alone and red together with #2: the queue found it";
    assert!(ran.out.contains(word), "{}", ran.out);
    processes::wait_only(bench.sandbox.path(), &[], PATIENCE).unwrap();
    let left = std::fs::read_dir(bench.path("tmp")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn the_whole_pipeline_as_data_in_a_folder_that_is_kept() {
    let bench = Bench::new(Special::default());
    let args = ["demo", "--full", "--dir", "kept", "--json"];
    let all = bench.run(&args).ok().json();
    assert_eq!(all["merged"], 5, "{all:#}");
    assert_eq!(all["missing"], json!([]), "{all:#}");
    assert_eq!(all["turns"]["sent_back"], json!([1]), "{all:#}");
    assert_eq!(
        all["turns"]["red_together"],
        json!([{"issue": 5, "with": 2}]),
        "{all:#}"
    );
    let rebased = all["turns"]["rebased"][0].as_u64();
    assert!(rebased.is_some_and(|n| n == 3 || n == 4), "{all:#}");
    let lines = all["timeline"].as_array().unwrap();
    let first_of = |task: &str| lines.iter().position(|line| line["task"] == task);
    for task in ["work", "pr", "review", "fix", "rebase"] {
        assert!(first_of(task).is_some(), "nobody did {task}: {all:#}");
    }

    // What is merged holds together.
    let checked = bench.path("kept/checked");
    let remote = bench.path("kept/remote.git");
    let args = ["clone", "--quiet", remote.to_str().unwrap(), "kept/checked"];
    git(bench.sandbox.path(), &args).unwrap();
    let tests = std::process::Command::new("sh")
        .arg("run-tests.sh")
        .current_dir(&checked)
        .output();
    assert!(tests.unwrap().status.success());
    let subjects = git(&remote, &["log", "--format=%s", "main"]).unwrap();
    assert_eq!(subjects.lines().count(), 6, "{subjects}");
    std::fs::remove_dir_all(checked).unwrap();

    // It is played once, and the other demo does not fit into that folder.
    let again = bench.run(&["demo", "--full", "--dir", "kept"]).code(2);
    assert!(again.err.contains("played already"), "{}", again.err);
    let other = bench.run(&["demo", "--dir", "kept"]).code(2);
    assert!(other.err.contains("another demo"), "{}", other.err);
    processes::wait_only(bench.sandbox.path(), &[], PATIENCE).unwrap();
}

#[test]
fn the_folder_of_somebody_else_is_left_alone() {
    let bench = Bench::new(Special::default());
    std::fs::create_dir(bench.path("mine")).unwrap();
    std::fs::write(bench.path("mine/thesis.txt"), "years\n").unwrap();
    insta::assert_snapshot!(bench.complains(2, &["demo", "--dir", "mine"]), @r"
    error: `[dir]/mine` is not the folder of a demo: it holds `thesis.txt`
    hint: give --dir an empty folder, or one that does not exist
    ");
    let entries = std::fs::read_dir(bench.path("mine")).unwrap();
    assert_eq!(entries.count(), 1);
}

#[test]
fn ctrl_c_ends_its_workers_and_a_second_run_completes_it() {
    let bench = Bench::new(Special::default());
    let mut demo = bench.start(&["demo", "--slow", "--dir", "cut"]);
    demo.says("worker started");
    demo.signal(Signal::INT);
    let ended = demo.end().code(130);
    assert!(
        ended.err.contains("interrupted: stopping the workers"),
        "{}",
        ended.err
    );
    processes::wait_only(bench.sandbox.path(), &[], PATIENCE).unwrap();

    let config = bench.path("cut/coordinator.yml");
    let slow = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, slow.replace("\"1500\"", "\"10\"")).unwrap();
    let table = bench.run(&["demo", "--dir", "cut", "--json"]).ok().json();
    let rows = table["issues"].as_array().unwrap();
    assert_eq!(
        (rows.len(), table["merged"].as_u64()),
        (5, Some(5)),
        "{table:#}"
    );
}

#[test]
fn what_is_prepared_can_be_gone_on_with_by_hand() {
    let bench = Bench::new(Special::default());
    let prepared = bench
        .run(&["demo", "--prepare", "--dir", "by hand"])
        .ok()
        .out;
    insta::assert_snapshot!(bench.redact(&prepared), @r"
    the project is in [dir]/by hand/project, its remote in [dir]/by hand/remote.git

    export COORD_HOME='[dir]/by hand/home' COORD_CONFIG='[dir]/by hand/coordinator.yml'
    coord issue list
    coord up &
    coord assign --wait here greetings 1
    coord resume
    ");
    // The lines as they stand, in a shell.
    let steps: Vec<&str> = prepared
        .lines()
        .filter(|l| l.starts_with("export ") || l.starts_with("coord "))
        .collect();
    let script = steps.join("\n") + "\nkill $!; wait";
    let bin = bench.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(crate::bench::COORD, bin.join("coord")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut shell = bench.sandbox.command("sh");
    let ran = bench
        .launch(shell.args(["-e", "-c", &script]).env("PATH", path))
        .end()
        .ok();
    assert!(ran.out.contains("greetings#1: merged as"), "{ran:?}");
    processes::wait_only(bench.sandbox.path(), &[], PATIENCE).unwrap();
}
