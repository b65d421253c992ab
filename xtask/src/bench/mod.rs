//! `cargo xtask bench`: measures what the README promises, on this machine, and prints a table.
//!
//! The binaries are driven from outside, as in production. Numbers depend on what else the machine
//! does: run it alone.

mod dispatch;
mod hooks;
mod latency;
mod memory;
mod plan;
mod radar;
mod startup;
mod table;

use std::path::PathBuf;

use anyhow::Result;

use crate::lab::Binaries;
use crate::tidy::workspace::root;
pub(crate) use latency::clock;
use table::Table;

/// Measures everything, or what belongs to the groups whose name contains `only`, and prints it;
/// fails when a promise is not kept.
pub(crate) fn run(folder: Option<PathBuf>, markdown: bool, only: Option<&str>) -> Result<()> {
    let binaries = Binaries::find(&root(), folder)?;
    let mut table = Table::default();
    let wanted = |group: &str| only.is_none_or(|only| group.contains(only));
    if wanted("startup") {
        startup::measure(&binaries, &mut table)?;
    }
    if wanted("radar") {
        radar::measure(&mut table)?;
    }
    if wanted("plan") {
        plan::measure(&binaries, &mut table)?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        if wanted("memory") {
            memory::measure(&binaries, &mut table).await?;
        }
        if wanted("hooks") {
            hooks::measure(&binaries, &mut table).await?;
        }
        if wanted("dispatch") {
            dispatch::measure(&binaries, &mut table).await?;
        }
        if wanted("latency") {
            latency::measure(&binaries, &mut table).await?;
        }
        anyhow::Ok(())
    })?;
    table.print(markdown);
    table.verdict()
}
