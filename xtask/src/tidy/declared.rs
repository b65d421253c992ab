//! Every crates.io dependency is declared once, explained once, and used.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::workspace::{Package, TextFile};

/// Where a dependency is explained.
const REASONS: &str = "docs/DEPENDENCIES.md";
/// Where a dependency is declared.
const ROOT_MANIFEST: &str = "Cargo.toml";

/// Compares root manifest, `docs/DEPENDENCIES.md` and what the crates declare and name.
pub(crate) fn check(packages: &[Package], files: &[TextFile]) -> Vec<Finding> {
    let text_of = |path: &str| files.iter().find(|f| f.path == path).map(|f| &*f.text);
    let Some(manifest) = text_of(ROOT_MANIFEST) else {
        return vec![Finding::file(ROOT_MANIFEST, "missing")];
    };
    let Some(reasons) = text_of(REASONS) else {
        return vec![Finding::file(REASONS, "missing")];
    };
    let declared = workspace_dependencies(manifest);
    let mut findings = compare(&declared, &explained(reasons), packages);
    for package in packages {
        findings.extend(unused(package, files));
    }
    findings
}

/// The keys of `[workspace.dependencies]` that do not come from this workspace.
fn workspace_dependencies(manifest: &str) -> BTreeSet<&str> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.contains("path = "))
        .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim()))
        .filter(|key| !key.starts_with('#'))
        .collect()
}

/// The names in the first column of the tables: `` | `name` | … | ``.
fn explained(reasons: &str) -> BTreeSet<&str> {
    reasons
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|rest| rest.split_once('`').map(|(name, _)| name))
        .collect()
}

fn compare(
    declared: &BTreeSet<&str>,
    explained: &BTreeSet<&str>,
    packages: &[Package],
) -> Vec<Finding> {
    let used: BTreeSet<&str> = packages
        .iter()
        .flat_map(|p| p.dependencies.iter().map(|d| d.key()))
        .collect();
    let mut findings = Vec::new();
    for name in declared {
        if !explained.contains(name) {
            let message = format!("`{name}` is a dependency without a row that says why");
            findings.push(Finding::file(REASONS, message));
        }
        if !used.contains(name) {
            let message = format!("no crate depends on `{name}`");
            findings.push(Finding::file(ROOT_MANIFEST, message));
        }
    }
    for name in explained.difference(declared) {
        let message = format!("has a row for `{name}`, which is not a dependency");
        findings.push(Finding::file(REASONS, message));
    }
    findings
}

/// Dependencies that a crate declares and that no source file of it names.
fn unused(package: &Package, files: &[TextFile]) -> Vec<Finding> {
    let folder = package.manifest.trim_end_matches("Cargo.toml");
    let sources: Vec<&str> = files
        .iter()
        .filter(|f| f.path.starts_with(folder) && f.path.ends_with(".rs"))
        .map(|f| f.text.as_str())
        .collect();
    package
        .dependencies
        .iter()
        .filter(|d| {
            let ident = d.key().replace('-', "_");
            !sources.iter().any(|text| names(text, &ident))
        })
        .map(|d| {
            let message = format!("no source file of this crate names `{}`", d.key());
            Finding::file(&package.manifest, message)
        })
        .collect()
}

/// Whether `ident` stands in `text` as a word of its own.
fn names(text: &str, ident: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(ident).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + ident.len()..].chars().next();
        !before.is_some_and(word) && !after.is_some_and(word)
    })
}

#[cfg(test)]
mod tests {
    use super::super::workspace::{Dependency, DependencyKind};
    use super::*;

    const MANIFEST: &str = "[workspace]\n\n[workspace.dependencies]\nours = { path = \"x\" }\n\
        serde = \"1\"\ntokio-util = \"1\"\n\n[profile.dev]\ndebug = 1\n";

    fn file(path: &str, text: &str) -> TextFile {
        TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn package() -> Package {
        Package {
            name: "a".to_owned(),
            manifest: "crates/a/Cargo.toml".to_owned(),
            dependencies: ["serde", "tokio-util"]
                .map(|name| Dependency {
                    name: name.to_owned(),
                    rename: None,
                    kind: DependencyKind::Normal,
                })
                .to_vec(),
        }
    }

    fn messages(reasons: &str, source: &str, packages: &[Package]) -> Vec<String> {
        let files = [
            file("Cargo.toml", MANIFEST),
            file("docs/DEPENDENCIES.md", reasons),
            file("crates/a/src/lib.rs", source),
        ];
        let findings = check(packages, &files);
        findings.into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn a_workspace_in_order_has_no_findings() {
        let reasons = "| `serde` | types |\n| `tokio-util` | io |\n";
        let source = "use serde::X; use tokio_util::Y;";
        assert_eq!(messages(reasons, source, &[package()]), [""; 0]);
    }

    #[test]
    fn a_dependency_without_a_reason_is_reported() {
        let found = messages("| `serde` | types |\n", "serde tokio_util", &[package()]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("`tokio-util` is a dependency without"));
    }

    #[test]
    fn a_row_without_a_dependency_is_reported() {
        let reasons = "| `serde` | x |\n| `tokio-util` | x |\n| `gone` | x |\n";
        let found = messages(reasons, "serde tokio_util", &[package()]);
        assert_eq!(found, ["has a row for `gone`, which is not a dependency"]);
    }

    #[test]
    fn a_dependency_that_nothing_names_is_reported() {
        let reasons = "| `serde` | x |\n| `tokio-util` | x |\n";
        let found = messages(reasons, "serde; my_tokio_util_2", &[package()]);
        assert_eq!(found, ["no source file of this crate names `tokio-util`"]);
    }

    #[test]
    fn a_dependency_that_no_crate_declares_is_reported() {
        let reasons = "| `serde` | x |\n| `tokio-util` | x |\n";
        let found = messages(reasons, "", &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("no crate depends on"));
    }
}
