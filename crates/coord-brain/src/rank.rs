//! Which issue comes before which: priority, bugs, what others wait for, age.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use coord_core::ids::IssueRef;
use coord_core::proposal::{Candidate, Candidates};

use crate::facts::is_open;

/// How urgent the labels of an issue say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Critical,
    High,
    /// Of an issue whose labels do not say.
    Normal,
    Low,
}

impl Priority {
    const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// What the labels say; of several the most urgent.
    pub(crate) fn of(labels: &[String]) -> Self {
        let told = labels.iter().filter_map(|label| Self::of_label(label));
        told.min().unwrap_or(Self::Normal)
    }

    /// `P1`, `priority: high`, `prio/1`, `high-priority`, `urgent`.
    fn of_label(label: &str) -> Option<Self> {
        let words = words(label);
        let is_word_for_it = |word: &&String| matches!(word.as_str(), "priority" | "prio");
        let (about, rest): (Vec<&String>, Vec<&String>) = words.iter().partition(is_word_for_it);
        let [word] = rest.as_slice() else {
            return None;
        };
        match (word.as_str(), about.is_empty()) {
            ("p0" | "critical" | "urgent" | "blocker", _) | ("0" | "highest", false) => {
                Some(Self::Critical)
            }
            ("p1", _) | ("1" | "high", false) => Some(Self::High),
            ("p2", _) | ("2" | "medium" | "normal", false) => Some(Self::Normal),
            ("p3" | "p4", _) | ("3" | "4" | "low" | "lowest", false) => Some(Self::Low),
            _ => None,
        }
    }
}

/// Whether a label says that something is broken: `bug`, `type: bug`, `kind/bug`.
fn is_bug(labels: &[String]) -> bool {
    let says_so = |label: &String| {
        let words = words(label);
        words.len() <= 2 && words.last().is_some_and(|it| it == "bug")
    };
    labels.iter().any(says_so)
}

/// The words of a label in lower case.
pub(crate) fn words(label: &str) -> Vec<String> {
    let words = label.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|it| !it.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// An issue in its place.
#[derive(Debug)]
pub(crate) struct Ranked<'a> {
    pub(crate) issue: &'a IssueRef,
    pub(crate) candidate: &'a Candidate,
    /// What its own labels say.
    pub(crate) own: Priority,
    /// At least that of everything that waits for it.
    pub(crate) priority: Priority,
    pub(crate) is_bug: bool,
    /// What waits for it, in order.
    pub(crate) unblocks: Vec<&'a IssueRef>,
}

/// The open issues of trusted authors, the most urgent first. Whatever somebody waits for is as
/// urgent as the one who waits.
pub(crate) fn ranked(candidates: &Candidates) -> Vec<Ranked<'_>> {
    let open = || candidates.iter().filter(|(_, it)| is_open(it));
    let mut unblocks: BTreeMap<&IssueRef, Vec<&IssueRef>> = BTreeMap::new();
    for (issue, candidate) in open() {
        for before in &candidate.blocked_by {
            unblocks.entry(before).or_default().push(issue);
        }
    }
    let inherited = inherited(candidates);
    let rank = |(issue, candidate): (&'_ IssueRef, &'_ Candidate)| {
        let own = Priority::of(&candidate.issue.labels);
        (own, inherited.get(issue).copied().unwrap_or(own))
    };
    let mut ranked: Vec<Ranked<'_>> = open()
        .map(|(issue, candidate)| {
            let (own, priority) = rank((issue, candidate));
            Ranked {
                issue,
                candidate,
                own,
                priority,
                is_bug: is_bug(&candidate.issue.labels),
                unblocks: unblocks.remove(issue).unwrap_or_default(),
            }
        })
        .collect();
    ranked.sort_by_key(|it| {
        (
            it.priority,
            !it.is_bug,
            Reverse(it.unblocks.len()),
            it.issue.number,
            it.issue,
        )
    });
    ranked
}

/// The most urgent priority of an issue and of everything that waits for it, directly or not.
fn inherited(candidates: &Candidates) -> BTreeMap<&IssueRef, Priority> {
    let mut found = BTreeMap::new();
    for priority in Priority::ALL {
        let of_this = candidates
            .iter()
            .filter(|(_, it)| is_open(it) && Priority::of(&it.issue.labels) == priority);
        let mut open: Vec<&IssueRef> = of_this.map(|(issue, _)| issue).collect();
        while let Some(issue) = open.pop() {
            // Who was found before was found from something more urgent.
            if found.contains_key(issue) {
                continue;
            }
            found.insert(issue, priority);
            let candidate = candidates.get(issue);
            open.extend(candidate.into_iter().flat_map(|it| &it.blocked_by));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn what_labels_say() {
        for (label, expected) in [
            ("P0", Priority::Critical),
            ("priority:critical", Priority::Critical),
            ("Urgent", Priority::Critical),
            ("priority: high", Priority::High),
            ("prio/1", Priority::High),
            ("high-priority", Priority::High),
            ("P2", Priority::Normal),
            ("priority low", Priority::Low),
            ("p3", Priority::Low),
            ("high", Priority::Normal),
            ("not urgent", Priority::Normal),
            ("1", Priority::Normal),
            ("priority", Priority::Normal),
            ("", Priority::Normal),
        ] {
            assert_eq!(Priority::of(&labels(&[label])), expected, "{label}");
        }
        assert_eq!(Priority::of(&labels(&["P3", "P1"])), Priority::High);
    }

    #[test]
    fn what_is_a_bug() {
        for (label, expected) in [
            ("bug", true),
            ("type: Bug", true),
            ("kind/bug", true),
            ("debug", false),
            ("not really a bug", false),
            ("bug bounty", false),
        ] {
            assert_eq!(is_bug(&labels(&[label])), expected, "{label}");
        }
    }
}
