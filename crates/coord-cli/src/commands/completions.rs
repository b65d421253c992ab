//! `coord completions`: a script that completes commands and flags in a shell.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::app::App;
use crate::args::Cli;
use crate::exit;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(app: &App, args: &CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "coord", &mut script);
    app.printer.raw(&script);
    Ok(exit::OK)
}
