//! The key under which an issue is opened once, whatever becomes of the call that opens it.

use std::fmt::{self, Write};

use coord_core::ids::Timestamp;

const BEGIN: &str = "<!-- coord:issue ";

/// Names one issue that is to be opened: two calls with the same key open one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueKey {
    word: String,
    since: Timestamp,
}

impl IssueKey {
    /// `word` says what the issue is for, e.g. `split=S3-7c9e chunk=0`, and no other issue has it,
    /// whoever's board it is from: several coordinators may share an account. `since` is when it was
    /// decided that the issue is to be opened: none that is older is looked at.
    #[must_use]
    pub fn new(word: &str, since: Timestamp) -> Self {
        Self {
            word: escaped(word),
            since,
        }
    }

    /// When it was decided that the issue is to be opened.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// The key as a comment that nobody sees, for the end of the body.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("{BEGIN}{self} -->")
    }

    /// Whether the body is that of the issue with this key.
    ///
    /// Only the last marker counts: the coordinator puts its own below a text that may hold
    /// anything, and the sections that it adds later hold none.
    #[must_use]
    pub fn is_in(&self, body: &str) -> bool {
        let last = body.rfind(BEGIN).map(|start| &body[start..]);
        last.is_some_and(|last| last.starts_with(&self.marker()))
    }
}

impl fmt::Display for IssueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

/// Different words stay different, and none ends the comment: there is no `>`.
fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for byte in word.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b' '
            | b'='
            | b'.'
            | b'_'
            | b':'
            | b'#'
            | b'-' => {
                text.push(char::from(byte));
            }
            // Writing to a string does not fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::with_section;

    fn key(word: &str) -> IssueKey {
        IssueKey::new(word, Timestamp::from_millis(7))
    }

    #[test]
    fn a_key_is_one_comment() {
        assert_eq!(
            key("split=S3 chunk=0").marker(),
            "<!-- coord:issue split=S3 chunk=0 -->"
        );
        let hostile = key("a --> <!-- coord:issue x").marker();
        assert_eq!(hostile.matches("-->").count(), 1, "{hostile}");
        assert_eq!(hostile.matches("<!--").count(), 1, "{hostile}");
    }

    #[test]
    fn the_last_marker_counts() {
        let (ours, other) = (key("chunk=1"), key("chunk=2"));
        let quoting = format!("{}\n\n{}", other.marker(), ours.marker());
        assert!(ours.is_in(&quoting) && !other.is_in(&quoting));
        let longer = key("chunk=11");
        assert!(!longer.is_in(&quoting) && !ours.is_in(&longer.marker()));
        let below = format!("{quoting}\r\nThanks! <!-- coord:event=x -->");
        assert!(ours.is_in(&with_section(&below, "tasks", &other.marker())));
        for body in ["", "<!-- coord:issue ", "<!-- coord:issue chunk=1"] {
            assert!(!ours.is_in(body), "{body}");
        }
    }

    /// Texts in which markers, whole and in pieces, are likely.
    fn marked() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just(BEGIN.to_owned()),
            Just(" -->".to_owned()),
            Just(key("a").marker()),
            Just(key("b").marker()),
            Just("coord:issue a".to_owned()),
            Just("a".to_owned()),
            Just("\r\n".to_owned()),
            ".{0,3}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_text_forges_or_hides_a_key(text in marked(), tasks in marked()) {
            let (ours, other) = (key("a"), key("b"));
            let body = format!("{text}\n\n{}", ours.marker());
            prop_assert!(ours.is_in(&body) && !other.is_in(&body));
            let split = with_section(&body, "tasks", &tasks);
            prop_assert!(ours.is_in(&split) && !other.is_in(&split));
        }

        #[test]
        fn different_words_are_different_keys(one in marked(), two in marked()) {
            prop_assert_eq!(key(&one).is_in(&key(&two).marker()), one == two);
        }
    }
}
