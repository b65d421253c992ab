//! What a worker is told who puts a branch right, or brings it up to date with its base.
//!
//! What tests, reviewers and other workers said is not trusted: it joins the text of the issue, which
//! is fenced in the worker's prompt.

use crate::assignment::{Assignment, Cause, MergeMethod, MergeState};
use crate::board::Board;
use crate::continuation::{Plan, Told, push, push_said, said};
use crate::ids::CommitId;
use crate::verdict::{Finding, ReviewResult};

/// The last thing that was found wrong with the branch; [`Cause::Person`] where nothing was.
pub(crate) fn found(it: &Assignment) -> Cause {
    match it.merge.as_ref().map(|entry| &entry.state) {
        Some(MergeState::Conflict { .. }) => return Cause::Conflict,
        Some(MergeState::Red { .. }) => return Cause::Combination,
        Some(
            MergeState::Queued
            | MergeState::Merging
            | MergeState::Merged { .. }
            | MergeState::Refused { .. },
        )
        | None => {}
    }
    let red = it.verdict_for_head().is_some_and(|it| !it.result.is_good());
    let smoke = it.smoke_of_head().is_some_and(|it| !it.passed);
    match (red, smoke, it.review_of_head().map(|it| it.result)) {
        (true, _, _) => Cause::Tests,
        (false, true, _) => Cause::Smoke,
        (false, false, Some(ReviewResult::RequestChanges | ReviewResult::Comment)) => Cause::Review,
        (false, false, Some(ReviewResult::Approve) | None) => Cause::Person,
    }
}

/// The task of an assignment that goes on with `old` because something was found wrong with it.
pub(crate) fn told(board: &Board, old: &Assignment, plan: &Plan) -> Told {
    let first = board.chain(old).last().unwrap_or(old);
    let (text, task) = match &first.issue_body {
        Some(text) => (text, Some(first.briefing.trim_end())),
        None => (&first.briefing, None),
    };
    let mut issue = text.clone();
    push_found(&mut issue, board, old, plan.cause);
    let mut briefing = String::from(
        "The branch that you are on holds work on the issue, which is finished as far as its worker \
         knew. Go on with it: keep what is good.",
    );
    if let Some(task) = task {
        push(&mut briefing, format_args!(" The task was:\n\n{task}"));
    }
    briefing.push_str("\n\n");
    briefing.push_str(asked(plan.cause));
    if let Some(onto) = &plan.onto {
        push_onto(&mut briefing, old, onto);
    }
    push_said(&mut briefing, &said(board, old, plan));
    Told { issue, briefing }
}

/// What the worker is asked for.
const fn asked(cause: Cause) -> &'static str {
    match cause {
        Cause::Tests => {
            "The tests of the branch are red; what they said stands after the text of the issue. Find \
             the cause and put it right. Change a test only where it is the test that is wrong, and \
             say so in the message of the commit: a reviewer looks at it."
        }
        Cause::Smoke => {
            "The branch was tried out on a machine that has what it needs, and that failed; what was \
             said stands after the text of the issue. Find the cause and put it right."
        }
        Cause::Review => {
            "A reviewer asked for changes; the findings stand after the text of the issue. Judge each \
             of them: put right what is wrong, and where you find that the reviewer is mistaken, say \
             why in the message of a commit."
        }
        Cause::Combination => {
            "The tests of the branch are green alone, and red together with what is in the base branch \
             by now; what they said stands after the text of the issue. Both sides were meant: make \
             them go together."
        }
        Cause::Conflict => {
            "The branch conflicts with the base branch as it is now. Solve that so that both sides \
             keep what they were meant for, and nothing else is changed."
        }
        Cause::Person
        | Cause::Work
        | Cause::Environment
        | Cause::Lost
        | Cause::Silence
        | Cause::Guidance
        | Cause::Session => "A person wants it put right.",
    }
}

fn push_onto(briefing: &mut String, old: &Assignment, onto: &CommitId) {
    let method = old.merge.as_ref().map(|entry| entry.method);
    let command = match method.unwrap_or_default() {
        // A merge commit cannot be rebased later.
        MergeMethod::Rebase => "rebase",
        MergeMethod::Squash | MergeMethod::Merge => "merge",
    };
    push(
        briefing,
        format_args!(
            "\n\nFirst bring the branch up to the commit `{onto}` of the base branch, with \
             `git {command} {onto}`. It is in your repository: nothing has to be fetched."
        ),
    );
}

/// What was found, after the text of the issue.
fn push_found(issue: &mut String, board: &Board, old: &Assignment, cause: Cause) {
    if let Some((who, said)) = words(board, old, cause) {
        let said = said.trim_end();
        push(
            issue,
            format_args!("\n\n(Not part of the issue: {who}:)\n\n{said}"),
        );
    }
}

/// Who said what is wrong with the branch, and their words; not trusted.
fn words(board: &Board, old: &Assignment, cause: Cause) -> Option<(String, String)> {
    let (who, said) = match cause {
        Cause::Tests => {
            let verdict = old.verdict_for_head()?;
            let output = verdict.output.as_ref().unwrap_or(&verdict.note);
            ("the tests of the branch said", output.clone())
        }
        Cause::Smoke => {
            let verdict = old.smoke_of_head()?;
            let output = verdict.output.as_ref().unwrap_or(&verdict.note);
            ("the smoke test said", output.clone())
        }
        Cause::Review => {
            let review = old.review_of_head()?;
            let lines: Vec<String> = review.findings.iter().map(line).collect();
            let said = format!("{}\n{}", review.summary, lines.join("\n"));
            ("a reviewer said", said)
        }
        Cause::Combination => return together(board, old),
        Cause::Conflict => ("these paths are in conflict", conflict(old)?),
        Cause::Person => {
            let checks = old.checks_of_head().filter(|it| !it.good)?;
            ("the forge said", checks.note.clone())
        }
        Cause::Work
        | Cause::Environment
        | Cause::Lost
        | Cause::Silence
        | Cause::Guidance
        | Cause::Session => return None,
    };
    Some((who.to_owned(), said))
}

fn conflict(old: &Assignment) -> Option<String> {
    let MergeState::Conflict { paths, .. } = &old.merge.as_ref()?.state else {
        return None;
    };
    (!paths.is_empty()).then(|| paths.join("\n"))
}

/// What the tests said of the branch and the one that it does not go together with.
fn together(board: &Board, old: &Assignment) -> Option<(String, String)> {
    let MergeState::Red {
        with, note, output, ..
    } = &old.merge.as_ref()?.state
    else {
        return None;
    };
    let other = with.as_ref().and_then(|id| board.assignments.get(id));
    let who = match other {
        Some(Assignment { issue, title, .. }) => {
            format!("the tests together with {issue} ({title}) said")
        }
        None => "the tests on top of the base said".to_owned(),
    };
    Some((who, output.as_ref().unwrap_or(note).clone()))
}

fn line(finding: &Finding) -> String {
    let place = match finding.line {
        Some(line) => format!("{}:{line}", finding.path),
        None => finding.path.clone(),
    };
    let (severity, rule) = (finding.severity.as_str(), &finding.rule);
    format!("- {place} ({severity}, {rule}): {}", finding.text)
}
