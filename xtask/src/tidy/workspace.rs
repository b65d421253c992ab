//! What the checks need to know of the workspace: its crates, their edges, its text files.
//!
//! Reads `cargo metadata` and walks the tree; judges nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// One crate of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// As in its manifest.
    pub(crate) name: String,
    /// Path of its manifest, relative to the root.
    pub(crate) manifest: String,
    /// Everything that it declares.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One declared dependency.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The name in the registry.
    pub(crate) name: String,
    /// The name that the code uses, where it is another one.
    pub(crate) rename: Option<String>,
    /// For the shipped code, for tests, or for the build script.
    pub(crate) kind: DependencyKind,
}

impl Dependency {
    /// The key in the manifest.
    pub(crate) fn key(&self) -> &str {
        self.rename.as_deref().unwrap_or(&self.name)
    }
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DependencyKind {
    /// The shipped code.
    Normal,
    /// Tests, examples and benches.
    Dev,
    /// The build script.
    Build,
}

impl DependencyKind {
    /// The section of the manifest.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "dependencies",
            Self::Dev => "dev-dependencies",
            Self::Build => "build-dependencies",
        }
    }
}

/// A text file below the root.
#[derive(Debug, Clone)]
pub(crate) struct TextFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    rename: Option<String>,
    kind: Option<String>,
}

/// The root of the workspace: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The crates of the workspace at `root`, as cargo sees them.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root)
        .output()
        .context("failed to run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not as expected")?;
    Ok(metadata
        .packages
        .into_iter()
        .map(|package| from_metadata(root, package))
        .collect())
}

fn from_metadata(root: &Path, package: MetadataPackage) -> Package {
    let kind = |kind: Option<&str>| match kind {
        Some("dev") => DependencyKind::Dev,
        Some("build") => DependencyKind::Build,
        Some(_) | None => DependencyKind::Normal,
    };
    Package {
        name: package.name,
        manifest: relative(root, &package.manifest_path),
        dependencies: package
            .dependencies
            .into_iter()
            .map(|d| Dependency {
                kind: kind(d.kind.as_deref()),
                name: d.name,
                rename: d.rename,
            })
            .collect(),
    }
}

/// Folders that hold nothing that a person wrote.
const SKIPPED_FOLDERS: &[&str] = &[".git", "target", "node_modules"];

/// Every UTF-8 file below `root`, in order of path.
pub(crate) fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("failed to list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED_FOLDERS.iter().any(|s| entry.file_name() == *s) {
                    folders.push(entry.path());
                }
            } else if kind.is_file()
                && let Ok(text) = std::fs::read_to_string(entry.path())
            {
                files.insert(relative(root, &entry.path()), text);
            }
        }
    }
    Ok(files
        .into_iter()
        .map(|(path, text)| TextFile { path, text })
        .collect())
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .to_string_lossy()
        .replace('\\', "/")
}
