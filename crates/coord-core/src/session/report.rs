//! A summary as a text for people: Markdown that reads well as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Occasion, Summary};
use crate::ids::Timestamp;

/// How much of somebody else's text stands in one line, in characters.
const QUOTED: usize = 200;

impl Summary {
    /// The summary as Markdown; `time` says how instants are written.
    #[must_use]
    pub fn report(&self, time: &dyn Fn(Timestamp) -> String) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {}\n\n{}.", self.title(time), self.overview());
        self.list(&mut text, "Assignments", &self.assignment_lines());
        self.list(&mut text, "Merged", &self.merged_lines());
        self.list(&mut text, "Gates set aside", &self.override_lines());
        self.list(&mut text, "Waits for a person", &self.waiting_lines());
        self.list(&mut text, "Hooks and housekeeping", &self.step_lines());
        text
    }

    fn title(&self, time: &dyn Fn(Timestamp) -> String) -> String {
        let what = match self.occasion {
            Occasion::RoundComplete => "Round",
            Occasion::SessionEnd => "Session",
        };
        format!(
            "{what} {}: {} to {}",
            self.seq,
            time(self.since),
            time(self.until)
        )
    }

    /// Outcomes, merges and cost in one sentence, without its period.
    #[must_use]
    pub fn overview(&self) -> String {
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for it in &self.assignments {
            *states.entry(it.state.as_str()).or_default() += 1;
        }
        let states: Vec<String> = states.iter().map(|(of, n)| format!("{n} {of}")).collect();
        let outcomes = match states.is_empty() {
            true => String::new(),
            false => format!(" ({})", states.join(", ")),
        };
        let each = self
            .cost_per_merged_usd
            .map(|usd| format!(", ${usd:.2} for each merged issue"));
        format!(
            "{}{outcomes}; {} merged; ${:.2}{}",
            count(self.assignments.len(), "assignment"),
            count(self.merged.len(), "issue"),
            self.cost_usd,
            each.unwrap_or_default()
        )
    }

    fn list(&self, text: &mut String, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n## {title}\n");
        for line in lines {
            let _ = writeln!(text, "- {line}");
        }
    }

    fn assignment_lines(&self) -> Vec<String> {
        let line = |it: &super::WorkEntry| {
            let error = it.error.as_deref().map(|e| format!(": {}", one_line(e)));
            format!(
                "{} {} {} {}: {}, ${:.2}{}",
                it.id,
                it.kind.as_str(),
                it.issue,
                one_line(&it.title),
                it.state.as_str(),
                it.cost_usd,
                error.unwrap_or_default()
            )
        };
        self.assignments.iter().map(line).collect()
    }

    fn merged_lines(&self) -> Vec<String> {
        let line = |it: &super::MergedWork| {
            let (issue, title, id) = (&it.issue, one_line(&it.title), &it.id);
            let warning = it
                .warning
                .as_deref()
                .map(|it| format!("; {}", one_line(it)));
            let warning = warning.unwrap_or_default();
            format!("{issue} {title}: {} by {id}{warning}", it.commit.short())
        };
        self.merged.iter().map(line).collect()
    }

    fn override_lines(&self) -> Vec<String> {
        let line = |it: &super::OverriddenGate| {
            let (set_aside, gate) = (&it.set_aside, it.set_aside.gate.as_str());
            let (head, reason) = (set_aside.head.short(), one_line(&set_aside.reason));
            format!("{} {}: {gate} for {head}: {reason}", it.id, it.issue)
        };
        self.overrides.iter().map(line).collect()
    }

    fn waiting_lines(&self) -> Vec<String> {
        let line = |it: &super::Waiting| {
            let hint = it.hint.as_deref().map(|hint| format!(" ({hint})"));
            format!(
                "{} {}: {}{}",
                it.issue,
                one_line(&it.title),
                one_line(&it.why),
                hint.unwrap_or_default()
            )
        };
        self.waiting.iter().map(line).collect()
    }

    fn step_lines(&self) -> Vec<String> {
        let line = |it: &super::EndedStep| {
            let failed = if it.result.ok { "" } else { "FAILED: " };
            let step = one_line(&it.step.to_string());
            format!("{step}: {failed}{}", one_line(&it.result.note))
        };
        self.steps.iter().map(line).collect()
    }
}

fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// Somebody else's text in one line of bounded length.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
