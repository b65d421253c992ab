//! The smallest program that parses arguments with clap: what `cargo xtask bench` compares the
//! start of `coord version` with.

#![expect(clippy::print_stdout, reason = "what the program is for")]

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the version.
    Version,
}

fn main() {
    match Args::parse().command {
        Command::Version => println!(env!("CARGO_PKG_VERSION")),
    }
}
