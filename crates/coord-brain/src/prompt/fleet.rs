//! The parts about repositories, machines and models.

use std::collections::BTreeMap;

use coord_core::ids::{MachineName, Timestamp};
use coord_core::placement::free_slots;
use coord_core::policy::MachinePolicy;

use crate::facts::{Facts, RepoFacts};
use crate::text::{line, push, push_fenced};

/// How many folders of a repository are shown.
const FOLDERS: usize = 25;
/// How long the name of one may be, in bytes.
const NAME: usize = 120;

pub(super) fn push_repositories(out: &mut String, facts: &Facts<'_>) {
    out.push_str("\n# Repositories\n\n");
    for (name, repo) in &facts.policy.repos {
        push(out, format_args!("- {name}"));
        if !repo.depends_on.is_empty() {
            push(
                out,
                format_args!("; depends on {}", names(&repo.depends_on)),
            );
        }
        if let Some(busy) = facts.upstream_work(name) {
            let (upstream, issue) = (&busy.issue.repo, &busy.issue);
            push(
                out,
                format_args!("; BLOCKED: work on {upstream} ({issue}) is not finished"),
            );
        }
        out.push('\n');
    }
}

pub(super) fn push_machines(out: &mut String, facts: &Facts<'_>) {
    out.push_str("\n# Machines\n\n");
    for (name, machine) in &facts.policy.machines {
        push_machine(out, facts, name, machine);
    }
    let spent = facts.board.spent_on_day(facts.now);
    if let Some(limit) = facts.policy.budgets.day_usd {
        push(
            out,
            format_args!("\nOf the budget of the day, ${limit:.2}, ${spent:.2} are used.\n"),
        );
    }
}

fn push_machine(out: &mut String, facts: &Facts<'_>, name: &MachineName, machine: &MachinePolicy) {
    let free = free_slots(facts.board, facts.policy, name);
    let slots = machine.max_workers;
    push(out, format_args!("- {name}: {free} of {slots} slots free"));
    if !machine.capabilities.is_empty() {
        push(
            out,
            format_args!("; has {}", machine.capabilities.join(", ")),
        );
    }
    push(out, format_args!("; may work on {}", names(&machine.repos)));
    let known = facts.board.machines.get(name);
    if known.is_some_and(|it| it.silent_since.is_some()) {
        out.push_str("; DOES NOT ANSWER");
    }
    let limited = known.and_then(|it| it.limited_until);
    if let Some(until) = limited.filter(|until| *until > facts.now) {
        let minutes = minutes_until(facts.now, until);
        push(
            out,
            format_args!("; its account is LIMITED for another {minutes} minutes"),
        );
    }
    out.push('\n');
}

fn minutes_until(now: Timestamp, until: Timestamp) -> i64 {
    let millis = until.as_millis().saturating_sub(now.as_millis());
    millis.saturating_add(59_999) / 60_000
}

pub(super) fn push_models(out: &mut String, facts: &Facts<'_>) {
    let models = &facts.policy.models;
    let mut said = Vec::new();
    if !models.escalation.is_empty() {
        said.push(format!(
            "- From the cheapest to the strongest: {}",
            models.escalation.join(", ")
        ));
    }
    for (label, model) in &models.labels {
        said.push(format!("- For the label `{label}`: {model}"));
    }
    for (size, model) in &models.sizes {
        said.push(format!("- For a {} issue: {model}", size.as_str()));
    }
    if let Some(model) = &models.default {
        said.push(format!("- Else: {model}"));
    }
    if !said.is_empty() {
        push(out, format_args!("\n# Models\n\n{}\n", said.join("\n")));
    }
}

/// Where the files of each repository are: folders of two levels with the number of files in each.
pub(super) fn folders(facts: &Facts<'_>, nonce: &str) -> String {
    let known = facts.repos.iter().filter(|(_, it)| !it.files.is_empty());
    let lines: Vec<String> = known
        .map(|(name, repo)| format!("{name}: {}", folders_of(repo)))
        .collect();
    let mut out = String::new();
    if !lines.is_empty() {
        out.push_str("\n# Folders\n\nWith how many files each holds.\n\n");
        push_fenced(&mut out, "folders", nonce, &lines.join("\n"));
    }
    out
}

fn folders_of(repo: &RepoFacts) -> String {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for path in &repo.files {
        let mut ends = path.match_indices('/').map(|(end, _)| end);
        let end = ends.next().map(|first| ends.next().unwrap_or(first));
        let folder = end.and_then(|end| path.get(..=end)).unwrap_or("./");
        *folders.entry(folder).or_default() += 1;
    }
    let mut largest: Vec<(&str, usize)> = folders
        .iter()
        .map(|(name, files)| (*name, *files))
        .collect();
    largest.sort_by_key(|(name, files)| (std::cmp::Reverse(*files), *name));
    largest.truncate(FOLDERS);
    largest.sort_unstable();
    let shown = largest
        .iter()
        .map(|(name, files)| format!("{} {files}", line(name, NAME)));
    let mut shown: Vec<String> = shown.collect();
    let more = folders.len() - largest.len();
    if more > 0 {
        shown.push(format!("and {more} smaller ones"));
    }
    shown.join(", ")
}

fn names<T: std::fmt::Display>(names: &[T]) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}
