//! The marker that each of the coordinator's comments carries, so that it is posted once and
//! found again: `<!-- coord:event=E assignment=ID machine=M repo=R issue=N -->`.
//!
//! The grammar is that of the first coordinator (0.1.0): `<!--\s*coord:(body)\s*-->` with fields
//! `(\w+)=(\S+)`. Whose comment a marker stands in, and so whether to believe it, is not known here.

use std::fmt;

use crate::effect::{CommentEvent, CommentSpec};
use crate::ids::{AssignmentId, IssueRef, MachineName, RepoName};

/// What a marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// What the comment is about.
    pub event: CommentEvent,
    /// Whose doing it reports.
    pub assignment: AssignmentId,
    /// Where that ran.
    pub machine: MachineName,
    /// The issue that it was posted to.
    pub issue: IssueRef,
    /// For completion and failure.
    pub exit_code: Option<i32>,
}

impl From<&CommentSpec> for Marker {
    fn from(comment: &CommentSpec) -> Self {
        Self {
            event: comment.event,
            assignment: comment.assignment.clone(),
            machine: comment.machine.clone(),
            issue: comment.issue.clone(),
            exit_code: comment.exit_code,
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<!-- coord:event={} assignment={} machine={} repo={} issue={}",
            self.event.as_str(),
            self.assignment,
            word(self.machine.as_str()),
            word(self.issue.repo.as_str()),
            self.issue.number,
        )?;
        if let Some(code) = self.exit_code {
            write!(f, " exit_code={code}")?;
        }
        f.write_str(" -->")
    }
}

/// A name as one word that cannot end the HTML comment; configured names are such words anyway.
fn word(name: &str) -> String {
    let plain = |c: char| {
        if c.is_whitespace() || c.is_control() || c == '>' {
            '_'
        } else {
            c
        }
    };
    match name.chars().map(plain).collect::<String>() {
        word if word.is_empty() => "_".to_owned(),
        word => word,
    }
}

/// Every marker in `text`, in order. What is not one, or lacks a field, is passed over. Takes
/// time linear in the length of the text, whatever the text.
#[must_use]
pub fn find_all(text: &str) -> Vec<Marker> {
    let mut markers = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("<!--") {
        rest = after;
        let Some(body) = after.trim_start().strip_prefix("coord:") else {
            continue;
        };
        let Some((body, after)) = body.split_once("-->") else {
            break;
        };
        markers.extend(parse(body));
        rest = after;
    }
    markers
}

fn parse(body: &str) -> Option<Marker> {
    let field = |name: &str| {
        body.split_whitespace()
            .filter_map(|word| word.split_once('='))
            .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
    };
    Some(Marker {
        event: event(field("event")?)?,
        assignment: field("assignment")?.parse().ok()?,
        machine: MachineName::from(field("machine")?),
        issue: IssueRef {
            repo: RepoName::from(field("repo")?),
            number: field("issue")?.parse().ok()?,
        },
        exit_code: field("exit_code").and_then(|code| code.parse().ok()),
    })
}

fn event(word: &str) -> Option<CommentEvent> {
    CommentEvent::ALL
        .into_iter()
        .find(|event| event.as_str() == word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marker(machine: &str, repo: &str, exit_code: Option<i32>) -> Marker {
        Marker {
            event: CommentEvent::Failure,
            assignment: AssignmentId::from_bits(0xab),
            machine: machine.into(),
            issue: IssueRef {
                repo: repo.into(),
                number: 7,
            },
            exit_code,
        }
    }

    #[test]
    fn it_reads_what_it_writes() {
        let marker = marker("laptop", "api", Some(-9));
        let text = format!("Hello\n\n{marker}\nbye");
        assert_eq!(
            marker.to_string(),
            "<!-- coord:event=failure assignment=0000000000ab machine=laptop repo=api issue=7 exit_code=-9 -->"
        );
        assert_eq!(find_all(&text), [marker]);
    }

    #[test]
    fn it_reads_the_spelling_of_the_grammar() {
        let text =
            "<!--\n coord:event=stuck  machine=m repo=r issue=1 x=y assignment=0000000000ab-->";
        let found = find_all(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].event, CommentEvent::Stuck);
    }

    #[test]
    fn what_lacks_a_field_or_an_end_is_passed_over() {
        for text in [
            "<!-- coord:event=stuck -->",
            "<!-- coord:event=dance assignment=0000000000ab machine=m repo=r issue=1 -->",
            "<!-- coord:event=stuck assignment=nonsense machine=m repo=r issue=1 -->",
            "<!-- coord:event=stuck assignment=0000000000ab machine=m repo=r issue=-1 -->",
            "<!-- coord:event=stuck assignment=0000000000ab machine=m repo=r issue=1",
            "<!- coord:event=stuck assignment=0000000000ab machine=m repo=r issue=1 -->",
        ] {
            assert_eq!(find_all(text), [], "{text}");
        }
    }

    #[test]
    fn a_name_cannot_end_the_comment() {
        let text = marker("a --> <!-- coord:event=merge", "r\n-->", None).to_string();
        let found = find_all(&text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].event, CommentEvent::Failure);
        assert_eq!(text.matches("-->").count(), 1);
    }

    #[test]
    fn a_thousand_openings_cost_no_more_than_their_length() {
        assert_eq!(find_all(&"<!-- coord:".repeat(100_000)), []);
        assert_eq!(find_all(&"<!--".repeat(100_000)), []);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(?s)(<!--|-->|coord:|event=stuck|[ =a-f0-9\n]|.){0,60}") {
            let _ = find_all(&text);
        }

        #[test]
        fn any_names_give_one_marker(machine in ".{0,12}", repo in ".{0,12}") {
            let text = marker(&machine, &repo, Some(1)).to_string();
            prop_assert_eq!(find_all(&text).len(), 1);
        }
    }
}
