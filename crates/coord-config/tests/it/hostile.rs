//! Input that wants to crash, hang or fill the memory; and odd input that is right.

use proptest::prelude::*;

use crate::{config, parse_bytes, report, report_bytes};

const EXAMPLE: &str = include_str!("../../../../coordinator.example.yml");

#[test]
fn empty_files_have_no_repositories() {
    insta::assert_snapshot!(report(""), @r"
    coordinator.yml:1:1: no repositories
      |
    1 | 
      | ^
      = list at least one below `repos:`; coordinator.example.yml shows how
    ");
    insta::assert_snapshot!(report("# only\n# comments\n"), @r"
    coordinator.yml:3:1: no repositories
      |
    3 | 
      | ^
      = list at least one below `repos:`; coordinator.example.yml shows how
    ");
    insta::assert_snapshot!(report("---\n...\n"), @r"
    coordinator.yml:1:4: no repositories
      |
    1 | ---
      |    ^
      = list at least one below `repos:`; coordinator.example.yml shows how
    ");
    insta::assert_snapshot!(report("repos: []"), @r"
    coordinator.yml:1:8: no repositories
      |
    1 | repos: []
      |        ^^
      = list at least one below `repos:`; coordinator.example.yml shows how
    ");
    insta::assert_snapshot!(report("repos:\n"), @r"
    coordinator.yml:1:6: no repositories
      |
    1 | repos:
      |      ^
      = list at least one below `repos:`; coordinator.example.yml shows how
    ");
}

#[test]
fn files_of_other_systems_are_read() {
    let text = "repos:\n  - name: \"a\"\n    build_command: \"ü\"\n";
    let expected = config(text);
    assert_eq!(config(&format!("\u{feff}{text}")), expected);
    assert_eq!(config(&text.replace('\n', "\r\n")), expected);
    insta::assert_snapshot!(report("\u{feff}repos:\r\n  - name: a\r\n    nam: b\r\n"), @r"
    coordinator.yml:3:5: unknown key `nam` in a repository
      |
    3 |     nam: b
      |     ^^^
      = did you mean `name`?
    ");
}

#[test]
fn bytes_that_are_not_utf8() {
    insta::assert_snapshot!(report_bytes(b"repos:\n  - name: \xe4bc # x\n"), @r"
    coordinator.yml:2:11: not UTF-8
      |
    2 |   - name: �bc # x
      |           ^
      = save the file as UTF-8
    ");
    insta::assert_snapshot!(report_bytes(b"\xff\xfer\0e\0"), @r"
    coordinator.yml:1:1: not UTF-8
      |
    1 | ��r�e�
      | ^
      = save the file as UTF-8
    ");
}

#[test]
fn deep_nesting_is_refused() {
    insta::assert_snapshot!(report(&format!("repos: {}", "[".repeat(100_000))), @r"
    coordinator.yml:1:263: recursion limit exceeded
      |
    1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
      |                                          ^
    ");
    insta::assert_snapshot!(report(&"- ".repeat(100_000)), @r"
    coordinator.yml:1:129: too deep or too large for a configuration
      |
    1 | …- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - …
      |                                          ^
    ");
    insta::assert_snapshot!(report(&"{a: ".repeat(100_000)), @r"
    coordinator.yml:1:1021: recursion limit exceeded
      |
    1 | …{a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: {a: …
      |                                          ^
    ");
}

#[test]
fn chains_of_aliases_are_refused() {
    let bomb: String = (b'b'..=b'i')
        .map(|c| (char::from(c), char::from(c - 1)))
        .map(|(name, of)| format!("{name}: &{name} [{}]\n", format!("*{of},").repeat(9)))
        .collect();
    insta::assert_snapshot!(report(&format!("a: &a [x,x,x,x,x,x,x,x,x]\n{bomb}")), @r"
    coordinator.yml:5:11: too many aliases for a configuration
      |
    5 | e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,]
      |           ^^
    ");
}

#[test]
fn a_flood_of_problems_is_counted() {
    let repos: String = (0..900).map(|n| format!("  - {{nam: a{n}}}\n")).collect();
    let shown = report(&format!("repos:\n{repos}"));
    assert!(
        shown.ends_with("\n\nand 1750 more"),
        "{}",
        &shown[shown.len() - 200..]
    );
    let names: String = (0..90_000).map(|n| format!("- a{n}\n")).collect();
    insta::assert_snapshot!(report(&format!("repos:\n{names}")), @r"
    coordinator.yml:2:3: has 90000 members, more than 1000
      |
    2 | - a0
      |   ^^
    ");
    let keys: String = (0..90_000).map(|n| format!("a{n}:\n")).collect();
    insta::assert_snapshot!(report(&keys), @r"
    coordinator.yml:1:1: has 90000 members, more than 1000
      |
    1 | a0:
      | ^^^
    ");
}

#[test]
fn a_line_without_end_is_cut() {
    let text = format!("repos: [{{name: a}}]\n{}: 1\n", "x".repeat(900));
    insta::assert_snapshot!(report(&text), @r"
    coordinator.yml:2:1: unknown key `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` in the configuration
      |
    2 | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = known: budgets, concurrency, coordinator_only_files, github_api_url, github_app, hooks, housekeeping, leases, machines, models, pipeline, plan, repos, reviews, smoke_tests, trust, worker, worker_permissions
    ");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_bytes(&bytes);
    }

    #[test]
    fn random_yaml_like_text_never_panics(text in "([ \\t\\r\\nä\u{feff}]|[-?:,\\[\\]{}#&*!|>'\"%@`~<]|repos|name|a|1|\\.inf){0,60}") {
        let _ = parse_bytes(text.as_bytes());
    }

    /// Whatever is damaged, the answer is a configuration or problems that lie within the file.
    #[test]
    fn mutations_of_the_example_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, ".{0,4}"), 1..6),
    ) {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        for (at, removed, inserted) in edits {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(coord_config::ConfigError::Invalid(invalid)) = parse_bytes(text.as_bytes()) {
            prop_assert!(!invalid.problems.is_empty());
            let lines = text.split(['\n', '\r']).count();
            for problem in &invalid.problems {
                prop_assert!((1..=lines).contains(&problem.line), "{problem:?}");
                prop_assert!(problem.underline.trim_start().starts_with('^'), "{problem:?}");
            }
        }
    }
}
