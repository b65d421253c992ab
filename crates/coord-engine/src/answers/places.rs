//! The places of a diff that a finding can be about.

use std::collections::{BTreeMap, BTreeSet};

use coord_core::comment::inline;
use coord_core::verdict::Finding;
use coord_forge::lines_in_diff;

/// The files of a diff with the lines that it shows of them; `None` where nobody can tell: binary
/// files, and very long diffs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places(BTreeMap<String, Option<BTreeSet<u32>>>);

impl Places {
    /// From paths and hunks.
    pub(super) fn new(files: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        let lines = |patch: String| lines_in_diff(&patch).into_iter().collect();
        let files = files
            .into_iter()
            .map(|(path, patch)| (path, patch.map(lines)));
        Self(files.collect())
    }

    /// Where nobody can tell the lines of a file, its findings are about the file as a whole.
    ///
    /// # Errors
    /// The first place that is not in the diff, for people.
    pub(super) fn check(&self, findings: &mut [Finding]) -> Result<(), String> {
        for finding in findings {
            let Some(lines) = self.0.get(&finding.path) else {
                return Err(format!("{} is not in the diff", inline(&finding.path)));
            };
            let Some(line) = finding.line else { continue };
            match lines {
                None => finding.line = None,
                Some(lines) if lines.contains(&line) => {}
                Some(_) => {
                    let path = inline(&finding.path);
                    return Err(format!("line {line} of {path} is not in the diff"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use coord_core::verdict::Severity;

    use super::*;

    fn places() -> Places {
        let hunks = "@@ -1,2 +1,3 @@\n one\n+two\n three\n";
        let gone = "@@ -1,2 +0,0 @@\n-one\n-two\n";
        Places::new([
            ("src/a.rs".to_owned(), Some(hunks.to_owned())),
            ("gone.rs".to_owned(), Some(gone.to_owned())),
            ("logo.png".to_owned(), None),
        ])
    }

    fn check(path: &str, line: Option<u32>) -> Result<Option<u32>, String> {
        let mut findings = [Finding {
            path: path.to_owned(),
            line,
            severity: Severity::Minor,
            rule: String::new(),
            text: String::new(),
        }];
        places().check(&mut findings)?;
        Ok(findings[0].line)
    }

    #[test]
    fn places_in_the_diff_are_kept() {
        for line in [None, Some(1), Some(2), Some(3)] {
            assert_eq!(check("src/a.rs", line), Ok(line));
        }
        assert_eq!(check("gone.rs", None), Ok(None));
    }

    #[test]
    fn other_places_are_named() {
        let line_4 = check("src/a.rs", Some(4)).unwrap_err();
        assert_eq!(line_4, "line 4 of `src/a.rs` is not in the diff");
        assert!(check("src/a.rs", Some(0)).is_err());
        assert!(check("gone.rs", Some(1)).is_err());
        let other = check("src/`b`\n.rs", None).unwrap_err();
        assert_eq!(other, "`src/ b  .rs` is not in the diff");
    }

    #[test]
    fn lines_that_nobody_can_tell_are_left_out() {
        assert_eq!(check("logo.png", Some(7)), Ok(None));
        assert_eq!(check("logo.png", None), Ok(None));
    }
}
