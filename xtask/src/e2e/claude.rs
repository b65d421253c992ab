//! The real worker, pinned, in `target/e2e/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lab::target_folder;
use crate::step::call;

/// The version that the fixtures were recorded with.
const VERSION: &str = "2.1.330";

/// Installs it, unless it is there already, and returns its path.
pub(super) fn install(root: &Path) -> Result<PathBuf> {
    let folder = target_folder(root).join("e2e");
    let claude = folder.join("node_modules/.bin/claude");
    if !is_there(&claude) {
        std::fs::create_dir_all(&folder)?;
        let package = format!("@anthropic-ai/claude-code@{VERSION}");
        let options = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
        let args = [&["install", "--prefix", "."], &options[..], &[&package]].concat();
        call(&folder, "npm", &args)?;
        ensure!(is_there(&claude), "{package} is installed and does not run");
    }
    claude.canonicalize().context("failed to resolve its path")
}

fn is_there(claude: &Path) -> bool {
    let version = Command::new(claude).arg("--version").output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).starts_with(VERSION))
}
