//! The binaries that are driven from outside: built once, in one profile.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::step::call;

/// Which build of the binaries to drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What a person runs.
    Release,
    /// Quicker to build.
    Dev,
}

impl Profile {
    /// The profile that the flag `--dev` asks for.
    pub(crate) const fn from_flag(dev: bool) -> Self {
        if dev { Self::Dev } else { Self::Release }
    }
}

/// Where the built binaries are.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Builds `coord`, `coord-agent`, `coord-supervisor` and the examples.
    pub(crate) fn build(root: &Path, profile: Profile) -> Result<Self> {
        let mut args = vec!["build", "--locked", "--quiet", "--bins", "--examples"];
        for package in [
            "coord-cli",
            "coord-agent",
            "coord-supervisor",
            "coord-examples",
        ] {
            args.extend(["--package", package]);
        }
        let folder = match profile {
            Profile::Release => {
                args.push("--release");
                "release"
            }
            Profile::Dev => "debug",
        };
        call(root, "cargo", &args)?;
        Ok(Self {
            folder: target_folder(root).join(folder),
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

    /// The program that holds one worker.
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
