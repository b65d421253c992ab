//! How long `coord version` takes, against a program that does nothing but parse its arguments.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::table::{Table, median};
use crate::lab::Binaries;

const RUNS: usize = 61;

pub(super) fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let bare = binaries.example("bare_clap");
    let (mut ours, mut bares) = (Vec::new(), Vec::new());
    // In turn, so that both see the same weather.
    for _ in 0..RUNS {
        ours.push(milliseconds(&binaries.coord())?);
        bares.push(milliseconds(&bare)?);
    }
    let (ours, bare) = (median(ours), median(bares));
    let note = format!("{ours:.2} ms against {bare:.2} ms, medians of {RUNS}");
    table.add(
        "`coord version` against bare clap",
        ours / bare,
        2.0,
        "×",
        note,
    );
    Ok(())
}

fn milliseconds(program: &Path) -> Result<f64> {
    let start = Instant::now();
    let status = Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("failed to run {}", program.display()))?;
    let took = start.elapsed();
    ensure!(
        status.success(),
        "{} version ended with {status}",
        program.display()
    );
    Ok(took.as_secs_f64() * 1000.0)
}
