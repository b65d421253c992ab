//! What was found out about a branch, in people's words.

use coord_core::assignment::{Assignment, MergeState};
use coord_core::ids::{AssignmentId, CommitId};
use coord_core::verdict::{
    ChecksVerdict, Combination, Finding, Override, ReviewResult, ReviewVerdict, Severity,
    SmokeVerdict,
};

use super::{count, verdict};
use crate::printer::{BAD, FAINT, GOOD, WARN, paint, plain};

/// A review in one line.
pub(crate) fn review(verdict: &ReviewVerdict) -> String {
    let result = match verdict.result {
        ReviewResult::Approve => paint(GOOD, "approved"),
        ReviewResult::RequestChanges => paint(BAD, "changes requested"),
        ReviewResult::Comment => paint(WARN, "commented"),
    };
    let findings = match verdict.findings.len() {
        0 => String::new(),
        number => format!(", {}", count(number, "finding")),
    };
    let head = verdict.head.short();
    format!("{result} by {} at {head}{findings}", verdict.by)
}

/// `src/a.rs:12 major: what is wrong (rule)`.
pub(crate) fn finding(finding: &Finding) -> String {
    let style = match finding.severity {
        Severity::Blocker | Severity::Major => BAD,
        Severity::Minor => WARN,
        Severity::Nit => FAINT,
    };
    let line = finding.line.map(|line| format!(":{line}"));
    format!(
        "{}{} {}: {} ({})",
        plain(&finding.path),
        line.unwrap_or_default(),
        paint(style, finding.severity.as_str()),
        plain(&finding.text),
        plain(&finding.rule)
    )
}

/// A smoke test in one line.
pub(crate) fn smoke(verdict: &SmokeVerdict) -> String {
    let result = match verdict.passed {
        true => paint(GOOD, "smoke test passed"),
        false => paint(BAD, "smoke test failed"),
    };
    format!(
        "{result} for {}: {}",
        verdict.head.short(),
        plain(&verdict.note)
    )
}

/// The forge's checks in one line.
pub(super) fn checks(verdict: &ChecksVerdict) -> String {
    let style = match verdict.good {
        true => GOOD,
        false => BAD,
    };
    // The note is a sentence of its own.
    let note = paint(style, plain(&verdict.note));
    format!("at {}: {note}", verdict.head.short())
}

/// That a person has set a gate aside, and why.
pub(super) fn set_aside(it: &Override) -> String {
    let (gate, head) = (it.gate.as_str(), it.head.short());
    let set_aside = paint(WARN, "set aside");
    let reason = plain(&it.reason);
    format!("gate `{gate}` {set_aside} for {head}: {reason}")
}

/// A green combination in one line.
pub(super) fn combination(it: &Combination) -> String {
    let onto = it.onto.short();
    match it.after.as_slice() {
        [] => format!("{} on {onto}", paint(GOOD, "green")),
        after => {
            let after: Vec<&str> = after.iter().map(AssignmentId::as_str).collect();
            format!(
                "{} on {onto} after {}",
                paint(GOOD, "green"),
                after.join(", ")
            )
        }
    }
}

/// A red combination in one line.
pub(super) fn red(base: &CommitId, with: Option<&AssignmentId>, note: &str) -> String {
    let base = base.short();
    let with = match with {
        Some(with) => format!("together with {with} on {base}"),
        None => format!("on {base}"),
    };
    format!("{} {with}: {}", paint(BAD, "red"), plain(note))
}

/// What is known of the branch of an assignment as it is now, beyond its end, tests and merge.
pub(super) fn facts(it: &Assignment) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(budget) = &it.over_budget {
        facts.push(format!("{}: {}", paint(BAD, "over budget"), plain(budget)));
    }
    if let Some(why) = &it.answer_refused {
        facts.push(format!(
            "{}: {}",
            paint(BAD, "answer of no use"),
            plain(why)
        ));
    }
    let Some(head) = it.deliverable().map(|work| work.head) else {
        return facts;
    };
    if it.stop_requested && it.merged_as().is_none() {
        facts.push(paint(WARN, "put aside"));
    }
    let known = &it.delivery;
    if let Some(failure) = known.test_failure.as_ref().filter(|it| it.head == *head) {
        let why = plain(&failure.why);
        // A verdict stands until there is another one; a red one is told already.
        let stands = it.verdict_for_head();
        facts.extend(stands.filter(|it| it.result.is_good()).map(verdict));
        let none = match stands {
            Some(_) => "the last run came to no verdict",
            None => "no test verdict",
        };
        facts.push(format!("{}: {why}", paint(WARN, none)));
    }
    if let Some(number) = known.pull {
        facts.push(format!("pull request #{number}"));
    }
    if let Some(reason) = &known.pull_refused {
        facts.push(format!(
            "{}: {}",
            paint(BAD, "no pull request"),
            plain(reason)
        ));
    }
    facts.extend(it.review_of_head().map(review));
    facts.extend(it.smoke_of_head().map(smoke));
    facts.extend(it.checks_of_head().filter(|it| !it.good).map(checks));
    facts.extend(
        known
            .overrides
            .iter()
            .filter(|it| it.head == *head)
            .map(set_aside),
    );
    let queued = it
        .merge
        .as_ref()
        .is_some_and(|it| it.state == MergeState::Queued);
    let green = known
        .combination
        .iter()
        .filter(|it| queued && it.head == *head);
    facts.extend(green.map(combination));
    facts
}
