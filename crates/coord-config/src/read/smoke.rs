//! Smoke tests: when they run, and which machines can run them.

use super::rules::LONGEST_SECONDS;
use super::syntax::{self, owned};
use crate::config::{CapabilityRule, Machine, SmokeTests};
use crate::reading::Word;
use crate::section::Section;

/// The section; what is to run by itself has to be able to.
pub(super) fn smoke_tests(mut section: Section<'_>, machines: &[Machine]) -> SmokeTests {
    let default = SmokeTests::default();
    let reading = section.reading();
    let auto_queue = section.flag("auto_queue").unwrap_or(default.auto_queue);
    let default_command = section.text("default_command");
    if auto_queue && default_command.is_none() {
        section.problem_at(
            "auto_queue",
            "`auto_queue` needs the key `default_command` with what is to run",
        );
    }
    let rules = section.mappings("capability_rules").unwrap_or_default();
    let rules = rules.iter().map(|node| {
        let section = Section::open(reading, "a capability rule", node);
        capability_rule(section, machines, auto_queue)
    });
    let capability_rules = rules.collect();
    let smoke_tests = SmokeTests {
        auto_queue,
        default_command,
        timeout_seconds: section
            .number("timeout_seconds", 1..=LONGEST_SECONDS)
            .unwrap_or(default.timeout_seconds),
        capability_rules,
    };
    section.finish();
    smoke_tests
}

/// A rule that waits to be used by hand may be ahead of the machine; one that starts smoke tests by
/// itself would leave every change of its files waiting.
fn capability_rule(
    mut section: Section<'_>,
    machines: &[Machine],
    by_itself: bool,
) -> CapabilityRule {
    section.require_some("files");
    section.require_some("requires");
    let files = syntax::inner_paths(&mut section, "files");
    let requires = section.names("requires", "capability");
    if by_itself {
        check_possible(&section, machines, &requires);
    }
    section.finish();
    CapabilityRule {
        files,
        requires: owned(requires),
    }
}

fn check_possible(section: &Section<'_>, machines: &[Machine], requires: &[Word<'_>]) {
    let mut known: Vec<&str> = machines
        .iter()
        .flat_map(|machine| &machine.capabilities)
        .map(String::as_str)
        .collect();
    known.sort_unstable();
    known.dedup();
    let reading = section.reading();
    let unknown = requires
        .iter()
        .filter(|word| !reading.check_known(word, "capability", &known));
    if unknown.count() > 0 {
        return;
    }
    let has =
        |machine: &Machine, word: &Word<'_>| machine.capabilities.iter().any(|it| it == word.text);
    let has_all = |machine: &Machine| requires.iter().all(|word| has(machine, word));
    if !machines.iter().any(has_all) {
        section.problem_at("requires", "no machine has all of these capabilities");
    }
}
