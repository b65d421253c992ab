//! `cargo xtask dist`: the optimised binaries, packed with what a person needs beside them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lab::target_folder;
use crate::step::call;
use crate::tidy::workspace::root;

/// The programs of a release.
const PROGRAMS: &[&str] = &["coord", "coord-agent", "coord-supervisor"];

/// Documents that go into the archive.
const DOCUMENTS: &[&str] = &["LICENSE", "README.md", "CHANGELOG.md"];

/// Shells that `coord completions` knows.
const SHELLS: &[&str] = &["bash", "zsh", "fish"];

/// Builds and packs `target/dist/coord-VERSION-TARGET.tar.gz` with its `.sha256`.
pub(crate) fn run() -> Result<()> {
    let root = root();
    let mut args = vec!["build", "--locked", "--profile", "dist", "--bins"];
    for package in ["coord-cli", "coord-agent", "coord-supervisor"] {
        args.extend(["--package", package]);
    }
    call(&root, "cargo", &args)?;
    let built = target_folder(&root).join("dist");
    let name = format!("coord-{}-{}", env!("CARGO_PKG_VERSION"), host(&root)?);
    let folder = built.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    gather(&root, &built, &folder)?;
    let archive = format!("{name}.tar.gz");
    call(&built, "tar", &["-czf", &archive, &name])?;
    write_digest(&built, &archive)?;
    println!("{}", built.join(archive).display());
    Ok(())
}

fn gather(root: &Path, built: &Path, folder: &Path) -> Result<()> {
    let completions = folder.join("completions");
    std::fs::create_dir_all(&completions)?;
    for program in PROGRAMS {
        copy(&built.join(program), &folder.join(program))?;
    }
    for document in DOCUMENTS {
        copy(&root.join(document), &folder.join(document))?;
    }
    for shell in SHELLS {
        let script = output(Command::new(built.join("coord")).args(["completions", shell]))?;
        std::fs::write(completions.join(format!("coord.{shell}")), script)?;
    }
    Ok(())
}

/// Writes `ARCHIVE.sha256` in the form that `sha256sum --check` reads.
fn write_digest(folder: &Path, archive: &str) -> Result<()> {
    let line = output(Command::new("sha256sum").arg(archive).current_dir(folder))?;
    std::fs::write(folder.join(format!("{archive}.sha256")), line)?;
    Ok(())
}

fn copy(from: &Path, to: &PathBuf) -> Result<()> {
    std::fs::copy(from, to).with_context(|| format!("failed to copy {}", from.display()))?;
    Ok(())
}

/// The target triple of this machine.
fn host(root: &Path) -> Result<String> {
    let text = output(Command::new("rustc").arg("-vV").current_dir(root))?;
    let text = String::from_utf8(text)?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not name its host")?.to_owned())
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("failed to run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}
