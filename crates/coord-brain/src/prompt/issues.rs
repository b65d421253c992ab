//! The open issues, within what is left of the budget: a line for each, and then as much of what
//! they say as there is room for. Of texts the longest are cut first.

use std::collections::BTreeMap;

use coord_core::ids::{IssueRef, RepoName};
use coord_core::scope::Glob;

use crate::facts::{Facts, Remark};
use crate::guess::Guesser;
use crate::rank::{Priority, Ranked, ranked};
use crate::text::{block, count, cut, line, push, push_fenced};

/// How long a title, and all labels together, may be in the list, in bytes.
const TITLE: usize = 160;
/// What stands around the text of an issue, in bytes: its fence, its number, what was left out.
const AROUND: usize = 260;
/// Less of a text than this says nothing, in bytes.
const LEAST: usize = 240;
/// How long the name of an author may be, in bytes.
const AUTHOR: usize = 60;

pub(super) fn push_issues(out: &mut String, facts: &Facts<'_>, nonce: &str, budget: usize) {
    let claimed = facts.claimed();
    let mut issues = ranked(facts.candidates);
    issues.retain(|it| !claimed.contains(it.issue));
    out.push_str("\n# Open issues\n\n");
    let list = List::of(&issues, budget);
    let texts = Texts::of(facts, &issues, budget.saturating_sub(list.bytes));
    list.push(out, nonce, issues.len());
    push_left_out(out, facts);
    texts.push(out, facts, nonce);
}

/// Issues of authors that nobody trusts: a worker is never sent to do what they say.
fn push_left_out(out: &mut String, facts: &Facts<'_>) {
    let strangers = facts.candidates.values().filter(|it| !it.issue.trusted);
    match strangers.count() {
        0 => {}
        strangers => push(
            out,
            format_args!(
                "\n{} by authors who are not trusted: left out.\n",
                count(strangers, "issue")
            ),
        ),
    }
}

/// One line for each issue.
struct List {
    lines: Vec<String>,
    bytes: usize,
}

impl List {
    fn of(issues: &[Ranked<'_>], budget: usize) -> Self {
        let mut list = Self {
            lines: Vec::new(),
            bytes: 0,
        };
        for it in issues {
            let text = entry(it);
            if list.bytes + text.len() >= budget {
                break;
            }
            list.bytes += text.len() + 1;
            list.lines.push(text);
        }
        list
    }

    fn push(&self, out: &mut String, nonce: &str, all: usize) {
        if all == 0 {
            out.push_str("None.\n");
            return;
        }
        out.push_str("The most urgent first: the issue | what the coordinator knows of it | its title | its labels.\n\n");
        push_fenced(out, "issues", nonce, &self.lines.join("\n"));
        let missing = all - self.lines.len();
        if missing > 0 {
            push(
                out,
                format_args!(
                    "\n{} less urgent did not fit in here.\n",
                    count(missing, "issue")
                ),
            );
        }
    }
}

fn entry(it: &Ranked<'_>) -> String {
    let issue = &it.candidate.issue;
    let mut text = format!("{} | {}", it.issue, known(it));
    push(&mut text, format_args!(" | {}", line(&issue.title, TITLE)));
    if !issue.labels.is_empty() {
        push(
            &mut text,
            format_args!(" | {}", line(&issue.labels.join(", "), TITLE)),
        );
    }
    text
}

/// "high priority; DEPENDS ON shop#2; 2 issues wait for it".
fn known(it: &Ranked<'_>) -> String {
    let mut known = Vec::new();
    if it.priority != Priority::Normal {
        known.push(format!("{} priority", it.priority.as_str()));
    }
    if let Some(first) = it.candidate.blocked_by.first() {
        let more = match it.candidate.blocked_by.len() {
            1 => String::new(),
            all => format!(" and {} more", all - 1),
        };
        known.push(format!("DEPENDS ON {first}{more}"));
    }
    match it.unblocks.len() {
        0 => {}
        1 => known.push("1 issue waits for it".to_owned()),
        many => known.push(format!("{many} issues wait for it")),
    }
    known.join("; ")
}

/// What the issues say.
struct Texts<'f> {
    issues: Vec<(&'f IssueRef, Said<'f>)>,
    /// At most so much of each, in bytes.
    most: usize,
    /// Of how many nothing could be shown.
    missing: usize,
}

impl<'f> Texts<'f> {
    fn of(facts: &'f Facts<'_>, issues: &[Ranked<'f>], budget: usize) -> Self {
        let said = issues.iter().map(|it| (it.issue, Said::of(facts, it)));
        let mut said: Vec<(&IssueRef, Said<'_>)> = said.filter(|(_, it)| it.bytes() > 0).collect();
        let all = said.len();
        said.truncate(budget / (AROUND + LEAST));
        let lengths: Vec<usize> = said.iter().map(|(_, it)| it.bytes()).collect();
        let most = level(&lengths, budget.saturating_sub(said.len() * AROUND));
        Self {
            missing: all - said.len(),
            issues: said,
            most,
        }
    }

    fn push(&self, out: &mut String, facts: &Facts<'_>, nonce: &str) {
        if self.issues.is_empty() && self.missing == 0 {
            return;
        }
        out.push_str("\n# What they say\n");
        let forbidden = &facts.policy.coordinator_only_files;
        let forbidden: Vec<Glob> = forbidden.iter().map(|glob| Glob::new(glob)).collect();
        let mut guessers: BTreeMap<&RepoName, Guesser<'_>> = BTreeMap::new();
        for (issue, said) in &self.issues {
            push(out, format_args!("\n{issue}:\n"));
            let mut text = said.within(self.most);
            if let Some(repo) = facts.repos.get(&issue.repo) {
                let guesser = guessers.entry(&issue.repo);
                let guesser = guesser.or_insert_with(|| Guesser::new(repo, &forbidden));
                push_guess(&mut text, facts, issue, guesser);
            }
            push_fenced(out, "issue", nonce, &text);
        }
        if self.missing > 0 {
            let missing = count(self.missing, "issue");
            push(
                out,
                format_args!("\nOf {missing} more only the titles fit in here.\n"),
            );
        }
    }
}

fn push_guess(text: &mut String, facts: &Facts<'_>, issue: &IssueRef, guesser: &Guesser<'_>) {
    let candidate = facts.candidates.get(issue);
    let files = candidate.map(|it| guesser.guess(&it.issue).files);
    let files = files.unwrap_or_default().join(", ");
    if !files.is_empty() {
        push(
            text,
            format_args!(
                "\n\n[the coordinator's guess at its files: {}]",
                line(&files, AROUND)
            ),
        );
    }
}

/// The text of an issue and what was said about it.
struct Said<'f> {
    body: String,
    remarks: &'f [Remark],
}

impl<'f> Said<'f> {
    fn of(facts: &'f Facts<'_>, it: &Ranked<'_>) -> Self {
        let remarks = facts.comments.get(it.issue);
        Self {
            body: block(&it.candidate.issue.body),
            remarks: remarks.map(Vec::as_slice).unwrap_or_default(),
        }
    }

    fn bytes(&self) -> usize {
        let remarks: usize = self.remarks.iter().map(remark_bytes).sum();
        self.body.len() + remarks
    }

    /// At most about so many bytes: of the body the beginning, of the comments the latest, each at
    /// least half of it where both are long.
    fn within(&self, most: usize) -> String {
        let remarks = self.bytes() - self.body.len();
        let for_body = most.saturating_sub(remarks).max(most / 2);
        let mut text = shortened(self.body.clone(), for_body);
        let mut left = most.saturating_sub(text.len().min(for_body));
        let mut shown = Vec::new();
        for remark in self.remarks.iter().rev() {
            if left < LEAST.min(remark_bytes(remark)) {
                break;
            }
            let author = line(&remark.author, AUTHOR);
            let said = shortened(block(&remark.text), left.saturating_sub(AUTHOR));
            left = left.saturating_sub(remark_bytes(remark));
            shown.push(format!("\n\n[comment by {author}]\n{said}"));
        }
        let missing = self.remarks.len() - shown.len();
        if missing > 0 {
            push(
                &mut text,
                format_args!("\n\n[left out: {}]", count(missing, "earlier comment")),
            );
        }
        text.extend(shown.into_iter().rev());
        text
    }
}

fn remark_bytes(remark: &Remark) -> usize {
    remark.text.len() + AUTHOR
}

fn shortened(text: String, most: usize) -> String {
    let all = text.len();
    if all <= most {
        return text;
    }
    let mut text = cut(text, most);
    push(&mut text, format_args!("\n[cut: {most} of {all} bytes]"));
    text
}

/// The height to which all lengths have to be cut so that together they fit.
fn level(lengths: &[usize], budget: usize) -> usize {
    let mut lengths = lengths.to_vec();
    lengths.sort_unstable();
    let mut left = budget;
    let mut level = 0;
    for (place, length) in lengths.iter().enumerate() {
        let share = left / (lengths.len() - place);
        if share < *length {
            return share;
        }
        left -= length;
        level = *length;
    }
    level
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever fits is left alone, and of the rest nobody gets more than another.
        #[test]
        fn the_longest_are_cut_first(lengths in proptest::collection::vec(0usize..5000, 0..50), budget in 0usize..100_000) {
            let level = level(&lengths, budget);
            let shown: usize = lengths.iter().map(|it| *it.min(&level)).sum();
            prop_assert!(shown <= budget);
            let is_cut = lengths.iter().any(|it| *it > level);
            prop_assert!(!is_cut || shown + lengths.len() > budget, "{level} {shown}");
        }
    }
}
