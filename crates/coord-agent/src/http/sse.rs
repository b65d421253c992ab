//! Server-sent events as text. No connection, no stream.

use std::fmt::Write as _;

/// What a stream begins with: how long a client waits before it comes back.
pub(crate) const RETRY: &str = "retry: 2000\n\n";

/// What is sent when there has been nothing to say.
pub(crate) const COMMENT: &str = ": still here\n\n";

/// One message; each line of `data` becomes a `data:` line.
///
/// A carriage return would end a line for the reader; it becomes a blank.
pub(crate) fn message(id: &str, event: &str, data: &str) -> String {
    let mut text = String::with_capacity(data.len() + data.len() / 64 + 48);
    if !id.is_empty() {
        let _ = writeln!(text, "id: {id}");
    }
    let _ = writeln!(text, "event: {event}");
    for line in data.split('\n') {
        text.push_str("data: ");
        match line.contains('\r') {
            true => text.push_str(&line.replace('\r', " ")),
            false => text.push_str(line),
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn every_line_has_its_field() {
        assert_eq!(
            message("17", "log", "a\nb\r"),
            "id: 17\nevent: log\ndata: a\ndata: b \n\n"
        );
        assert_eq!(message("", "end", "{}"), "event: end\ndata: {}\n\n");
    }
}
