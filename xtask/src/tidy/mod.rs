//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! Every check is a pure function over what [`workspace`] read; the same checks run as a test.

mod declared;
mod edges;
mod finding;
mod sources;
pub(crate) mod workspace;

use std::path::Path;

use anyhow::{Result, bail};

use finding::Finding;

/// Prints what is wrong, and fails when something is.
pub(crate) fn run() -> Result<()> {
    let findings = findings(&workspace::root())?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        n => bail!("{n} breaches of the house rules (see CONTRIBUTING.md)"),
    }
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let packages = workspace::packages(root)?;
    let files = workspace::text_files(root)?;
    let mut findings = edges::check(&packages);
    findings.extend(declared::check(&packages, &files));
    findings.extend(files.iter().flat_map(sources::check));
    findings.sort();
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let findings = findings(&workspace::root()).unwrap();
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn the_walk_sees_sources_and_documents() {
        let files = workspace::text_files(&workspace::root()).unwrap();
        for path in ["Cargo.toml", "xtask/src/tidy/mod.rs", ".ci/run"] {
            assert!(files.iter().any(|f| f.path == path), "{path}");
        }
    }
}
