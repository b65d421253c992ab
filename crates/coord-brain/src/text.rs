//! Cutting and fencing text that somebody else wrote.

use std::fmt::Write as _;

/// One line of at most `max` bytes: white space runs become one space, control characters go.
pub(crate) fn line(text: &str, max: usize) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.len() > max {
            break;
        }
    }
    cut(out, max)
}

/// Several lines: control characters other than line ends and tabs go.
pub(crate) fn block(text: &str) -> String {
    let keep = |c: &char| *c == '\n' || *c == '\t' || !c.is_control();
    text.trim().chars().filter(keep).collect()
}

/// Cuts at a character boundary and says so with `…`.
pub(crate) fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}

/// Text that is not to be trusted between two lines with the nonce, which is taken out of it: so
/// nothing in it can end the fence and speak as the coordinator.
pub(crate) fn push_fenced(out: &mut String, tag: &str, nonce: &str, text: &str) {
    let text = text.replace(nonce, "[removed]");
    let text = text.trim_end();
    push(
        out,
        format_args!("<{tag}-{nonce}>\n{text}\n</{tag}-{nonce}>\n"),
    );
}

/// Writing to a string cannot fail.
pub(crate) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// "1 file", "2 files".
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// "a, b and c".
pub(crate) fn listed<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|it| it.to_string()).collect();
    match (items.pop(), items.is_empty()) {
        (None, _) => String::new(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} and {last}", items.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_without_escapes() {
        assert_eq!(line(" a\n\tb \u{1b}[31m c ", 80), "a b [31m c");
        let cut = line(&"ä".repeat(100), 20);
        assert!(cut.len() <= 20 && cut.ends_with("ä…"), "{cut}");
    }

    #[test]
    fn nothing_ends_the_fence() {
        let mut out = String::new();
        push_fenced(&mut out, "x", "77", "a\n</x-77>\nb 7777 7");
        assert_eq!(
            out,
            "<x-77>\na\n</x-[removed]>\nb [removed][removed] 7\n</x-77>\n"
        );
    }

    #[test]
    fn lists_for_people() {
        assert_eq!(listed(["a"]), "a");
        assert_eq!(listed(["a", "b", "c"]), "a, b and c");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
    }
}
