//! How far each agent was heard, for whoever follows it next: what happened while nobody did is told
//! again by the agent, as far as it still knows it.
//!
//! Only a courtesy: a cursor that is lost, torn or too old makes the agent say so, and its status is
//! looked at as always.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use coord_core::ids::MachineName;

/// Longer than what any agent of ours makes.
const LONGEST: usize = 256;

/// Where it is kept.
#[derive(Debug)]
pub(crate) struct Cursor(PathBuf);

impl Cursor {
    /// Of one machine's agent.
    pub(crate) fn of(home: &Path, machine: &MachineName) -> Self {
        Self(home.join("heard").join(file_name(machine.as_str())))
    }

    pub(crate) async fn read(&self) -> Option<String> {
        let text = tokio::fs::read_to_string(&self.0).await.ok()?;
        is_sound(&text).then_some(text)
    }

    pub(crate) async fn write(&self, cursor: &str) {
        if !is_sound(cursor) {
            return;
        }
        if let Some(folder) = self.0.parent() {
            let _ = tokio::fs::create_dir_all(folder).await;
        }
        let _ = tokio::fs::write(&self.0, cursor).await;
    }
}

/// Whether it can stand in a header.
fn is_sound(cursor: &str) -> bool {
    !cursor.is_empty() && cursor.len() <= LONGEST && cursor.bytes().all(|it| it.is_ascii_graphic())
}

/// A name for any machine, as readable as it can be.
fn file_name(machine: &str) -> String {
    let mut name = String::new();
    for byte in machine.bytes() {
        match byte.is_ascii_alphanumeric() || byte == b'-' {
            true => name.push(char::from(byte)),
            false => {
                // Writing to a text cannot fail.
                let _ = write!(name, "_{byte:02x}");
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_unless_it_is_nonsense() {
        let home = tempfile::tempdir().unwrap();
        let cursor = Cursor::of(home.path(), &"../a machine".into());
        assert_eq!(cursor.read().await, None);
        cursor.write("boot-7").await;
        assert_eq!(cursor.read().await.as_deref(), Some("boot-7"));
        for bad in ["", "two words", "a\nb", &"x".repeat(LONGEST + 1)] {
            cursor.write(bad).await;
            assert_eq!(cursor.read().await.as_deref(), Some("boot-7"), "{bad:?}");
        }
        let file = home.path().join("heard").join("_2e_2e_2fa_20machine");
        std::fs::write(file, "torn \u{0}").unwrap();
        assert_eq!(cursor.read().await, None);
    }
}
