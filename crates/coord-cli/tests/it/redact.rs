//! Takes out of a text what differs each time: ids, commits, times, paths, ports.

use std::path::Path;

/// `text` with placeholders, without the blanks that align tables and end lines.
pub(crate) fn redact(text: &str, folder: &Path) -> String {
    let text = text
        .replace(env!("CARGO_BIN_EXE_coord"), "[coord]")
        .replace(&*folder.to_string_lossy(), "[dir]");
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n").trim_end().to_owned()
}

fn line(line: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in line.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '-' | '_' | '#') {
            word.push(c);
        } else {
            out.push_str(&placeholder(&word));
            word.clear();
            let is_second_blank = c == ' ' && out.ends_with("  ");
            if !is_second_blank {
                out.push(c);
            }
        }
    }
    out.trim_end().to_owned()
}

/// Stands for the word, or for what it has at its end before `:` or `.`.
fn placeholder(word: &str) -> String {
    let core = word.trim_end_matches([':', '.']);
    let rest = &word[core.len()..];
    let (head, tail) = match core.rsplit_once(':') {
        Some((head, tail)) if is_hex(tail, 12) || is_port(head, tail) => (Some(head), tail),
        _ => (None, core),
    };
    let stands = if is_hex(tail, 12) {
        "[id]"
    } else if is_hex(tail, 10) || is_hex(tail, 40) {
        "[commit]"
    } else if head.is_some() {
        "[port]"
    } else if shaped(tail, "00:00:00") {
        "[time]"
    } else if shaped(tail, "0000-00-00") {
        "[date]"
    } else if is_span(tail) {
        "[span]"
    } else {
        tail
    };
    let head = head.map(|head| format!("{head}:")).unwrap_or_default();
    format!("{head}{stands}{rest}")
}

fn is_hex(word: &str, len: usize) -> bool {
    word.len() == len && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_port(host: &str, word: &str) -> bool {
    host.ends_with("127.0.0.1") && word.parse::<u16>().is_ok()
}

fn shaped(word: &str, shape: &str) -> bool {
    let fits = |(a, b): (u8, u8)| {
        if b == b'0' {
            a.is_ascii_digit()
        } else {
            a == b
        }
    };
    word.len() == shape.len() && word.bytes().zip(shape.bytes()).all(fits)
}

/// `0.4s`, `12s`.
fn is_span(word: &str) -> bool {
    word.strip_suffix('s')
        .is_some_and(|n| n.parse::<f64>().is_ok())
}

#[test]
fn what_differs_is_taken_out_and_the_rest_stays() {
    let text = "/d/x 02:24:54  a2f3aef6740f  done: issue-1-add at ab436e08bb.   0.4s \n\
                http://127.0.0.1:17433: 2026-11-23 effect test:a2f3aef6740f shop#1";
    assert_eq!(
        redact(text, Path::new("/d")),
        "[dir]/x [time]  [id]  done: issue-1-add at [commit].  [span]\n\
         http://127.0.0.1:[port]: [date] effect test:[id] shop#1"
    );
}
