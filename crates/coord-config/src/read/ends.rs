//! What happens at the end of rounds and sessions: `hooks` and `housekeeping`.

use coord_core::ids::RepoName;

use super::rules::LONGEST_SECONDS;
use super::syntax;
use crate::config::{CheckoutCommand, Hook, Hooks, Housekeeping, NamedHook};
use crate::node::{Node, Value};
use crate::reading::{Reading, Word};
use crate::section::Section;

/// A century: "for ever" that still fits every calculation.
const MOST_DAYS: u32 = 36_500;
/// How long a hook may take that does not say otherwise, in seconds.
const HOOK_SECONDS: u64 = 60;
/// The same for a command in a checkout, which may have to build something.
const CHECKOUT_SECONDS: u64 = 600;

const NAMED: [(&str, NamedHook); 2] = [
    ("summary_report", NamedHook::SummaryReport),
    ("close_merged_issues", NamedHook::CloseMergedIssues),
];

pub(super) fn hooks(mut section: Section<'_>) -> Hooks {
    let hooks = Hooks {
        on_round_complete: list(&mut section, "on_round_complete"),
        on_session_end: list(&mut section, "on_session_end"),
    };
    section.finish();
    hooks
}

/// Names and commands, mixed.
fn list(section: &mut Section<'_>, key: &'static str) -> Vec<Hook> {
    let items = section.texts(key).unwrap_or_default();
    let reading = section.reading();
    let names = items.iter().filter(|node| !is_mapping(node));
    let named: Vec<Word<'_>> = names.filter_map(|node| reading.word(node)).collect();
    reading.check_unique("hook", &named);
    items
        .iter()
        .filter_map(|node| hook(reading, node))
        .collect()
}

fn hook<'a>(reading: &'a Reading<'a>, node: &'a Node) -> Option<Hook> {
    if !is_mapping(node) {
        return reading.choice(node, "hook", &NAMED).map(Hook::Named);
    }
    let mut section = Section::open(reading, "a hook", node);
    let command = command(&mut section);
    let timeout_seconds = timeout(&mut section, HOOK_SECONDS);
    section.finish();
    Some(Hook::Command {
        command: command?,
        timeout_seconds,
    })
}

pub(super) fn housekeeping(mut section: Section<'_>, repos: &[&str]) -> Housekeeping {
    let default = Housekeeping::default();
    let reading = section.reading();
    let commands = section.texts("commands").unwrap_or_default();
    let housekeeping = Housekeeping {
        warm_worktrees: section
            .number("warm_worktrees", 0..=syntax::MOST_WORKERS)
            .unwrap_or(default.warm_worktrees),
        keep_finished_days: section
            .number("keep_finished_days", 1..=MOST_DAYS)
            .unwrap_or(default.keep_finished_days),
        pull: section.flag("pull").unwrap_or(default.pull),
        commands: commands
            .iter()
            .filter_map(|node| checkout_command(reading, node, repos))
            .collect(),
    };
    section.finish();
    housekeeping
}

/// A text runs in every checkout; a mapping says more.
fn checkout_command<'a>(
    reading: &'a Reading<'a>,
    node: &'a Node,
    known: &[&str],
) -> Option<CheckoutCommand> {
    if !is_mapping(node) {
        return reading.word(node).map(|word| CheckoutCommand {
            command: word.text.to_owned(),
            repos: Vec::new(),
            timeout_seconds: CHECKOUT_SECONDS,
        });
    }
    let mut section = Section::open(reading, "a command of housekeeping", node);
    let command = command(&mut section);
    let repos = section.names("repos", "repository");
    let repos = repos
        .into_iter()
        .filter(|repo| reading.check_known(repo, "repository", known));
    let repos = repos.map(|repo| RepoName::from(repo.text)).collect();
    let timeout_seconds = timeout(&mut section, CHECKOUT_SECONDS);
    section.finish();
    Some(CheckoutCommand {
        command: command?,
        repos,
        timeout_seconds,
    })
}

fn command(section: &mut Section<'_>) -> Option<String> {
    section.require("command");
    section.text("command")
}

fn timeout(section: &mut Section<'_>, default: u64) -> u64 {
    section
        .number("timeout_seconds", 1..=LONGEST_SECONDS)
        .unwrap_or(default)
}

const fn is_mapping(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}
