//! The supervisor as a program of its own; everything it does stands in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    coord_supervisor::run(std::env::args_os().skip(1))
}
