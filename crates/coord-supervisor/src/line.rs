//! Tells what kind of line goes by, without keeping it: a line of 10 MB costs the same few bytes as a short one.
//!
//! This is no JSON parser. It follows strings and nesting only as far as needed to find the top-level `"type"`,
//! which the real CLI puts anywhere in the line.

use crate::deadlines::Heard;

/// The longest key or value that matters.
const WORD: usize = 10;

/// Follows a stream of JSON lines in pieces of any size.
#[derive(Default)]
pub(crate) struct LineScanner {
    state: State,
    depth: u32,
    word: Word,
    key_is_type: bool,
    heard: Option<Heard>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    LineStart,
    /// Not JSON: wait for the next line.
    Ignored,
    Structure,
    Text,
    Escape,
}

/// The first bytes of the latest string.
#[derive(Default)]
struct Word {
    bytes: [u8; WORD],
    length: usize,
}

impl Word {
    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    fn is(&self, text: &[u8]) -> bool {
        self.bytes.get(..self.length) == Some(text)
    }
}

impl LineScanner {
    /// Takes the next piece; says the weightiest thing that was heard last in it.
    pub(crate) fn scan(&mut self, piece: &[u8]) -> Heard {
        self.heard = None;
        for byte in piece {
            self.step(*byte);
        }
        self.heard.unwrap_or(Heard::Other)
    }

    fn step(&mut self, byte: u8) {
        if byte == b'\n' {
            self.state = State::LineStart;
            return;
        }
        self.state = match self.state {
            State::LineStart if byte == b'{' => {
                (self.depth, self.key_is_type) = (1, false);
                State::Structure
            }
            State::LineStart | State::Ignored => State::Ignored,
            State::Structure => self.structure(byte),
            State::Escape => {
                self.word.push(byte);
                State::Text
            }
            State::Text => match byte {
                b'"' => {
                    self.end_of_text();
                    State::Structure
                }
                b'\\' => State::Escape,
                other => {
                    self.word.push(other);
                    State::Text
                }
            },
        };
    }

    fn structure(&mut self, byte: u8) -> State {
        match byte {
            b'"' => {
                self.word.length = 0;
                return State::Text;
            }
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.depth == 1 => self.key_is_type = self.word.is(b"type"),
            b',' if self.depth == 1 => self.key_is_type = false,
            _ => {}
        }
        State::Structure
    }

    fn end_of_text(&mut self) {
        if self.depth != 1 || !self.key_is_type {
            return;
        }
        if self.word.is(b"result") {
            self.heard = Some(Heard::Result);
        } else if self.word.is(b"assistant") || self.word.is(b"user") {
            self.heard = Some(Heard::Work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Heard {
        LineScanner::default().scan(text.as_bytes())
    }

    #[test]
    fn finds_the_type_wherever_it_stands() {
        assert_eq!(scan("{\"type\":\"result\"}\n"), Heard::Result);
        assert_eq!(
            scan("{\"a\":{\"type\":\"user\"},\"b\":[\"x\"],\"type\" : \"result\",\"c\":1}"),
            Heard::Result
        );
        assert_eq!(
            scan("{\"type\":\"assistant\",\"message\":{\"type\":\"result\"}}\n"),
            Heard::Work
        );
        assert_eq!(scan("{\"type\":\"system\"}\n"), Heard::Other);
    }

    #[test]
    fn is_not_deceived_by_text() {
        assert_eq!(
            scan("{\"text\":\"\\\"type\\\":\\\"result\\\"\",\"type\":\"system\"}\n"),
            Heard::Other
        );
        assert_eq!(scan("{\"text\":\"type\",\"x\":\"result\"}\n"), Heard::Other);
        assert_eq!(
            scan("{\"a\":\"type\",\"result\":\"result\"}\n"),
            Heard::Other
        );
        assert_eq!(
            scan("\"type\":\"result\"\n# {\"type\":\"result\"}\n"),
            Heard::Other
        );
        assert_eq!(
            scan("{\"types\":\"result\",\"type\":\"results\"}\n"),
            Heard::Other
        );
    }

    #[test]
    fn the_last_telling_line_counts_and_broken_lines_hide_nothing() {
        assert_eq!(
            scan("{\"type\":\"result\"}\n{\"type\":\"user\"}\n"),
            Heard::Work
        );
        assert_eq!(
            scan("{\"type\":\"user\"}\n{\"type\":\"result\"}\n{\"type\":\"note\"}\n"),
            Heard::Result
        );
        assert_eq!(
            scan("{\"open\":\"never closed\n{\"type\":\"result\"}\n"),
            Heard::Result
        );
        assert_eq!(scan("]]]}}}\n{}}}\n{\"type\":\"result\"}"), Heard::Result);
    }

    #[test]
    fn pieces_of_any_size_give_the_same() {
        let line = "{\"n\":{\"k\":[1,2,{}]},\"s\":\"ü \\\\\",\"type\":\"result\"}\n".as_bytes();
        for size in 1..line.len() {
            let mut scanner = LineScanner::default();
            let results = line
                .chunks(size)
                .filter(|piece| scanner.scan(piece) == Heard::Result)
                .count();
            assert_eq!(results, 1, "in pieces of {size}");
        }
    }

    /// The runs of the real CLI that `coord-worker` keeps. None of them has a result nested in another event.
    #[test]
    fn every_result_of_every_recorded_run_is_noticed() {
        let runs = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../coord-worker/tests/it/fixtures/claude-stream"
        );
        let mut results = 0;
        for file in std::fs::read_dir(runs)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if file
                .extension()
                .is_none_or(|extension| extension != "jsonl")
            {
                continue;
            }
            let mut scanner = LineScanner::default();
            for line in std::fs::read_to_string(&file)
                .unwrap()
                .split_inclusive('\n')
            {
                let is_result = line.contains("\"type\":\"result\"");
                assert_eq!(
                    scanner.scan(line.as_bytes()) == Heard::Result,
                    is_result,
                    "{}: {line}",
                    file.display()
                );
                results += usize::from(is_result);
            }
        }
        assert!(results > 40, "{results} results");
    }
}
