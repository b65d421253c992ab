//! Which other issues an issue says that it depends on.
//!
//! Recognised are `Depends on #12`, `depends-on: #1, #2 and owner/repo#3`, `Blocked by repo#4` at
//! the beginning of a line, behind the sign of a list or a quotation, or behind the beginning of a
//! sentence. What stands in a block or span of code is not.

use crate::ids::{IssueRef, RepoName};
use crate::policy::Policy;

/// The words that a dependency begins with, in lower case.
const PHRASES: [&str; 4] = ["depends on", "depends-on", "blocked by", "blocked-by"];

/// How many dependencies of one issue count.
const MOST: usize = 50;

/// The issues that the text of `issue` says it depends on: each once, in the order of the text,
/// never itself, and none of a repository that is not configured.
#[must_use]
pub fn mentioned(policy: &Policy, issue: &IssueRef, body: &str) -> Vec<IssueRef> {
    let mut found: Vec<IssueRef> = Vec::new();
    let mut fence = None;
    for line in body.lines() {
        let line = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|it| line.starts_with(it));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (Some(_), _) => {}
            (None, None) => collect(policy, issue, line, &mut found),
        }
        if found.len() >= MOST {
            break;
        }
    }
    found.truncate(MOST);
    found
}

fn collect(policy: &Policy, issue: &IssueRef, line: &str, found: &mut Vec<IssueRef>) {
    let text = without_code(line).to_lowercase();
    for phrase in PHRASES {
        for (start, _) in text.match_indices(phrase) {
            let before = text.get(..start).unwrap_or_default();
            if before.ends_with(char::is_alphanumeric) || is_denied(before) {
                continue;
            }
            let rest = text.get(start + phrase.len()..).unwrap_or_default();
            for named in references(rest) {
                let other = resolve(policy, issue, named);
                let is_new = |it: &IssueRef| it != issue && !found.contains(it);
                found.extend(other.filter(is_new));
            }
        }
    }
}

/// "not blocked by #3", "no longer depends on #3".
fn is_denied(before: &str) -> bool {
    let last = before.split_whitespace().next_back();
    matches!(last, Some("not" | "never" | "longer" | "doesn't" | "don't"))
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// A repository, where one is named, and a number.
type Reference<'t> = (Option<&'t str>, u64);

/// The references at the beginning of `text`, as far as nothing else stands between them.
fn references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    let text = text.trim_start_matches([' ', ':', '\t']);
    let words = text.split([' ', ',', '\t']);
    let words = words.map(|word| word.trim_matches(['.', ';', ')', '(', '[', ']', '*', '_']));
    let words = words.filter(|word| !matches!(*word, "" | "and" | "&" | "+"));
    words.map_while(reference)
}

fn reference(word: &str) -> Option<Reference<'_>> {
    let (repo, number) = word.rsplit_once('#')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some(((!repo.is_empty()).then_some(repo), number))
}

/// `repo` is `owner/name` on GitHub, or the name in the configuration, in lower case.
fn resolve(policy: &Policy, issue: &IssueRef, (repo, number): Reference<'_>) -> Option<IssueRef> {
    let repo: RepoName = match repo {
        None => issue.repo.clone(),
        Some(text) => {
            let is_meant = |name: &RepoName, github: Option<&str>| {
                name.as_str().eq_ignore_ascii_case(text)
                    || github.is_some_and(|slug| slug.eq_ignore_ascii_case(text))
            };
            let mut repos = policy.repos.iter();
            repos
                .find(|(name, repo)| is_meant(name, repo.github.as_deref()))?
                .0
                .clone()
        }
    };
    Some(IssueRef { repo, number })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::RepoPolicy;

    fn policy() -> Policy {
        let repo = |github: Option<&str>| RepoPolicy {
            depends_on: Vec::new(),
            default_branch: None,
            shared: false,
            github: github.map(str::to_owned),
        };
        Policy {
            repos: [
                ("shop".into(), repo(None)),
                ("lib".into(), repo(Some("Acme/shared-lib"))),
            ]
            .into(),
            ..Policy::default()
        }
    }

    fn found(body: &str) -> Vec<String> {
        let issue = IssueRef {
            repo: "shop".into(),
            number: 7,
        };
        let found = mentioned(&policy(), &issue, body);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_an_issue_depends_on() {
        for (body, expected) in [
            ("Depends on #12", vec!["shop#12"]),
            (
                "- depends on: #1, #2 and acme/Shared-Lib#3.",
                vec!["shop#1", "shop#2", "lib#3"],
            ),
            ("> **Blocked by** #4", vec!["shop#4"]),
            ("This is blocked by lib#5 for now", vec!["lib#5"]),
            ("Blocked-by: shop#6\nDepends on #6", vec!["shop#6"]),
            ("Depends on #7", vec![]),
            ("Depends on somebody/else#8", vec![]),
            ("Depends on #0 or #1x", vec![]),
            ("Depends on the weather, see #9", vec![]),
            ("no longer depends on #9; not blocked by #10", vec![]),
            ("`Depends on #11`", vec![]),
            ("```\nDepends on #12\n```\nDepends on #13", vec!["shop#13"]),
            ("Undepends on #14", vec![]),
            ("Depends on #99999999999999999999", vec![]),
        ] {
            assert_eq!(found(body), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(body in "(?s).{0,200}") {
            prop_assert!(found(&body).len() <= MOST);
        }
    }
}
