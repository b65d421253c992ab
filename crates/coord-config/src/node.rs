//! A YAML document as a tree whose every key and value knows where it stands in the file.
//!
//! The configuration is read from this tree and not straight into structs, so that one run
//! reports every problem of a file. Nothing here knows what the keys mean.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::options::DuplicateKeyPolicy;
use serde_yaml::{Error, Location, MessageFormatter, Options, Spanned};

/// More than any configuration needs; a chain of aliases reaches it before it fills the memory.
const MAX_ALIAS_EVENTS: usize = 20_000;
/// Parser events of one file: some fifty thousand lines.
const MAX_EVENTS: usize = 250_000;

/// Where something stands in the text, in bytes. May be empty, and may span several lines.
pub(crate) type Mark = Range<usize>;

/// A value and where it is defined; behind an alias that is the place of its anchor.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) mark: Mark,
}

/// The values of YAML's core schema; numbers that fit no integer are floats.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Unsigned(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; a key may stand in it more than once.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_mark: Mark,
    pub(crate) node: Node,
}

/// Why a text is not one YAML document.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) mark: Mark,
}

/// Reads `text` as one YAML document; an empty text is a null.
pub(crate) fn parse(text: &str) -> Result<Node, Unreadable> {
    serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options())
        .map(|raw| raw.into_node(text))
        .map_err(|error| Unreadable::new(&error, text))
}

fn options() -> Options {
    serde_yaml::options! {
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        leading_zero_numbers_as_strings: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        emit_comments: false,
        with_snippet: false,
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_ALIAS_EVENTS },
        budget: serde_yaml::budget! { max_events: MAX_EVENTS },
    }
}

impl Value {
    /// What a person would call it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Unsigned(_) | Self::Negative(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Unreadable {
    fn new(error: &Error, text: &str) -> Self {
        let error = error.without_snippet();
        Self {
            message: message_of(error),
            mark: error
                .location()
                .map_or(0..0, |location| mark_of(&location, text)),
        }
    }
}

fn message_of(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => message_of(error),
        Error::Budget { .. } => "too deep or too large for a configuration".to_owned(),
        Error::AliasReplayLimitExceeded { .. } | Error::AliasReplayStackDepthExceeded { .. } => {
            "too many aliases for a configuration".to_owned()
        }
        // The parser's text can quote the file, and is shown on a terminal.
        other => serde_yaml::UserMessageFormatter
            .format_message(other)
            .replace(|c: char| c.is_control(), "\u{fffd}"),
    }
}

fn mark_of(location: &Location, text: &str) -> Mark {
    let span = location.span();
    let bytes = || {
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
        text.get(start..end).map(|_| start..end)
    };
    bytes().unwrap_or_else(|| mark_of_characters(span.offset(), span.len(), text))
}

/// Errors of the scanner know characters only.
fn mark_of_characters(offset: impl TryInto<usize>, len: impl TryInto<usize>, text: &str) -> Mark {
    let offset = offset.try_into().unwrap_or(usize::MAX);
    let len = len.try_into().unwrap_or(0);
    let byte_at = |from: usize, characters: usize| {
        let rest = &text[from..];
        from + rest
            .char_indices()
            .nth(characters)
            .map_or(rest.len(), |(at, _)| at)
    };
    let start = byte_at(0, offset);
    start..byte_at(start, len)
}

/// A value as the parser hands it over, with its own kind of places.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

trait IntoNode {
    fn into_node(self, text: &str) -> Node;
}

impl IntoNode for Spanned<Raw> {
    fn into_node(self, text: &str) -> Node {
        let start = mark_of(&self.defined, text);
        match self.value {
            Raw::Scalar(value) => Node { value, mark: start },
            Raw::List(items) => {
                let items: Vec<Node> = items.into_iter().map(|i| i.into_node(text)).collect();
                let mark = around(start, items.last(), text);
                Node {
                    value: Value::List(items),
                    mark,
                }
            }
            Raw::Map(pairs) => {
                let entries: Vec<Entry> = pairs
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key_mark: mark_of(&key.defined, text),
                        key: key.value,
                        node: value.into_node(text),
                    })
                    .collect();
                let mark = around(start, entries.last().map(|e| &e.node), text);
                Node {
                    value: Value::Map(entries),
                    mark,
                }
            }
        }
    }
}

/// The parser marks only the beginning of a list or mapping: stretches it over its last member
/// and, where it is one in brackets, over the bracket.
fn around(start: Mark, last: Option<&Node>, text: &str) -> Mark {
    // A last member behind an alias or a merge key can stand before the beginning.
    let end = last.map_or(start.end, |node| node.mark.end.max(start.end));
    if !matches!(text.get(start.clone()), Some("[" | "{")) {
        return start.start..end;
    }
    let rest = text.get(end..).unwrap_or("");
    let closing = rest.trim_start_matches([' ', '\t', ',']);
    match closing.starts_with([']', '}']) {
        true => start.start..end + (rest.len() - closing.len()) + 1,
        false => start.start..end,
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Negative(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
