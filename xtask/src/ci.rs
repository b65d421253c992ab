//! `cargo xtask ci`: everything that CI checks beside the tests and the running binaries.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::examples;
use crate::step::{Steps, call, call_with};
use crate::tidy;
use crate::tidy::workspace::root;

/// Runs every step, prints their durations, and fails when one failed.
pub(crate) fn run() -> Result<()> {
    let root = root();
    let mut steps = Steps::default();
    steps.run("format", || {
        call(&root, "cargo", &["fmt", "--all", "--check"])
    });
    steps.run("tidy", tidy::run);
    steps.run("clippy", || clippy(&root));
    steps.run("doc", || {
        let args = ["doc", "--workspace", "--no-deps", "--quiet"];
        call_with(&root, "cargo", &args, &[("RUSTDOCFLAGS", "-D warnings")])
    });
    steps.run("deny", || deny(&root));
    steps.run("examples", || examples::run(&root, None));
    steps.finish()
}

fn clippy(root: &Path) -> Result<()> {
    let args = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ];
    call(root, "cargo", &args)
}

/// Bans, licences and sources always; advisories where their database can be fetched.
fn deny(root: &Path) -> Result<()> {
    let deny = cargo_deny(root)?;
    let checks = [
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ];
    call(root, &deny, &checks)?;
    let fetched = Command::new(&deny)
        .args(["--log-level", "off", "fetch", "db"])
        .current_dir(root)
        .output()
        .context("failed to run cargo-deny")?;
    if !fetched.status.success() {
        println!("advisories skipped: their database cannot be fetched from here");
        return Ok(());
    }
    call(
        root,
        &deny,
        &["--log-level", "error", "--offline", "check", "advisories"],
    )
}

/// The `cargo-deny` that `.ci/run` put into `target/ci/`, else the one of the machine.
fn cargo_deny(root: &Path) -> Result<String> {
    let ours = root.join("target/ci/bin/cargo-deny");
    if ours.is_file() {
        return Ok(ours.to_string_lossy().into_owned());
    }
    let version = Command::new("cargo-deny").arg("--version").output();
    match version {
        Ok(output) if output.status.success() => Ok("cargo-deny".to_owned()),
        Ok(_) | Err(_) => bail!("cargo-deny is missing: .ci/run says how to install it"),
    }
}
