//! Memory of an agent that has nothing to do, and of the supervisor of a worker.

use std::time::Duration;

use anyhow::{Context, Result};

use super::table::Table;
use crate::lab::{Binaries, Lab, Setup, Work};

pub(super) async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let lab = Lab::new(binaries, &Setup::with_worker(&["sh", "-c", "sleep 600"]))?;
    let agent = lab.start_agent().await?;
    // What starting up needed has been given back by then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = kilobytes(agent.pid(), "status", &["VmRSS"])?;
    table.add("idle agent", idle / 1024.0, 12.0, "MB", "resident");

    let work = Work::new(1, "sleep");
    lab.client()?.assign(&work.body(&lab)).await?;
    lab.wait_started(&work.id).await?;
    let holder = lab
        .processes()?
        .into_iter()
        .find(|process| process.command.starts_with("coord-supervisor"))
        .context("no supervisor runs")?;
    let private = kilobytes(
        holder.pid,
        "smaps_rollup",
        &["Private_Clean", "Private_Dirty"],
    )?;
    table.add(
        "a worker's supervisor",
        private / 1024.0,
        2.0,
        "MB",
        "private",
    );
    agent.kill();
    Ok(())
}

/// The sum of `fields` in `/proc/PID/FILE`.
fn kilobytes(pid: u32, file: &str, fields: &[&str]) -> Result<f64> {
    let path = format!("/proc/{pid}/{file}");
    let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    let value = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let wanted = fields.contains(&name);
        let number = rest.trim().trim_end_matches(" kB");
        wanted.then(|| number.parse::<f64>().ok()).flatten()
    };
    Ok(text.lines().filter_map(value).sum())
}
