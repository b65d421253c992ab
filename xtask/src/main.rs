//! The chores of this workspace: `cargo xtask --help`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people and CI logs"
)]

mod bench;
mod chaos;
mod ci;
mod dist;
mod e2e;
mod examples;
mod lab;
mod step;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

use lab::Profile;
use tidy::workspace::root;

/// The chores of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check the house rules that no compiler checks.
    Tidy,
    /// Format, house rules, lints, documentation, licences, examples: what CI checks beside the tests.
    Ci,
    /// Run the programs in `examples/` and check what they print.
    Examples {
        /// Use the binaries of the dev profile, which build faster.
        #[arg(long)]
        dev: bool,
    },
    /// Drive the real worker through the real agent, against a scripted API on loopback.
    E2e {
        /// Only the scenarios whose name contains this.
        #[arg(long)]
        only: Option<String>,
        /// Use the binaries of the dev profile, which build faster.
        #[arg(long)]
        dev: bool,
    },
    /// Kill our processes at random moments of the demo, and check what is left.
    Chaos {
        /// How many runs.
        #[arg(long, default_value_t = 20)]
        runs: u64,
        /// Where to begin; printed for every run.
        #[arg(long)]
        seed: Option<u64>,
        /// Use the binaries of the dev profile, which build faster.
        #[arg(long)]
        dev: bool,
    },
    /// Measure what the README promises, and print a table.
    Bench {
        /// Print the table for the README.
        #[arg(long)]
        markdown: bool,
        /// Use the binaries of the dev profile: the numbers mean nothing then.
        #[arg(long)]
        dev: bool,
    },
    /// Pack the optimised binaries into `target/dist/`.
    Dist,
    /// The worker of `bench`: writes the time, line by line.
    #[command(hide = true)]
    Clock {
        /// What a worker is given.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        ignored: Vec<String>,
    },
}

fn main() -> Result<()> {
    match Args::parse().chore {
        Chore::Tidy => tidy::run(),
        Chore::Ci => ci::run(),
        Chore::Examples { dev } => examples::run(&root(), Profile::from_flag(dev)),
        Chore::E2e { only, dev } => e2e::run(Profile::from_flag(dev), only.as_deref()),
        Chore::Chaos { runs, seed, dev } => chaos::run(Profile::from_flag(dev), runs, seed),
        Chore::Bench { markdown, dev } => bench::run(Profile::from_flag(dev), markdown),
        Chore::Dist => dist::run(),
        Chore::Clock { ignored: _ } => bench::clock(),
    }
}
