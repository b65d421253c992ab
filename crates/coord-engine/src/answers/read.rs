//! From the JSON of an answer to a review or a text, with every bound kept.
//!
//! An answer is a worker's word about somebody else's text: untrusted twice.

use coord_core::comment::harmless;
use coord_core::delivery::PullText;
use coord_core::verdict::{Finding, ReviewResult, Severity};
use serde::Deserialize;

use crate::serving::schema::{BODY, FINDINGS, RULE, TEXT, TITLE};

/// The longest path that is kept, in bytes: the longest that a file can have.
const PATH: usize = 4096;

/// What a reviewer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) result: ReviewResult,
    pub(super) summary: String,
    pub(super) findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct ReviewAnswer {
    verdict: ReviewResult,
    summary: String,
    findings: Vec<FindingAnswer>,
}

#[derive(Deserialize)]
struct FindingAnswer {
    path: String,
    line: Option<u32>,
    severity: Severity,
    rule: String,
    text: String,
}

#[derive(Deserialize)]
struct PullAnswer {
    title: String,
    body: String,
}

/// The review in `answer`, provided that it makes sense by itself; else why not.
pub(super) fn review(answer: &str) -> Result<Judgement, String> {
    let answer: ReviewAnswer =
        serde_json::from_str(answer).map_err(|error| not_in_schema(&error))?;
    let findings = answer.findings.into_iter().take(FINDINGS);
    let judgement = Judgement {
        result: answer.verdict,
        summary: text(&answer.summary, TEXT),
        findings: findings.map(finding).collect(),
    };
    match contradiction(&judgement) {
        Some(why) => Err(why.to_owned()),
        None => Ok(judgement),
    }
}

/// The text of a pull request in `answer`; else why there is none.
pub(super) fn pull(answer: &str) -> Result<PullText, String> {
    let answer: PullAnswer = serde_json::from_str(answer).map_err(|error| not_in_schema(&error))?;
    let title = one_line(&answer.title, usize::MAX);
    match title.chars().count() {
        0 => Err("its title is empty".to_owned()),
        1..=TITLE => Ok(PullText {
            title: closing_nothing(&title),
            body: closing_nothing(&harmless(answer.body.trim(), BODY)),
        }),
        length => Err(format!(
            "its title has {length} characters, and {TITLE} are allowed"
        )),
    }
}

fn not_in_schema(error: &serde_json::Error) -> String {
    // Its text may quote the answer.
    one_line(&format!("it is not in the schema: {error}"), 200)
}

fn finding(answer: FindingAnswer) -> Finding {
    let FindingAnswer {
        path,
        line,
        severity,
        rule,
        text: words,
    } = answer;
    let path = path.trim();
    let path = path.strip_prefix("./").unwrap_or(path);
    Finding {
        path: path[..path.floor_char_boundary(PATH)].to_owned(),
        line,
        severity,
        rule: one_line(&rule, RULE),
        text: text(&words, TEXT),
    }
}

/// What a review cannot mean.
fn contradiction(judgement: &Judgement) -> Option<&'static str> {
    let Judgement {
        result,
        summary,
        findings,
    } = judgement;
    let has_blocker = findings.iter().any(|it| it.severity == Severity::Blocker);
    match result {
        ReviewResult::RequestChanges if findings.is_empty() && summary.is_empty() => {
            Some("it asks for changes and does not say which")
        }
        ReviewResult::Approve if has_blocker => {
            Some("it approves of the change and calls something in it a blocker")
        }
        ReviewResult::Approve | ReviewResult::RequestChanges | ReviewResult::Comment => None,
    }
}

/// At most `limit` characters, without control characters other than line breaks and tabs.
fn text(text: &str, limit: usize) -> String {
    let plain = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let plain: String = text.chars().filter(plain).collect();
    cut(plain.trim(), limit)
}

/// At most `limit` characters in one line.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    cut(&words.join(" "), limit)
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The text without references to issues that are one, so that it closes none but ours:
/// `fixes #7`, `fixes acme/api#7`, `fixes GH-7`, and the same with an address.
pub(crate) fn closing_nothing(text: &str) -> String {
    const BREAK: char = '\u{200b}';
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let before_number = chars.peek().is_some_and(char::is_ascii_digit);
        let lower = || out.chars().rev().take(8).collect::<String>().to_lowercase();
        let refers = match c {
            '#' => before_number,
            '-' => before_number && lower().starts_with("-hg"),
            '/' => {
                before_number && (lower().starts_with("/seussi/") || lower().starts_with("/llup/"))
            }
            _ => false,
        };
        if refers {
            out.push(BREAK);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn answer() -> Value {
        json!({
            "verdict": "request_changes",
            "summary": " Two things.\u{0} ",
            "findings": [
                { "path": "./src/a.rs", "line": 3, "severity": "blocker", "rule": "te\nsts", "text": "none\nat all" },
                { "path": "src/b.rs", "line": null, "severity": "nit", "rule": "", "text": "name" },
            ],
        })
    }

    fn with(change: impl FnOnce(&mut Value)) -> Result<Judgement, String> {
        let mut answer = answer();
        change(&mut answer);
        review(&answer.to_string())
    }

    #[test]
    fn a_review_is_read() {
        let read = with(|_| {}).unwrap();
        assert_eq!(read.result, ReviewResult::RequestChanges);
        assert_eq!(read.summary, "Two things.");
        assert_eq!(
            read.findings[0],
            Finding {
                path: "src/a.rs".to_owned(),
                line: Some(3),
                severity: Severity::Blocker,
                rule: "te sts".to_owned(),
                text: "none\nat all".to_owned(),
            }
        );
        assert_eq!(read.findings[1].line, None);
    }

    #[test]
    fn what_is_not_in_the_schema_is_no_review() {
        let why = |change: fn(&mut Value)| with(change).unwrap_err();
        let cases: [fn(&mut Value); 5] = [
            |it| it["verdict"] = json!("lgtm"),
            |it| it["findings"] = json!("none"),
            |it| it["findings"][0]["severity"] = json!("critical"),
            |it| it["findings"][0]["line"] = json!(-1),
            |it| drop(it.as_object_mut().unwrap().remove("summary")),
        ];
        for case in cases {
            assert!(why(case).starts_with("it is not in the schema: "));
        }
        for text in ["", "looks good to me", "[]", "null"] {
            assert!(review(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_no_review() {
        let empty = with(|it| {
            it["summary"] = json!(" ");
            it["findings"] = json!([]);
        });
        assert_eq!(
            empty.unwrap_err(),
            "it asks for changes and does not say which"
        );
        assert!(with(|it| it["findings"] = json!([])).is_ok());
        assert!(with(|it| it["summary"] = json!("")).is_ok());
        let approved = with(|it| it["verdict"] = json!("approve"));
        assert_eq!(
            approved.unwrap_err(),
            "it approves of the change and calls something in it a blocker"
        );
        let mild = with(|it| {
            it["verdict"] = json!("approve");
            it["findings"][0]["severity"] = json!("major");
        });
        assert!(mild.is_ok());
    }

    #[test]
    fn everything_is_bounded() {
        let long = "ü".repeat(100_000);
        let many = vec![
            json!({ "path": long, "line": 1, "severity": "nit", "rule": long, "text": long });
            150
        ];
        let read = with(|it| {
            it["summary"] = json!(long);
            it["findings"] = json!(many);
        })
        .unwrap();
        assert_eq!(read.summary.chars().count(), TEXT + 1);
        assert_eq!(read.findings.len(), FINDINGS);
        let finding = &read.findings[0];
        assert_eq!(finding.path.len(), PATH);
        assert_eq!(finding.rule.chars().count(), RULE + 1);
        assert_eq!(finding.text.chars().count(), TEXT + 1);
    }

    #[test]
    fn the_text_of_a_pull_request_is_read() {
        let text = json!({ "title": " Count\nfrom 1 ", "body": "Why.\n\n- `a` <!-- coord:event=merge -->\n@all" });
        let read = pull(&text.to_string()).unwrap();
        assert_eq!(read.title, "Count from 1");
        assert!(!read.body.contains("<!--") && !read.body.contains("@all"));
        assert!(read.body.starts_with("Why.\n\n- `a`"));
    }

    #[test]
    fn a_title_is_one_line_and_not_too_long() {
        let of = |title: &str| pull(&json!({ "title": title, "body": "" }).to_string());
        assert_eq!(of(" \n").unwrap_err(), "its title is empty");
        assert!(of(&"a".repeat(TITLE)).is_ok());
        let why = of(&"a".repeat(TITLE + 1)).unwrap_err();
        assert_eq!(why, "its title has 201 characters, and 200 are allowed");
        assert!(pull(r#"{"title": "a"}"#).is_err());
    }

    #[test]
    fn no_text_closes_an_issue() {
        let plain = |text: &str| closing_nothing(text).replace('\u{200b}', "_");
        assert_eq!(plain("fixes #7, acme/api#8"), "fixes #_7, acme/api#_8");
        assert_eq!(plain("Closes: gh-7 GH-7"), "Closes: gh-_7 GH-_7");
        let address = "resolves https://github.com/acme/api/issues/7";
        assert_eq!(
            plain(address),
            "resolves https://github.com/acme/api/issues/_7"
        );
        assert_eq!(plain("x/pull/7"), "x/pull/_7");
        for text in ["# 7", "#a", "utf-8", "src/7", "24/7", "C#"] {
            assert_eq!(plain(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(answer in "(?s)(\\{|\\}|\"|verdict|:|,|approve|#|/|[0-9]|.){0,60}") {
            let _ = review(&answer);
            let _ = pull(&answer);
            let _ = closing_nothing(&answer);
        }
    }
}
