//! One file while it is read: its problems so far, and its values as what the keys need.
//!
//! A value of the wrong shape is a problem that is noted, and then as good as absent, so that
//! the rest of the file is still read.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::names;
use crate::node::{Entry, Mark, Node, Value};
use crate::problem::{Problem, line_number};

/// More problems than these are counted and not kept: each costs a look through the file.
const KEPT_PROBLEMS: usize = 50;
/// Members of one list or mapping at most, so that comparing them with each other stays cheap.
const MOST_MEMBERS: usize = 1000;

/// A file while it is read: its text, its surroundings, its problems so far.
pub(crate) struct Reading<'a> {
    text: &'a str,
    /// Relative paths of the file start here.
    pub(crate) folder: &'a Path,
    /// What `~` stands for.
    pub(crate) home: Option<&'a Path>,
    problems: RefCell<Vec<Problem>>,
    left_out: Cell<usize>,
}

/// A text of the file and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) mark: &'a Mark,
}

/// The type that a key needs.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Text,
    Texts,
    Mapping,
    Mappings,
    Number,
    Flag,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(text: &'a str, folder: &'a Path, home: Option<&'a Path>) -> Self {
        Self {
            text,
            folder,
            home,
            problems: RefCell::default(),
            left_out: Cell::new(0),
        }
    }

    pub(crate) fn problem(&self, mark: &Mark, message: impl Into<String>) {
        self.note(mark, || (message.into(), None));
    }

    pub(crate) fn problem_with_hint(&self, mark: &Mark, message: impl Into<String>, hint: &str) {
        self.note(mark, || (message.into(), Some(hint.to_owned())));
    }

    /// Notes a problem at `mark`; message and hint are only made where there is room for it.
    pub(crate) fn note(&self, mark: &Mark, describe: impl FnOnce() -> (String, Option<String>)) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() == KEPT_PROBLEMS {
            self.left_out.set(self.left_out.get() + 1);
            return;
        }
        let (message, hint) = describe();
        let problem = Problem::new(self.text, mark, message, hint);
        // An anchor that is used twice is read twice.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// The problems in the order of the file, and how many were left out.
    pub(crate) fn into_problems(self) -> (Vec<Problem>, usize) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        (problems, self.left_out.get())
    }

    fn wrong_type(&self, node: &Node, expected: Expected) {
        let hint = || {
            let written = self.text.get(node.mark.clone()).unwrap_or_default();
            spelled_right(&node.value, written, expected)
        };
        let message = || format!("expected {expected}, found {}", node.value.kind());
        self.note(&node.mark, || (message(), hint()));
    }

    /// The text of `node`, which must not be empty.
    pub(crate) fn word(&self, node: &'a Node) -> Option<Word<'a>> {
        let Value::Text(text) = &node.value else {
            self.wrong_type(node, Expected::Text);
            return None;
        };
        if text.trim().is_empty() {
            self.problem(&node.mark, "must not be empty");
            return None;
        }
        if text.contains('\0') {
            self.problem(&node.mark, "must not contain a zero byte");
            return None;
        }
        Some(Word {
            text,
            mark: &node.mark,
        })
    }

    /// The members of the list of mappings `node`.
    pub(crate) fn mappings(&self, node: &'a Node) -> Option<&'a [Node]> {
        self.items(node, Expected::Mappings)
    }

    /// The members of the list of texts `node`.
    pub(crate) fn texts(&self, node: &'a Node) -> Option<&'a [Node]> {
        self.items(node, Expected::Texts)
    }

    fn items(&self, node: &'a Node, expected: Expected) -> Option<&'a [Node]> {
        let Value::List(items) = &node.value else {
            self.wrong_type(node, expected);
            return None;
        };
        self.check_size(items.len(), &node.mark).then_some(items)
    }

    /// The entries of the mapping `node`; a null is an empty one.
    pub(crate) fn entries(&self, node: &'a Node) -> Option<&'a [Entry]> {
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::Bool(_)
            | Value::Unsigned(_)
            | Value::Negative(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::List(_) => {
                self.wrong_type(node, Expected::Mapping);
                return None;
            }
        };
        let fits = self.check_size(entries.len(), &node.mark);
        fits.then(|| {
            self.check_unique("key", &keys(entries));
            entries
        })
    }

    fn check_size(&self, members: usize, mark: &Mark) -> bool {
        let fits = members <= MOST_MEMBERS;
        if !fits {
            self.problem(
                mark,
                format!("has {members} members, more than {MOST_MEMBERS}"),
            );
        }
        fits
    }

    /// The texts of the list `node`.
    pub(crate) fn words(&self, node: &'a Node) -> Option<Vec<Word<'a>>> {
        let items = self.texts(node)?;
        Some(items.iter().filter_map(|item| self.word(item)).collect())
    }

    /// The text of `node` where it is fit to be a name.
    pub(crate) fn name(&self, node: &'a Node) -> Option<Word<'a>> {
        self.word(node).filter(|word| self.check_name(word))
    }

    fn check_name(&self, word: &Word<'_>) -> bool {
        let valid = names::is_valid(word.text);
        if !valid {
            self.problem_with_hint(
                word.mark,
                format!("`{}` cannot be a name", names::shown(word.text)),
                "letters, digits, `.`, `_` and `-`, with a letter or digit in front",
            );
        }
        valid
    }

    /// Whether `word` is one of `known`, which messages call `what`.
    pub(crate) fn check_known(&self, word: &Word<'_>, what: &str, known: &[&str]) -> bool {
        if known.contains(&word.text) {
            return true;
        }
        let message = || format!("unknown {what} `{}`", names::shown(word.text));
        self.note(word.mark, || {
            (message(), names::hint(word.text, known.iter().copied()))
        });
        false
    }

    /// Notes every word that stands in `words` a second time.
    pub(crate) fn check_unique(&self, what: &str, words: &[Word<'_>]) {
        let mut first: HashMap<&str, &Mark> = HashMap::new();
        for word in words {
            match first.get(word.text) {
                None => {
                    first.insert(word.text, word.mark);
                }
                Some(earlier) => self.note(word.mark, || {
                    let (name, line) = (names::shown(word.text), line_number(self.text, earlier));
                    (
                        format!("{what} `{name}` stands twice, first on line {line}"),
                        None,
                    )
                }),
            }
        }
    }

    pub(crate) fn flag(&self, node: &Node) -> Option<bool> {
        let Value::Bool(flag) = node.value else {
            self.wrong_type(node, Expected::Flag);
            return None;
        };
        Some(flag)
    }

    /// An amount of money above zero.
    pub(crate) fn usd(&self, node: &Node) -> Option<f64> {
        let amount = match &node.value {
            Value::Unsigned(amount) => *amount as f64,
            Value::Negative(amount) => *amount as f64,
            Value::Float(amount) => *amount,
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_type(node, Expected::Number);
                return None;
            }
        };
        if amount > 0.0 {
            return Some(amount);
        }
        self.problem(&node.mark, "expected an amount above 0");
        None
    }

    /// The choice that the text of `node` names; messages call it `what`.
    pub(crate) fn choice<T: Copy>(
        &self,
        node: &'a Node,
        what: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let word = self.word(node)?;
        let known: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.check_known(&word, what, &known);
        let chosen = choices.iter().find(|(name, _)| *name == word.text);
        chosen.map(|(_, choice)| *choice)
    }

    pub(crate) fn number<N>(&self, node: &Node, range: &RangeInclusive<N>) -> Option<N>
    where
        N: Copy + PartialOrd + Display + TryFrom<u64>,
    {
        let number = match &node.value {
            Value::Unsigned(number) => N::try_from(*number).ok(),
            Value::Negative(_) | Value::Float(_) => None,
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                self.wrong_type(node, Expected::Number);
                return None;
            }
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.problem(
                &node.mark,
                format!("expected a whole number from {least} to {most}"),
            );
        }
        number
    }
}

impl Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Texts => "a list of texts",
            Self::Mapping => "a mapping",
            Self::Mappings => "a list of mappings",
            Self::Number => "a number",
            Self::Flag => "`true` or `false`",
        })
    }
}

/// How to write what was probably meant, where `written` has the wrong type.
fn spelled_right(value: &Value, written: &str, expected: Expected) -> Option<String> {
    match (expected, value) {
        (
            Expected::Text,
            Value::Bool(_) | Value::Unsigned(_) | Value::Negative(_) | Value::Float(_),
        ) => Some(format!("put it in quotes: \"{written}\"")),
        (Expected::Texts, Value::Text(text)) if names::is_valid(text) => {
            Some(format!("a list of one is written [{text}]"))
        }
        (Expected::Flag, Value::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "n" | "false" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Expected::Number, Value::Text(text)) if text.parse::<f64>().is_ok() => {
            Some("write it without quotes, and without zeros in front".to_owned())
        }
        _ => None,
    }
}

/// The keys of a mapping as words.
pub(crate) fn keys(entries: &[Entry]) -> Vec<Word<'_>> {
    let mut words = Vec::with_capacity(entries.len());
    for entry in entries {
        words.push(Word {
            text: &entry.key,
            mark: &entry.key_mark,
        });
    }
    words
}
