//! A plan as people and programs see it.

use std::collections::HashMap;

use coord_core::command::Refusal;
use coord_core::ids::IssueRef;
use coord_core::proposal::{Planner, Proposal, Size, Split};
use coord_engine::{Engine, PlanOutcome};
use serde_json::{Value, json};

use super::model::{Choices, choices};
use crate::blocked::{self, BlockedIssue, BlockedRepo};
use crate::describe;
use crate::failure::Failure;
use crate::printer::{FAINT, Printer, STRONG, WARN, paint, plain};
use crate::proposed;

/// A plan, and what could not be part of it.
pub(super) struct Shown {
    outcome: PlanOutcome,
    dry_run: bool,
    repos: Vec<BlockedRepo>,
    issues: Vec<BlockedIssue>,
    models: Choices,
}

impl Shown {
    pub(super) async fn gather(
        engine: &Engine,
        outcome: PlanOutcome,
        dry_run: bool,
    ) -> Result<Self, Failure> {
        let board = engine.store().board().await?;
        Ok(Self {
            repos: blocked::repos(&board, engine.policy()),
            issues: blocked::issues(engine).await?,
            models: choices(engine, &outcome.proposals).await?,
            outcome,
            dry_run,
        })
    }

    pub(super) fn json(&self) -> Value {
        let it = &self.outcome;
        let proposals: Vec<Value> = it
            .proposals
            .iter()
            .map(|it| self.proposal_json(it))
            .collect();
        let splits: Vec<Value> = it.splits.iter().map(proposed::split_json).collect();
        let unread = it.unread.iter();
        let unread: Vec<Value> = unread
            .map(|(repo, error)| json!({"repo": repo, "error": error}))
            .collect();
        json!({"dry_run": self.dry_run, "by": it.planner, "cost_usd": it.cost_usd,
            "proposals": proposals, "splits": splits, "refused": it.refused,
            "fed_back": it.fed_back, "unread": unread, "blocked": self.repos,
            "blocked_issues": self.issues})
    }

    fn proposal_json(&self, it: &Proposal) -> Value {
        let mut value = proposed::json(it);
        if let (Some(object), Some(choice)) = (value.as_object_mut(), self.models.get(&it.id)) {
            let chosen = json!({"model": choice.model, "why": choice.why});
            object.insert("chosen_model".to_owned(), chosen);
        }
        value
    }

    pub(super) fn print(&self, printer: Printer) {
        let it = &self.outcome;
        printer.line(format_args!(
            "{} by {}",
            paint(STRONG, "plan"),
            describe::planner(&it.planner)
        ));
        self.print_proposals(printer);
        for split in &it.splits {
            print_split(printer, split);
        }
        if it.proposals.is_empty() && it.splits.is_empty() {
            printer.line("nothing is proposed");
        }
        print_refused(printer, &it.refused);
        blocked::print(printer, &self.repos, &self.unsaid());
        for (repo, error) in &it.unread {
            printer.note(format_args!(
                "{repo} {}, it is planned from what was known: {}",
                paint(WARN, "could not be read"),
                plain(error)
            ));
        }
        if it.cost_usd > 0.0 {
            printer.line(format_args!("\ncost ${:.2}", it.cost_usd));
        }
        match self.dry_run {
            true => printer.line("\ndry run: nothing was saved"),
            false => printer.hint(self.next().as_deref()),
        }
    }

    /// A row for each, and below it why.
    fn print_proposals(&self, printer: Printer) {
        let proposals = &self.outcome.proposals;
        if proposals.is_empty() {
            return;
        }
        let header = ["id", "issue", "title", "machine", "model", "size", "files"];
        let rows = proposals.iter().map(|it| self.row(it)).collect();
        let named = proposals.iter().map(|it| (it.id.to_string(), it));
        let mut next = named.peekable();
        let mut shown = None;
        printer.line("");
        for line in Printer::table_lines(&header, rows) {
            // A row that does not fit goes on in the next line, below nothing.
            let begins = |id: &str| line.split_whitespace().next() == Some(id);
            if next.peek().is_some_and(|(id, _)| begins(id)) {
                self.print_why(printer, shown);
                shown = next.next().map(|(_, it)| it);
            }
            printer.line(line);
        }
        self.print_why(printer, shown);
    }

    fn print_why(&self, printer: Printer, it: Option<&Proposal>) {
        for line in it.iter().flat_map(|it| it.draft.rationale.lines()) {
            printer.line(format_args!("    {}", paint(FAINT, plain(line))));
        }
        // The rules have said that themselves.
        let by_model = matches!(self.outcome.planner, Planner::Brain { .. });
        let choice = it.and_then(|it| self.models.get(&it.id));
        if let Some(choice) = choice.filter(|_| by_model) {
            let why = plain(&choice.why);
            printer.line(format_args!(
                "    {}",
                paint(FAINT, format_args!("model: {why}"))
            ));
        }
    }

    fn row(&self, it: &Proposal) -> Vec<String> {
        let draft = &it.draft;
        let model = self.models.get(&it.id);
        let model = model.and_then(|choice| choice.model.as_deref());
        let files = match draft.files.as_slice() {
            [] => "?".to_owned(),
            files => plain(&files.join(", ")),
        };
        vec![
            it.id.to_string(),
            draft.issue.to_string(),
            plain(&it.title),
            plain(draft.machine.as_str()),
            model.map_or_else(|| "the worker's".to_owned(), plain),
            draft.size.map_or("?", Size::as_str).to_owned(),
            files,
        ]
    }

    /// The blocked issues that nothing was said of yet.
    fn unsaid(&self) -> Vec<&BlockedIssue> {
        let refused = &self.outcome.refused;
        let is_said = |issue: &IssueRef| refused.iter().any(|it| it.issue.as_ref() == Some(issue));
        let issues = self.issues.iter();
        issues.filter(|it| !is_said(&it.issue)).collect()
    }

    /// What a person can do with it.
    fn next(&self) -> Option<String> {
        let it = &self.outcome;
        let proposals: Vec<String> = it.proposals.iter().map(|it| it.id.to_string()).collect();
        let splits: Vec<String> = it.splits.iter().map(|it| it.id.to_string()).collect();
        let approve = (!proposals.is_empty())
            .then(|| format!("`coord approve {}` starts the work", proposals.join(",")));
        let split = (!splits.is_empty())
            .then(|| format!("`coord split {}` opens the sub-issues", splits.join(",")));
        let next: Vec<String> = approve.into_iter().chain(split).collect();
        (!next.is_empty()).then(|| next.join(", "))
    }
}

fn print_split(printer: Printer, it: &Split) {
    printer.line(format_args!("\n{}", proposed::split_line(it)));
    for line in it.draft.rationale.lines() {
        printer.line(format_args!("    {}", paint(FAINT, plain(line))));
    }
    for (place, chunk) in it.draft.chunks.iter().enumerate() {
        printer.line(format_args!("  {}", proposed::part_line(place, chunk)));
    }
}

/// How many lines of refusals are worth reading, and how many issues in one of them.
const SHOWN: usize = 20;
const NAMED: usize = 3;

fn print_refused(printer: Printer, refused: &[Refusal]) {
    if refused.is_empty() {
        return;
    }
    printer.line(format_args!("\n{}", paint(WARN, "refused")));
    let alike = alike(refused);
    let (shown, rest) = alike.split_at(alike.len().min(SHOWN));
    for refusals in shown {
        printer.line(format_args!("  {}", refused_line(refusals)));
    }
    let more: usize = rest.iter().map(Vec::len).sum();
    if more > 0 {
        printer.line(format_args!("  and {more} more; `--json` names them all"));
    }
}

/// Those that say the same, in the order of the first of them.
fn alike(refused: &[Refusal]) -> Vec<Vec<&Refusal>> {
    let mut places = HashMap::new();
    let mut alike: Vec<Vec<&Refusal>> = Vec::new();
    for it in refused {
        let place = *places.entry((&it.why, &it.hint)).or_insert(alike.len());
        match alike.get_mut(place) {
            Some(same) => same.push(it),
            None => alike.push(vec![it]),
        }
    }
    alike
}

/// `app#2, app#3: app depends on lib, where … (wait for it)`; the issues only where the reason does
/// not name them itself.
fn refused_line(alike: &[&Refusal]) -> String {
    let Some(first) = alike.first() else {
        return String::new();
    };
    let mut issues: Vec<String> = Vec::new();
    for issue in alike.iter().filter_map(|it| it.issue.as_ref()) {
        let name = issue.to_string();
        if !names(&first.why, &name) && !issues.contains(&name) {
            issues.push(name);
        }
    }
    let more = issues.len().saturating_sub(NAMED);
    issues.truncate(NAMED);
    let about = match (issues.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("{}: ", issues.join(", ")),
        (false, more) => format!("{} and {more} more: ", issues.join(", ")),
    };
    let hint = first.hint.as_deref();
    let hint = hint.map(|hint| format!(" ({})", plain(hint)));
    format!(
        "{}{}{}",
        plain(&about),
        plain(&first.why),
        hint.unwrap_or_default()
    )
}

/// Whether the issue stands in `text`: `shop#1` does not in `shop#12`.
fn names(text: &str, issue: &str) -> bool {
    text.match_indices(issue).any(|(at, _)| {
        let after = text.get(at + issue.len()..).unwrap_or_default();
        !after.starts_with(|next: char| next.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use coord_core::command::Rule;
    use coord_core::ids::RepoName;

    use super::*;

    fn refusal(number: u64, why: &str) -> Refusal {
        let issue = IssueRef {
            repo: RepoName::from("app"),
            number,
        };
        Refusal::new(Rule::Dependency, why).of_issue(&issue)
    }

    fn lines(refused: &[Refusal]) -> Vec<String> {
        alike(refused).iter().map(|it| refused_line(it)).collect()
    }

    #[test]
    fn a_reason_that_names_no_issue_gets_its_issues_in_front() {
        let busy = "app depends on lib, where assignment 1f66 (lib#38) is not finished";
        let own = "app#9 depends on app#1, which is open";
        let refused = [
            refusal(2, busy),
            refusal(9, own),
            refusal(3, busy),
            refusal(3, busy),
        ];
        assert_eq!(
            lines(&refused),
            [format!("app#2, app#3: {busy}"), own.to_owned()]
        );
    }

    #[test]
    fn many_issues_are_counted() {
        let refused: Vec<Refusal> = (1..=5).map(|it| refusal(it, "it is Sunday")).collect();
        let [line] = lines(&refused).try_into().unwrap();
        assert_eq!(line, "app#1, app#2, app#3 and 2 more: it is Sunday");
    }

    #[test]
    fn the_beginning_of_another_number_is_no_name() {
        let [line] = lines(&[refusal(1, "app#12 comes first")])
            .try_into()
            .unwrap();
        assert_eq!(line, "app#1: app#12 comes first");
    }
}
