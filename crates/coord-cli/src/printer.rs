//! Where output goes: results to stdout, everything about the run to stderr, colours only on a terminal.

use std::fmt::Display;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::failure::Failure;

/// Writes what a command has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
}

/// Bold.
pub(crate) const STRONG: Style = Style::new().bold();
/// For what is good.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// For what needs a look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// For what is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// For what matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

impl Printer {
    /// A printer for people, or for programs.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the reader is a program.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A line of the result.
    pub(crate) fn line(self, text: impl Display) {
        // A reader that has gone away is no failure of the command.
        let _ = writeln!(anstream::stdout().lock(), "{text}");
    }

    /// Bytes of the result, as they are.
    pub(crate) fn raw(self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// A line about the run, not part of the result. Programs do not get it.
    pub(crate) fn note(self, text: impl Display) {
        if !self.json {
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }

    /// Writes over the line that was written so before. Only for terminals.
    pub(crate) fn write_over(self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "\r\u{1b}[K{text}").and_then(|()| err.flush());
    }

    /// What a person can do next, where there is something.
    pub(crate) fn hint(self, hint: Option<&str>) {
        if let Some(hint) = hint {
            self.note(format_args!("{} {}", paint(FAINT, "hint:"), plain(hint)));
        }
    }

    /// A failure: to stderr for people, as an object for programs as well.
    pub(crate) fn error(self, failure: &Failure) {
        if self.json {
            self.json(&failure.json());
        }
        let _ = writeln!(anstream::stderr().lock(), "{}", failure.render());
    }

    /// The result for programs: one JSON value and a newline.
    pub(crate) fn json(self, value: &impl Serialize) {
        let text = serde_json::to_string_pretty(value)
            .unwrap_or_else(|error| format!("{{\"error\":{:?}}}", error.to_string()));
        self.line(text);
    }

    /// One JSON value in one line, for who reads one after the other.
    pub(crate) fn json_line(self, value: &serde_json::Value) {
        self.line(value);
    }

    /// A table that fits the terminal; unlimited where there is none.
    pub(crate) fn table(self, header: &[&str], rows: Vec<Vec<String>>) {
        for line in Self::table_lines(header, rows) {
            self.line(line);
        }
    }

    /// The lines of a table; a row that does not fit has several.
    pub(crate) fn table_lines(header: &[&str], rows: Vec<Vec<String>>) -> Vec<String> {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(header.iter().map(|name| name.to_uppercase()))
            .add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines = table.lines();
        lines.map(|line| line.trim_end().to_owned()).collect()
    }
}

/// `text` in `style`; the printer takes the style out where it does not belong.
pub(crate) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Untrusted text in one line that cannot steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || is_bidi(c) { ' ' } else { c })
        .collect()
}

/// Marks that reorder what stands around them.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\nc\u{202e}d"), "a [31mb c d");
        assert_eq!(plain("grüße 🎉"), "grüße 🎉");
    }
}
