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

/// What stands for a word; a word of several parts has several placeholders.
fn placeholder(word: &str) -> String {
    let core = word.trim_end_matches(['.', ':']);
    let rest = &word[core.len()..];
    let whole = if shaped(core, "00:00:00") {
        "[time]".to_owned()
    } else if shaped(core, "0000-00-00") {
        "[date]".to_owned()
    } else if is_span(core) {
        "[span]".to_owned()
    } else {
        let host = core
            .strip_prefix("127.0.0.1:")
            .map(|port| (port, "127.0.0.1:[port]"));
        match host {
            Some((port, stands)) if port.bytes().all(|b| b.is_ascii_digit()) => stands.to_owned(),
            _ => parts(core),
        }
    };
    whole + rest
}

fn parts(word: &str) -> String {
    let mut out = String::new();
    for part in word.split_inclusive([':', '-', '.']) {
        let core = part.trim_end_matches([':', '-', '.']);
        out.push_str(match core.len() {
            8 if is_hex(core) => "[session]",
            10 | 40 if is_hex(core) => "[commit]",
            12 if is_hex(core) => "[id]",
            _ => core,
        });
        out.push_str(&part[core.len()..]);
    }
    out
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
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

/// `0.4s`, `12s`, or the number in `0.4 s`.
fn is_span(word: &str) -> bool {
    let tenths = word.len() >= 3 && word.as_bytes()[word.len() - 2] == b'.';
    let number = word.strip_suffix('s').or(tenths.then_some(word));
    number.is_some_and(|number| number.parse::<f64>().is_ok())
}

#[test]
fn what_differs_is_taken_out_and_the_rest_stays() {
    let text = "/d/x 02:24:54  a2f3aef6740f  done: issue-1-add at ab436e08bb.   0.4s 0.0 s\n\
                http://127.0.0.1:17433: 2026-11-23 effect test:a2f3aef6740f:1 shop#1 0.1.0\n\
                $0.00 in tests/a2f3aef6740f-ab436e08bb.log";
    assert_eq!(
        redact(text, Path::new("/d")),
        "[dir]/x [time]  [id]  done: issue-1-add at [commit].  [span] [span] s\n\
         http://127.0.0.1:[port]: [date] effect test:[id]:1 shop#1 0.1.0\n\
         $0.00 in tests/[id]-[commit].log"
    );
}
