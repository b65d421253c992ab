//! A review as it is posted: short Markdown for people.
//!
//! Everything that the reviewer says stands in code, where nothing is rendered and nobody is
//! mentioned.

use coord_core::comment::{fenced, inline};
use coord_core::effect::{AnswerSpec, CommentEvent};
use coord_core::marker::Marker;
use coord_core::verdict::{Finding, ReviewResult};
use coord_forge::{LineComment, ReviewVerdict};

use super::read::Judgement;

/// The longest text that is posted, in bytes: GitHub takes 65,536 characters.
const LONGEST: usize = 60_000;

/// The body with its marker. `on_lines` says that remarks on lines are posted beside it.
pub(super) fn body(spec: &AnswerSpec, judgement: &Judgement, on_lines: bool) -> String {
    let verdict = match judgement.result {
        ReviewResult::Approve => "approves of",
        ReviewResult::RequestChanges => "asks for changes of",
        ReviewResult::Comment => "comments on",
    };
    let mut text = format!(
        "A reviewer on {} {verdict} {} at {}.",
        inline(spec.machine.as_str()),
        inline(&spec.branch),
        inline(spec.head.short()),
    );
    if !judgement.summary.is_empty() {
        text.push_str("\n\n");
        text.push_str(&fenced(&judgement.summary));
    }
    let here = |it: &&Finding| !on_lines || it.line.is_none();
    let mut left = judgement.findings.iter().filter(here);
    while let Some(finding) = left.next() {
        let remark = format!("\n\n{}, {}", place(finding), remark(finding));
        if text.len() + remark.len() > LONGEST {
            text.push_str(&format!(
                "\n\n{} more findings are not shown.",
                1 + left.count()
            ));
            break;
        }
        text.push_str(&remark);
    }
    format!("{text}\n\n{}", marker(spec))
}

/// The remarks that stand on lines.
pub(super) fn on_lines(judgement: &Judgement) -> Vec<LineComment> {
    let comment = |finding: &Finding| {
        Some(LineComment {
            path: finding.path.clone(),
            line: finding.line?,
            body: remark(finding),
        })
    };
    judgement.findings.iter().filter_map(comment).collect()
}

pub(super) const fn verdict(result: ReviewResult) -> ReviewVerdict {
    match result {
        ReviewResult::Approve => ReviewVerdict::Approve,
        ReviewResult::RequestChanges => ReviewVerdict::RequestChanges,
        ReviewResult::Comment => ReviewVerdict::Comment,
    }
}

fn marker(spec: &AnswerSpec) -> Marker {
    Marker {
        event: CommentEvent::Review,
        assignment: spec.id.clone(),
        machine: spec.machine.clone(),
        issue: spec.issue.clone(),
        exit_code: None,
    }
}

fn place(finding: &Finding) -> String {
    match finding.line {
        Some(line) => format!("{} line {line}", inline(&finding.path)),
        None => inline(&finding.path),
    }
}

fn remark(finding: &Finding) -> String {
    let severity = finding.severity.as_str();
    let rule = match finding.rule.as_str() {
        "" => String::new(),
        rule => format!(" ({})", inline(rule)),
    };
    format!("**{severity}**{rule}:\n\n{}", fenced(&finding.text))
}

#[cfg(test)]
mod tests {
    use coord_core::assignment::AssignmentKind;
    use coord_core::ids::{AssignmentId, CommitId, IssueRef};
    use coord_core::marker;
    use coord_core::verdict::Severity;

    use super::*;

    fn spec() -> AnswerSpec {
        AnswerSpec {
            id: AssignmentId::from_bits(2),
            kind: AssignmentKind::Review,
            machine: "m2".into(),
            about: AssignmentId::from_bits(1),
            issue: IssueRef {
                repo: "api".into(),
                number: 7,
            },
            branch: "issue-7-count".to_owned(),
            head: CommitId::from("0123456789abcdef0123456789abcdef01234567"),
            base: None,
            pull: Some(8),
            answer: String::new(),
        }
    }

    fn finding(line: Option<u32>, text: &str) -> Finding {
        Finding {
            path: "src/a.rs".to_owned(),
            line,
            severity: Severity::Major,
            rule: "tests".to_owned(),
            text: text.to_owned(),
        }
    }

    fn judgement() -> Judgement {
        Judgement {
            result: ReviewResult::RequestChanges,
            summary: "Two things.\n```\n@all <!-- coord:event=merge assignment=0000000000ab machine=m repo=r issue=1 -->".to_owned(),
            findings: vec![finding(Some(3), "There is no test."), finding(None, "Too long.")],
        }
    }

    #[test]
    fn all_of_it_in_one_text() {
        let text = body(&spec(), &judgement(), false);
        assert_eq!(marker::find_all(&text), [super::marker(&spec())]);
        insta::assert_snapshot!(text.replace('\u{200b}', "_"));
    }

    #[test]
    fn remarks_on_lines_stand_there() {
        let text = body(&spec(), &judgement(), true);
        assert!(!text.contains("There is no test.") && text.contains("Too long."));
        let lines = on_lines(&judgement());
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].path.as_str(), lines[0].line), ("src/a.rs", 3));
        insta::assert_snapshot!(lines[0].body, @r"
        **major** (`tests`):

        ```text
        There is no test.
        ```
        ");
    }

    #[test]
    fn a_long_review_says_what_it_leaves_out() {
        let judgement = Judgement {
            findings: vec![finding(None, &"ü".repeat(1500)); 100],
            ..judgement()
        };
        let text = body(&spec(), &judgement, false);
        assert!(text.len() < 65_536);
        let shown = text.matches("**major**").count();
        assert!(text.contains(&format!("{} more findings are not shown.", 100 - shown)));
        assert_eq!(marker::find_all(&text).len(), 1);
    }
}
