//! What a worker says about itself: the lines `STATUS:`, `STUCK:` and `CONFIDENCE:`.
//!
//! Only prose of the worker is read here, never what a tool printed and never a subagent's words,
//! and only at the beginning of a line.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::text;

/// How many updates are kept.
const MAX_UPDATES: usize = 20;
const MAX_LINE: usize = 300;
const MAX_QUESTION: usize = 1000;

/// What the worker says about itself. Untrusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    /// The latest `STATUS:` lines without their marker, the oldest first.
    pub updates: VecDeque<String>,
    /// The question that it is stuck on; a later `STATUS:` that is not `STUCK` takes it back.
    pub stuck: Option<String>,
    /// The latest `CONFIDENCE:` line without its marker.
    pub confidence: Option<String>,
}

impl Claims {
    /// Reads one text block of the worker.
    pub(super) fn read(&mut self, prose: &str) {
        let mut lines = prose.lines();
        while let Some(line) = lines.next() {
            if let Some(status) = line.strip_prefix("STATUS:") {
                self.update(status);
                self.stuck = stuck_status(status).map(|rest| question(rest, lines.clone()));
            } else if let Some(rest) = line.strip_prefix("STUCK:") {
                self.stuck = Some(question(rest, lines.clone()));
            } else if let Some(confidence) = line.strip_prefix("CONFIDENCE:") {
                self.confidence = Some(text::line(confidence, MAX_LINE));
            }
        }
    }

    fn update(&mut self, status: &str) {
        if self.updates.len() == MAX_UPDATES {
            self.updates.pop_front();
        }
        self.updates.push_back(text::line(status, MAX_LINE));
    }
}

/// What follows the word in `STATUS: STUCK …`.
fn stuck_status(status: &str) -> Option<&str> {
    let rest = status.trim_start().strip_prefix("STUCK")?;
    (!rest.starts_with(char::is_alphanumeric)).then_some(rest)
}

/// The rest of the marker's line and the lines after it, up to an empty line or another marker.
fn question<'a>(rest: &'a str, lines: impl Iterator<Item = &'a str>) -> String {
    let is_end = |line: &&str| {
        let markers = ["STATUS:", "STUCK:", "CONFIDENCE:"];
        !line.trim().is_empty() && !markers.iter().any(|marker| line.starts_with(marker))
    };
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ":-–—".contains(c));
    let mut question = rest.to_owned();
    for line in lines.take_while(is_end) {
        question.push('\n');
        question.push_str(line);
        if question.len() > MAX_QUESTION {
            break;
        }
    }
    match text::block(&question, MAX_QUESTION) {
        question if question.is_empty() => "no question given".to_owned(),
        question => question,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(prose: &str) -> Claims {
        let mut claims = Claims::default();
        claims.read(prose);
        claims
    }

    #[test]
    fn markers_count_at_the_beginning_of_a_line_only() {
        let claims = read(
            "I print STATUS: no\n> STUCK: no\n  STATUS: no\nSTATUS: tests pass\nCONFIDENCE: 80%",
        );
        assert_eq!(claims.updates, ["tests pass"]);
        assert_eq!(claims.stuck, None);
        assert_eq!(claims.confidence.as_deref(), Some("80%"));
    }

    #[test]
    fn both_spellings_of_stuck_carry_their_question() {
        let stuck = |prose| read(prose).stuck;
        assert_eq!(stuck("STUCK: which port?").as_deref(), Some("which port?"));
        assert_eq!(
            stuck("STATUS: STUCK\nwhich port?\n\nBye.").as_deref(),
            Some("which port?")
        );
        assert_eq!(
            stuck("STATUS: STUCK - which port?").as_deref(),
            Some("which port?")
        );
        assert_eq!(
            stuck("STUCK:\nwhich\nport?\nSTATUS: STUCK\nx").as_deref(),
            Some("x")
        );
        assert_eq!(stuck("STUCK:").as_deref(), Some("no question given"));
        assert_eq!(stuck("STATUS: STUCKNESS is gone"), None);
    }

    #[test]
    fn a_later_status_takes_stuck_back() {
        assert_eq!(read("STUCK: which port?\n\nSTATUS: found it").stuck, None);
    }

    #[test]
    fn only_the_latest_updates_are_kept() {
        let claims = read(&"STATUS: again\n".repeat(1000));
        assert_eq!(claims.updates.len(), MAX_UPDATES);
        assert!(
            read(&format!("STUCK: {}", "why ".repeat(100_000)))
                .stuck
                .unwrap()
                .len()
                <= MAX_QUESTION
        );
    }
}
