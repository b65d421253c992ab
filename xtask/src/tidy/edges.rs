//! Which of our crates may depend on which: the architecture as data.
//!
//! A new edge is an architectural change. It changes this table and `docs/ARCHITECTURE.md` in the
//! same commit, with the reason.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::workspace::{DependencyKind, Package};

/// Each crate and the crates of ours that its shipped code may depend on.
const EDGES: &[(&str, &[&str])] = &[
    ("coord-core", &[]),
    ("coord-supervisor", &[]),
    ("coord-brain", &["coord-core"]),
    ("coord-config", &["coord-core"]),
    ("coord-store", &["coord-core"]),
    ("coord-git", &["coord-core"]),
    ("coord-forge", &["coord-core"]),
    ("coord-protocol", &["coord-core"]),
    (
        "coord-forge-local",
        &["coord-core", "coord-forge", "coord-store", "coord-git"],
    ),
    // The forge on the network remembers answers and rate limits in the store.
    (
        "coord-github",
        &["coord-core", "coord-forge", "coord-store"],
    ),
    // The worker writes the instructions that the supervisor reads: one definition of them.
    ("coord-worker", &["coord-core", "coord-supervisor"]),
    // The agent's binary is a supervisor too when it is called with `__supervise`.
    (
        "coord-agent",
        &[
            "coord-config",
            "coord-core",
            "coord-git",
            "coord-protocol",
            "coord-supervisor",
            "coord-worker",
        ],
    ),
    (
        "coord-engine",
        &[
            "coord-brain",
            "coord-config",
            "coord-core",
            "coord-forge",
            "coord-git",
            "coord-protocol",
            "coord-store",
            "coord-worker",
        ],
    ),
    // The binary: it puts forge and engine together, hosts an agent, and is a supervisor when it is called with `__supervise`.
    (
        "coord-cli",
        &[
            "coord-agent",
            "coord-config",
            "coord-core",
            "coord-engine",
            "coord-forge",
            "coord-forge-local",
            "coord-git",
            "coord-github",
            "coord-protocol",
            "coord-store",
            "coord-supervisor",
            "coord-worker",
        ],
    ),
    ("coord-test-support", &[]),
    // What a program outside this workspace embeds: the domain and the agent's client.
    ("coord-examples", &["coord-core", "coord-protocol"]),
    // Drives the built binaries from outside, so it knows the wire and the doubles, and measures the
    // radar in its own process, where a driver runs it too.
    (
        "xtask",
        &[
            "coord-core",
            "coord-git",
            "coord-protocol",
            "coord-test-support",
        ],
    ),
];

/// The doubles: every crate's tests may use them, no shipped code may.
const TEST_SUPPORT: &str = "coord-test-support";

/// Edges that exist in tests only, beyond [`TEST_SUPPORT`] and the row of [`EDGES`].
const DEV_EDGES: &[(&str, &str)] = &[
    // The supervisor's tests speak to it as its only caller does.
    ("coord-supervisor", "coord-worker"),
    ("coord-supervisor", "coord-core"),
    // The engine's tests ask a scripted model that a supervisor holds.
    ("coord-engine", "coord-supervisor"),
    // They merge on a real forge.
    ("coord-engine", "coord-forge-local"),
    // And claim, and survive faults, on the one that others use too.
    ("coord-engine", "coord-github"),
];

/// Compares the workspace with the table.
pub(crate) fn check(packages: &[Package]) -> Vec<Finding> {
    let names: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let mut findings: Vec<Finding> = EDGES
        .iter()
        .filter(|(name, _)| !names.contains(name))
        .map(|(name, _)| {
            Finding::file(
                "xtask/src/tidy/edges.rs",
                format!("the table has a row for `{name}`, which does not exist"),
            )
        })
        .collect();
    for package in packages {
        findings.extend(check_package(package, &names));
    }
    findings
}

fn check_package(package: &Package, ours: &BTreeSet<&str>) -> Vec<Finding> {
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
        return vec![Finding::file(
            &package.manifest,
            "this crate has no row in the table of edges (xtask/src/tidy/edges.rs)",
        )];
    };
    let forbidden = |kind: DependencyKind, dependency: &str| match kind {
        DependencyKind::Normal | DependencyKind::Build => !allowed.contains(&dependency),
        DependencyKind::Dev => {
            dependency != TEST_SUPPORT
                && !allowed.contains(&dependency)
                && !DEV_EDGES.contains(&(package.name.as_str(), dependency))
        }
    };
    package
        .dependencies
        .iter()
        .filter(|d| ours.contains(d.name.as_str()) && forbidden(d.kind, &d.name))
        .map(|d| {
            Finding::file(
                &package.manifest,
                format!(
                    "`{}` may not depend on `{}` ({}): see xtask/src/tidy/edges.rs",
                    package.name,
                    d.name,
                    d.kind.as_str()
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Dependency;
    use super::*;

    fn package(name: &str, dependencies: &[(&str, DependencyKind)]) -> Package {
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).to_owned(),
                    rename: None,
                    kind: *kind,
                })
                .collect(),
        }
    }

    /// The findings about `packages` themselves, without the rows that have no crate.
    fn findings(packages: &[Package]) -> Vec<String> {
        check(packages)
            .into_iter()
            .filter(|f| !f.message.starts_with("the table has a row"))
            .map(|f| f.message)
            .collect()
    }

    #[test]
    fn an_edge_away_from_the_core_is_reported() {
        let core = package("coord-core", &[("coord-git", DependencyKind::Normal)]);
        let git = package("coord-git", &[("coord-core", DependencyKind::Normal)]);
        let found = findings(&[core, git]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("`coord-core` may not depend on `coord-git`"));
    }

    #[test]
    fn doubles_belong_into_tests_only() {
        let support = package("coord-test-support", &[]);
        let ok = package("coord-git", &[("coord-test-support", DependencyKind::Dev)]);
        assert!(findings(&[ok, support.clone()]).is_empty());
        let bad = package(
            "coord-git",
            &[("coord-test-support", DependencyKind::Normal)],
        );
        assert_eq!(findings(&[bad, support]).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_reported() {
        let found = findings(&[package("coord-new", &[])]);
        assert!(found[0].contains("no row"), "{found:?}");
    }

    #[test]
    fn a_row_without_a_crate_is_reported() {
        let found = check(&[]);
        assert_eq!(found.len(), EDGES.len());
    }
}
