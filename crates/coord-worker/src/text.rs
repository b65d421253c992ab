//! Cutting untrusted text down to something that may be stored and shown.
//!
//! Everything a worker prints is untrusted: it is bounded in length, and control characters
//! (terminal escapes among them) never get any further.

/// One line of at most `max` bytes: white space runs become one space, control characters go.
#[must_use]
pub fn line(text: &str, max: usize) -> String {
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

/// Several lines of at most `max` bytes together: control characters other than line ends and tabs go.
pub(crate) fn block(text: &str, max: usize) -> String {
    let keep = |c: &char| *c == '\n' || *c == '\t' || !c.is_control();
    let mut out = String::new();
    for c in text.trim().chars().filter(keep) {
        out.push(c);
        if out.len() > max {
            break;
        }
    }
    cut(out, max)
}

/// Cuts at a character boundary and says so with `…`.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
    text
}

/// FNV-1a: a hash that is the same in every process and version, which a checkpoint needs.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_and_no_escapes() {
        assert_eq!(
            line("  cargo\n\ttest \u{1b}[31m red ", 80),
            "cargo test [31m red"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let cut = line(&"ä".repeat(100), 20);
        assert!(cut.len() <= 20);
        assert!(cut.ends_with("ä…"));
        assert!(block(&"x".repeat(100), 20).len() <= 20);
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("\na\u{7}\n\tb\n", 80), "a\n\tb");
    }
}
