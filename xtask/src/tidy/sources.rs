//! House rules that the compiler and clippy do not know: pure functions over (path, text).

use super::finding::Finding;
use super::workspace::TextFile;

/// Most lines that a source file may have.
const MAX_LINES: usize = 1000;

/// File names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

/// Programs and the only places whose code may start them.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("git", &["crates/coord-git/", "crates/coord-test-support/"]),
    ("claude", &["crates/coord-worker/"]),
];

/// What the pure core must not name, each with what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("SystemTime", "take `now` as a value"),
    ("Instant::now", "take `now` as a value"),
    ("std::env", "take the value as an argument"),
    ("std::fs", "leave files to the caller"),
    ("std::net", "leave sockets to the caller"),
    ("std::process", "return an effect"),
    ("tokio", "stay synchronous"),
];

/// Crates that are programs: they may print. In every other crate only `main.rs` may.
const PRINTING: &[&str] = &["crates/coord-cli/", "xtask/", "examples/"];

/// Files whose bytes are recorded from elsewhere and stay as they are.
const RECORDED: &[&str] = &["/fixtures/", "/snapshots/", "/corpus/"];

/// Everything that is wrong with one file.
pub(crate) fn check(file: &TextFile) -> Vec<Finding> {
    let TextFile { path, text } = file;
    if RECORDED.iter().any(|part| path.contains(part)) {
        return Vec::new();
    }
    let mut findings = conflict_markers(path, text);
    findings.extend(trailing_whitespace(path, text));
    if path.ends_with(".rs") {
        findings.extend(file_name(path));
        findings.extend(length(path, text));
        findings.extend(opening(path, text));
        findings.extend(attributes(path, text));
        findings.extend(untriggered_todo(path, text));
        findings.extend(impure_core(path, text));
        findings.extend(foreign_programs(path, text));
        findings.extend(printing_library(path, text));
    }
    findings
}

fn conflict_markers(path: &str, text: &str) -> Vec<Finding> {
    let marker = |line: &str| {
        ["<<<<<<<", ">>>>>>>", "|||||||"]
            .iter()
            .any(|m| line.strip_prefix(m).is_some_and(|r| r.starts_with(' ')))
    };
    lines_where(path, text, marker, "merge conflict marker")
}

/// In Rust rustfmt sees to it, and in a literal (an inline snapshot) it is content.
fn trailing_whitespace(path: &str, text: &str) -> Vec<Finding> {
    if path.ends_with(".rs") {
        return Vec::new();
    }
    let trailing = |line: &str| line.ends_with([' ', '\t', '\r']);
    lines_where(path, text, trailing, "trailing whitespace")
}

fn file_name(path: &str) -> Vec<Finding> {
    let nameless = |part: &str| EMPTY_NAMES.contains(&part.trim_end_matches(".rs"));
    if path.split('/').any(nameless) {
        vec![Finding::file(path, "name the file after what is inside it")]
    } else {
        Vec::new()
    }
}

fn length(path: &str, text: &str) -> Vec<Finding> {
    match text.lines().count() {
        0..=MAX_LINES => Vec::new(),
        n => vec![Finding::file(
            path,
            format!("{n} lines: split it by nouns (at most {MAX_LINES})"),
        )],
    }
}

fn opening(path: &str, text: &str) -> Vec<Finding> {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
    // An attribute of several lines may stand before the doc comment.
    let documented = text.lines().any(|line| line.starts_with("//!"));
    let opens_with_attribute = text.starts_with("#!");
    if first.is_some_and(|line| line.starts_with("//!")) || (opens_with_attribute && documented) {
        Vec::new()
    } else {
        vec![Finding::file(path, "start with `//!`: what it is for")]
    }
}

fn attributes(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("#[allow(") || line.starts_with("#![allow(") {
            let message = "use `#[expect(…, reason = \"…\")]`, which says when it is not needed";
            findings.push(Finding::at(path, index, message));
        }
        if line.starts_with("#[ignore]") {
            findings.push(Finding::at(path, index, "say why: `#[ignore = \"…\"]`"));
        }
    }
    findings
}

fn untriggered_todo(path: &str, text: &str) -> Vec<Finding> {
    const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let untriggered = |line: &str| {
        let Some((_, comment)) = line.split_once("//") else {
            return false;
        };
        MARKS.iter().any(|mark| {
            comment
                .split_once(mark)
                .is_some_and(|(_, rest)| !rest.starts_with('('))
        })
    };
    let message = format!("name what triggers it: `{}(when …)`", MARKS[0]);
    lines_where(path, text, untriggered, &message)
}

fn impure_core(path: &str, text: &str) -> Vec<Finding> {
    if !path.starts_with("crates/coord-core/src/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in shipped(text) {
        for (name, instead) in IMPURE {
            if code(line).contains(name) {
                let message = format!("the core is pure, so no `{name}`: {instead}");
                findings.push(Finding::at(path, index, message));
            }
        }
    }
    findings
}

fn foreign_programs(path: &str, text: &str) -> Vec<Finding> {
    let in_tests = path.contains("/tests/");
    let mut findings = Vec::new();
    for (program, owners) in PROGRAMS {
        if in_tests || owners.iter().any(|owner| path.starts_with(owner)) {
            continue;
        }
        let call = format!("Command::new(\"{program}\")");
        for (index, line) in shipped(text).filter(|(_, line)| code(line).contains(&call)) {
            let message = format!("only {} may start `{program}`: {}", owners[0], line.trim());
            findings.push(Finding::at(path, index, message));
        }
    }
    findings
}

fn printing_library(path: &str, text: &str) -> Vec<Finding> {
    let prints = PRINTING.iter().any(|program| path.starts_with(program))
        || path.ends_with("/main.rs")
        || path.contains("/tests/")
        || path.contains("/src/bin/");
    if prints {
        return Vec::new();
    }
    let prints = |line: &str| {
        let code = code(line);
        ["print!(", "println!(", "eprint!(", "eprintln!("]
            .iter()
            .any(|call| code.split(|c: char| !is_call(c)).any(|word| word == *call))
    };
    shipped(text)
        .filter(|(_, line)| prints(line))
        .map(|(index, _)| Finding::at(path, index, "a library does not print: return it"))
        .collect()
}

/// Whether `c` can be part of a macro's name or of the `!(` after it.
fn is_call(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '!' | '(')
}

/// The lines before the unit tests, with their index.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| *line != "#[cfg(test)]")
}

/// The part of a line before its comment.
fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

fn lines_where(
    path: &str,
    text: &str,
    wrong: impl Fn(&str) -> bool,
    message: &str,
) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| wrong(line))
        .map(|(index, _)| Finding::at(path, index, message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The findings about `text` at `path`, one per line.
    fn found(path: &str, text: &str) -> String {
        let file = TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let findings = check(&file);
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        lines.join("\n")
    }

    const LIB: &str = "crates/coord-git/src/lib.rs";

    #[test]
    fn a_file_in_order_has_no_findings() {
        assert_eq!(found(LIB, "//! What for.\n\nfn f() {}\n"), "");
        let attribute_first = "#![forbid(unsafe_code)]\n//! What for.\n";
        assert_eq!(found(LIB, attribute_first), "");
        let long_attribute = "#![expect(\n    clippy::x,\n    reason = \"y\"\n)]\n//! What for.\n";
        assert_eq!(found(LIB, long_attribute), "");
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert!(found(LIB, "use std::fmt;\n").contains("start with `//!`"));
        assert!(found(LIB, "use std::fmt;\n//! late\n").contains("start with `//!`"));
    }

    #[test]
    fn a_nameless_file_is_reported() {
        let text = "//! x\n";
        assert!(found("crates/coord-git/src/utils.rs", text).contains("name the file"));
        assert!(found("crates/coord-git/src/common/x.rs", text).contains("name the file"));
        assert_eq!(found("crates/coord-git/src/commonality.rs", text), "");
    }

    #[test]
    fn a_long_file_is_reported() {
        let text = format!("//! x\n{}", "//\n".repeat(MAX_LINES - 1));
        assert_eq!(found(LIB, &text), "");
        assert!(found(LIB, &format!("{text}//\n")).contains("1001 lines"));
    }

    #[test]
    fn silenced_lints_and_tests_are_reported() {
        let allowed = "//! x\n    #[allow(dead_code)]\nfn f() {}\n";
        assert!(found(LIB, allowed).starts_with("crates/coord-git/src/lib.rs:2: use `#[expect"));
        assert!(found(LIB, "#![allow(x)]\n//! x\n").contains("#[expect"));
        assert!(found(LIB, "//! x\n#[ignore]\nfn f() {}\n").contains("say why"));
        assert_eq!(found(LIB, "//! x\n#[ignore = \"slow\"]\nfn f() {}\n"), "");
    }

    #[test]
    fn a_todo_names_its_trigger() {
        let bare = concat!("//! x\n// TO", "DO: later\n");
        assert!(found(LIB, bare).contains("name what triggers it"));
        let triggered = concat!("//! x\n// TO", "DO(when gix can push): use it\n");
        assert_eq!(found(LIB, triggered), "");
    }

    #[test]
    fn the_core_is_pure() {
        let core = "crates/coord-core/src/board.rs";
        for (name, _) in IMPURE {
            let text = format!("//! x\nuse {name};\n");
            assert!(found(core, &text).contains("the core is pure"), "{name}");
            let in_tests = format!("//! x\n#[cfg(test)]\nmod tests {{ use {name}; }}\n");
            assert_eq!(found(core, &in_tests), "");
            assert_eq!(found(LIB, &text), "");
        }
    }

    #[test]
    fn only_the_git_crate_starts_git() {
        let text = "//! x\nfn f() { Command::new(\"git\") }\n";
        assert_eq!(found(LIB, text), "");
        assert_eq!(found("crates/coord-git/src/binary.rs", text), "");
        assert_eq!(found("crates/coord-agent/tests/it/main.rs", text), "");
        assert!(found("crates/coord-agent/src/lib.rs", text).contains("may start `git`"));
    }

    #[test]
    fn libraries_do_not_print() {
        let text = "//! x\nfn f() { println!(\"x\"); }\n";
        assert!(found(LIB, text).contains("does not print"));
        assert_eq!(found("crates/coord-cli/src/render.rs", text), "");
        assert_eq!(found("crates/coord-agent/src/main.rs", text), "");
        assert_eq!(found(LIB, "//! x\nfn f() { myprintln!(\"x\"); }\n"), "");
    }

    #[test]
    fn leftovers_of_editing_are_reported() {
        let conflict = format!("# x\n{} HEAD\n", "<".repeat(7));
        assert!(found("README.md", &conflict).contains("README.md:2: merge conflict"));
        assert!(found("README.md", "a \n").contains("README.md:1: trailing"));
        assert_eq!(found("crates/x/tests/fixtures/a.jsonl", "a \n"), "");
    }
}
