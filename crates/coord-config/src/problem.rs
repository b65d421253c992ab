//! One problem of a configuration file: where it is, what it is, what would help.

use std::fmt;

use serde::Serialize;

use crate::node::Mark;

/// Characters of a source line that are shown at most; a longer line is cut around the problem.
const SHOWN_CHARACTERS: usize = 120;
/// Characters that are shown before the problem in a line that is cut.
const SHOWN_BEFORE: usize = 40;

/// One problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line for people: without control characters, and cut around the problem with `…` where
    /// it is very long.
    pub text: String,
    /// What to print below `text`: white space, then a `^` below each wrong character.
    pub underline: String,
    /// What is wrong: lower case, no final period.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(source: &str, mark: &Mark, message: String, hint: Option<String>) -> Self {
        let (start, line_start) = line_of(source, mark);
        let text = source[line_start..]
            .split(['\n', '\r'])
            .next()
            .unwrap_or("");
        let marked = source.get(start..mark.end).unwrap_or("");
        let marked = marked.split(['\n', '\r']).next().unwrap_or("").trim_end();
        let before = source[line_start..start].chars().count();
        let (text, underline) = excerpt(text, before, marked.chars().count());
        let line = line_number(source, mark);
        Self {
            line,
            column: before + 1,
            text,
            underline,
            message,
            hint,
        }
    }
}

/// The line of the beginning of `mark`, from 1.
pub(crate) fn line_number(source: &str, mark: &Mark) -> usize {
    let (_, line_start) = line_of(source, mark);
    line_breaks(&source[..line_start]) + 1
}

/// Where `mark` begins, within the text and on a character, and where its line does.
fn line_of(source: &str, mark: &Mark) -> (usize, usize) {
    let before = source.get(..mark.start).unwrap_or(source);
    (
        before.len(),
        before.rfind(['\n', '\r']).map_or(0, |at| at + 1),
    )
}

/// The line, cut where it is very long, and carets below `length` characters from `at`.
fn excerpt(line: &str, at: usize, length: usize) -> (String, String) {
    let total = line.chars().count();
    let from = match total > SHOWN_CHARACTERS {
        true => at.saturating_sub(SHOWN_BEFORE),
        false => 0,
    };
    let to = (from + SHOWN_CHARACTERS).min(total);
    let cut = |character: &str, needed: bool| {
        if needed {
            character.to_owned()
        } else {
            String::new()
        }
    };

    let mut text = cut("…", from > 0);
    text.extend(line.chars().take(to).skip(from).map(printable));
    text.push_str(&cut("…", to < total));

    let mut underline = cut(" ", from > 0);
    // A tab is as wide below the line as in it.
    let blank = |c: char| if c == '\t' { c } else { ' ' };
    underline.extend(line.chars().take(at).skip(from).map(blank));
    let carets = length.min(to.saturating_sub(at)).max(1);
    underline.extend(std::iter::repeat_n('^', carets));
    (text, underline)
}

/// Line breaks as YAML counts them: LF, CR LF, or CR alone.
fn line_breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let breaks = |at: usize| match bytes[at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    (0..bytes.len()).filter(|&at| breaks(at)).count()
}

/// A broken file must not drive the terminal that its error is shown on.
fn printable(c: char) -> char {
    if c.is_control() && c != '\t' {
        '\u{fffd}'
    } else {
        c
    }
}

/// Message, source line with carets, hint; the caller puts the file's name before it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", self.text)?;
        write!(f, "{gutter} | {}", self.underline)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{gutter} = {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str, mark: Mark) -> Problem {
        Problem::new(source, &mark, "wrong".to_owned(), None)
    }

    #[test]
    fn counts_lines_with_every_kind_of_end() {
        let source = "a\nb\r\nc\rd";
        let lines: Vec<usize> = [0, 2, 5, 7]
            .map(|at| problem(source, at..at + 1).line)
            .to_vec();
        assert_eq!(lines, [1, 2, 3, 4]);
        assert_eq!(problem(source, 2..3).text, "b");
    }

    #[test]
    fn carets_stand_under_characters_not_bytes() {
        insta::assert_snapshot!(problem("\tä: öl\n", 5..8), @r"
        1:5: wrong
          |
        1 | 	ä: öl
          | 	   ^^
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_problem() {
        let source = format!("{}wrong{}", "x".repeat(500), "y".repeat(500));
        insta::assert_snapshot!(problem(&source, 500..505), @r"
        1:501: wrong
          |
        1 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxwrongyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…
          |                                          ^^^^^
        ");
    }

    #[test]
    fn a_mark_beyond_the_end_shows_the_last_line() {
        let problem = problem("a: b\n", 99..120);
        assert_eq!(
            (problem.line, problem.column, problem.underline.as_str()),
            (2, 1, "^")
        );
    }

    #[test]
    fn control_characters_are_not_shown() {
        assert!(!problem("a\u{1b}[2Jb", 0..1).to_string().contains('\u{1b}'));
    }
}
