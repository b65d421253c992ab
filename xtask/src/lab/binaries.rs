//! The binaries that are driven from outside: built once, in the release profile.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::step::call;

/// Where the built binaries are.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Those in `folder` as they are, else freshly built ones of the release profile.
    pub(crate) fn find(root: &Path, folder: Option<PathBuf>) -> Result<Self> {
        if let Some(folder) = folder {
            let folder = folder
                .canonicalize()
                .with_context(|| format!("no binaries in {}", folder.display()))?;
            return Ok(Self { folder });
        }
        let mut args = vec![
            "build",
            "--locked",
            "--quiet",
            "--release",
            "--bins",
            "--examples",
        ];
        for package in [
            "coord-cli",
            "coord-agent",
            "coord-supervisor",
            "coord-examples",
        ] {
            args.extend(["--package", package]);
        }
        call(root, "cargo", &args)?;
        Ok(Self {
            folder: target_folder(root).join("release"),
        })
    }

    /// The command line.
    pub(crate) fn coord(&self) -> PathBuf {
        self.folder.join("coord")
    }

    /// The agent.
    pub(crate) fn agent(&self) -> PathBuf {
        self.folder.join("coord-agent")
    }

    /// What holds a worker, and what its hooks run.
    pub(crate) fn supervisor(&self) -> PathBuf {
        self.folder.join("coord-supervisor")
    }

    /// One of the programs in `examples/`.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.folder.join("examples").join(name)
    }
}

/// The target folder, which a person may have moved.
pub(crate) fn target_folder(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root.join(folder),
        None => root.join("target"),
    }
}
