//! What has to be true after a run, whatever was killed in it.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use coord_test_support::git_fixture::git;

use super::course::{Course, ISSUES};

/// What the workers of the demo write, and words that are in it.
const WRITTEN: &[(&str, &str)] = &[
    ("lib/slug.sh", "slugify()"),
    ("tests/slug_test.sh", "hello-world"),
    ("lib/words.sh", "word_count()"),
    ("tests/words_test.sh", "one  two three"),
    ("lib/greet.sh", "Hallo"),
    ("lib/greet.sh", "set -- world"),
    ("tests/world_test.sh", "Hello, world!"),
    ("README.md", "Hello, Ada!"),
];

/// Checks the board, the workers' own record, and the default branch of the remote.
pub(super) fn check(course: &Course) -> Result<()> {
    one_assignment_per_issue(course)?;
    nothing_ran_twice(course)?;
    everything_is_merged(course)
}

fn one_assignment_per_issue(course: &Course) -> Result<()> {
    let rows = course.assignments()?;
    let issues: BTreeSet<u64> = rows
        .iter()
        .filter_map(|row| row["issue"]["number"].as_u64())
        .collect();
    let expected: BTreeSet<u64> = ISSUES.iter().map(|(issue, _)| *issue).collect();
    ensure!(
        issues == expected && rows.len() == expected.len(),
        "{} assignments for the issues {issues:?}",
        rows.len()
    );
    Ok(())
}

/// Each worker appends a line when it starts: one per issue, each with a session of its own.
fn nothing_ran_twice(course: &Course) -> Result<()> {
    let trace = std::fs::read_to_string(course.folder().join("workers.log"))
        .context("failed to read the workers' record")?;
    let starts: Vec<&str> = trace
        .lines()
        .filter(|line| line.starts_with("start "))
        .collect();
    let sessions: BTreeSet<&str> = starts.iter().copied().collect();
    let issues = ISSUES.len();
    ensure!(
        starts.len() == issues && sessions.len() == issues,
        "{} starts of {} workers for {issues} issues:\n{trace}",
        starts.len(),
        sessions.len()
    );
    Ok(())
}

fn everything_is_merged(course: &Course) -> Result<()> {
    let remote = course.folder().join("remote.git");
    for (path, words) in WRITTEN {
        let text = git(&remote, &["cat-file", "blob", &format!("main:{path}")])
            .with_context(|| format!("{path} is lost"))?;
        ensure!(text.contains(words), "{path} lacks {words:?}:\n{text}");
    }
    let commits = git(&remote, &["rev-list", "--count", "main"])?;
    let expected = (ISSUES.len() + 1).to_string();
    ensure!(
        commits == expected,
        "{commits} commits on main instead of {expected}"
    );
    green(course)
}

/// The project's own tests, on a checkout of what was merged.
fn green(course: &Course) -> Result<()> {
    let checkout = course.folder().join("verdict");
    let target = checkout.to_string_lossy().into_owned();
    git(
        &course.folder(),
        &["clone", "--quiet", "remote.git", &target],
    )?;
    let output = Command::new("sh")
        .arg("run-tests.sh")
        .current_dir(&checkout)
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "the tests of main are red:\n{printed}"
    );
    Ok(())
}
