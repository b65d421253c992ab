//! The supervisor by itself: what holds the scripted model in the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    coord_supervisor::run(std::env::args_os().skip(1))
}
