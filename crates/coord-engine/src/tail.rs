//! The end of what a command has said, as plain text that may be stored and shown.
//!
//! It is untrusted: terminal sequences and control characters never get any further.

use std::io::SeekFrom;
use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// The end of the file as plain text of at most `max` bytes.
pub(crate) async fn end_of(file: &Path, max: usize) -> std::io::Result<String> {
    let mut file = File::open(file).await?;
    let len = file.metadata().await?.len();
    // What is taken out makes room for what stands before it.
    let wanted = u64::try_from(max).unwrap_or(u64::MAX).saturating_mul(4);
    file.seek(SeekFrom::Start(len.saturating_sub(wanted)))
        .await?;
    let mut bytes = Vec::new();
    // A process that ran away may still write.
    file.take(wanted).read_to_end(&mut bytes).await?;
    Ok(last(&plain(&String::from_utf8_lossy(&bytes)), max).to_owned())
}

/// At most the last `max` bytes, from the start of a character on.
fn last(text: &str, max: usize) -> &str {
    let text = text.trim_end();
    let start = text.len().saturating_sub(max);
    &text[text.ceil_char_boundary(start)..]
}

/// The text without terminal sequences and control characters; a line that was written over
/// becomes lines of its own.
fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // A control sequence: parameters up to one final character (ECMA-48, 5.4).
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
                chars.next_if(|c| ('@'..='~').contains(c));
            }
            '\r' => plain.push('\n'),
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_controls_go_and_lines_stay() {
        let text = "\u{1b}[1;31merror\u{1b}[0m: a\tb\u{7}\r\n10 %\r20 %\n\u{1b}";
        assert_eq!(plain(text), "error: a\tb\n10 %\n20 %\n");
    }

    #[tokio::test]
    async fn what_is_kept_is_the_end_of_whole_characters() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        std::fs::write(&file, format!("begin {}ä end\n", "ä".repeat(100_000))).unwrap();
        let end = end_of(&file, 20).await.unwrap();
        assert_eq!(end, format!("{} end", "ä".repeat(8)));
        std::fs::write(&file, "short\n").unwrap();
        assert_eq!(end_of(&file, 20).await.unwrap(), "short");
    }
}
