//! `coord`: arguments in, a library called, the answer printed. One file per command.

mod app;
mod args;
mod blocked;
mod budget;
mod commands;
mod demo;
mod describe;
mod exit;
mod failure;
mod given;
mod live;
mod live_line;
mod log_line;
mod mirror;
mod narrator;
mod postponed;
mod printer;
mod proposed;
mod serving;
mod start;
mod time;
mod tips;
mod waiting;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;

fn main() -> ExitCode {
    // The two roles in which this binary is started by itself. They come first: a supervisor must
    // stay small, and neither may fail over an argument that is not for them.
    let role = std::env::args_os().nth(1);
    match role.as_ref().and_then(|role| role.to_str()) {
        Some(coord_supervisor::SUBCOMMAND) => coord_supervisor::run(std::env::args_os().skip(2)),
        Some(demo::SIMULATED_WORKER) => demo::worker::run(
            std::env::args_os()
                .skip(2)
                .filter_map(|arg| arg.into_string().ok()),
        ),
        _ => run(Cli::parse()),
    }
}

fn run(cli: Cli) -> ExitCode {
    let printer = cli.printer();
    match commands::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            printer.error(&failure);
            ExitCode::from(failure.code())
        }
    }
}
