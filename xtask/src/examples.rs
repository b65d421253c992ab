//! Runs the programs in `examples/` and checks what they print.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::lab::{Binaries, Lab, NAME, Setup};

/// Runs both examples against the binaries in `folder`, or fresh ones; the second one gets an agent.
pub(crate) fn run(root: &Path, folder: Option<PathBuf>) -> Result<()> {
    let binaries = Binaries::find(root, folder)?;
    replay_board(root, &binaries)?;
    tokio::runtime::Runtime::new()?.block_on(drive_agent(&binaries))
}

fn replay_board(root: &Path, binaries: &Binaries) -> Result<()> {
    let mut command = Command::new(binaries.example("replay_board"));
    command.arg(root.join("examples/fixtures/log.json"));
    expect(
        command,
        &[
            "greetings#1    merged",
            "greetings#3    claimed",
            "its files overlap",
        ],
    )
}

/// What the worker of the second example is asked to do, in the simulated worker's words.
const TASK: &str = "Say hello\n```simulate\n\
    {\"write\":{\"path\":\"hello.txt\",\"content\":\"hello\\n\"}}\n{\"commit\":\"Say hello\"}\n```\n";

async fn drive_agent(binaries: &Binaries) -> Result<()> {
    let coord = binaries.coord();
    let worker = [&*coord.to_string_lossy(), "__simulated-worker"];
    let lab = Lab::new(binaries, &Setup::with_worker(&worker))?;
    let agent = lab.start_agent().await?;
    let mut command = lab.command(&binaries.example("drive_agent"));
    command
        .arg(lab.client()?.url())
        .arg(NAME)
        .arg(lab.repo.clone_path())
        .arg(TASK);
    expect(command, &["done with issue-1-"])?;
    let branches = lab.repo.remote_branches()?;
    ensure!(branches.len() == 2, "the remote has {branches:?}");
    agent.kill();
    Ok(())
}

/// Runs an example; it has to end well and to print every one of `words`.
fn expect(mut command: Command, words: &[&str]) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("failed to run {program}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && words.iter().all(|word| printed.contains(word)),
        "{program} ended with {}, expected to print {words:?}; it printed:\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
