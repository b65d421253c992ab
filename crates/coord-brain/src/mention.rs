//! What the text of an issue names: paths, and symbols of the code.

use coord_core::issue::Issue;

/// So much of a body is looked at, in bytes.
const READ: usize = 16 * 1024;
/// How many paths of one issue count.
const PATHS: usize = 20;
/// How many symbols of one issue count.
const SYMBOLS: usize = 10;
/// How long a word may be, in bytes.
const LONGEST: usize = 200;
/// Words that stand in code marks without being the name of anything.
const EVERYWHERE: [&str; 17] = [
    "main", "master", "test", "tests", "index", "mod", "lib", "src", "true", "false", "null",
    "none", "self", "this", "todo", "git", "bool",
];

/// What an issue names, each once, in the order of the text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    /// What looks like a path; whether there is such a file is another matter.
    pub(crate) paths: Vec<String>,
    /// What looks like a name in code.
    pub(crate) symbols: Vec<String>,
}

/// The symbols that an issue names, at most ten: worth looking for in its repository.
#[must_use]
pub fn words_of_interest(issue: &Issue) -> Vec<String> {
    Mentions::of(issue).symbols
}

impl Mentions {
    pub(crate) fn of(issue: &Issue) -> Self {
        let mut found = Self::default();
        let body = &issue.body;
        let body = body.get(..body.floor_char_boundary(READ)).unwrap_or(body);
        for text in [issue.title.as_str(), body] {
            for (place, part) in text.split('`').enumerate() {
                // Every second part stands between code marks.
                found.read(part, place % 2 == 1);
            }
        }
        found
    }

    fn read(&mut self, part: &str, is_code: bool) {
        let alone = is_code && part.split_whitespace().nth(1).is_none();
        for word in part.split(separates) {
            if word.len() <= LONGEST && !word.contains("//") {
                self.word(word, alone);
            }
        }
    }

    /// `alone`: in code marks with nothing beside it.
    fn word(&mut self, word: &str, alone: bool) {
        let word = without_place(word.trim_end_matches(['.', ':', '?', '!']));
        let word = word
            .strip_prefix('.')
            .filter(|it| it.starts_with('/'))
            .unwrap_or(word);
        let word = word.strip_prefix('/').unwrap_or(word);
        if is_path(word) {
            push_new(&mut self.paths, word, PATHS);
        }
        if word.contains('/') {
            return;
        }
        for name in word.split(['.', ':']).filter(|it| is_name(it)) {
            if is_compound(name) || (alone && !EVERYWHERE.contains(&name)) {
                push_new(&mut self.symbols, name, SYMBOLS);
            }
        }
    }
}

fn separates(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '(' | ')'
                | '['
                | ']'
                | '{'
                | '}'
                | '<'
                | '>'
                | '"'
                | '\''
                | ','
                | ';'
                | '|'
                | '='
                | '*'
                | '&'
                | '#'
                | '\\'
                | '+'
        )
}

/// `src/a.rs:12:4` is about `src/a.rs`.
fn without_place(word: &str) -> &str {
    let mut word = word;
    while let Some((before, digits)) = word.rsplit_once(':')
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'-')
    {
        word = before;
    }
    word
}

fn is_path(word: &str) -> bool {
    let has_ending = || {
        let (name, ending) = word.rsplit_once('.').unwrap_or_default();
        let plain = ending.bytes().all(|b| b.is_ascii_alphanumeric());
        !name.is_empty() && (1..=6).contains(&ending.len()) && plain
    };
    !word.contains(':')
        && (word.trim_end_matches('/').contains('/') || word.ends_with('/') || has_ending())
}

fn is_name(word: &str) -> bool {
    let begins = |c: char| c == '_' || c.is_alphabetic();
    (3..=60).contains(&word.len())
        && word.starts_with(begins)
        && word.chars().all(|c| c == '_' || c.is_alphanumeric())
}

/// `snake_case` or `CamelCase`.
fn is_compound(name: &str) -> bool {
    let inner = name.trim_matches('_');
    let hump = |pair: (char, char)| pair.0.is_lowercase() && pair.1.is_uppercase();
    inner.contains('_') || inner.chars().zip(inner.chars().skip(1)).any(hump)
}

fn push_new(list: &mut Vec<String>, word: &str, most: usize) {
    if list.len() < most && !list.iter().any(|it| it == word) {
        list.push(word.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use coord_core::issue::IssueState;
    use proptest::prelude::*;

    use super::*;

    fn found(body: &str) -> (Vec<String>, Vec<String>) {
        let Mentions { paths, symbols } = Mentions::of(&Issue {
            number: 1,
            title: String::new(),
            body: body.to_owned(),
            labels: Vec::new(),
            state: IssueState::Open,
            author: "me".to_owned(),
            trusted: true,
            milestone: None,
            assignees: Vec::new(),
        });
        (paths, symbols)
    }

    #[test]
    fn what_a_text_names() {
        for (body, paths, symbols) in [
            ("see src/lib.rs:12:4.", vec!["src/lib.rs"], vec![]),
            (
                "(`./src/api/` or /docs/a.md)",
                vec!["src/api/", "docs/a.md"],
                vec![],
            ),
            (
                "`parse_line` of LineParser::next()",
                vec![],
                vec!["parse_line", "LineParser"],
            ),
            ("the `total` and `main`, not total", vec![], vec!["total"]),
            ("`let total = 1` in a fence", vec![], vec![]),
            ("cart.totalPrice", vec![], vec!["totalPrice"]),
            ("https://example.com/a/b.html", vec![], vec![]),
            ("HTTP and/or JSON", vec!["and/or"], vec![]),
            ("Makefile README.md", vec!["README.md"], vec![]),
            (
                ".github/workflows/ci.yml",
                vec![".github/workflows/ci.yml"],
                vec![],
            ),
            ("```\nfn set_total() {}\n```", vec![], vec!["set_total"]),
            ("__init__ _ a_b", vec![], vec!["a_b"]),
        ] {
            let (found_paths, found_symbols) = found(body);
            assert_eq!(found_paths, paths, "{body}");
            assert_eq!(found_symbols, symbols, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(body in "(?s).{0,300}", codes in "[`a-zA-Z_:./ \n]{0,300}") {
            for body in [body, codes] {
                let (paths, symbols) = found(&body);
                prop_assert!(paths.len() <= PATHS && symbols.len() <= SYMBOLS);
            }
        }
    }
}
