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
mod github_contract;
mod lab;
mod step;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

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
        /// Drive the binaries in this folder instead of building them.
        #[arg(long, value_name = "FOLDER")]
        binaries: Option<PathBuf>,
    },
    /// Drive the real worker through the real agent, against a scripted API on loopback.
    E2e {
        /// Only the scenarios whose name contains this.
        #[arg(long)]
        only: Option<String>,
        /// Drive the binaries in this folder instead of building them.
        #[arg(long, value_name = "FOLDER")]
        binaries: Option<PathBuf>,
    },
    /// Kill our processes at random moments of the demo, and check what is left.
    Chaos {
        /// How many runs.
        #[arg(long, default_value_t = 20)]
        runs: u64,
        /// Where to begin; printed for every run.
        #[arg(long)]
        seed: Option<u64>,
        /// Drive the binaries in this folder instead of building them.
        #[arg(long, value_name = "FOLDER")]
        binaries: Option<PathBuf>,
    },
    /// Measure what the README promises, and print a table.
    Bench {
        /// Print the table for the README.
        #[arg(long)]
        markdown: bool,
        /// Only the groups whose name contains this: startup, radar, plan, memory, hooks, dispatch,
        /// latency.
        #[arg(long)]
        only: Option<String>,
        /// Drive the binaries in this folder instead of building them.
        #[arg(long, value_name = "FOLDER")]
        binaries: Option<PathBuf>,
    },
    /// Extract what GitHub's OpenAPI description says about the operations that we use.
    GithubContract {
        /// Write nothing; fail when the committed extract is out of date.
        #[arg(long)]
        check: bool,
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

fn main() -> ExitCode {
    match run(Args::parse().chore) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Tidy => tidy::run(),
        Chore::Ci => ci::run(),
        Chore::Examples { binaries } => examples::run(&root(), binaries),
        Chore::E2e { only, binaries } => e2e::run(binaries, only.as_deref()),
        Chore::Chaos {
            runs,
            seed,
            binaries,
        } => chaos::run(binaries, runs, seed),
        Chore::Bench {
            markdown,
            only,
            binaries,
        } => bench::run(binaries, markdown, only.as_deref()),
        Chore::GithubContract { check } => github_contract::run(check),
        Chore::Dist => dist::run(),
        Chore::Clock { ignored: _ } => bench::clock(),
    }
}
