//! `cargo xtask bench`: measures what the README promises, on this machine, and prints a table.
//!
//! The binaries are driven from outside, as in production. Numbers depend on what else the machine
//! does: run it alone.

mod dispatch;
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

/// Measures everything and prints it; fails when a promise is not kept.
pub(crate) fn run(folder: Option<PathBuf>, markdown: bool) -> Result<()> {
    let binaries = Binaries::find(&root(), folder)?;
    let mut table = Table::default();
    startup::measure(&binaries, &mut table)?;
    radar::measure(&mut table)?;
    plan::measure(&binaries, &mut table)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        memory::measure(&binaries, &mut table).await?;
        dispatch::measure(&binaries, &mut table).await?;
        latency::measure(&binaries, &mut table).await
    })?;
    table.print(markdown);
    table.verdict()
}
